//! Means over a window for either position of a pair: sums of planes in a tensor, and back.

use super::layout::Maps;
use super::sides::Sides;
use super::sums::read;
use super::window::{Both, CELLS};
use super::{GROUP, Group};
use crate::program::{Register, Step};
use crate::scalar::Scalar;
use crate::simd::Pack;

/// K and T of pairs of positions behind a pool, in double precision: differences of nearly equal images are small.
#[derive(Clone, Debug, Default)]
pub struct Tensor {
    pub kernel: Vec<[f64; GROUP]>,
    pub tangent: Vec<[f64; GROUP]>,
}

impl Tensor {
    /// Add another one.
    pub fn add(&mut self, other: &Self) {
        let values = [(&mut self.kernel, &other.kernel), (&mut self.tangent, &other.tangent)];
        for (total, added) in values.into_iter().flat_map(|(total, added)| total.iter_mut().zip(added)) {
            total.iter_mut().zip(added).for_each(|(total, value)| *total += value);
        }
    }
}

/// What a pool reads of one plane.
pub struct Pooling<'a, T> {
    /// The register that it reads, of so many, and whether ε is in it.
    pub input: usize,
    pub signed: bool,
    pub registers: usize,
    /// Pairs of positions along both axes.
    pub tracks: [&'a [[u32; 2]]; 2],
    /// Where the tensor takes them.
    pub targets: [&'a [Vec<usize>]; 2],
    /// Which places along its second axis that are.
    pub reached: &'a [usize],
    /// Pairs along the second axis of the tensor.
    pub row: usize,
    /// Positions in a row of the images.
    pub width: usize,
    pub constants: Both<'a, T>,
    pub maps: Maps,
}

impl<T: Scalar> Pooling<'_, T> {
    /// Add a plane to the tensor.
    #[inline(always)]
    pub fn run<P: Pack<Scalar = T>, const NTK: bool>(
        &self,
        state: &[Register<T>],
        tensor: &mut Tensor,
        sums: &mut Vec<[Group<T>; 2]>,
    ) {
        sums.resize(self.row, [Group([T::default(); GROUP]); 2]);
        let parts = GROUP / P::LANES;
        let columns = self.tracks[1].len();
        for (row, pair) in self.tracks[0].iter().enumerate() {
            for &column in self.reached {
                sums[column] = [Group([T::default(); GROUP]); 2];
            }
            let [left_row, right_row] = pair.map(|place| place as usize * self.width);
            for part in 0..parts {
                for (column, pair) in self.tracks[1].iter().enumerate() {
                    let (left, right) = (left_row + pair[0] as usize, right_row + pair[1] as usize);
                    let cell = row * columns + column;
                    let register = &state[cell / CELLS * self.registers + self.input];
                    let pack = cell % CELLS * parts + part;
                    let weight = self.weight::<P>(self.maps.scale, left, right, part);
                    let delta = P::load(&register.delta, pack);
                    // Of opposite images exactly the opposite.
                    let kernel = if self.signed {
                        P::splat(0.5) * weight * (P::load(&register.epsilon, pack) - delta)
                    } else {
                        delta.neg_mul_add(weight, weight)
                    };
                    let tangent = if NTK {
                        let weight = if self.maps.tangent == self.maps.scale {
                            weight
                        } else {
                            self.weight::<P>(self.maps.tangent, left, right, part)
                        };
                        P::load(&register.tau, pack) * weight
                    } else {
                        kernel
                    };
                    for &target in &self.targets[1][column] {
                        let lanes = part * P::LANES;
                        let sum = &mut sums[target];
                        (read::<P>(&sum[0], part) + kernel).write(&mut sum[0].0[lanes..]);
                        if NTK {
                            (read::<P>(&sum[1], part) + tangent).write(&mut sum[1].0[lanes..]);
                        }
                    }
                }
            }
            for &target in &self.targets[0][row] {
                for &column in self.reached {
                    let place = target * self.row + column;
                    let [kernel, tangent] = &sums[column];
                    add(&mut tensor.kernel[place], kernel);
                    if NTK {
                        add(&mut tensor.tangent[place], tangent);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn weight<P: Pack<Scalar = T>>(&self, map: usize, left: usize, right: usize, part: usize) -> P {
        let [left, right] = self.constants.get::<P>(map + left, map + right, part);
        left * right
    }
}

#[inline(always)]
fn add<T: Scalar>(total: &mut [f64; GROUP], sum: &Group<T>) {
    for (total, value) in total.iter_mut().zip(sum.0) {
        *total += value.to_f64();
    }
}

/// What is read of a tensor as one plane.
pub struct Reading<'a, T> {
    pub step: &'a Step,
    pub registers: usize,
    /// Pairs of positions along both axes, and where the tensor has them.
    pub tracks: [&'a [[u32; 2]]; 2],
    pub sources: [&'a [usize]; 2],
    /// Pairs along the second axis of the tensor.
    pub row: usize,
    /// Positions in a row of the images behind the pool.
    pub width: usize,
    /// Which pool of the program it is.
    pub pool: usize,
    pub sides: Sides<'a, T>,
    /// Whether √T goes with √K.
    pub proportional: bool,
    pub ntk: bool,
}

impl<T: Scalar> Reading<'_, T> {
    /// Cosines of the tensor's values.
    pub fn run(&self, tensor: &Tensor, state: &mut [Register<T>]) {
        let columns = self.tracks[1].len();
        let variances = [self.sides.left, self.sides.right].map(|side| &side.variances[self.pool]);
        for (row, pair) in self.tracks[0].iter().enumerate() {
            let rows = pair.map(|place| place as usize * self.width);
            for (column, pair) in self.tracks[1].iter().enumerate() {
                let (left, right) = (rows[0] + pair[0] as usize, rows[1] + pair[1] as usize);
                let place = self.sources[0][row] * self.row + self.sources[1][column];
                let cell = row * columns + column;
                let register = &mut state[cell / CELLS * self.registers + self.step.output];
                let first = cell % CELLS * GROUP;
                for (lane, &kernel) in tensor.kernel[place].iter().enumerate() {
                    let left_lane = self.sides.left_lane(lane);
                    let (p, q) = (variances[0][0][left][left_lane], variances[1][0][right][lane]);
                    let norm = p.sqrt() * q.sqrt();
                    let seen = norm > 0.0;
                    let apart = p.sqrt() - q.sqrt();
                    let over = if seen { 0.5 / norm } else { 0.0 };
                    // What rounding may leave where images coincide counts as nothing.
                    let clean = |defect: f64| if defect > 4.0 * T::EPSILON { defect } else { 0.0 };
                    let delta = clean((p + q - (kernel + kernel) - apart * apart) * over);
                    let epsilon = clean((p + q + (kernel + kernel) - apart * apart) * over);
                    let (delta, epsilon) = if seen { (delta, epsilon) } else { (1.0, 1.0) };
                    register.delta.0[first + lane] = T::from_f64(delta);
                    register.epsilon.0[first + lane] = T::from_f64(epsilon);
                    if self.ntk {
                        let norm = if self.proportional {
                            norm
                        } else {
                            variances[0][1][left][left_lane].sqrt() * variances[1][1][right][lane].sqrt()
                        };
                        let tangent = tensor.tangent[place][lane];
                        let tau = if norm > 0.0 { tangent / norm } else { 0.0 };
                        register.tau.0[first + lane] = T::from_f64(tau);
                    }
                }
            }
        }
    }
}
