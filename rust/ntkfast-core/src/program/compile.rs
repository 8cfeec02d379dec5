//! Network → program: validity, then registers.
//!
//! Facts are tracked for each value (mathematics of wide networks, e.g. Yang 2019): whether it is a zero-mean
//! Gaussian, which an activation and a normalisation need of their input; and which random sources it depends on.
//! Kernels of two branches add only where the product of their values has mean zero: no common source, and at
//! most one mean that is not zero. They multiply where there is no common source.
//!
//! Values are numbered by their kernels: a step that is there already, on the same inputs, is not taken again. So
//! the branches of Sum(A, A) cost one, while their weights, and with them their sources, are two. A composition that is
//! there twice, as one object, is not even looked at again.

use super::positions::Positions;
use super::registers::allocate;
use super::value::{Known, Value};
use super::width::{Breadth, Width};
use super::{Gradient, Op, Program, Step};
use crate::dual::{Dual, with_dual};
use crate::error::{Error, Result};
use crate::network::{Identity, Layer, Training};
use std::collections::{BTreeSet, HashMap};

/// What comes in.
#[derive(Clone, Copy, PartialEq)]
pub enum Input {
    /// The most favourable there is: the network is a part of another one.
    Part,
    /// Rows.
    Rows,
    /// Images of some height and width.
    AnyImages,
    /// Images of this height and width.
    Images([usize; 2]),
}

impl Input {
    /// What a whole network takes, as far as it tells.
    pub fn whole(network: &Layer) -> Self {
        if network.is_spatial() { Self::AnyImages } else { Self::Rows }
    }
}

/// How branches are joined.
#[derive(Clone, Copy)]
enum Join {
    Sum,
    Product,
}

pub(super) struct Compiler {
    /// Steps whose registers are value ids.
    steps: Vec<Step>,
    /// Whether dense layers that are alike have steps of their own.
    distinct: bool,
    /// Indices of the steps that have these inputs.
    by_inputs: HashMap<[usize; 2], Vec<usize>>,
    slots: usize,
    sources: usize,
    path: Vec<String>,
    /// What compositions made of values.
    known: HashMap<(Identity, usize), Vec<Known>>,
}

/// Compile for this input; with a step for each dense layer if these are `distinct`.
pub fn compile(network: &Layer, input: Input, distinct: bool) -> Result<Program> {
    compile_with(input, |compiler, value| {
        compiler.distinct = distinct;
        let output = compiler.lower(network, value)?;
        if input != Input::Part {
            output.positions.check_end()?;
        }
        Ok(vec![output])
    })
}

/// Compile what `lower` makes of the input: as many results as it returns.
pub(super) fn compile_with(
    input: Input,
    lower: impl FnOnce(&mut Compiler, &Value) -> Result<Vec<Value>>,
) -> Result<Program> {
    let mut compiler = Compiler {
        steps: Vec::new(),
        distinct: false,
        by_inputs: HashMap::new(),
        slots: 0,
        sources: 0,
        path: Vec::new(),
        known: HashMap::new(),
    };
    let part = input == Input::Part;
    let positions = match input {
        Input::Part => Positions::Any,
        Input::Rows => Positions::None,
        Input::AnyImages => Positions::Grid(None),
        Input::Images(grid) => Positions::Grid(Some(grid)),
    };
    let spatial = matches!(positions, Positions::Grid(_));
    let input = Value {
        id: 0,
        gaussian: part,
        zero_mean: part,
        nonnegative: false,
        positions,
        sources: BTreeSet::from([0]),
        width: if part { Breadth::Any } else { Breadth::Known(Width::INPUT) },
    };
    let outputs: Vec<usize> = lower(&mut compiler, &input)?.iter().map(|value| value.id).collect();
    Ok(allocate(compiler.steps, compiler.slots, &outputs, spatial))
}

impl Compiler {
    /// What a layer makes of a value; of a composition that is there twice only once.
    fn lower(&mut self, layer: &Layer, input: &Value) -> Result<Value> {
        let Some(identity) = layer.identity().filter(|_| !self.distinct) else {
            return self.lower_anew(layer, input);
        };
        let key = (identity, input.id);
        let found = |known: &Known| known.input.is_like(input).then(|| known.clone());
        let known = match self.known.get(&key).and_then(|all| all.iter().find_map(found)) {
            Some(known) => known,
            None => {
                self.sources += 1;
                let token = self.sources;
                let marked = Value { sources: BTreeSet::from([token]), ..input.clone() };
                let output = self.lower_anew(layer, &marked)?;
                let passes = output.sources.contains(&token);
                let fresh = output.sources.len() > usize::from(passes);
                let known = Known { input: input.clone(), output, passes, fresh };
                self.known.entry(key).or_default().push(known.clone());
                known
            }
        };
        let mut sources = if known.passes { input.sources.clone() } else { BTreeSet::new() };
        if known.fresh {
            self.sources += 1;
            sources.insert(self.sources);
        }
        Ok(Value { sources, ..known.output })
    }

