//! The program on strips of pairs, in vector registers.

use super::pointwise::{
    Carry, Chain, Dense, Dropout, Fit, Keep, Offset, Pointwise, Product, Sum, Tangent, Whole,
};
use super::rectify::Rectify;
use super::{Op, Program, Step};
use crate::dual::{Activation, Cosine, with_dual};
use crate::scalar::Scalar;
use crate::simd::{Lanes, Level, Pack, RowConstants, STRIP, Single, Strip};

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

impl Program {
    /// Run on the strip in register 0, with the constants of the one row, `left`, and of the rows in the strip, `right`;
    /// the results are left in the output registers. Cosines of T are computed where `NTK`.
    pub(crate) fn run_strip<T: Scalar, const NTK: bool>(
        &self,
        level: Level,
        registers: &mut [Register<T>],
        left: &[T],
        right: &[Strip<T>],
    ) {
        let mut frame = Frame { level, registers, left: Single(left), right: Lanes(right) };
        for step in &self.steps {
            if step.signed_output || step.signed.contains(&true) {
                frame.run::<NTK, true>(step);
            } else {
                frame.run::<NTK, false>(step);
            }
        }
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

impl<T: Scalar, L: RowConstants<T>, R: RowConstants<T>> Frame<'_, T, L, R> {
    /// Run a step, with cosines of T or without, and cosines of K that may be negative or not.
    pub fn run<const NTK: bool, const SIGNED: bool>(&mut self, step: &Step) {
        if step.inputs[0] == step.output && step.op.keeps_pairs(NTK) {
            return;
        }
        match &step.op {
            Op::Dense { gradient, .. } => match (gradient.slots(), step.op.blends()) {
                (0, false) => self.whole::<_, NTK, SIGNED>(&Dense::<0, false>, step),
                (0, true) => self.whole::<_, NTK, SIGNED>(&Dense::<0, true>, step),
                (2, false) => self.whole::<_, NTK, SIGNED>(&Dense::<2, false>, step),
                (2, true) => self.whole::<_, NTK, SIGNED>(&Dense::<2, true>, step),
                _ => self.whole::<_, NTK, SIGNED>(&Dense::<3, true>, step),
            },
            Op::Activation(Activation::AbRelu(activation)) => {
                T::dispatch(self.level, Rectify::<_, _, _, NTK, SIGNED> { activation, step, frame: self });
            }
            Op::Activation(activation) => {
                with_dual!(activation, dual => self.whole::<_, NTK, SIGNED>(dual, step));
            }
            Op::Fitted(fitted) => {
                T::dispatch(self.level, Fit::<_, _, _, NTK, SIGNED> { fitted, step, frame: self });
            }
            Op::Elementwise(_) | Op::Window(_) | Op::Pool { .. } => {
                unreachable!(
                    "functions are fitted when a program is prepared, and planes do what mixes positions"
                )
            }
            Op::Offset(_) => self.whole::<_, NTK, SIGNED>(&Offset, step),
            Op::Sum | Op::Concatenate(_) => self.whole::<_, NTK, SIGNED>(&Sum, step),
            Op::Product => self.whole::<_, NTK, SIGNED>(&Product, step),
            Op::LayerNorm { .. } => self.whole::<_, NTK, SIGNED>(&Keep, step),
            Op::Dropout { keep } => self.whole::<_, NTK, SIGNED>(&Dropout(*keep), step),
            Op::Tangent(tangent) => self.whole::<_, NTK, SIGNED>(&Tangent(*tangent), step),
            Op::Chain => self.whole::<_, NTK, SIGNED>(&Chain, step),
            Op::Carry { .. } => self.whole::<_, NTK, SIGNED>(&Carry, step),
        }
    }

    #[inline]
    fn whole<O: Pointwise, const NTK: bool, const SIGNED: bool>(&mut self, op: &O, step: &Step) {
        T::dispatch(self.level, Whole::<_, _, _, _, NTK, SIGNED> { op, step, frame: self });
    }
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
