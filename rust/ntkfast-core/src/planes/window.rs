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
    /// The constants of a dense layer behind it, where it has but shares of T that are the same everywhere.
    pub dense: Option<[usize; 2]>,
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
                    let first = down.starts[next] % down.size;
                    for part in 0..GROUP / P::LANES {
                        sum_down::<P>(&mut scratch.sums[0], first, columns, down.size, part);
                        if SIGNED {
                            sum_down::<P>(&mut scratch.sums[1], first, columns, down.size, part);
                        }
                        if NTK {
                            sum_down::<P>(&mut scratch.sums[2], first, columns, down.size, part);
                        }
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
        let slack = P::splat(4.0 * T::EPSILON);
        let [left_row, right_row] =
            self.plane.outputs[0][row].map(|place| place as usize * self.plane.widths[1]);
        let first = down.starts[row] % down.size * columns;
        let (deltas, epsilons, tangents) = (&deltas[first..], &epsilons[..], &tangents[..]);
        let parts = GROUP / P::LANES;
        let dense = match self.dense {
            Some([own, carried]) => {
                let own = self.constants.get::<P>(own, own, part);
                let carried = self.constants.get::<P>(carried, carried, part);
                [own[0] * own[1], carried[0] * carried[1]]
            }
            None => [zero, one],
        };
        for span in &across.results {
            let (left, right) = (left_row + span.left, right_row + span.right);
            let length = span.length;
            let left_scales = &self.constants.left[scale + left..][..length];
            let right_scales = &self.constants.right[scale + right..][..length];
            let left_inverses = &self.constants.left[inverse + left..][..length];
            let right_inverses = &self.constants.right[inverse + right..][..length];
            let deltas = &deltas[span.cell..][..length];
            let epsilons = if SIGNED { &epsilons[first + span.cell..][..length] } else { deltas };
            let tangents = if NTK { &tangents[first + span.cell..][..length] } else { deltas };
            for i in 0..length {
                let (a, b) = (read::<P>(&left_scales[i], part), read::<P>(&right_scales[i], part));
                let over = read::<P>(&left_inverses[i], part) * read::<P>(&right_inverses[i], part);
                let seen = zero.less(over);
                // What rounding may leave of the difference where patches are proportional counts as nothing.
                let apart = a - b;
                let noise = apart.max(b - a) * (a + b);
                let apart = apart.mul_add(apart, noise * slack);
                let cell = row * columns + span.cell + i;
                let register = &mut state[cell / CELLS * self.registers + self.step.output];
                let pack = cell % CELLS * parts + part;
                let delta = (read::<P>(&deltas[i], part).mul_add(share, zero - apart) * over).max(zero);
                let delta = P::select(seen, delta, one);
                delta.store(&mut register.delta, pack);
                if SIGNED {
                    let sum = read::<P>(&epsilons[i], part);
                    let epsilon = (sum.mul_add(share, zero - apart) * over).max(zero);
                    P::select(seen, epsilon, one).store(&mut register.epsilon, pack);
                }
                if NTK {
                    let over = if self.proportional {
                        over
                    } else {
                        let (left, right) = (inverse_tangent + left + i, inverse_tangent + right + i);
                        let [a, b] = self.constants.get::<P>(left, right, part);
                        a * b
                    };
                    let tau = read::<P>(&tangents[i], part) * (share * over);
                    // A dense layer behind it, by the way.
                    let tau = dense[1].mul_add(tau, delta.neg_mul_add(dense[0], dense[0]));
                    tau.store(&mut register.tau, pack);
                }
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
    let lanes = part * P::LANES;
    if windows.size == 3 {
        for (&start, sum) in windows.starts.iter().zip(sums) {
            let seen = &line[start..][..3];
            let ends = read::<P>(&seen[0], part) + read::<P>(&seen[2], part);
            (ends + read::<P>(&seen[1], part)).write(&mut sum.0[lanes..]);
        }
        return;
    }
    for (&start, sum) in windows.starts.iter().zip(sums) {
        let seen = &line[start..start + windows.size];
        let mut total = read::<P>(&seen[0], part);
        for value in &seen[1..] {
            total = total + read::<P>(value, part);
        }
        total.write(&mut sum.0[lanes..]);
    }
}

/// Sums over all lines of a ring, from the first one on, into that one, which is not needed any more.
#[inline(always)]
fn sum_down<P: Pack>(sums: &mut [Group<P::Scalar>], first: usize, columns: usize, lines: usize, part: usize) {
    let lanes = part * P::LANES;
    for line in (first + 1..lines).chain(0..first) {
        let (low, high) = sums.split_at_mut(first.max(line) * columns);
        let (total, added) = if line > first {
            (&mut low[first * columns..][..columns], &high[..columns])
        } else {
            (&mut high[..columns], &low[line * columns..][..columns])
        };
        for (total, added) in total.iter_mut().zip(added) {
            (read::<P>(total, part) + read::<P>(added, part)).write(&mut total.0[lanes..]);
        }
    }
}
