//! The program on strips of pairs that carry derivatives along several directions.

use super::frame::{Pair, Register};
use super::pointwise::{
    At, Carry, Chain, Dense, Dropout, Keep, Offset, Pointwise, Product, Sum, Tangent as Constant,
};
use super::{Op, Program, Step};
use crate::dual::{Cosine, DualConstants, with_dual};
use crate::error::{Error, Result};
use crate::simd::{Lanes, Level, Pack, RowConstants, Single, Strip, Tangent, Vectorized};

/// Directions at a time.
pub const DIRECTIONS: usize = 3;

/// The state of a strip of pairs, and its derivatives.
#[derive(Clone, Debug, Default)]
pub struct TangentRegister {
    /// The state.
    pub value: Register<f64>,
    /// Its derivatives.
    pub slopes: [Register<f64>; DIRECTIONS],
}

/// Constants of one side, and their derivatives: those of slot s from s·[`DIRECTIONS`] on.
#[derive(Clone, Copy)]
struct Side<S> {
    values: S,
    slopes: S,
}

/// The constants of one side in one register, from a step's first slot on.
#[derive(Clone, Copy)]
struct TangentsAt<S> {
    values: At<S>,
    slopes: At<S>,
}

impl<P, S> DualConstants<Tangent<P, DIRECTIONS>> for TangentsAt<S>
where
    P: Pack,
    S: RowConstants<P::Scalar>,
{
    #[inline(always)]
    fn get(self, slot: usize) -> Tangent<P, DIRECTIONS> {
        let mut slopes = [P::splat(0.0); DIRECTIONS];
        for (k, slope) in slopes.iter_mut().enumerate() {
            *slope = self.slopes.get(slot * DIRECTIONS + k);
        }
        Tangent { value: self.values.get(slot), slopes }
    }
}

impl Program {
    /// Refuse programs whose pairs cannot be differentiated.
    ///
    /// # Errors
    /// [`Error::Network`] for functions without a closed form.
    pub(crate) fn check_differentiable(&self) -> Result<()> {
        let Some(step) = self.steps.iter().find(|step| step.op.fit_name().is_some()) else {
            return Ok(());
        };
        Err(Error::Network(format!(
            "kernels with {} are not differentiated: it has no closed form; use an activation that has one",
            step.op.fit_name().unwrap_or_default()
        )))
    }

    /// Run on the strip in register 0, as [`Program::run_strip`] does, with T and with derivatives.
    pub(crate) fn run_tangents(
        &self,
        level: Level,
        registers: &mut [TangentRegister],
        left: [&[f64]; 2],
        right: [&[Strip<f64>]; 2],
    ) {
        let left = Side { values: Single(left[0]), slopes: Single(left[1]) };
        let right = Side { values: Lanes(right[0]), slopes: Lanes(right[1]) };
        let mut run = Run { level, registers, left, right };
        for step in &self.steps {
            run.step(step);
        }
    }
}

/// What steps work with.
struct Run<'a, L, R> {
    level: Level,
    registers: &'a mut [TangentRegister],
    left: Side<L>,
    right: Side<R>,
}

