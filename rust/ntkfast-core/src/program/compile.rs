//! Network → program: validity, then registers.
//!
//! Two facts are tracked for each value (mathematics of wide networks, e.g. Yang 2019): whether it is a
//! zero-mean Gaussian, which an activation needs of its input; and which random sources it depends on. Kernels
//! of two branches add only where the product of their values has mean zero: no common source, and at most
//! one mean that is not zero.

use super::{Op, Program, Step};
use crate::dual::{Dual, with_dual};
use crate::error::{Error, Result};
use crate::fitted::Elementwise;
use crate::network::Layer;
use std::collections::BTreeSet;

/// A value in single-assignment form.
#[derive(Clone)]
pub(super) struct Value {
    pub id: usize,
    gaussian: bool,
    zero_mean: bool,
    nonnegative: bool,
    /// The input (0) and the dense layers this value depends on without a later dense layer in between.
    sources: BTreeSet<usize>,
}

pub(super) struct Compiler {
    /// Steps whose registers are value ids.
    steps: Vec<Step>,
    values: usize,
    slots: usize,
    path: Vec<String>,
}

/// Compile; `part` assumes the most favourable input.
pub fn compile(network: &Layer, part: bool) -> Result<Program> {
    compile_with(part, |compiler, input| Ok(vec![compiler.lower(network, input)?]))
}

/// Compile what `lower` makes of the input: as many results as it returns.
pub(super) fn compile_with(
    part: bool,
    lower: impl FnOnce(&mut Compiler, &Value) -> Result<Vec<Value>>,
) -> Result<Program> {
    let mut compiler = Compiler { steps: Vec::new(), values: 1, slots: 0, path: Vec::new() };
    let input =
        Value { id: 0, gaussian: part, zero_mean: part, nonnegative: false, sources: BTreeSet::from([0]) };
    let outputs = lower(&mut compiler, &input)?;
    Ok(allocate(compiler.steps, compiler.slots, &outputs))
}

impl Compiler {
    fn lower(&mut self, layer: &Layer, input: &Value) -> Result<Value> {
        match layer {
            Layer::Identity => Ok(input.clone()),
            Layer::Serial(layers) => self.chain(layers, input),
            Layer::Dense { w_std, b_std } => {
                let op = Op::Dense { w_std: *w_std, b_std: b_std.unwrap_or(0.0) };
                let id = self.push(op, [input, input], layer.name());
                let sources = BTreeSet::from([id]);
                Ok(Value { id, gaussian: true, zero_mean: true, nonnegative: input.nonnegative, sources })
            }
            Layer::Activation(activation) => {
                self.check_gaussian(input, layer.name())?;
                let (nonnegative, odd, offset) = with_dual!(activation, dual =>
                    (dual.is_nonnegative(input.nonnegative), dual.is_odd(), dual.offset()));
                let mut id = self.push(Op::Activation(activation.clone()), [input, input], layer.name());
                let value = Value {
                    id,
                    gaussian: false,
                    zero_mean: odd,
                    nonnegative,
                    sources: input.sources.clone(),
                };
                if offset != 0.0 {
                    id = self.push(Op::Offset(offset), [&value, &value], layer.name());
                }
                Ok(Value { id, ..value })
            }
            Layer::Elementwise(function) => {
                self.check_gaussian(input, layer.name())?;
                let op = Op::Elementwise(Elementwise::new(function.clone()));
                let id = self.push(op, [input, input], layer.name());
                Ok(Value {
                    id,
                    gaussian: false,
                    zero_mean: false,
                    nonnegative: false,
                    sources: input.sources.clone(),
                })
            }
            Layer::Residual(layers) => {
                let branch = self.chain(layers, input)?;
                self.add(input, &branch, layer.name())
            }
            Layer::Sum(branches) => {
                let mut total: Option<Value> = None;
                for (index, branch) in branches.iter().enumerate() {
                    let value = self.child(index, branch, input)?;
                    total = Some(match total {
                        None => value,
                        Some(total) => self.add(&total, &value, layer.name())?,
                    });
                }
                total.ok_or_else(|| Error::Network("Sum needs at least one branch".to_owned()))
            }
        }
    }

