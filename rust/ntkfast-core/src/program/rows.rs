//! The program on rows: scales in, per-row constants and final scales out. Double precision throughout.

use super::{Op, Program};
use crate::dual::{Dual, blend, with_dual};

/// √K and √T of one row at one register.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RowTrace {
    /// √K of the row with itself.
    pub scale: f64,
    /// √T of the row with itself; 0 before the first trained layer.
    pub tangent: f64,
}

impl Program {
    /// Run one row whose input has standard deviation `scale` = ‖x‖/√d. Fills the row's `constants` and calls
    /// `visit` with every step's result; the results are left in the output registers. O(number of steps).
    pub fn run_row(
        &self,
        scale: f64,
        registers: &mut [RowTrace],
        constants: &mut [f64],
        mut visit: impl FnMut(usize, RowTrace),
    ) {
        registers[0] = RowTrace { scale, tangent: 0.0 };
        for (index, step) in self.steps.iter().enumerate() {
            let constants = &mut constants[step.first_slot..][..step.op.slots()];
            let result = step.op.row(step.inputs.map(|register| registers[register]), constants);
            registers[step.output] = result;
            visit(index, result);
        }
    }
}

impl Op {
    /// One step of one row.
    pub(super) fn row(&self, [first, second]: [RowTrace; 2], constants: &mut [f64]) -> RowTrace {
        match self {
            Op::Dense { w_std, b_std } => dense(first, *w_std, *b_std, constants),
            Op::Activation(activation) => {
                let row = with_dual!(activation, dual => dual.row(first.scale, constants));
                RowTrace { scale: row.scale, tangent: row.slope * first.tangent }
            }
            Op::Fitted(fitted) => {
                let row = fitted.row(first.scale, constants);
                RowTrace { scale: row.scale, tangent: row.slope * first.tangent }
            }
            // Replaced before rows are run.
            Op::Elementwise(_) => first,
            Op::Offset(offset) => {
                constants.copy_from_slice(&blend::shares(first.scale, offset.abs()));
                RowTrace { scale: first.scale.hypot(*offset), tangent: first.tangent }
            }
            Op::Sum => {
                constants[..blend::SLOTS].copy_from_slice(&blend::shares(first.scale, second.scale));
                let tangent = first.tangent.hypot(second.tangent);
                constants[4] = share(first.tangent, tangent);
                constants[5] = share(second.tangent, tangent);
                RowTrace { scale: first.scale.hypot(second.scale), tangent }
            }
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

fn dense(input: RowTrace, w_std: f64, b_std: f64, constants: &mut [f64]) -> RowTrace {
    let weights = w_std * input.scale;
    let scale = weights.hypot(b_std);
    let carried = w_std * input.tangent;
    let tangent = scale.hypot(carried);
    // Of T: what this layer adds, and what earlier layers left.
    constants[0] = share(scale, tangent);
    constants[1] = share(carried, tangent);
    if b_std > 0.0 {
        constants[2..].copy_from_slice(&blend::shares(weights, b_std));
    }
    RowTrace { scale, tangent }
}

/// `part / whole` of two scales, 0 where both vanish.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
