//! What each layer does to one row with itself: a network made readable.

use super::{Op, Program, RowTrace};
use crate::error::{Error, Result};

/// A layer's part in the kernels of a row with itself.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerTrace {
    /// Where in the network, in the user's words.
    pub place: String,
    /// K behind the layer.
    pub variance: f64,
    /// T behind the layer.
    pub ntk: f64,
    /// Of a dense layer, σ_w²·E[φ'²] with the activation before it: its factor on an earlier T.
    pub chi: Option<f64>,
    /// The part of the network's T that the weights up to here contribute; 0 where T is 0.
    pub share: f64,
}

/// T behind a step is affine in T before it; so far out nothing but the slope is left.
const FAR: f64 = f64::from_bits((1023 + 500) << 52);

/// A step at one row: √ of T's constant part and of its slopes by both inputs.
struct Affine {
    own: f64,
    gains: [f64; 2],
}

impl Program {
    /// Every layer at a row of `features` numbers whose standard deviation is `scale`, in the order of evaluation. `row` is its
    /// number, for errors. O(number of steps).
    ///
    /// # Errors
    /// [`Error::Overflow`] where a variance or NTK is too large for double precision.
    pub fn trace(&self, features: usize, scale: f64, row: usize) -> Result<Vec<LayerTrace>> {
        let mut registers = vec![RowTrace { scale, tangent: 0.0 }; self.registers];
        // Product of the slopes since the last dense layer or join.
        let mut slopes = vec![1.0; self.registers];
        let mut constants = vec![0.0; self.slots];
        let mut layers = Vec::new();
        let mut affine = Vec::new();
        for step in &self.steps {
            let inputs = step.inputs.map(|register| registers[register]);
            let constants = &mut constants[step.first_slot..][..step.op.slots()];
            let local = step.op.affine(features, inputs, constants);
            let result = step.op.row(features, inputs, constants);
            let [variance, ntk] = [result.scale, result.tangent].map(|root| root * root);
            if !(variance.is_finite() && ntk.is_finite()) {
                let log10 = 2.0 * result.scale.max(result.tangent).log10();
                return Err(Error::Overflow { layer: step.place.clone(), row, log10, dtype: "float64" });
            }
            let slope = slopes[step.inputs[0]] * local.gains[0];
            let dense = matches!(step.op, Op::Dense { .. });
            let restart = dense || step.op.joins();
            slopes[step.output] = if restart { 1.0 } else { slope };
            registers[step.output] = result;
            let chi = dense.then_some(slope * slope);
            layers.push(LayerTrace { place: step.place.clone(), variance, ntk, chi, share: 0.0 });
            affine.push(local);
        }
        let total = registers[self.outputs[0]].tangent;
        let mut share = 0.0;
        for (layer, contribution) in layers.iter_mut().zip(self.contributions(&affine)) {
            if contribution > 0.0 {
                share += (contribution / total).powi(2);
            }
            layer.share = share;
        }
        // Of several steps that make up one layer, the last one has its result.
        let last = |index: usize| !layers[index + 1..].iter().any(|later| later.place == layers[index].place);
        let kept: Vec<_> = (0..layers.len()).filter(|&index| last(index)).collect();
        Ok(kept.into_iter().map(|index| layers[index].clone()).collect())
    }

    /// √ of what each step adds to the first result's T: backwards, with ∂T/∂T behind each step.
    fn contributions(&self, affine: &[Affine]) -> Vec<f64> {
        let mut weights = vec![0.0; self.registers];
        weights[self.outputs[0]] = 1.0;
        let mut contributions = vec![0.0; affine.len()];
        for ((step, local), contribution) in self.steps.iter().zip(affine).zip(&mut contributions).rev() {
            let weight = std::mem::take(&mut weights[step.output]);
            *contribution = if local.own > 0.0 { local.own * weight } else { 0.0 };
            for (input, gain) in step.inputs.into_iter().zip(local.gains) {
                if gain > 0.0 {
                    weights[input] = weights[input].hypot(gain * weight);
                }
            }
        }
        contributions
    }
}

impl Op {
    /// Whether both inputs matter, which may be the same value twice.
    fn joins(&self) -> bool {
        matches!(self, Self::Sum | Self::Concatenate(_) | Self::Product)
    }

    fn affine(&self, features: usize, inputs: [RowTrace; 2], constants: &mut [f64]) -> Affine {
        let mut tangent = |first: f64, second: f64| {
            let [a, b] = inputs;
            let rows = [RowTrace { tangent: first, ..a }, RowTrace { tangent: second, ..b }];
            self.row(features, rows, constants).tangent
        };
        let second = if self.joins() { tangent(0.0, FAR) } else { 0.0 };
        let gains = [tangent(FAR, 0.0), second].map(|far| far / FAR);
        Affine { own: tangent(0.0, 0.0), gains }
    }
}
