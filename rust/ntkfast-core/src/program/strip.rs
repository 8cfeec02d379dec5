//! The program on strips of pairs, in vector registers.

use super::rectify::rectify;
use super::{Op, Program, Step};
use crate::dual::blend::{self, blend, blend_constant};
use crate::dual::{Activation, Constants, Cosine, Dual, with_dual};
use crate::fitted::GROUP;
use crate::scalar::Scalar;
use crate::simd::{Kernel, Lanes, Pack, STRIP, Side, Single, Strip, weight};

/// The state of a strip of pairs.
#[derive(Clone, Debug)]
pub struct Register<T> {
    /// δ = 1 − ρ, with ρ the cosine of K.
    pub delta: Strip<T>,
    /// ε = 1 + ρ, where ρ may be negative.
    pub epsilon: Strip<T>,
    /// T over √T of either row.
    pub tau: Strip<T>,
}

impl<T: Copy + Default> Default for Register<T> {
    fn default() -> Self {
        let zero = Strip([T::default(); STRIP]);
        Self { delta: zero, epsilon: zero, tau: zero }
    }
}

/// Runs the program on the strip in register 0; the results are left in the program's output registers.
pub struct Execution<'a, T> {
    /// What to run.
    pub program: &'a Program,
    /// As many as the program has.
    pub registers: &'a mut [Register<T>],
    /// Constants of the one row.
    pub left: &'a [T],
    /// Constants of the rows in the strip.
    pub right: &'a [Strip<T>],
    /// Whether T is wanted; its cosines are not computed otherwise.
    pub ntk: bool,
}

impl<T: Scalar> Kernel<T> for Execution<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<P: Pack<Scalar = T>>(self) {
        let Self { program, registers, left, right, ntk } = self;
        if ntk {
            execute::<P, true>(program, registers, Single(left), Lanes(right));
        } else {
            execute::<P, false>(program, registers, Single(left), Lanes(right));
        }
    }
}

#[inline(always)]
fn execute<P: Pack, const NTK: bool>(
    program: &Program,
    registers: &mut [Register<P::Scalar>],
    left: impl Side<P>,
    right: impl Side<P>,
) {
    for step in &program.steps {
        if step.signed_output || step.signed.contains(&true) {
            run_step::<P, NTK, true>(step, registers, left, right);
        } else {
            run_step::<P, NTK, false>(step, registers, left, right);
        }
    }
}

