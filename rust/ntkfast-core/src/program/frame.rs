//! What steps on a strip of pairs read and write.

use super::Step;
use crate::dual::Cosine;
use crate::simd::{Level, Pack, STRIP, Strip};

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

/// What steps on a strip work with. They are handed a reference to it: a copy would have to wait for what was just written.
pub(crate) struct Frame<'a, T, L, R> {
    /// The instruction set.
    pub level: Level,
    /// As many as the program has.
    pub registers: &'a mut [Register<T>],
    /// Constants of one side.
    pub left: L,
    /// Constants of the other side.
    pub right: R,
}

/// A register's worth of pairs.
#[derive(Clone, Copy)]
pub struct Pair<P> {
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
