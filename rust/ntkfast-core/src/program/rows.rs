//! The program on rows: scales in, per-row constants and final scales out. Double precision throughout.

use super::{Gradient, Op, Program};
use crate::dual::{Dual, RowResponse, blend, with_dual};
use crate::fitted::Integrated;
use crate::real::{Jet, Real};

/// √K and √T of one row at one register.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RowTrace<R = f64> {
    /// √K of the row with itself.
    pub scale: R,
    /// √T of the row with itself; 0 before the first trained layer.
    pub tangent: R,
}

/// What derivatives are along.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Direction {
    /// Nothing changes.
    #[default]
    Still,
    /// The logarithm of the row's norm.
    Norm,
    /// σ_w of all dense layers, or of one, by its number among them.
    WStd(Option<usize>),
    /// σ_b likewise.
    BStd(Option<usize>),
    /// The logarithm of a factor of all σ_w.
    WFactor,
    /// The logarithm of a factor of all σ_b.
    BFactor,
}

impl Direction {
    /// How fast the logarithm of the norm changes.
    fn norm(self) -> f64 {
        if self == Self::Norm { 1.0 } else { 0.0 }
    }

    /// How fast σ_w and σ_b of an op change, the dense layer of this number or another op.
    fn of_op(self, op: &Op, layer: usize) -> [f64; 2] {
        let one = |which: Option<usize>| if which.is_none_or(|which| which == layer) { 1.0 } else { 0.0 };
        match (self, op) {
            (Self::WStd(which), _) => [one(which), 0.0],
            (Self::BStd(which), _) => [0.0, one(which)],
            (Self::WFactor, Op::Dense { w_std, .. } | Op::Carry { w_std }) => [*w_std, 0.0],
            (Self::BFactor, Op::Dense { b_std, .. }) => [0.0, *b_std],
            _ => [0.0; 2],
        }
    }
}

/// Numbers of rows, which know how fast they change along a direction, if they do.
pub(crate) trait Along: Real {
    /// A number that changes at this rate.
    fn along(value: f64, rate: f64) -> Self;

    /// What a function that is integrated makes of a row.
    fn integrated(integrated: &Integrated, scale: Self, constants: &mut [Self]) -> RowResponse<Self>;
}

impl Along for f64 {
    fn along(value: f64, _rate: f64) -> f64 {
        value
    }

    fn integrated(integrated: &Integrated, scale: f64, constants: &mut [f64]) -> RowResponse {
        integrated.constants(scale, constants)
    }
}

impl Along for Jet {
    fn along(value: f64, slope: f64) -> Self {
        Self { value, slope }
    }

    fn integrated(_: &Integrated, _: Self, _: &mut [Self]) -> RowResponse<Self> {
        unreachable!("refused by `check_differentiable`")
    }
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
        visit: impl FnMut(usize, RowTrace, RowTrace),
    ) {
        self.run_row_along(Direction::Still, features, scale, registers, constants, visit);
    }

    /// The same, with the derivatives of all results along a direction.
    pub(crate) fn run_row_along<R: Along>(
        &self,
        direction: Direction,
        features: usize,
        scale: f64,
        registers: &mut [RowTrace<R>],
        constants: &mut [R],
        mut visit: impl FnMut(usize, RowTrace<R>, RowTrace<R>),
    ) {
        let scale = R::along(scale, scale * direction.norm());
        let mut dense = 0;
        registers[0] = RowTrace { scale, tangent: R::default() };
        for (index, step) in self.steps.iter().enumerate() {
            let constants = &mut constants[step.first_slot..][..step.op.slots()];
            let inputs = step.inputs.map(|register| registers[register]);
            let result = step.op.row_along(direction.of_op(&step.op, dense), features, inputs, constants);
            dense += usize::from(matches!(step.op, Op::Dense { .. }));
            registers[step.output] = result;
            visit(index, inputs[0], result);
        }
    }
}

impl Op {
    /// One step of one row.
    pub(crate) fn row(&self, features: usize, inputs: [RowTrace; 2], constants: &mut [f64]) -> RowTrace {
        self.row_along([0.0; 2], features, inputs, constants)
    }

