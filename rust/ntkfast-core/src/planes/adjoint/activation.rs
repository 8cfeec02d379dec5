//! Activations backwards, a strip of pairs of positions at a time.
//!
//! With δ = 1 − ρ and the logarithms a and b of √K of both rows, K of the result is S·(1 − δ'), S the product of both new
//! √K, and T of the result is T·M·κ, M the product of both √E[φ'²]. Forward mode gives δ' and κ with their derivatives by
//! the angle, a and b; those by K, at fixed norms, follow from K = s·s'·(1 − δ).

use super::Pair;
use super::local::{Half, Rates};
use crate::planes::GROUP;
use crate::planes::constants::Each;
use crate::planes::window::CELLS;
use crate::program::{DIRECTIONS, Register, Step, TangentRegister};
use crate::simd::{Level, STRIP, Strip};

/// A strip of pairs, and its constants.
pub struct Room {
    registers: Box<[TangentRegister; 2]>,
    /// Of both sides: values, and derivatives.
    slots: [[Vec<Strip<f64>>; 2]; 2],
}

/// The gradients of one pair of positions.
pub struct Found {
    /// By K and T of the input.
    pub pair: Pair,
    /// By the logarithms of √K of both rows.
    pub rows: [Each; 2],
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

    /// What comes out of a strip, and its derivatives: for [`Activation::cell`].
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
                    value.0[lanes.clone()].copy_from_slice(&self.halves[side].of(constant));
                    slope.0[lanes].copy_from_slice(&self.halves[side].of(rate));
                }
            }
        }
        let [left, right] = slots.each_ref().map(|[values, slopes]| [&values[..], &slopes[..]]);
        self.step.respond(self.level, registers, left, right);
    }

    /// The gradients of one pair of positions of the strip, from those of the result. `tau` is the input's.
    pub fn cell(&self, cell: usize, places: [usize; 2], tau: &Each, out: &Pair, room: &Room) -> Found {
        debug_assert!(cell < CELLS, "a strip has no more");
        let [input, output] = &*room.registers;
        let lanes = |strip: &Strip<f64>| -> Each { std::array::from_fn(|lane| strip.0[cell * GROUP + lane]) };
        let [l, r] = [0, 1].map(|side| self.halves[side].row(self.input, places[side]));
        let [rates_l, rates_r] = [0, 1].map(|side| {
            self.rates[side].responses[places[side]].each_ref().map(|each| self.halves[side].of(each))
        });
        let [new_l, new_r] = [0, 1].map(|side| self.halves[side].row(self.output, places[side])[0]);
        let (delta, sine) = (lanes(&input.value.delta), lanes(&input.slopes[0].delta));
        let (defect, slope) = (lanes(&output.value.delta), lanes(&output.value.tau));
        let defects = output.slopes.each_ref().map(|slopes| lanes(&slopes.delta));
        let slopes = output.slopes.each_ref().map(|slopes| lanes(&slopes.tau));
        let mut found = Found { pair: [[0.0; GROUP]; 2], rows: [[0.0; GROUP]; 2] };
        for lane in 0..GROUP {
            let (kernel, tangent) = (out[0][lane], out[1][lane]);
            let size = l[0][lane] * r[0][lane];
            let cosine = 1.0 - delta[lane];
            let own = kernel * new_l[lane] * new_r[lane];
            let slopes_at = rates_l[0][lane] * rates_r[0][lane];
            let through = tangent * tau[lane] * l[1][lane] * r[1][lane] * slopes_at;
            let along = |k: usize| through * slopes[k][lane] - own * defects[k][lane];
            let scaled = |rates: &[Each; 3]| {
                own * (1.0 - defect[lane]) * rates[1][lane] + through * slope[lane] * rates[2][lane]
            };
            // By K; where rows are parallel, that of K by E[φ'φ'], and none of T.
            let by_kernel = if sine[lane] * size > 0.0 {
                -along(0) / (sine[lane] * size)
            } else {
                kernel * slope[lane] * slopes_at
            };
            let by_norms = by_kernel * size * cosine;
            found.pair[0][lane] = by_kernel;
            found.pair[1][lane] = tangent * slope[lane] * slopes_at;
            found.rows[0][lane] = along(1) + scaled(&rates_l) - by_norms;
            found.rows[1][lane] = along(2) + scaled(&rates_r) - by_norms;
        }
        found
    }
}
