//! Means over windows that move both positions of a pair together.
//!
//! A mean of K is no mean of cosines. So each pair goes to Δ = (s − s')² + 2ss'δ = K[p,p] + K[p',p'] − 2K[p,p'], with s
//! and s' its rows' scales, which is linear, and back. Where δ is small and the rows are equal it keeps its digits. A
//! pair half outside the images has K[p,p'] = 0: its Δ is the variance of the half inside. ε takes the same way.

use super::axis::{Place, Track, Windows};
use super::layout::Maps;
use super::{GROUP, Group};
use crate::program::{Register, Step};
use crate::scalar::Scalar;
use crate::simd::{Pack, STRIP};

/// Positions in a strip.
pub const CELLS: usize = STRIP / GROUP;

/// One plane: the tables of both axes.
#[derive(Clone, Copy)]
pub struct Plane<'a> {
    /// Pairs of what comes out.
    pub outputs: [&'a Track; 2],
    /// How it reads.
    pub windows: [&'a Windows; 2],
    /// Pairs in a row of what comes in.
    pub row: usize,
    /// Positions in a row of the images, before and after.
    pub widths: [usize; 2],
}

/// Constants of both sides.
pub struct Both<'a, T> {
    pub left: &'a [Group<T>],
    pub right: &'a [Group<T>],
}

impl<T> Clone for Both<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Both<'_, T> {}

impl<T: Scalar> Both<'_, T> {
    /// The constants of a pair, for some of its lanes.
    #[inline(always)]
    fn get<P: Pack<Scalar = T>>(self, left: usize, right: usize, part: usize) -> [P; 2] {
        [read(&self.left[left], part), read(&self.right[right], part)]
    }
}

#[inline(always)]
pub fn read<P: Pack>(group: &Group<P::Scalar>, part: usize) -> P {
    P::read(&group.0[part * P::LANES..])
}

/// One line of a padded plane, and sums over windows in as many lines as a window has.
#[derive(Clone, Debug)]
pub struct Scratch<T> {
    line: [Vec<Group<T>>; 3],
    sums: [Vec<Group<T>>; 3],
}

impl<T: Scalar> Scratch<T> {
    pub fn new() -> Self {
        Self { line: [const { Vec::new() }; 3], sums: [const { Vec::new() }; 3] }
    }

    fn resize(&mut self, line: usize, sums: usize) {
        let zero = Group([T::default(); GROUP]);
        for (buffer, length) in [(&mut self.line, line), (&mut self.sums, sums)] {
            for buffer in buffer.iter_mut().filter(|buffer| buffer.len() < length) {
                buffer.resize(length, zero);
            }
        }
    }
}

/// What a window reads and writes.
pub struct Windowing<'a, T> {
    pub step: &'a Step,
    pub plane: Plane<'a>,
    pub constants: Both<'a, T>,
    /// Of its input and its result.
    pub maps: [Maps; 2],
    /// Whether √T goes with √K.
    pub proportional: bool,
    /// Registers in a strip.
    pub registers: usize,
}

