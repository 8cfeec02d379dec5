//! What planes are computed from, and in what room.

use super::Group;
use super::layout::Layout;
use super::plan::{Graph, Plan};
use super::pool::Tensor;
use super::window::Scratch;
use crate::program::{Program, Register};

/// Everything that planes are computed from.
#[derive(Clone, Copy)]
pub struct Machine<'a> {
    pub program: &'a Program,
    pub graph: &'a Graph,
    pub layout: &'a Layout,
    pub plan: &'a Plan,
    pub channels: usize,
    pub ntk: bool,
}

/// What a thread needs to run them.
pub struct Workspace<T> {
    /// Plane by plane, strip by strip, all registers.
    pub states: Vec<Vec<Register<T>>>,
    pub scratch: Scratch<T>,
    /// Sums of a row of a plane, for a pool.
    pub sums: Vec<[Group<T>; 2]>,
    /// Pool by pool, by step.
    pub tensors: Vec<Tensor>,
}
