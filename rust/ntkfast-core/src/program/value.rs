//! The values between layers, and what compositions made of them: a composition that is there twice, as one object, is compiled
//! once, as the paths through a network of shared layers can be exponentially many.

use super::positions::Positions;
use super::width::Breadth;
use std::collections::BTreeSet;

/// A value in single-assignment form.
#[derive(Clone)]
pub(super) struct Value {
    pub id: usize,
    pub(super) gaussian: bool,
    pub(super) zero_mean: bool,
    pub(super) nonnegative: bool,
    pub(super) positions: Positions,
    /// The input (0) and the dense layers this value depends on without a later dense layer in between.
    pub(super) sources: BTreeSet<usize>,
    pub(super) width: Breadth,
}

/// What a composition made of a value. All of the input's sources go the same way, and nothing outside can depend on some
/// of the new ones and not on others: one stands for all.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) input: Value,
    pub(super) output: Value,
    /// Whether the output depends on the sources of the input.
    pub(super) passes: bool,
    /// Whether it depends on sources of its own.
    pub(super) fresh: bool,
}

impl Value {
    /// Whether layers make the same of both, given the same kernels.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let facts = |value: &Self| (value.gaussian, value.zero_mean, value.nonnegative, value.positions);
        facts(self) == facts(other) && self.width.is_like(&other.width)
    }
}