    /// What a layer makes of a value, without a look at what it made of others.
    fn lower_anew(&mut self, layer: &Layer, input: &Value) -> Result<Value> {
        match layer {
            Layer::Identity => Ok(input.clone()),
            Layer::Serial(layers) => self.chain(layers, input),
            Layer::Dense { width, w_std, b_std, training } => self.dense(
                *width,
                [*w_std, b_std.unwrap_or(0.0)],
                b_std.is_some(),
                *training,
                input,
                layer.name(),
            ),
            Layer::Conv { axes, width, w_std, b_std, training } => {
                let mut seen = self.windows(*axes, input, layer.name())?;
                seen.width = seen.width.times(axes[0].size.saturating_mul(axes[1].size));
                self.dense(
                    *width,
                    [*w_std, b_std.unwrap_or(0.0)],
                    b_std.is_some(),
                    *training,
                    &seen,
                    layer.name(),
                )
            }
            Layer::Pool { axes, sum } => self.pool(*axes, *sum, input, layer.name()),
            Layer::GlobalPool { sum } => self.pool_all(*sum, input, layer.name()),
            Layer::Flatten => self.flatten(input, layer.name()),
            Layer::Activation(activation) => {
                self.check_gaussian(input, layer.name())?;
                let (nonnegative, zero_mean, offset) = with_dual!(activation, dual =>
                    (dual.is_nonnegative(input.nonnegative), dual.is_odd(), dual.offset()));
                let op = Op::Activation(activation.clone());
                let id = self.push(op, [input, input], nonnegative, layer.name());
                let mut value = Value { id, gaussian: false, zero_mean, nonnegative, ..input.clone() };
                if offset != 0.0 {
                    value.id = self.push(Op::Offset(offset), [&value, &value], nonnegative, layer.name());
                }
                Ok(value)
            }
            Layer::Elementwise(function) => {
                self.check_gaussian(input, layer.name())?;
                let op = Op::Elementwise(function.clone());
                let id = self.push(op, [input, input], false, layer.name());
                Ok(Value { id, gaussian: false, zero_mean: false, nonnegative: false, ..input.clone() })
            }
            Layer::Residual(layers) => {
                let branch = self.chain(layers, input)?;
                self.join(Join::Sum, input, &branch, layer.name())
            }
            Layer::Sum(branches) => self.fold(Join::Sum, branches, input, layer.name()),
            Layer::Product(branches) => self.fold(Join::Product, branches, input, layer.name()),
            Layer::Concatenate(branches) => {
                let parts = self.branches(branches, input)?;
                self.concatenate(parts, layer.name())
            }
            Layer::LayerNorm { eps } => {
                self.check_gaussian(input, layer.name())?;
                let op = Op::LayerNorm { eps: *eps };
                let id = self.push(op, [input, input], input.nonnegative, layer.name());
                Ok(Value { id, ..input.clone() })
            }
            Layer::Dropout { keep } => {
                let op = Op::Dropout { keep: *keep };
                let id = self.push(op, [input, input], input.nonnegative, layer.name());
                Ok(Value { id, gaussian: false, ..input.clone() })
            }
        }
    }

    fn dense(
        &mut self,
        width: Option<usize>,
        [w_std, b_std]: [f64; 2],
        bias: bool,
        training: Training,
        input: &Value,
        name: &str,
    ) -> Result<Value> {
        let gradient = self.gradient(training, bias, input, name)?;
        let id = self.push(Op::Dense { w_std, b_std, gradient }, [input, input], input.nonnegative, name);
        self.sources += 1;
        let width = match width {
            Some(units) => Breadth::Known(Width { units: units as u128, inputs: 0 }),
            None => Breadth::Unset(1, self.place(name)),
        };
        let sources = BTreeSet::from([self.sources]);
        Ok(Value { id, gaussian: true, zero_mean: true, sources, width, ..*input })
    }

    fn gradient(&self, training: Training, bias: bool, input: &Value, name: &str) -> Result<Gradient> {
        match (training, &input.width) {
            (Training::Frozen, _) => Ok(Gradient::Frozen),
            (Training::Ntk, _) => Ok(Gradient::Ntk),
            (Training::Standard, Breadth::Known(fan_in)) => Ok(Gradient::Standard { fan_in: *fan_in, bias }),
            // The whole network will tell.
            (Training::Standard, Breadth::Any) => Ok(Gradient::Standard { fan_in: Width::INPUT, bias }),
            (Training::Standard, Breadth::Unset(_, place)) => Err(Error::Network(format!(
                "{} has the standard parameterization, so its tangent kernel grows with the width of the \
                 layer before it: give {place} a width",
                self.place(name)
            ))),
        }
    }

