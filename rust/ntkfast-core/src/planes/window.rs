//! Means over windows that move both positions of a pair together.
//!
//! A mean of K is no mean of cosines. So each pair goes to Δ = (s − s')² + 2ss'δ = K[p,p] + K[p',p'] − 2K[p,p'], with s
//! and s' its rows' scales, which is linear, and back. Where δ is small and the rows are equal it keeps its digits. A
//! pair half outside the images has K[p,p'] = 0: its Δ is the variance of the half inside. ε takes the same way.

use super::axis::{Place, Track, Windows};
use super::layout::Maps;
use super::sums::{kinds, read, sum_across, sum_down, write};
use super::{GROUP, Group};
use crate::dual::{AbRelu, Cosine, Dual};
use crate::program::{Register, Step};
use crate::scalar::Scalar;
use crate::simd::{Pack, STRIP};

/// Positions in a strip.
pub const CELLS: usize = STRIP / GROUP;

/// Registers in which there are so few lanes take the most parts of a group.
const MOST_PARTS: usize = GROUP / 2;

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
    /// The lane of the left ones that all pairs have in common, if there is one.
    pub one: Option<usize>,
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
    pub fn get<P: Pack<Scalar = T>>(self, left: usize, right: usize, part: usize) -> [P; 2] {
        [self.of_left(&self.left[left], part), read(&self.right[right], part)]
    }

    /// One of the left constants.
    #[inline(always)]
    pub fn of_left<P: Pack<Scalar = T>>(self, group: &Group<T>, part: usize) -> P {
        match self.one {
            Some(lane) => P::broadcast(group.0[lane % GROUP]),
            None => read(group, part),
        }
    }
}

/// One line of a padded plane, sums over its windows in as many lines as a window has, and the sums of these. Of each
/// place Δ, that of ε where cosines may be negative, and T where it is wanted follow each other.
#[derive(Clone, Debug)]
pub struct Scratch<T> {
    line: Vec<Group<T>>,
    ring: Vec<Group<T>>,
    totals: Vec<Group<T>>,
}

impl<T: Scalar> Scratch<T> {
    pub fn new() -> Self {
        Self { line: Vec::new(), ring: Vec::new(), totals: Vec::new() }
    }

    fn resize(&mut self, line: usize, columns: usize, lines: usize) {
        let sizes = [(&mut self.line, line), (&mut self.ring, columns * lines), (&mut self.totals, columns)];
        for (buffer, length) in sizes {
            if buffer.len() < length {
                buffer.resize(length, Group([T::default(); GROUP]));
            }
        }
    }
}

