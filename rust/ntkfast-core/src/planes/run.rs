//! The program on a group of pairs of images: plane by plane, run by run.

use super::constants::GroupConstants;
use super::machine::{Machine, Workspace};
use super::plan::{Key, Run};
use super::pool::Tensor;
use super::sides::Sides;
use super::steps::PlanesRun;
use super::window::{CELLS, Scratch};
use super::{GROUP, Group};
use crate::error::{Error, Result};
use crate::memory;
use crate::parallel::{Job, for_each_item, threads};
use crate::program::Register;
use crate::scalar::Scalar;
use crate::simd::Level;
use std::borrow::Cow;

/// Planes that go through a layer one after the other, while its maps are in the second-level cache.
pub const TOGETHER: usize = 3;

/// Where pieces of work are fewer, threads share the planes of each.
pub const FEW: usize = 4;

/// Sums over planes are made in so many shares, on at most as many threads.
const SHARES: usize = 4;

/// The largest pool, in pairs of positions, of which every share has all sums; of larger ones each thread makes some.
const SMALL_POOL: usize = 1 << 12;

impl Machine<'_> {
    /// Whether threads share the planes of a piece of work, where there are so many pieces; otherwise each does its own.
    pub fn shared(&self, pieces: usize) -> bool {
        pieces < FEW && self.plan.is_large()
    }

    /// How many threads compute so many pieces of work.
    pub fn workers(&self, pieces: usize) -> usize {
        threads().min(if self.shared(pieces) { SHARES } else { pieces })
    }

    /// Refuse to compute so many pieces of work where the threads would take more memory than is free.
    ///
    /// # Errors
    /// [`Error::PlaneMemory`].
    pub fn afford<T: Scalar>(&self, pieces: usize) -> Result<()> {
        let bytes = self.bytes::<T>();
        memory::afford(bytes.saturating_mul(self.workers(pieces))).map_err(|_| Error::PlaneMemory { bytes })
    }

    /// What computes one piece of work: several workspaces where threads share it.
    ///
    /// # Errors
    /// [`Error::PlaneMemory`].
    pub fn workspaces<T: Scalar>(&self, shared: bool) -> Result<Vec<Workspace<T>>> {
        let count = if shared { threads().min(SHARES) } else { 1 };
        (0..count).map(|_| self.workspace(TOGETHER)).collect()
    }

    /// Make room for constants.
    ///
    /// # Errors
    /// [`Error::PlaneMemory`].
    pub fn reserve<T: Scalar>(&self, constants: &mut GroupConstants<T>) -> Result<()> {
        let refused = |_| Error::PlaneMemory { bytes: self.bytes::<T>() };
        constants.resize(self.layout.size).map_err(refused)
    }

    /// Buffers, for so many planes at a time.
    ///
    /// # Errors
    /// [`Error::PlaneMemory`].
    pub fn workspace<T: Scalar>(&self, planes: usize) -> Result<Workspace<T>> {
        let bytes = self.bytes::<T>();
        let refused = |_| Error::PlaneMemory { bytes };
        let registers = self.plan.cells.div_ceil(CELLS) * self.program.registers;
        let mut states = Vec::new();
        for _ in 0..planes {
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
        planes + pairs * 2 * GROUP * size_of::<f64>() + 3 * self.layout.size * size_of::<Group<T>>()
    }

    /// Compute groups of pairs; of a program with pools one, of others up to [`TOGETHER`]. Several workspaces share the
    /// planes, each on a thread of its own where there is one.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn run<T: Scalar>(
        &self,
        groups: &[Sides<'_, T>],
        workspaces: &mut [Workspace<T>],
        job: &Job,
    ) -> Result<Vec<[[f64; GROUP]; 2]>> {
        for run in &self.plan.runs {
            self.part(run, groups, false, workspaces, job)?;
        }
        let states = &workspaces[0].states;
        Ok(groups.iter().zip(states).map(|(sides, state)| self.result(sides, state)).collect())
    }

    /// One run. All workspaces end with the tensor of its pool.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn part<T: Scalar>(
        &self,
        run: &Run,
        groups: &[Sides<'_, T>],
        selfs: bool,
        workspaces: &mut [Workspace<T>],
        job: &Job,
    ) -> Result<()> {
        let shares = self.divided(run, workspaces.len());
        debug_assert!(shares.len() >= workspaces.len(), "every workspace has a share");
        let once = shares.len() == workspaces.len();
        let mut total: Option<Tensor> = None;
        for round in shares.chunks(workspaces.len()) {
            let body = |(): &mut (), _, (share, workspace): (&Vec<_>, &mut Workspace<T>)| {
                self.share(run, groups, selfs, share, workspace, job)
            };
            for_each_item(job, round.iter().zip(workspaces.iter_mut()), || (), body)?;
            let Some(step) = run.pool.filter(|_| shares.len() > 1) else { continue };
            for workspace in &mut workspaces[..round.len()] {
                let tensor = &mut workspace.tensors[step];
                match &mut total {
                    Some(total) => total.add(tensor),
                    None if once => total = Some(std::mem::take(tensor)),
                    None => total = Some(tensor.clone()),
                }
            }
        }
        if let (Some(step), Some(total)) = (run.pool, total)
            && let Some((first, others)) = workspaces.split_first_mut()
        {
            others.iter_mut().for_each(|other| other.tensors[step].clone_from(&total));
            first.tensors[step] = total;
        }
        Ok(())
    }

    /// The tracks along the first axis of a run in shares, whose sums follow each other. Small pools always have as many,
    /// so that bits depend neither on threads nor on what else is computed.
    fn divided<'a>(&self, run: &'a Run, workspaces: usize) -> Vec<Vec<Cow<'a, Key>>> {
        let shares = match run.pool {
            Some(step) if self.plan.pairs(step) <= SMALL_POOL => SHARES,
            Some(step) if workspaces > 1 => {
                return run.by_targets(&self.plan.tensors[step][0], workspaces);
            }
            Some(_) => 1,
            None => workspaces,
        };
        let share = |index| run.axes[0].iter().skip(index).step_by(shares).map(Cow::Borrowed).collect();
        (0..shares).map(share).collect()
    }

    /// One share of a run.
    fn share<T: Scalar>(
        &self,
        run: &Run,
        groups: &[Sides<'_, T>],
        selfs: bool,
        share: &[Cow<'_, Key>],
        workspace: &mut Workspace<T>,
        job: &Job,
    ) -> Result<()> {
        let level = Level::current();
        if let Some(step) = run.pool {
            let tensor = &mut workspace.tensors[step];
            tensor.kernel.fill([0.0; GROUP]);
            tensor.tangent.fill([0.0; GROUP]);
        }
        for down in share {
            for across in run.axes[1].chunks(TOGETHER / groups.len()) {
                let (keys, sides) = ([&**down, &across[0]], groups[0]);
                PlanesRun {
                    machine: self,
                    run,
                    down,
                    across,
                    groups,
                    plane: 0,
                    keys,
                    sides,
                    selfs,
                    workspace,
                    job,
                }
                .run(level)?;
            }
        }
        Ok(())
    }

    /// What came out: in register 0 of the output, as cosines.
    pub fn result<T: Scalar>(&self, sides: &Sides<'_, T>, state: &[Register<T>]) -> [[f64; GROUP]; 2] {
        let register = &state[self.program.outputs[0]];
        let mut values = [[0.0; GROUP]; 2];
        for (lane, (delta, tau)) in register.delta.0.iter().zip(&register.tau.0).take(GROUP).enumerate() {
            let left = sides.left_lane(lane);
            let scale = |which: usize| sides.left.result[which][left] * sides.right.result[which][lane];
            values[0][lane] = scale(0) * (1.0 - delta.to_f64());
            values[1][lane] = scale(1) * tau.to_f64();
        }
        values
    }
}