    fn check_gaussian(&self, input: &Value, name: &str) -> Result<()> {
        if input.gaussian && input.zero_mean {
            return Ok(());
        }
        Err(Error::Network(format!(
            "{} needs a Gaussian input of mean zero, as a Dense layer gives: put a Dense before it",
            self.place(name)
        )))
    }

    fn chain(&mut self, layers: &[Layer], input: &Value) -> Result<Value> {
        let mut value = input.clone();
        for (index, layer) in layers.iter().enumerate() {
            value = self.child(index, layer, &value)?;
        }
        Ok(value)
    }

    pub(super) fn child(&mut self, index: usize, layer: &Layer, input: &Value) -> Result<Value> {
        self.within(index, layer, |compiler| compiler.lower(layer, input))
    }

    /// What `body` gives, its steps placed in a layer.
    pub(super) fn within<R>(&mut self, index: usize, layer: &Layer, body: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(format!("layer {} ({})", index + 1, layer.name()));
        let result = body(self);
        self.path.pop();
        result
    }

    fn add(&mut self, first: &Value, second: &Value, name: &str) -> Result<Value> {
        let independent = first.sources.is_disjoint(&second.sources);
        if !independent || !(first.zero_mean || second.zero_mean) {
            let problem =
                if independent { "have means that are not zero" } else { "depend on the same random values" };
            return Err(Error::Network(format!(
                "{} adds branches that {problem}, so that their kernels do not add: \
                 end all branches but one with a Dense",
                self.place(name)
            )));
        }
        let id = self.push(Op::Sum, [first, second], name);
        Ok(Value {
            id,
            gaussian: first.gaussian && second.gaussian,
            zero_mean: first.zero_mean && second.zero_mean,
            nonnegative: first.nonnegative && second.nonnegative,
            sources: &first.sources | &second.sources,
        })
    }

    pub(super) fn push(&mut self, op: Op, inputs: [&Value; 2], name: &str) -> usize {
        let output = self.values;
        self.values += 1;
        let first_slot = self.slots;
        self.slots += op.slots();
        self.steps.push(Step {
            op,
            inputs: inputs.map(|value| value.id),
            output,
            first_slot,
            signed: inputs.map(|value| !value.nonnegative),
            place: self.place(name),
        });
        output
    }

    /// "layer 2 (Relu) of layer 3 (Residual)", or the name alone for a network of one layer.
    fn place(&self, name: &str) -> String {
        if self.path.is_empty() {
            return name.to_owned();
        }
        self.path.iter().rev().map(String::as_str).collect::<Vec<_>>().join(" of ")
    }
}

/// Map values to registers, reusing each register after its value's last use.
fn allocate(mut steps: Vec<Step>, slots: usize, outputs: &[Value]) -> Program {
    let mut last_use = vec![0; steps.len() + 1];
    for (index, step) in steps.iter().enumerate() {
        for value in step.inputs {
            last_use[value] = index;
        }
    }
    for output in outputs {
        last_use[output.id] = steps.len();
    }

    let mut register_of = vec![0; steps.len() + 1];
    let mut free: Vec<usize> = Vec::new();
    let mut registers = 1;
    for (index, step) in steps.iter_mut().enumerate() {
        let [first, second] = step.inputs;
        for (position, value) in [first, second].into_iter().enumerate() {
            if last_use[value] == index && (position == 0 || second != first) {
                free.push(register_of[value]);
            }
        }
        step.inputs = step.inputs.map(|value| register_of[value]);
        let register = free.pop().unwrap_or_else(|| {
            registers += 1;
            registers - 1
        });
        register_of[step.output] = register;
        step.output = register;
    }
    let outputs = outputs.iter().map(|value| register_of[value.id]).collect();
    Program { steps, registers, slots, outputs }
}
