//! The program on strips of pairs, in vector registers.

use super::frame::{Frame, Register};
use super::integrate::Integrate;
use super::pointwise::{
    Carry, Chain, Dense, Dropout, Fit, Keep, Offset, Pointwise, Product, Sum, Tangent, Whole,
};
use super::rectify::Rectify;
use super::{Op, Program, Step};
use crate::dual::{AbRelu, Activation, with_dual};
use crate::fitted::{Fitted, Integrated};
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

/// What runs steps on a strip: an op at a time, in one form.
pub(super) trait Runner {
    /// Whether there is T.
    const NTK: bool;

    /// Run an op.
    fn whole<O: Pointwise>(&mut self, op: &O, step: &Step);

    /// Run ReLU or one of its kin.
    fn rectified(&mut self, activation: &AbRelu, step: &Step) {
        self.whole(activation, step);
    }

    /// Run a function that was fitted.
    fn fitted(&mut self, fitted: &Fitted, step: &Step);

    /// Run a function that is integrated.
    fn integrated(&mut self, integrated: &Integrated, step: &Step);

    /// Run a step.
    fn run(&mut self, step: &Step) {
        if step.inputs[0] == step.output && step.op.keeps_pairs(Self::NTK) {
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
            Op::Activation(Activation::AbRelu(activation)) => self.rectified(activation, step),
            Op::Activation(activation) => with_dual!(activation, dual => self.whole(dual, step)),
            Op::Fitted(fitted) => self.fitted(fitted, step),
            Op::Integrated(integrated) => self.integrated(integrated, step),
            Op::Elementwise(_) | Op::Window(_) | Op::Pool { .. } => {
                unreachable!(
                    "functions are fitted when a program is prepared, and planes do what mixes positions"
                )
            }
            Op::Offset(_) => self.whole(&Offset, step),
            Op::Sum | Op::Concatenate(_) => self.whole(&Sum, step),
            Op::Product => self.whole(&Product, step),
            Op::LayerNorm { .. } => self.whole(&Keep, step),
            Op::Dropout { keep } => self.whole(&Dropout(*keep), step),
            Op::Tangent(tangent) => self.whole(&Tangent(*tangent), step),
            Op::Chain => self.whole(&Chain, step),
            Op::Carry { .. } => self.whole(&Carry, step),
        }
    }
}

impl<T: Scalar, L: RowConstants<T>, R: RowConstants<T>> Frame<'_, T, L, R> {
    /// Run a step, with cosines of T or without, and cosines of K that may be negative or not.
    pub fn run<const NTK: bool, const SIGNED: bool>(&mut self, step: &Step) {
        Values::<_, _, _, NTK, SIGNED>(self).run(step);
    }
}

/// Values without derivatives.
struct Values<'a, 'b, T, L, R, const NTK: bool, const SIGNED: bool>(&'a mut Frame<'b, T, L, R>);

impl<T, L, R, const NTK: bool, const SIGNED: bool> Runner for Values<'_, '_, T, L, R, NTK, SIGNED>
where
    T: Scalar,
    L: RowConstants<T>,
    R: RowConstants<T>,
{
    const NTK: bool = NTK;

    #[inline]
    fn whole<O: Pointwise>(&mut self, op: &O, step: &Step) {
        T::dispatch(self.0.level, Whole::<_, _, _, _, NTK, SIGNED> { op, step, frame: self.0 });
    }

    fn rectified(&mut self, activation: &AbRelu, step: &Step) {
        T::dispatch(self.0.level, Rectify::<_, _, _, NTK, SIGNED> { activation, step, frame: self.0 });
    }

    fn fitted(&mut self, fitted: &Fitted, step: &Step) {
        T::dispatch(self.0.level, Fit::<_, _, _, NTK, SIGNED> { fitted, step, frame: self.0 });
    }

    fn integrated(&mut self, integrated: &Integrated, step: &Step) {
        T::dispatch(self.0.level, Integrate::<_, _, _, NTK, SIGNED> { integrated, step, frame: self.0 });
    }
}
