//! Compositions that are there twice, as one object, are compiled once: the paths through a network of shared layers can be
//! exponentially many.

use super::compile::{Compiler, Value};
use crate::error::Result;
use crate::network::Layer;
use std::collections::BTreeSet;

/// What a composition made of a value. All of the input's sources go the same way, and nothing outside can depend on some
/// of the new ones and not on others: one stands for all.
#[derive(Clone)]
pub(super) struct Known {
    input: Value,
    output: Value,
    /// Whether the output depends on the sources of the input.
    passes: bool,
    /// Whether it depends on sources of its own.
    fresh: bool,
}

impl Value {
    /// Whether layers make the same of both, given the same kernels.
    fn is_like(&self, other: &Self) -> bool {
        let facts = |value: &Self| (value.gaussian, value.zero_mean, value.nonnegative, value.positions);
        facts(self) == facts(other) && self.width.is_like(&other.width)
    }
}

impl Compiler {
    /// What a layer makes of a value; of a composition that is there twice only once.
    pub(super) fn lower(&mut self, layer: &Layer, input: &Value) -> Result<Value> {
        let Some(identity) = layer.identity() else { return self.lower_anew(layer, input) };
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
}
