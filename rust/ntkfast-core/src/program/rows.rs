//! The program on rows: scales in, per-row constants and final scales out. Double precision throughout.

use super::{Gradient, Op, Program};
use crate::dual::{Dual, RowResponse, blend, with_dual};

/// √K and √T of one row at one register.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RowTrace {
    /// √K of the row with itself.
    pub scale: f64,
    /// √T of the row with itself; 0 before the first trained layer.
    pub tangent: f64,
}

impl Program {
    /// Run one row of `features` numbers whose standard deviation is `scale` = ‖x‖/√d. Fills the row's `constants`
    /// and calls `visit` with every step, its first input and its result; the results are left in the output registers.
    /// O(number of steps).
    pub fn run_row(
        &self,
        features: usize,
        scale: f64,
        registers: &mut [RowTrace],
        constants: &mut [f64],
        mut visit: impl FnMut(usize, RowTrace, RowTrace),
    ) {
        registers[0] = RowTrace { scale, tangent: 0.0 };
        for (index, step) in self.steps.iter().enumerate() {
            let constants = &mut constants[step.first_slot..][..step.op.slots()];
            let inputs = step.inputs.map(|register| registers[register]);
            let result = step.op.row(features, inputs, constants);
            registers[step.output] = result;
            visit(index, inputs[0], result);
        }
    }
}

impl Op {
    /// One step of one row.
    pub(crate) fn row(
        &self,
        features: usize,
        [first, second]: [RowTrace; 2],
        constants: &mut [f64],
    ) -> RowTrace {
        match self {
            Op::Dense { w_std, b_std, gradient } => {
                dense(first, *w_std, *b_std, *gradient, features, constants)
            }
            Op::Activation(activation) => {
                first.after(with_dual!(activation, dual => dual.row(first.scale, constants)))
            }
            Op::Fitted(fitted) => first.after(fitted.constants(first.scale, constants)),
            Op::Integrated(integrated) => first.after(integrated.constants(first.scale, constants)),
            // Replaced before rows are run; a matter of several positions.
            Op::Elementwise(_) | Op::Window(_) | Op::Pool { .. } => first,
            Op::Offset(offset) => {
                constants.copy_from_slice(&blend::shares(first.scale, offset.abs()));
                RowTrace { scale: first.scale.hypot(*offset), tangent: first.tangent }
            }
            Op::Sum => sum(first, second, constants),
            Op::Concatenate(widths) => {
                let [a, b] = widths.map(|width| width.at(features));
                let part = |row: RowTrace, width: f64| row.times((width / (a + b)).sqrt());
                sum(part(first, a), part(second, b), constants)
            }
            Op::Product => {
                let parts = [first.tangent * second.scale, first.scale * second.tangent];
                let tangent = parts[0].hypot(parts[1]);
                constants.copy_from_slice(&parts.map(|part| share(part, tangent)));
                RowTrace { scale: first.scale * second.scale, tangent }
            }
            Op::LayerNorm { eps } => {
                let norm = first.scale.hypot(eps.sqrt());
                RowTrace { scale: share(first.scale, norm), tangent: share(first.tangent, norm) }
            }
            Op::Dropout { keep } => first.times(1.0 / keep.sqrt()),
            Op::Tangent(tangent) => RowTrace { scale: first.scale, tangent: tangent.sqrt() },
            Op::Chain => RowTrace { scale: first.scale, tangent: first.tangent * second.tangent },
            Op::Carry { w_std } => {
                let carried = w_std * second.tangent;
                let tangent = first.tangent.hypot(carried);
                constants[0] = share(first.tangent, tangent);
                constants[1] = share(carried, tangent);
                RowTrace { scale: first.scale, tangent }
            }
        }
    }
}

impl RowTrace {
    /// A row after an activation that does this to it.
    pub(super) fn after(self, row: RowResponse) -> Self {
        Self { scale: row.scale, tangent: row.slope * self.tangent }
    }

    fn times(self, factor: f64) -> Self {
        Self { scale: factor * self.scale, tangent: factor * self.tangent }
    }
}

fn dense(
    input: RowTrace,
    w_std: f64,
    b_std: f64,
    gradient: Gradient,
    features: usize,
    constants: &mut [f64],
) -> RowTrace {
    let weights = w_std * input.scale;
    let scale = weights.hypot(b_std);
    let carried = w_std * input.tangent;
    let (own, bias) = match gradient {
        Gradient::Frozen => (0.0, 0.0),
        Gradient::Ntk => (scale, 0.0),
        Gradient::Standard { fan_in, bias } => {
            (fan_in.at(features).sqrt() * input.scale, if bias { 1.0 } else { 0.0 })
        }
    };
    let tangent = own.hypot(carried).hypot(bias);
    // Of T: what this layer's weights add, what earlier layers left, and what its bias adds.
    let parts = [own, carried, bias].map(|part| share(part, tangent));
    let (shares, blended) = constants.split_at_mut(gradient.slots());
    shares.copy_from_slice(&parts[..shares.len()]);
    if !blended.is_empty() {
        // Beside nothing, the smallest bias is everything.
        let bias = if weights > 0.0 { b_std } else { 1.0 };
        blended.copy_from_slice(&blend::shares(weights, bias));
    }
    RowTrace { scale, tangent }
}

fn sum(first: RowTrace, second: RowTrace, constants: &mut [f64]) -> RowTrace {
    let tangent = first.tangent.hypot(second.tangent);
    let (blended, shares) = constants.split_at_mut(blend::SLOTS);
    blended.copy_from_slice(&blend::shares(first.scale, second.scale));
    shares.copy_from_slice(&[share(first.tangent, tangent), share(second.tangent, tangent)]);
    RowTrace { scale: first.scale.hypot(second.scale), tangent }
}

/// `part / whole` of two scales, 0 where both vanish.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
