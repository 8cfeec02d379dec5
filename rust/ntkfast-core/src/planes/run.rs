//! The program on a group of pairs of images: plane by plane, run by run.

use super::layout::Layout;
use super::maps::Constants;
use super::plan::{Graph, Plan};
use super::pool::Tensor;
use super::steps::Work;
use super::window::{CELLS, Scratch};
use super::{GROUP, Group};
use crate::error::{Error, Result};
use crate::memory;
use crate::parallel::Job;
use crate::program::{Program, Register};
use crate::scalar::Scalar;
use crate::simd::Level;

/// Planes that go through a layer one after the other, while its maps are in the second-level cache.
const TOGETHER: usize = 6;

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

impl Machine<'_> {
    /// Buffers.
    ///
    /// # Errors
    /// [`Error::PlaneMemory`].
    pub fn workspace<T: Scalar>(&self) -> Result<Workspace<T>> {
        let bytes = self.bytes::<T>();
        let refused = |_| Error::PlaneMemory { bytes };
        let registers = self.plan.cells.div_ceil(CELLS) * self.program.registers;
        let mut states = Vec::new();
        for _ in 0..TOGETHER {
            let mut state = memory::empty(registers).map_err(refused)?;
            state.resize(registers, Register::default());
            states.push(state);
        }
        let mut tensors = Vec::new();
        for index in 0..self.program.steps.len() {
            let pairs = self.plan.pairs(index);
            let mut tensor = Tensor::default();
            for values in [&mut tensor.kernel, &mut tensor.tangent] {
                *values = memory::buffer(pairs).map_err(refused)?;
            }
            tensors.push(tensor);
        }
        Ok(Workspace { states, scratch: Scratch::new(), sums: Vec::new(), tensors })
    }

    /// How much memory a thread takes.
    pub fn bytes<T: Scalar>(&self) -> usize {
        let planes = TOGETHER * self.plan.cells * self.program.registers * 3 * GROUP * size_of::<T>();
        let pairs: usize = (0..self.program.steps.len()).map(|step| self.plan.pairs(step)).sum();
        planes + pairs * 2 * GROUP * size_of::<f64>() + 4 * self.layout.size * size_of::<Group<T>>()
    }

    /// Compute a group of pairs, the left images of which have these constants and the right ones those. What comes
    /// out is in register 0 of the output, cosines and all.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn run<T: Scalar>(
        &self,
        sides: [&Constants<T>; 2],
        selfs: bool,
        workspace: &mut Workspace<T>,
        job: &Job,
    ) -> Result<[[f64; GROUP]; 2]> {
        let level = Level::current();
        for run in &self.plan.runs {
            if let Some(step) = run.pool {
                let tensor = &mut workspace.tensors[step];
                tensor.kernel.fill([0.0; GROUP]);
                tensor.tangent.fill([0.0; GROUP]);
            }
            for down in &run.axes[0] {
                for across in run.axes[1].chunks(TOGETHER) {
                    job.check()?;
                    let keys = [down, &across[0]];
                    Work { machine: self, run, down, across, plane: 0, keys, sides, selfs, workspace }
                        .run(level);
                }
            }
        }
        let register = &workspace.states[0][self.program.outputs[0]];
        let mut values = [0, 1].map(|which| {
            let mut product = sides[0].result[which];
            product.iter_mut().zip(sides[1].result[which]).for_each(|(left, right)| *left *= right);
            product
        });
        for (value, delta) in values[0].iter_mut().zip(register.delta.0) {
            *value *= 1.0 - delta.to_f64();
        }
        for (value, tau) in values[1].iter_mut().zip(register.tau.0) {
            *value *= tau.to_f64();
        }
        Ok(values)
    }
}
