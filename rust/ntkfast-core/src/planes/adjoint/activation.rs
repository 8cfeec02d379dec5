//! Activations backwards, a strip of pairs of positions at a time.
//!
//! With δ = 1 − ρ and the logarithms a and b of √K of both rows, K of the result is S·(1 − δ'), S the product of both new
//! √K, and T of the result is T·M·κ, M the product of both √E[φ'²]. Forward mode gives δ' and κ with their derivatives by
//! the angle, a and b; those by K, at fixed norms, follow from K = s·s'·(1 − δ).

use super::Pair;
use super::local::{Half, Rates};
use crate::planes::GROUP;
use crate::planes::constants::Each;
use crate::program::{DIRECTIONS, Register, Step, TangentRegister};
use crate::simd::{Level, Pack, STRIP, Strip, Vectorized};

/// A strip of pairs, and its constants.
pub struct Room {
    registers: Box<[TangentRegister; 2]>,
    /// Of both sides: values, and derivatives.
    slots: [[Vec<Strip<f64>>; 2]; 2],
}

/// An activation between two groups of images.
pub struct Activation<'a> {
    pub step: &'a Step,
    pub halves: [Half<'a>; 2],
    /// The value that it reads, and its result.
    pub input: usize,
    pub output: usize,
    pub rates: [&'a Rates; 2],
    /// Whether the strip's ε is stored.
    pub signed: bool,
    pub level: Level,
}

/// Rows at smaller angles are parallel but for rounding.
const PARALLEL: f64 = 1e-14;

const ZERO: Strip<f64> = Strip([0.0; STRIP]);

impl Room {
    pub fn new() -> Self {
        let mut registers: Box<[TangentRegister; 2]> = Box::default();
        registers[0].value.tau = Strip([1.0; STRIP]);
        Self { registers, slots: Default::default() }
    }
}

impl Activation<'_> {
    /// Make room for the constants of a step.
    pub fn begin(&self, room: &mut Room) {
        for (side, rates) in room.slots.iter_mut().zip(self.rates) {
            for (slots, width) in side.iter_mut().zip([1, DIRECTIONS]) {
                slots.clear();
                slots.resize(rates.slots * width, ZERO);
            }
        }
    }

    /// What comes out of a strip, and its derivatives: for [`Combine`].
    pub fn run(&self, register: &Register<f64>, places: &[[usize; 2]], room: &mut Room) {
        let Room { registers, slots } = room;
        let input = &mut registers[0];
        input.value.delta = register.delta;
        for lane in 0..STRIP {
            let delta = register.delta.0[lane];
            let epsilon = if self.signed { register.epsilon.0[lane] } else { 2.0 - delta };
            let sine = (delta * epsilon).max(0.0).sqrt();
            let sine = if sine > PARALLEL { sine } else { 0.0 };
            input.value.epsilon.0[lane] = epsilon;
            input.slopes[0].delta.0[lane] = sine;
            input.slopes[0].epsilon.0[lane] = -sine;
        }
        for (side, (rates, slots)) in self.rates.iter().zip(slots.iter_mut()).enumerate() {
            let [values, slopes] = slots;
            for (cell, place) in places.iter().enumerate() {
                let constants = &rates.constants[place[side] * rates.slots..];
                for (slot, (value, [constant, rate])) in values.iter_mut().zip(constants).enumerate() {
                    let slope = &mut slopes[slot * DIRECTIONS + 1 + side];
                    let lanes = cell * GROUP..(cell + 1) * GROUP;
                    value.0[lanes.clone()].copy_from_slice(&self.halves[side].lanes(constant));
                    slope.0[lanes].copy_from_slice(&self.halves[side].lanes(rate));
                }
            }
        }
        let [left, right] = slots.each_ref().map(|[values, slopes]| [&values[..], &slopes[..]]);
        self.step.respond(self.level, registers, left, right);
    }
}

