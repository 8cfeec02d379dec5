//! Gradients by what images have alone, summed over pairs.

use crate::error::Result;
use crate::memory;
use crate::planes::GROUP;
use crate::planes::constants::Each;
use crate::planes::plan::Graph;
use crate::program::{Op, Program};

/// Gradients of a group of images.
#[derive(Debug)]
pub struct Sums {
    /// By the logarithms of √K, of every value that some step divides by its norms, position by position.
    pub rows: Vec<Vec<Each>>,
    /// By the input, position by position, channel by channel; but for that by its norms.
    pub input: Vec<Each>,
}

impl Sums {
    /// Zeros.
    ///
    /// # Errors
    /// [`crate::Error::Memory`].
    pub fn new(program: &Program, graph: &Graph, channels: usize) -> Result<Self> {
        let mut rows = vec![Vec::new(); graph.grids.len()];
        for (step, inputs) in program.steps.iter().zip(&graph.inputs) {
            let value = inputs[0];
            if (step.is_activation() || matches!(step.op, Op::LayerNorm { .. })) && rows[value].is_empty() {
                rows[value] = memory::buffer(graph.positions(value))?;
            }
        }
        Ok(Self { rows, input: memory::buffer(memory::size([graph.positions(0), channels])?)? })
    }

    /// Numbers of each group.
    pub fn bytes(program: &Program, graph: &Graph, channels: usize) -> usize {
        let values: usize = (0..=program.steps.len()).map(|value| graph.positions(value)).sum();
        (values + graph.positions(0) * channels) * size_of::<Each>()
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Each> {
        self.rows.iter_mut().flatten().chain(&mut self.input)
    }

    /// Forget all.
    pub fn clear(&mut self) {
        self.all().for_each(|each| *each = [0.0; GROUP]);
    }

    /// Add others.
    pub fn add(&mut self, other: &mut Self) {
        for (to, from) in self.all().zip(other.all()) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += *from);
        }
    }

    /// Take what another has, the lanes of its pairs going to these of this one.
    pub fn take(&mut self, other: &mut Self, lanes: &[usize]) {
        for (to, from) in self.all().zip(other.all()) {
            for (&lane, value) in lanes.iter().zip(from.iter()) {
                to[lane] += value;
            }
            *from = [0.0; GROUP];
        }
    }
}