#[inline(always)]
pub(crate) fn run_step<P: Pack, const NTK: bool, const SIGNED: bool>(
    step: &Step,
    registers: &mut [Register<P::Scalar>],
    left: impl Side<P>,
    right: impl Side<P>,
) {
    let slot = step.first_slot;
    let output = step.output;
    if step.inputs[0] == output && step.op.keeps_pairs(NTK) {
        return;
    }
    match &step.op {
        Op::Dense { gradient, .. } => match (gradient.slots(), step.op.blends()) {
            (0, false) => dense::<P, NTK, SIGNED, 0, false>(step, registers, left, right),
            (0, true) => dense::<P, NTK, SIGNED, 0, true>(step, registers, left, right),
            (2, false) => dense::<P, NTK, SIGNED, 2, false>(step, registers, left, right),
            (2, true) => dense::<P, NTK, SIGNED, 2, true>(step, registers, left, right),
            _ => dense::<P, NTK, SIGNED, 3, true>(step, registers, left, right),
        },
        Op::Activation(Activation::AbRelu(activation)) => {
            rectify::<P, NTK, SIGNED>(activation, step, registers);
        }
        Op::Activation(activation) => with_dual!(activation, dual => {
            for pack in 0..P::PACKS {
                let pair = read::<P, NTK, SIGNED>(step, registers, 0, pack);
                let (left, right) = (At { side: left, slot, pack }, At { side: right, slot, pack });
                let response = dual.pair::<P, SIGNED>(pair.cosine, left, right);
                let pair = Pair { cosine: response.cosine, tau: response.slope * pair.tau };
                write::<P, NTK, SIGNED>(&mut registers[output], pack, pair);
            }
        }),
        Op::Fitted(fitted) => {
            for first in (0..P::PACKS).step_by(GROUP) {
                let pair = read::<P, NTK, SIGNED>(step, registers, 0, first);
                let (mut cosines, mut taus) = ([pair.cosine; GROUP], [pair.tau; GROUP]);
                for i in 1..GROUP {
                    let pair = read::<P, NTK, SIGNED>(step, registers, 0, first + i);
                    (cosines[i], taus[i]) = (pair.cosine, pair.tau);
                }
                let responses = fitted.pairs::<P, SIGNED>(cosines, left, right, slot, first);
                for (i, (tau, response)) in taus.into_iter().zip(responses).enumerate() {
                    let pair = Pair { cosine: response.cosine, tau: response.slope * tau };
                    write::<P, NTK, SIGNED>(&mut registers[output], first + i, pair);
                }
            }
        }
        // Replaced by what is fitted to a call's rows before any pair is computed; a matter of several positions.
        Op::Elementwise(_) | Op::Window(_) | Op::Pool { .. } => {}
        Op::Offset(_) => {
            for pack in 0..P::PACKS {
                let mut pair = read::<P, NTK, SIGNED>(step, registers, 0, pack);
                pair.cosine = offset(pair.cosine, left, right, slot, pack);
                write::<P, NTK, SIGNED>(&mut registers[output], pack, pair);
            }
        }
        Op::Sum | Op::Concatenate(_) => {
            for pack in 0..P::PACKS {
                let (a, b) = (
                    read::<P, NTK, SIGNED>(step, registers, 0, pack),
                    read::<P, NTK, SIGNED>(step, registers, 1, pack),
                );
                let cosine = mix(a.cosine, b.cosine, left, right, slot, pack);
                let tau =
                    weight(left, right, slot + 4, pack) * a.tau + weight(left, right, slot + 5, pack) * b.tau;
                write::<P, NTK, SIGNED>(&mut registers[output], pack, Pair { cosine, tau });
            }
        }
        Op::Product => {
            let (one, half) = (P::splat(1.0), P::splat(0.5));
            for pack in 0..P::PACKS {
                let (a, b) = (
                    read::<P, NTK, SIGNED>(step, registers, 0, pack),
                    read::<P, NTK, SIGNED>(step, registers, 1, pack),
                );
                let (x, y) = (a.cosine, b.cosine);
                let cosine = Cosine {
                    delta: half * x.delta.mul_add(y.epsilon, x.epsilon * y.delta),
                    epsilon: half * x.delta.mul_add(y.delta, x.epsilon * y.epsilon),
                };
                let tau = weight(left, right, slot, pack) * a.tau * (one - y.delta)
                    + weight(left, right, slot + 1, pack) * b.tau * (one - x.delta);
                write::<P, NTK, SIGNED>(&mut registers[output], pack, Pair { cosine, tau });
            }
        }
        // Scales of rows alone.
        Op::LayerNorm { .. } => {
            for pack in 0..P::PACKS {
                let pair = read::<P, NTK, SIGNED>(step, registers, 0, pack);
                write::<P, NTK, SIGNED>(&mut registers[output], pack, pair);
            }
        }
        // Of two samples, which drop different neurons. A sample with itself is a matter of its scales.
        Op::Dropout { keep } => {
            let (keep, rest) = (P::splat(*keep), P::splat(1.0 - keep));
            for pack in 0..P::PACKS {
                let Pair { cosine: Cosine { delta, epsilon }, tau } =
                    read::<P, NTK, SIGNED>(step, registers, 0, pack);
                let cosine =
                    Cosine { delta: keep.mul_add(delta, rest), epsilon: keep.mul_add(epsilon, rest) };
                write::<P, NTK, SIGNED>(&mut registers[output], pack, Pair { cosine, tau: keep * tau });
            }
        }
        Op::Tangent(tangent) => {
            // A constant's cosine is 1; zero has none.
            let tau = P::splat(if *tangent > 0.0 { 1.0 } else { 0.0 });
            for pack in 0..P::PACKS {
                let cosine = read::<P, NTK, SIGNED>(step, registers, 0, pack).cosine;
                write::<P, NTK, SIGNED>(&mut registers[output], pack, Pair { cosine, tau });
            }
        }
        Op::Chain => {
            for pack in 0..P::PACKS {
                let Pair { cosine, tau } = read::<P, NTK, SIGNED>(step, registers, 0, pack);
                let tau = tau * read::<P, NTK, SIGNED>(step, registers, 1, pack).tau;
                write::<P, NTK, SIGNED>(&mut registers[output], pack, Pair { cosine, tau });
            }
        }
        Op::Carry { .. } => {
            for pack in 0..P::PACKS {
                let Pair { cosine, tau } = read::<P, NTK, SIGNED>(step, registers, 0, pack);
                let carried = read::<P, NTK, SIGNED>(step, registers, 1, pack).tau;
                let own = weight(left, right, slot, pack) * tau;
                let tau = weight(left, right, slot + 1, pack).mul_add(carried, own);
                write::<P, NTK, SIGNED>(&mut registers[output], pack, Pair { cosine, tau });
            }
        }
    }
}