/// From the gradients of a strip's results to those of what the activation read, see [`Activation::run`].
pub struct Combine<'a> {
    pub activation: &'a Activation<'a>,
    pub room: &'a Room,
    /// The strip that was run.
    pub register: &'a Register<f64>,
    pub places: &'a [[usize; 2]],
    /// The gradients of the results, and of the input.
    pub out: &'a [Pair],
    pub to: &'a mut [Pair],
    /// The gradients by the logarithms of √K of the input, of both images at every position.
    pub rows: [&'a mut [Each]; 2],
}

impl Vectorized<f64> for Combine<'_> {
    type Output = ();
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = f64>>(self) {
        let Self { activation, room, register, places, out, to, rows: [left, right] } = self;
        let Activation { halves: [l, r], rates: [rates_l, rates_r], input: value, output: after, .. } =
            activation;
        let [input, output] = &*room.registers;
        for (cell, ((place, out), to)) in places.iter().zip(out).zip(to).enumerate() {
            let strip = |strip: &Strip<f64>| -> Each {
                let mut lanes = [0.0; GROUP];
                lanes.copy_from_slice(&strip.0[cell * GROUP..][..GROUP]);
                lanes
            };
            let [before_l, before_r] = [&l.local.rows[*value][place[0]], &r.local.rows[*value][place[1]]];
            let [after_l, after_r] = [&l.local.rows[*after][place[0]][0], &r.local.rows[*after][place[1]][0]];
            let (own_l, own_r) = (&rates_l.responses[place[0]], &rates_r.responses[place[1]]);
            let (scale_l, tangent_l) = (l.lanes(&before_l[0]), l.lanes(&before_l[1]));
            let (scale_r, tangent_r) = (r.lanes(&before_r[0]), r.lanes(&before_r[1]));
            let (new_l, new_r) = (l.lanes(after_l), r.lanes(after_r));
            let (slope_l, rate_l, bend_l) = (l.lanes(&own_l[0]), l.lanes(&own_l[1]), l.lanes(&own_l[2]));
            let (slope_r, rate_r, bend_r) = (r.lanes(&own_r[0]), r.lanes(&own_r[1]), r.lanes(&own_r[2]));
            let (delta, sine, tau) =
                (strip(&input.value.delta), strip(&input.slopes[0].delta), strip(&register.tau));
            let (defect, slope) = (strip(&output.value.delta), strip(&output.value.tau));
            let [turned, by_l, by_r] = &output.slopes;
            let defects = [strip(&turned.delta), strip(&by_l.delta), strip(&by_r.delta)];
            let slopes = [strip(&turned.tau), strip(&by_l.tau), strip(&by_r.tau)];
            let (left, right) = (&mut left[place[0]], &mut right[place[1]]);
            for lane in 0..GROUP {
                let (kernel, tangent) = (out[0][lane], out[1][lane]);
                let size = scale_l[lane] * scale_r[lane];
                let own = kernel * new_l[lane] * new_r[lane];
                let both = slope_l[lane] * slope_r[lane];
                let through = tangent * tau[lane] * tangent_l[lane] * tangent_r[lane] * both;
                let turned = through * slopes[0][lane] - own * defects[0][lane];
                let along_l = through * slopes[1][lane] - own * defects[1][lane];
                let along_r = through * slopes[2][lane] - own * defects[2][lane];
                // By K; where rows are parallel, that of K by E[φ'φ'], and none of T.
                let reach = sine[lane] * size;
                let parallel = kernel * slope[lane] * both;
                let by_kernel = if reach > 0.0 { -turned / reach } else { parallel };
                let by_norms = by_kernel * size * (1.0 - delta[lane]);
                let (value, bend) = (own * (1.0 - defect[lane]), through * slope[lane]);
                to[0][lane] += by_kernel;
                to[1][lane] += tangent * slope[lane] * both;
                left[lane] += along_l + value * rate_l[lane] + bend * bend_l[lane] - by_norms;
                right[lane] += along_r + value * rate_r[lane] + bend * bend_r[lane] - by_norms;
            }
        }
    }
}