impl<L: RowConstants<f64>, R: RowConstants<f64>> Run<'_, L, R> {
    fn step(&mut self, step: &Step) {
        if step.inputs[0] == step.output && step.op.keeps_pairs(true) {
            return;
        }
        match &step.op {
            Op::Dense { gradient, .. } => match (gradient.slots(), step.op.blends()) {
                (0, false) => self.whole(&Dense::<0, false>, step),
                (0, true) => self.whole(&Dense::<0, true>, step),
                (2, false) => self.whole(&Dense::<2, false>, step),
                (2, true) => self.whole(&Dense::<2, true>, step),
                _ => self.whole(&Dense::<3, true>, step),
            },
            Op::Activation(activation) => with_dual!(activation, dual => self.whole(dual, step)),
            Op::Fitted(_) | Op::Integrated(_) | Op::Elementwise(_) | Op::Window(_) | Op::Pool { .. } => {
                unreachable!("refused before")
            }
            Op::Offset(_) => self.whole(&Offset, step),
            Op::Sum | Op::Concatenate(_) => self.whole(&Sum, step),
            Op::Product => self.whole(&Product, step),
            Op::LayerNorm { .. } => self.whole(&Keep, step),
            Op::Dropout { keep } => self.whole(&Dropout(*keep), step),
            Op::Tangent(tangent) => self.whole(&Constant(*tangent), step),
            Op::Chain => self.whole(&Chain, step),
            Op::Carry { .. } => self.whole(&Carry, step),
        }
    }

    #[inline]
    fn whole<O: Pointwise>(&mut self, op: &O, step: &Step) {
        let Self { level, registers, left, right } = self;
        let work = Differentiated { op, step, registers, left: *left, right: *right };
        crate::simd::dispatch_f64(*level, work);
    }
}

/// An op on a whole strip.
struct Differentiated<'a, O, L, R> {
    op: &'a O,
    step: &'a Step,
    registers: &'a mut [TangentRegister],
    left: Side<L>,
    right: Side<R>,
}

impl<O: Pointwise, L: RowConstants<f64>, R: RowConstants<f64>> Vectorized<f64>
    for Differentiated<'_, O, L, R>
{
    type Output = ();
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = f64>>(self) {
        let Self { op, step, registers, left, right } = self;
        for pack in 0..P::PACKS {
            let inputs =
                [read::<P>(&registers[step.inputs[0]], pack), read::<P>(&registers[step.inputs[1]], pack)];
            let pair = op.pair::<Tangent<P, DIRECTIONS>, true>(
                inputs,
                left.at(step.first_slot, pack),
                right.at(step.first_slot, pack),
            );
            write(&mut registers[step.output], pack, pair);
        }
    }
}

impl<S: Copy> Side<S> {
    #[inline(always)]
    fn at(self, slot: usize, pack: usize) -> TangentsAt<S> {
        TangentsAt {
            values: At { side: self.values, slot, pack },
            slopes: At { side: self.slopes, slot: slot * DIRECTIONS, pack },
        }
    }
}

#[inline(always)]
fn read<P: Pack<Scalar = f64>>(register: &TangentRegister, pack: usize) -> Pair<Tangent<P, DIRECTIONS>> {
    let zero = Tangent { value: P::splat(0.0), slopes: [P::splat(0.0); DIRECTIONS] };
    let (mut delta, mut epsilon, mut tau) = (zero, zero, zero);
    delta.value = P::load(&register.value.delta, pack);
    epsilon.value = P::load(&register.value.epsilon, pack);
    tau.value = P::load(&register.value.tau, pack);
    for (k, slopes) in register.slopes.iter().enumerate() {
        delta.slopes[k] = P::load(&slopes.delta, pack);
        epsilon.slopes[k] = P::load(&slopes.epsilon, pack);
        tau.slopes[k] = P::load(&slopes.tau, pack);
    }
    Pair { cosine: Cosine { delta, epsilon }, tau }
}

#[inline(always)]
fn write<P: Pack<Scalar = f64>>(
    register: &mut TangentRegister,
    pack: usize,
    pair: Pair<Tangent<P, DIRECTIONS>>,
) {
    let Pair { cosine: Cosine { delta, epsilon }, tau } = pair;
    delta.value.store(&mut register.value.delta, pack);
    epsilon.value.store(&mut register.value.epsilon, pack);
    tau.value.store(&mut register.value.tau, pack);
    for (k, slopes) in register.slopes.iter_mut().enumerate() {
        delta.slopes[k].store(&mut slopes.delta, pack);
        epsilon.slopes[k].store(&mut slopes.epsilon, pack);
        tau.slopes[k].store(&mut slopes.tau, pack);
    }
}
