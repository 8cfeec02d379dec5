//! The program on strips of pairs, in vector registers.

use super::frame::{Frame, Register};
use super::integrate::Integrate;
use super::pointwise::{
    Carry, Chain, Dense, Dropout, Fit, Keep, Offset, Pointwise, Product, Sum, Tangent, Whole,
};
use super::rectify::Rectify;
use super::{Op, Program, Step};
use crate::dual::{Activation, with_dual};
use crate::scalar::Scalar;
use crate::simd::{Lanes, Level, RowConstants, Single, Strip};

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
            Op::Integrated(integrated) => {
                T::dispatch(self.level, Integrate::<_, _, _, NTK, SIGNED> { integrated, step, frame: self });
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
