//! The program on strips of pairs that carry derivatives along several directions.

use super::frame::{Pair, Register};
use super::pointwise::{At, Pointwise};
use super::strip::Runner;
use super::{Op, Program, Step};
use crate::dual::{Cosine, DualConstants, with_dual};
use crate::error::{Error, Result};
use crate::fitted::{Fitted, Integrated, PACKS_AT_ONCE};
use crate::simd::{
    GroupConstants, Lanes, Level, Pack, RowConstants, Single, Strip, Tangent, Vectorized, dispatch_f64,
};

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
    /// [`Error::Network`] for functions that are integrated.
    pub(crate) fn check_differentiable(&self) -> Result<()> {
        let rough = self.steps.iter().find_map(|step| match &step.op {
            Op::Integrated(integrated) => Some(&integrated.name),
            _ => None,
        });
        rough.map_or(Ok(()), |name| {
            Err(Error::Network(format!(
                "kernels with {name} are not differentiated: it is integrated pair by pair, as it has steps, kinks or \
                 narrow features that no polynomial resolves; use a smoother activation, or one with a closed form"
            )))
        })
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
            run.run(step);
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

impl<L: RowConstants<f64>, R: RowConstants<f64>> Runner for Run<'_, L, R> {
    const NTK: bool = true;

    #[inline]
    fn whole<O: Pointwise>(&mut self, op: &O, step: &Step) {
        let Self { level, registers, left, right } = self;
        let work = Differentiated { op, step, registers, left: *left, right: *right };
        dispatch_f64(*level, work);
    }

    fn fitted(&mut self, fitted: &Fitted, step: &Step) {
        let Self { level, registers, left, right } = self;
        let work = DifferentiatedFit { fitted, step, registers, left: *left, right: *right };
        dispatch_f64(*level, work);
    }

    fn integrated(&mut self, _integrated: &Integrated, _step: &Step) {
        unreachable!("refused by `check_differentiable`");
    }
}

impl Step {
    /// Whether it is an activation, which [`Step::respond`] runs.
    pub(crate) fn is_activation(&self) -> bool {
        matches!(self.op, Op::Activation(_) | Op::Fitted(_))
    }

    /// The same step from register 0 to register 1, with constants from slot 0 on.
    pub(crate) fn alone(&self) -> Self {
        Self { inputs: [0, 0], output: 1, first_slot: 0, ..self.clone() }
    }

    /// Run an activation on a strip of pairs, with derivatives: as [`Step::alone`] has it, with the values and the
    /// derivatives of its constants.
    pub(crate) fn respond(
        &self,
        level: Level,
        registers: &mut [TangentRegister; 2],
        left: [&[Strip<f64>]; 2],
        right: [&[Strip<f64>]; 2],
    ) {
        let left = Side { values: Lanes(left[0]), slopes: Lanes(left[1]) };
        let right = Side { values: Lanes(right[0]), slopes: Lanes(right[1]) };
        match &self.op {
            Op::Activation(activation) => with_dual!(activation, dual => {
                dispatch_f64(level, Differentiated { op: dual, step: self, registers, left, right });
            }),
            Op::Fitted(fitted) => {
                dispatch_f64(level, DifferentiatedFit { fitted, step: self, registers, left, right });
            }
            _ => {}
        }
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
                left.constants(step.first_slot, pack),
                right.constants(step.first_slot, pack),
            );
            write(&mut registers[step.output], pack, pair);
        }
    }
}

/// A fitted function on a whole strip.
struct DifferentiatedFit<'a, L, R> {
    fitted: &'a Fitted,
    step: &'a Step,
    registers: &'a mut [TangentRegister],
    left: Side<L>,
    right: Side<R>,
}

impl<L: RowConstants<f64>, R: RowConstants<f64>> Vectorized<f64> for DifferentiatedFit<'_, L, R> {
    type Output = ();
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = f64>>(self) {
        let Self { fitted, step, registers, left, right } = self;
        for first in (0..P::PACKS).step_by(PACKS_AT_ONCE) {
            let input = &registers[step.inputs[0]];
            let mut cosines = [read::<P>(input, first).cosine; PACKS_AT_ONCE];
            for (i, cosine) in cosines.iter_mut().enumerate() {
                *cosine = read::<P>(input, first + i).cosine;
            }
            let responses =
                fitted.respond::<Tangent<P, DIRECTIONS>, true>(cosines, left, right, step.first_slot, first);
            for (i, response) in responses.into_iter().enumerate() {
                let tau = response.slope * read::<P>(&registers[step.inputs[0]], first + i).tau;
                let pair = Pair { cosine: response.cosine, tau };
                write(&mut registers[step.output], first + i, pair);
            }
        }
    }
}

impl<P, S> GroupConstants<Tangent<P, DIRECTIONS>> for Side<S>
where
    P: Pack,
    S: RowConstants<P::Scalar>,
{
    #[inline(always)]
    fn at(self, slot: usize, pack: usize) -> Tangent<P, DIRECTIONS> {
        self.constants(slot, pack).get(0)
    }

    #[inline(always)]
    fn range(self, first: usize, count: usize) -> Self {
        Self {
            values: self.values.part(first, count),
            slopes: self.slopes.part(first * DIRECTIONS, count * DIRECTIONS),
        }
    }
}

impl<S: Copy> Side<S> {
    #[inline(always)]
    fn constants(self, slot: usize, pack: usize) -> TangentsAt<S> {
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