impl<T: Scalar> Windowing<'_, T> {
    /// Run on a plane.
    #[inline(always)]
    pub fn run<P: Pack<Scalar = T>, const NTK: bool, const SIGNED: bool>(
        &self,
        state: &mut [Register<T>],
        scratch: &mut Scratch<T>,
    ) {
        let [down, across] = self.plane.windows;
        let columns = across.starts.len();
        scratch.resize(across.places, down.size * columns);
        let mut next = 0;
        for span in &down.spans {
            for i in 0..span.length {
                let place = span.at + i;
                let row = Row {
                    place: span.place,
                    cell: span.cell + i,
                    left: span.left + i,
                    right: span.right + i,
                };
                for part in 0..GROUP / P::LANES {
                    self.fill::<P, NTK, SIGNED>(row, part, state, &mut scratch.line);
                    let first = place % down.size * columns;
                    sum_across::<P>(across, first, part, &scratch.line[0], &mut scratch.sums[0]);
                    if SIGNED {
                        sum_across::<P>(across, first, part, &scratch.line[1], &mut scratch.sums[1]);
                    }
                    if NTK {
                        sum_across::<P>(across, first, part, &scratch.line[2], &mut scratch.sums[2]);
                    }
                }
                if next < down.starts.len() && down.starts[next] + down.size == place + 1 {
                    for part in 0..GROUP / P::LANES {
                        self.finish::<P, NTK, SIGNED>(next, part, &scratch.sums, state);
                    }
                    next += 1;
                }
            }
        }
    }

    /// Δ, that of ε, and T of one row of the padded plane.
    #[inline(always)]
    fn fill<P: Pack<Scalar = T>, const NTK: bool, const SIGNED: bool>(
        &self,
        row: Row,
        part: usize,
        state: &[Register<T>],
        [deltas, epsilons, tangents]: &mut [Vec<Group<T>>; 3],
    ) {
        let Maps { scale, tangent, .. } = self.maps[0];
        let [factor, tangent_factor] = self.maps[1].factors;
        let [left_factor, right_factor] = self.constants.get::<P>(factor, factor, part);
        let tangent_factors = self.constants.get::<P>(tangent_factor, tangent_factor, part);
        let tangent_factor = tangent_factors[0] * tangent_factors[1];
        let width = self.plane.widths[0];
        let (left_row, right_row) = (row.left * width, row.right * width);
        let lanes = part * P::LANES;
        let parts = GROUP / P::LANES;
        let input = self.step.inputs[0];
        for span in &self.plane.windows[1].spans {
            let (left, right) = (left_row + span.left, right_row + span.right);
            let in_left = row.in_left() && matches!(span.place, Place::Both | Place::Left);
            let in_right = row.in_right() && matches!(span.place, Place::Both | Place::Right);
            if !(in_left && in_right) {
                // A variance, or nothing.
                for i in 0..span.length {
                    let at = span.at + i;
                    let mut value = P::splat(0.0);
                    if in_left {
                        value = read::<P>(&self.constants.left[scale + left + i], part) * left_factor;
                    }
                    if in_right {
                        value = read::<P>(&self.constants.right[scale + right + i], part) * right_factor;
                    }
                    let value = value * value;
                    value.write(&mut deltas[at].0[lanes..]);
                    if SIGNED {
                        value.write(&mut epsilons[at].0[lanes..]);
                    }
                    if NTK {
                        P::splat(0.0).write(&mut tangents[at].0[lanes..]);
                    }
                }
                continue;
            }
            let cells = row.cell * self.plane.row + span.cell;
            let span_length = span.length;
            let deltas = &mut deltas[span.at..][..span_length];
            let epsilons = if SIGNED { &mut epsilons[span.at..][..span_length] } else { &mut [][..] };
            let tangents = if NTK { &mut tangents[span.at..][..span_length] } else { &mut [][..] };
            let left_scales = &self.constants.left[scale + left..][..span_length];
            let right_scales = &self.constants.right[scale + right..][..span_length];
            for i in 0..span_length {
                let cell = cells + i;
                let register = &state[cell / CELLS * self.registers + input];
                let pack = cell % CELLS * parts + part;
                let a = read::<P>(&left_scales[i], part) * left_factor;
                let b = read::<P>(&right_scales[i], part) * right_factor;
                let apart = a - b;
                let apart = apart * apart;
                let weight = (a + a) * b;
                let delta = P::load(&register.delta, pack);
                delta.mul_add(weight, apart).write(&mut deltas[i].0[lanes..]);
                if SIGNED {
                    let epsilon = if self.step.signed[0] {
                        P::load(&register.epsilon, pack)
                    } else {
                        P::splat(2.0) - delta
                    };
                    epsilon.mul_add(weight, apart).write(&mut epsilons[i].0[lanes..]);
                }
                if NTK {
                    let tau = P::load(&register.tau, pack);
                    let weight = if self.proportional {
                        weight
                    } else {
                        let [a, b] = self.constants.get::<P>(tangent + left + i, tangent + right + i, part);
                        a * b * tangent_factor
                    };
                    (tau * weight).write(&mut tangents[i].0[lanes..]);
                }
            }
        }
    }

    /// One row of results.
    #[inline(always)]
    fn finish<P: Pack<Scalar = T>, const NTK: bool, const SIGNED: bool>(
        &self,
        row: usize,
        part: usize,
        [deltas, epsilons, tangents]: &[Vec<Group<T>>; 3],
        state: &mut [Register<T>],
    ) {
        let [down, across] = self.plane.windows;
        let Maps { scale, inverse, inverse_tangent, .. } = self.maps[1];
        let columns = across.starts.len();
        let share = P::splat(1.0 / (down.size * across.size) as f64);
        let (zero, one) = (P::splat(0.0), P::splat(1.0));
        let [left_row, right_row] =
            self.plane.outputs[0][row].map(|place| place as usize * self.plane.widths[1]);
        let first = down.starts[row] % down.size;
        let parts = GROUP / P::LANES;
        for (column, pair) in self.plane.outputs[1].iter().enumerate() {
            let (left, right) = (left_row + pair[0] as usize, right_row + pair[1] as usize);
            let [a, b] = self.constants.get::<P>(scale + left, scale + right, part);
            let [c, d] = self.constants.get::<P>(inverse + left, inverse + right, part);
            let over = c * d;
            let seen = zero.less(over);
            let apart = a - b;
            let apart = apart * apart;
            let cell = row * columns + column;
            let register = &mut state[cell / CELLS * self.registers + self.step.output];
            let pack = cell % CELLS * parts + part;
            let sum = sum_down::<P>(deltas, first, column, columns, down.size, part);
            let delta = (sum.mul_add(share, zero - apart) * over).max(zero);
            P::select(seen, delta, one).store(&mut register.delta, pack);
            if SIGNED {
                let sum = sum_down::<P>(epsilons, first, column, columns, down.size, part);
                let epsilon = (sum.mul_add(share, zero - apart) * over).max(zero);
                P::select(seen, epsilon, one).store(&mut register.epsilon, pack);
            }
            if NTK {
                let sum = sum_down::<P>(tangents, first, column, columns, down.size, part);
                let over = if self.proportional {
                    over
                } else {
                    let [a, b] =
                        self.constants.get::<P>(inverse_tangent + left, inverse_tangent + right, part);
                    a * b
                };
                (sum * (share * over)).store(&mut register.tau, pack);
            }
        }
    }
}