    /// One step of one row, and its derivative where σ_w and σ_b change at these rates.
    pub(crate) fn row_along<R: Along>(
        &self,
        [w_rate, b_rate]: [f64; 2],
        features: usize,
        [first, second]: [RowTrace<R>; 2],
        constants: &mut [R],
    ) -> RowTrace<R> {
        match self {
            Op::Dense { w_std, b_std, gradient } => {
                let stds = [R::along(*w_std, w_rate), R::along(*b_std, b_rate)];
                dense(first, stds, *gradient, features, constants)
            }
            Op::Activation(activation) => {
                first.after(with_dual!(activation, dual => dual.row(first.scale, constants)))
            }
            Op::Fitted(fitted) => first.after(fitted.constants(first.scale, constants)),
            Op::Integrated(integrated) => first.after(R::integrated(integrated, first.scale, constants)),
            // Replaced before rows are run; a matter of several positions.
            Op::Elementwise(_) | Op::Window(_) | Op::Pool { .. } => first,
            Op::Offset(offset) => {
                constants.copy_from_slice(&blend::shares(first.scale, R::from(offset.abs())));
                RowTrace { scale: first.scale.hypot(R::from(*offset)), tangent: first.tangent }
            }
            Op::Sum => sum(first, second, constants),
            Op::Concatenate(widths) => {
                let [a, b] = widths.map(|width| width.at(features));
                let part = |row: RowTrace<R>, width: f64| row.times((width / (a + b)).sqrt());
                sum(part(first, a), part(second, b), constants)
            }
            Op::Product => {
                let parts = [first.tangent * second.scale, first.scale * second.tangent];
                let tangent = parts[0].hypot(parts[1]);
                constants.copy_from_slice(&parts.map(|part| share(part, tangent)));
                RowTrace { scale: first.scale * second.scale, tangent }
            }
            Op::LayerNorm { eps } => {
                let norm = first.scale.hypot(R::from(eps.sqrt()));
                RowTrace { scale: share(first.scale, norm), tangent: share(first.tangent, norm) }
            }
            Op::Dropout { keep } => first.times(1.0 / keep.sqrt()),
            Op::Tangent(tangent) => RowTrace { scale: first.scale, tangent: R::from(tangent.sqrt()) },
            Op::Chain => RowTrace { scale: first.scale, tangent: first.tangent * second.tangent },
            Op::Carry { w_std } => {
                let carried = R::along(*w_std, w_rate) * second.tangent;
                let tangent = first.tangent.hypot(carried);
                constants[0] = share(first.tangent, tangent);
                constants[1] = share(carried, tangent);
                RowTrace { scale: first.scale, tangent }
            }
        }
    }
}

impl<R: Real> RowTrace<R> {
    /// A row after an activation that does this to it.
    pub(super) fn after(self, row: RowResponse<R>) -> Self {
        Self { scale: row.scale, tangent: row.slope * self.tangent }
    }

    fn times(self, factor: f64) -> Self {
        Self { scale: self.scale * factor, tangent: self.tangent * factor }
    }
}

fn dense<R: Along>(
    input: RowTrace<R>,
    [w_std, b_std]: [R; 2],
    gradient: Gradient,
    features: usize,
    constants: &mut [R],
) -> RowTrace<R> {
    let weights = w_std * input.scale;
    let scale = weights.hypot(b_std);
    let carried = w_std * input.tangent;
    let (own, bias) = match gradient {
        Gradient::Frozen => (R::default(), 0.0),
        Gradient::Ntk => (scale, 0.0),
        Gradient::Standard { fan_in, bias } => {
            (input.scale * fan_in.at(features).sqrt(), if bias { 1.0 } else { 0.0 })
        }
    };
    let bias = R::from(bias);
    let tangent = own.hypot(carried).hypot(bias);
    // Of T: what this layer's weights add, what earlier layers left, and what its bias adds.
    let parts = [own, carried, bias].map(|part| share(part, tangent));
    let (shares, blended) = constants.split_at_mut(gradient.slots());
    shares.copy_from_slice(&parts[..shares.len()]);
    if !blended.is_empty() {
        // Beside nothing, the smallest bias is everything.
        let bias = if weights.value() > 0.0 { b_std } else { R::from(1.0) };
        blended.copy_from_slice(&blend::shares(weights, bias));
    }
    RowTrace { scale, tangent }
}

fn sum<R: Real>(first: RowTrace<R>, second: RowTrace<R>, constants: &mut [R]) -> RowTrace<R> {
    let tangent = first.tangent.hypot(second.tangent);
    let (blended, shares) = constants.split_at_mut(blend::SLOTS);
    blended.copy_from_slice(&blend::shares(first.scale, second.scale));
    shares.copy_from_slice(&[share(first.tangent, tangent), share(second.tangent, tangent)]);
    RowTrace { scale: first.scale.hypot(second.scale), tangent }
}

/// `part / whole` of two scales, 0 where both vanish.
fn share<R: Real>(part: R, whole: R) -> R {
    if whole.value() > 0.0 { part / whole } else { R::default() }
}