/// Layers behind a window that are done by the way, while its results are in registers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Following<'a> {
    /// The constants of a dense layer that has but shares of T, the same everywhere.
    pub dense: Option<[usize; 2]>,
    pub activation: Option<&'a AbRelu>,
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
    pub following: Following<'a>,
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
        let columns = across.starts.len() * kinds::<NTK, SIGNED>();
        scratch.resize(across.places * kinds::<NTK, SIGNED>(), columns, down.size);
        let Scratch { line, ring, totals } = scratch;
        let (ring, totals) = (&mut ring[..columns * down.size], &mut totals[..columns]);
        let mut next = 0;
        for span in &down.spans {
            for i in 0..span.length {
                let place = span.at + i;
                let row = WindowRow {
                    place: span.place,
                    cell: span.cell + i,
                    left: span.left + i,
                    right: span.right + i,
                };
                self.fill::<P, NTK, SIGNED>(row, state, line);
                let sums = &mut ring[place % down.size * columns..][..columns];
                sum_across::<P, NTK, SIGNED>(across, line, sums);
                if next < down.starts.len() && down.starts[next] + down.size == place + 1 {
                    sum_down::<P>(ring, down.starts[next] % down.size, totals);
                    self.finish::<P, NTK, SIGNED>(next, totals, state);
                    next += 1;
                }
            }
        }
    }

    /// Δ, that of ε, and T of one row of the padded plane.
    #[inline(always)]
    fn fill<P: Pack<Scalar = T>, const NTK: bool, const SIGNED: bool>(
        &self,
        row: WindowRow,
        state: &[Register<T>],
        line: &mut [Group<T>],
    ) {
        let kinds = kinds::<NTK, SIGNED>();
        let parts = GROUP / P::LANES;
        let Maps { scale, tangent, .. } = self.maps[0];
        let [factor, tangent_factor] = self.maps[1].factors;
        let width = self.plane.widths[0];
        let (left_row, right_row) = (row.left * width, row.right * width);
        let constants = self.constants;
        let (proportional, registers, input) = (self.proportional, self.registers, self.step.inputs[0]);
        let mut factors = [[P::splat(0.0); 2]; MOST_PARTS];
        for (part, factors) in factors.iter_mut().enumerate().take(parts) {
            *factors = constants.get(factor, factor, part);
        }
        for span in &self.plane.windows[1].spans {
            let (left, right) = (left_row + span.left, right_row + span.right);
            let in_left = row.in_left() && matches!(span.place, Place::Both | Place::Left);
            let in_right = row.in_right() && matches!(span.place, Place::Both | Place::Right);
            let line = &mut line[span.at * kinds..][..span.length * kinds];
            if !(in_left && in_right) {
                // A variance, or nothing.
                for (i, place) in line.chunks_exact_mut(kinds).enumerate() {
                    for (part, factors) in factors.iter().enumerate().take(parts) {
                        let mut value = P::splat(0.0);
                        if in_left {
                            value =
                                constants.of_left::<P>(&constants.left[scale + left + i], part) * factors[0];
                        }
                        if in_right {
                            value = read::<P>(&constants.right[scale + right + i], part) * factors[1];
                        }
                        let value = value * value;
                        write(value, &mut place[0], part);
                        if SIGNED {
                            write(value, &mut place[1], part);
                        }
                        if NTK {
                            write(P::splat(0.0), &mut place[kinds - 1], part);
                        }
                    }
                }
                continue;
            }
            let cells = row.cell * self.plane.row + span.cell;
            let left_scales = &constants.left[scale + left..][..span.length];
            let right_scales = &constants.right[scale + right..][..span.length];
            let places = line.chunks_exact_mut(kinds).zip(left_scales).zip(right_scales);
            for (i, ((place, left_scale), right_scale)) in places.enumerate() {
                let cell = cells + i;
                let register = &state[cell / CELLS * registers + input];
                for part in 0..parts {
                    let pack = cell % CELLS * parts + part;
                    let a = constants.of_left::<P>(left_scale, part) * factors[part][0];
                    let b = read::<P>(right_scale, part) * factors[part][1];
                    let apart = a - b;
                    let apart = apart * apart;
                    let weight = (a + a) * b;
                    let delta = P::load(&register.delta, pack);
                    write(delta.mul_add(weight, apart), &mut place[0], part);
                    if SIGNED {
                        let epsilon = if self.step.signed[0] {
                            P::load(&register.epsilon, pack)
                        } else {
                            P::splat(2.0) - delta
                        };
                        write(epsilon.mul_add(weight, apart), &mut place[1], part);
                    }
                    if NTK {
                        let weight = if proportional {
                            weight
                        } else {
                            let maps = constants.get::<P>(tangent + left + i, tangent + right + i, part);
                            let factors = constants.get::<P>(tangent_factor, tangent_factor, part);
                            maps[0] * maps[1] * (factors[0] * factors[1])
                        };
                        write(P::load(&register.tau, pack) * weight, &mut place[kinds - 1], part);
                    }
                }
            }
        }
    }

    /// One row of results.
    #[inline(always)]
    fn finish<P: Pack<Scalar = T>, const NTK: bool, const SIGNED: bool>(
        &self,
        row: usize,
        totals: &[Group<T>],
        state: &mut [Register<T>],
    ) {
        let kinds = kinds::<NTK, SIGNED>();
        let parts = GROUP / P::LANES;
        let across = self.plane.windows[1];
        let Maps { scale, inverse, inverse_tangent, .. } = self.maps[1];
        let (zero, one) = (P::splat(0.0), P::splat(1.0));
        let slack = P::splat(4.0 * T::EPSILON);
        // Copies, which the compiler knows that no store changes.
        let constants = self.constants;
        let activation = self.following.activation.cloned();
        let (proportional, registers, output) = (self.proportional, self.registers, self.step.output);
        let (mut own, mut carried) = ([zero; MOST_PARTS], [one; MOST_PARTS]);
        if let Some(slots) = self.following.dense {
            for part in 0..parts {
                let first = constants.get::<P>(slots[0], slots[0], part);
                let second = constants.get::<P>(slots[1], slots[1], part);
                (own[part], carried[part]) = (first[0] * first[1], second[0] * second[1]);
            }
        }
        let [left_row, right_row] =
            self.plane.outputs[0][row].map(|place| place as usize * self.plane.widths[1]);
        for span in &across.results {
            let (left, right) = (left_row + span.left, right_row + span.right);
            let length = span.length;
            let cells = row * across.starts.len() + span.cell;
            let left_scales = &constants.left[scale + left..][..length];
            let right_scales = &constants.right[scale + right..][..length];
            let left_inverses = &constants.left[inverse + left..][..length];
            let right_inverses = &constants.right[inverse + right..][..length];
            let totals = &totals[span.cell * kinds..][..length * kinds];
            for (i, sums) in totals.chunks_exact(kinds).enumerate() {
                let cell = cells + i;
                let register = &mut state[cell / CELLS * registers + output];
                for part in 0..parts {
                    let pack = cell % CELLS * parts + part;
                    let a = constants.of_left::<P>(&left_scales[i], part);
                    let b = read::<P>(&right_scales[i], part);
                    let over =
                        constants.of_left::<P>(&left_inverses[i], part) * read::<P>(&right_inverses[i], part);
                    let seen = zero.less(over);
                    // What rounding may leave of the difference where patches are proportional counts as nothing.
                    let apart = (a - b).max(b - a);
                    let reach = (a + b).mul_add(slack, apart);
                    let delta = (apart.neg_mul_add(reach, read::<P>(&sums[0], part)) * over).max(zero);
                    let delta = P::select(seen, delta, one);
                    let mut cosine = Cosine { delta, epsilon: delta };
                    if SIGNED {
                        let epsilon = apart.neg_mul_add(reach, read::<P>(&sums[1], part)) * over;
                        cosine.epsilon = P::select(seen, epsilon.max(zero), one);
                    }
                    let mut tau = zero;
                    if NTK {
                        let over = if proportional {
                            over
                        } else {
                            let (left, right) = (inverse_tangent + left + i, inverse_tangent + right + i);
                            let [a, b] = constants.get::<P>(left, right, part);
                            a * b
                        };
                        tau = read::<P>(&sums[kinds - 1], part) * over;
                        tau = carried[part].mul_add(tau, delta.neg_mul_add(own[part], own[part]));
                    }
                    if let Some(activation) = &activation {
                        let none = |_: usize| zero;
                        let response = activation.pair::<P, SIGNED>(cosine, none, none);
                        cosine = response.cosine;
                        tau = response.slope * tau;
                    }
                    cosine.delta.store(&mut register.delta, pack);
                    if SIGNED {
                        cosine.epsilon.store(&mut register.epsilon, pack);
                    }
                    if NTK {
                        tau.store(&mut register.tau, pack);
                    }
                }
            }
        }
    }
}

/// A row of a padded plane.
#[derive(Clone, Copy)]
struct WindowRow {
    place: Place,
    cell: usize,
    left: usize,
    right: usize,
}

impl WindowRow {
    fn in_left(self) -> bool {
        matches!(self.place, Place::Both | Place::Left)
    }

    fn in_right(self) -> bool {
        matches!(self.place, Place::Both | Place::Right)
    }
}
