//! The program on strips of pairs, in vector registers.

use super::{Op, Program, Step};
use crate::dual::blend::blend;
use crate::dual::{Cosine, Dual, with_dual};
use crate::simd::{Pack, STRIP, Side, Strip};
use std::array::from_fn;

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

/// Run the program on the strip in register 0; the results are left in the program's output registers.
/// Without `NTK` no tangent is computed.
#[inline(always)]
pub fn execute<P: Pack, const NTK: bool>(
    program: &Program,
    registers: &mut [Register<P::Scalar>],
    left: impl Side<P>,
    right: impl Side<P>,
) {
    for step in &program.steps {
        if step.signed.contains(&true) {
            run_step::<P, NTK, true>(step, registers, left, right);
        } else {
            run_step::<P, NTK, false>(step, registers, left, right);
        }
    }
}

#[inline(always)]
fn run_step<P: Pack, const NTK: bool, const SIGNED: bool>(
    step: &Step,
    registers: &mut [Register<P::Scalar>],
    left: impl Side<P>,
    right: impl Side<P>,
) {
    let slot = step.first_slot;
    let [first, second] = step.inputs;
    let output = step.output;
    match &step.op {
        // Without a bias the cosine of K stays as it is.
        Op::Dense { b_std, .. } if !NTK && *b_std == 0.0 && first == output => {}
        Op::Dense { b_std, .. } => {
            let bias = *b_std > 0.0;
            for pack in 0..P::PACKS {
                let mut pair = read::<P, NTK, SIGNED>(&registers[first], pack);
                if bias {
                    pair.cosine = mix(pair.cosine, constant(), left, right, slot + 2, pack);
                }
                let added = weight(left, right, slot, pack) * (P::splat(1.0) - pair.cosine.delta);
                pair.tau = weight(left, right, slot + 1, pack).mul_add(pair.tau, added);
                write::<P, NTK, SIGNED>(&mut registers[output], pack, pair);
            }
        }
        Op::Activation(activation) => with_dual!(activation, dual => {
            for pack in 0..P::PACKS {
                let pair = read::<P, NTK, SIGNED>(&registers[first], pack);
                let (l, r) = (|i| left.get(slot + i, pack), |i| right.get(slot + i, pack));
                let response = dual.pair::<P, SIGNED>(pair.cosine, l, r);
                let pair = Pair { cosine: response.cosine, tau: response.slope * pair.tau };
                write::<P, NTK, SIGNED>(&mut registers[output], pack, pair);
            }
        }),
        Op::Fitted(fitted) => {
            for pack in 0..P::PACKS {
                let pair = read::<P, NTK, SIGNED>(&registers[first], pack);
                let response = fitted.pair::<P, SIGNED>(pair.cosine, left, right, slot, pack);
                let pair = Pair { cosine: response.cosine, tau: response.slope * pair.tau };
                write::<P, NTK, SIGNED>(&mut registers[output], pack, pair);
            }
        }
        // Replaced by what is fitted to a call's rows before any pair is computed.
        Op::Elementwise(_) => {}
        Op::Offset(_) => {
            for pack in 0..P::PACKS {
                let mut pair = read::<P, NTK, SIGNED>(&registers[first], pack);
                pair.cosine = mix(pair.cosine, constant(), left, right, slot, pack);
                write::<P, NTK, SIGNED>(&mut registers[output], pack, pair);
            }
        }
        Op::Sum => {
            for pack in 0..P::PACKS {
                let mut pairs =
                    [first, second].map(|register| read::<P, NTK, SIGNED>(&registers[register], pack));
                for (pair, signed) in pairs.iter_mut().zip(step.signed) {
                    if SIGNED && !signed {
                        // Only δ was kept.
                        pair.cosine.epsilon = P::splat(2.0) - pair.cosine.delta;
                    }
                }
                let [a, b] = pairs;
                let cosine = mix(a.cosine, b.cosine, left, right, slot, pack);
                let tau =
                    weight(left, right, slot + 4, pack) * a.tau + weight(left, right, slot + 5, pack) * b.tau;
                write::<P, NTK, SIGNED>(&mut registers[output], pack, Pair { cosine, tau });
            }
        }
        Op::Tangent(tangent) => {
            // A constant's cosine is 1; zero has none.
            let tau = P::splat(if *tangent > 0.0 { 1.0 } else { 0.0 });
            for pack in 0..P::PACKS {
                let cosine = read::<P, NTK, SIGNED>(&registers[first], pack).cosine;
                write::<P, NTK, SIGNED>(&mut registers[output], pack, Pair { cosine, tau });
            }
        }
        Op::Chain => {
            for pack in 0..P::PACKS {
                let Pair { cosine, tau } = read::<P, NTK, SIGNED>(&registers[first], pack);
                let tau = tau * read::<P, NTK, SIGNED>(&registers[second], pack).tau;
                write::<P, NTK, SIGNED>(&mut registers[output], pack, Pair { cosine, tau });
            }
        }
        Op::Carry { .. } => {
            for pack in 0..P::PACKS {
                let Pair { cosine, tau } = read::<P, NTK, SIGNED>(&registers[first], pack);
                let carried = read::<P, NTK, SIGNED>(&registers[second], pack).tau;
                let own = weight(left, right, slot, pack) * tau;
                let tau = weight(left, right, slot + 1, pack).mul_add(carried, own);
                write::<P, NTK, SIGNED>(&mut registers[output], pack, Pair { cosine, tau });
            }
        }
    }
}

/// A register's worth of pairs.
#[derive(Clone, Copy)]
struct Pair<P> {
    cosine: Cosine<P>,
    tau: P,
}

#[inline(always)]
fn read<P: Pack, const NTK: bool, const SIGNED: bool>(
    register: &Register<P::Scalar>,
    pack: usize,
) -> Pair<P> {
    let delta = P::load(&register.delta, pack);
    let epsilon = if SIGNED { P::load(&register.epsilon, pack) } else { delta };
    let tau = if NTK { P::load(&register.tau, pack) } else { delta };
    Pair { cosine: Cosine { delta, epsilon }, tau }
}

#[inline(always)]
fn write<P: Pack, const NTK: bool, const SIGNED: bool>(
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

/// The cosine of a constant with itself.
#[inline(always)]
fn constant<P: Pack>() -> Cosine<P> {
    Cosine { delta: P::splat(0.0), epsilon: P::splat(2.0) }
}

/// Product of both sides' constant.
#[inline(always)]
fn weight<P: Pack>(left: impl Side<P>, right: impl Side<P>, slot: usize, pack: usize) -> P {
    left.get(slot, pack) * right.get(slot, pack)
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
    let (left, right) = (from_fn(|i| left.get(slot + i, pack)), from_fn(|i| right.get(slot + i, pack)));
    blend(first, second, left, right)
}