    fn check_gaussian(&self, input: &Value, name: &str) -> Result<()> {
        if input.gaussian && input.zero_mean {
            return Ok(());
        }
        Err(Error::Network(format!(
            "{} needs a Gaussian input of mean zero, such as that from a Dense or Conv: put a Dense before it",
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

    /// The values of branches on one input.
    fn branches(&mut self, branches: &[Layer], input: &Value) -> Result<Vec<Value>> {
        branches.iter().enumerate().map(|(index, branch)| self.child(index, branch, input)).collect()
    }

    fn fold(&mut self, join: Join, branches: &[Layer], input: &Value, name: &str) -> Result<Value> {
        let values = self.branches(branches, input)?;
        let (first, others) = values.split_first().ok_or_else(|| no_branch(name))?;
        others.iter().try_fold(first.clone(), |total, value| self.join(join, &total, value, name))
    }

    fn join(&mut self, join: Join, first: &Value, second: &Value, name: &str) -> Result<Value> {
        let independent = first.sources.is_disjoint(&second.sources);
        let zero_mean = match join {
            Join::Sum => first.zero_mean && second.zero_mean,
            Join::Product => first.zero_mean || second.zero_mean,
        };
        let (verb, verbed) = match join {
            Join::Sum => ("adds", "add"),
            Join::Product => ("multiplies", "multiply"),
        };
        let refuse = |problem: &str| {
            Err(Error::Network(format!(
                "{} {verb} branches that {problem}, so their kernels do not {verbed}: \
                 end all branches but one with a Dense",
                self.place(name)
            )))
        };
        if !independent {
            return refuse("depend on the same random values");
        }
        if matches!(join, Join::Sum) && !(first.zero_mean || second.zero_mean) {
            return refuse("have means that are not zero");
        }
        let width = first.width.clone().agree(second.width.clone()).map_err(|[a, b]| {
            Error::Network(format!(
                "{} {verb} branches of different widths, {} and {}: give their last Dense layers the same width",
                self.place(name),
                a.units,
                b.units
            ))
        })?;
        let positions = self.agree(first, second, name)?;
        let (op, gaussian) = match join {
            Join::Sum => (Op::Sum, first.gaussian && second.gaussian),
            Join::Product => (Op::Product, false),
        };
        let nonnegative = first.nonnegative && second.nonnegative;
        let id = self.push(op, [first, second], nonnegative, name);
        let sources = &first.sources | &second.sources;
        Ok(Value { id, gaussian, zero_mean, nonnegative, positions, sources, width })
    }

    fn concatenate(&mut self, parts: Vec<Value>, name: &str) -> Result<Value> {
        let widths: Vec<Breadth> = parts.iter().map(|value| value.width.clone()).collect();
        let (width, weights) = Breadth::join(&widths).map_err(|place| {
            Error::Network(format!(
                "{} weights its branches by their widths, but only some of them have a width: \
                 give {place} a width, or leave all widths unset",
                self.place(name)
            ))
        })?;
        let mut parts = parts.into_iter().zip(weights);
        let (mut total, mut weight) = parts.next().ok_or_else(|| no_branch(name))?;
        for (value, next) in parts {
            let nonnegative = total.nonnegative && value.nonnegative;
            let positions = self.agree(&total, &value, name)?;
            let id = self.push(Op::Concatenate([weight, next]), [&total, &value], nonnegative, name);
            total = Value {
                id,
                gaussian: false,
                zero_mean: total.zero_mean && value.zero_mean,
                nonnegative,
                positions,
                sources: &total.sources | &value.sources,
                width: total.width,
            };
            weight = weight.plus(next);
        }
        Ok(Value { width, ..total })
    }

    /// The value of a step, which is added where it is not there yet.
    pub(super) fn push(&mut self, op: Op, inputs: [&Value; 2], nonnegative: bool, name: &str) -> usize {
        let signed = inputs.map(|value| !value.nonnegative);
        let inputs = inputs.map(|value| value.id);
        let alike = self.by_inputs.entry(inputs).or_default();
        let own = self.distinct && matches!(op, Op::Dense { .. });
        if let Some(step) = alike.iter().map(|&index| &self.steps[index]).find(|step| step.op == op && !own) {
            return step.output;
        }
        alike.push(self.steps.len());
        // The input is value 0.
        let output = self.steps.len() + 1;
        let first_slot = self.slots;
        self.slots += op.slots();
        self.steps.push(Step {
            op,
            inputs,
            output,
            first_slot,
            signed,
            signed_output: !nonnegative,
            place: self.place(name),
        });
        output
    }

    /// "layer 2 (Relu) of layer 3 (Residual)", or the name alone for a network of one layer.
    pub(super) fn place(&self, name: &str) -> String {
        if self.path.is_empty() {
            return name.to_owned();
        }
        self.path.iter().rev().map(String::as_str).collect::<Vec<_>>().join(" of ")
    }
}

fn no_branch(name: &str) -> Error {
    Error::Network(format!("{name} needs at least one branch"))
}