/// A dense layer with so many constants for the shares of T, and a bias in K or not.
#[inline(always)]
fn dense<P: Pack, const NTK: bool, const SIGNED: bool, const SHARES: usize, const BLENDS: bool>(
    step: &Step,
    registers: &mut [Register<P::Scalar>],
    left: impl Side<P>,
    right: impl Side<P>,
) {
    let slot = step.first_slot;
    for pack in 0..P::PACKS {
        let mut pair = read::<P, NTK, SIGNED>(step, registers, 0, pack);
        let before = pair.cosine.delta;
        if BLENDS {
            pair.cosine = offset(pair.cosine, left, right, slot + SHARES, pack);
        }
        if SHARES > 0 {
            // A bias with a share of its own is not in that of the weights.
            let own = if SHARES > 2 { before } else { pair.cosine.delta };
            let added = weight(left, right, slot, pack) * (P::splat(1.0) - own);
            pair.tau = weight(left, right, slot + 1, pack).mul_add(pair.tau, added);
        }
        if SHARES > 2 {
            pair.tau = pair.tau + weight(left, right, slot + 2, pack);
        }
        write::<P, NTK, SIGNED>(&mut registers[step.output], pack, pair);
    }
}

/// A register's worth of pairs.
#[derive(Clone, Copy)]
pub(super) struct Pair<P> {
    pub cosine: Cosine<P>,
    pub tau: P,
}

/// One of a step's inputs; its ε is right, be it stored or not.
#[inline(always)]
pub(super) fn read<P: Pack, const NTK: bool, const SIGNED: bool>(
    step: &Step,
    registers: &[Register<P::Scalar>],
    which: usize,
    pack: usize,
) -> Pair<P> {
    let (register, stored) = (&registers[step.inputs[which]], step.signed[which]);
    let delta = P::load(&register.delta, pack);
    let epsilon = if SIGNED && stored { P::load(&register.epsilon, pack) } else { P::splat(2.0) - delta };
    let tau = if NTK { P::load(&register.tau, pack) } else { delta };
    Pair { cosine: Cosine { delta, epsilon }, tau }
}

#[inline(always)]
pub(super) fn write<P: Pack, const NTK: bool, const SIGNED: bool>(
    register: &mut Register<P::Scalar>,
    pack: usize,
    pair: Pair<P>,
) {
    pair.cosine.delta.store(&mut register.delta, pack);
    if SIGNED {
        pair.cosine.epsilon.store(&mut register.epsilon, pack);
    }
    if NTK {
        pair.tau.store(&mut register.tau, pack);
    }
}

/// The cosine of a sum of two uncorrelated values, whose constants start at `slot`.
#[inline(always)]
fn mix<P: Pack>(
    first: Cosine<P>,
    second: Cosine<P>,
    left: impl Side<P>,
    right: impl Side<P>,
    slot: usize,
    pack: usize,
) -> Cosine<P> {
    blend(first, second, shares(left, slot, pack), shares(right, slot, pack))
}

/// The cosine of the sum of a value and a constant.
#[inline(always)]
fn offset<P: Pack>(
    value: Cosine<P>,
    left: impl Side<P>,
    right: impl Side<P>,
    slot: usize,
    pack: usize,
) -> Cosine<P> {
    blend_constant(value, shares(left, slot, pack), shares(right, slot, pack))
}

/// One side's constants of a sum.
#[inline(always)]
fn shares<P: Pack>(side: impl Side<P>, slot: usize, pack: usize) -> [P; blend::SLOTS] {
    [side.get(slot, pack), side.get(slot + 1, pack), side.get(slot + 2, pack), side.get(slot + 3, pack)]
}

/// The constants of one side in one register, from a slot on.
#[derive(Clone, Copy)]
struct At<S> {
    side: S,
    slot: usize,
    pack: usize,
}

impl<P: Pack, S: Side<P>> Constants<P> for At<S> {
    #[inline(always)]
    fn get(self, slot: usize) -> P {
        self.side.get(self.slot + slot, self.pack)
    }
}