/// A row of a padded plane.
#[derive(Clone, Copy)]
struct Row {
    place: Place,
    cell: usize,
    left: usize,
    right: usize,
}

impl Row {
    fn in_left(self) -> bool {
        matches!(self.place, Place::Both | Place::Left)
    }

    fn in_right(self) -> bool {
        matches!(self.place, Place::Both | Place::Right)
    }
}

/// Sums over the windows along a line.
#[inline(always)]
fn sum_across<P: Pack>(
    windows: &Windows,
    first: usize,
    part: usize,
    line: &[Group<P::Scalar>],
    sums: &mut [Group<P::Scalar>],
) {
    let sums = &mut sums[first..][..windows.starts.len()];
    for (&start, sum) in windows.starts.iter().zip(sums) {
        let seen = &line[start..start + windows.size];
        let mut total = read::<P>(&seen[0], part);
        for value in &seen[1..] {
            total = total + read::<P>(value, part);
        }
        total.write(&mut sum.0[part * P::LANES..]);
    }
}

/// The sum over as many lines as there are, from the first one on, around the ring that they are kept in.
#[inline(always)]
fn sum_down<P: Pack>(
    sums: &[Group<P::Scalar>],
    first: usize,
    column: usize,
    columns: usize,
    lines: usize,
    part: usize,
) -> P {
    let mut total = read::<P>(&sums[first * columns + column], part);
    for line in (first + 1..lines).chain(0..first) {
        total = total + read::<P>(&sums[line * columns + column], part);
    }
    total
}
