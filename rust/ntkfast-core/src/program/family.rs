//! Programs with several results: a multilayer perceptron at every depth, or with its first layers frozen.
//!
//! What the networks of a family share is computed once. Cut networks share their first layers; networks that
//! differ in what is trained share K, and of T what the activations do to it.

use super::compile::{Compiler, Input, compile_with};
use super::value::Value;
use super::{Op, Program};
use crate::error::{Error, Result};
use crate::network::Layer;

impl Program {
    /// The network cut before each of its dense layers and closed with the last one: result l has l hidden
    /// layers.
    ///
    /// # Errors
    /// [`Error::Network`] unless the network is a chain of dense layers and activations that begins and ends
    /// with a dense layer.
    pub fn by_depth(network: &Layer) -> Result<Self> {
        let layers = chain(network)?;
        compile_with(Input::Rows, |compiler, input| {
            let last = layers.len() - 1;
            let mut value = input.clone();
            let mut outputs = Vec::new();
            for (index, layer) in layers.iter().enumerate() {
                if is_dense(layer) {
                    outputs.push(compiler.child(last, layers[last], &value)?);
                }
                if index < last {
                    value = compiler.child(index, layer, &value)?;
                }
            }
            Ok(outputs)
        })
    }

    /// The network with its first dense layers frozen: result k trains all but the first k.
    ///
    /// # Errors
    /// As [`Program::by_depth`].
    pub fn by_frozen(network: &Layer) -> Result<Self> {
        let layers = chain(network)?;
        compile_with(Input::Rows, |compiler, input| {
            let mut values = vec![input.clone()];
            for (index, layer) in layers.iter().enumerate() {
                // Alike for all: what the layer makes of a known tangent, and how it takes up theirs.
                let (known, op) = match layer {
                    Layer::Dense { w_std, .. } => (0.0, Op::Carry { w_std: *w_std }),
                    _ => (1.0, Op::Chain),
                };
                let alike = compiler.derive(index, layer, Op::Tangent(known), [&values[0]; 2]);
                let alike = compiler.child(index, layer, &alike)?;
                for value in &mut values {
                    *value = compiler.derive(index, layer, op.clone(), [&alike, value]);
                }
                if is_dense(layer) {
                    values.push(compiler.derive(index, layer, Op::Tangent(0.0), [&alike; 2]));
                }
            }
            Ok(values)
        })
    }
}

impl Compiler {
    /// What an op makes of a value and its tangents, all else being the first input's.
    fn derive(&mut self, index: usize, layer: &Layer, op: Op, inputs: [&Value; 2]) -> Value {
        let mut value = inputs[0].clone();
        value.id = self
            .within(index, layer, |compiler| compiler.push(op, inputs, inputs[0].nonnegative, layer.name()));
        value
    }
}

fn is_dense(layer: &Layer) -> bool {
    matches!(layer, Layer::Dense { .. })
}

/// The layers of a chain, one after the other.
fn chain(network: &Layer) -> Result<Vec<&Layer>> {
    let mut layers = Vec::new();
    flatten(network, &mut layers)?;
    match (layers.first(), layers.last()) {
        (Some(first), Some(last)) if is_dense(first) && is_dense(last) => Ok(layers),
        (Some(first), Some(last)) => {
            let (place, layer) = if is_dense(first) { ("ends", last) } else { ("begins", first) };
            Err(unsuitable(&format!("this one {place} with {}", layer.name())))
        }
        _ => Err(unsuitable("this one has no layer")),
    }
}

fn flatten<'a>(layer: &'a Layer, layers: &mut Vec<&'a Layer>) -> Result<()> {
    match layer {
        Layer::Serial(children) => children.iter().try_for_each(|child| flatten(child, layers)),
        Layer::Dense { .. } | Layer::Identity | Layer::Activation(_) | Layer::Elementwise(_) => {
            layers.push(layer);
            Ok(())
        }
        _ => Err(unsuitable(&format!("this one has a {}", layer.name()))),
    }
}

fn unsuitable(problem: &str) -> Error {
    Error::Network(format!(
        "kernels by depth and by frozen layers need a multilayer perceptron, as mlp builds it: a Serial of \
         Dense layers and activations that begins and ends with a Dense; {problem}"
    ))
}
