//! Kernels of images: of all pairs, which `walk` goes through, and of single ones with themselves.

use super::GROUP;
use super::constants::{Each, GroupConstants, Variances};
use super::images::Images;
use super::layout::Layout;
use super::machine::{Machine, Workspace};
use super::maps::Source;
use super::plan::{Graph, Plan, Purpose, Run};
use super::sides::Sides;
use crate::error::{Error, Result};
use crate::kernel::{Outputs, Wanted};
use crate::parallel::{Job, for_each_item};
use crate::program::{Op, Prepared, Program, Scales, Step};
use crate::scalar::Scalar;

/// K and T of a pair of images.
#[derive(Clone, Copy, Debug)]
pub struct KernelValues<T> {
    nngp: T,
    ntk: T,
}

/// A network on images of one size.
pub struct ImageNetwork<'a> {
    pub(super) program: &'a Program,
    pub(super) graph: Graph,
    pub(super) layout: Layout,
    pub(super) channels: usize,
    wanted: Wanted,
}

/// All pairs of one set, each computed once and written twice.
///
/// # Errors
/// [`Error::Overflow`], [`Error::PlaneMemory`], [`Error::Cancelled`].
pub fn gram<T: Scalar>(
    prepared: &Prepared<'_, T>,
    images: &mut Images<T>,
    out: &Outputs<'_, T>,
    job: &Job,
) -> Result<()> {
    let network = ImageNetwork::new(prepared.program(), images, out.wanted());
    network.selfs(images, &|i, kernels| write(out, i, i, kernels), job)?;
    let accept = |i, j, kernels| {
        write(out, i, j, kernels);
        write(out, j, i, kernels);
    };
    network.walk([images, images], true, &accept, job)
}

/// All pairs of two sets of images of one size.
///
/// # Errors
/// As [`gram`].
pub fn cross<T: Scalar>(
    prepared: &Prepared<'_, T>,
    left: &mut Images<T>,
    right: &mut Images<T>,
    out: &Outputs<'_, T>,
    job: &Job,
) -> Result<()> {
    let network = ImageNetwork::new(prepared.program(), left, out.wanted());
    network.prepare(left, network.program.steps.len(), job)?;
    network.prepare(right, network.program.steps.len(), job)?;
    network.walk([left, right], false, &|i, j, kernels| write(out, i, j, kernels), job)
}

/// Every image with itself, in one column.
///
/// # Errors
/// As [`gram`].
pub fn diagonal<T: Scalar>(
    prepared: &Prepared<'_, T>,
    images: &mut Images<T>,
    out: &Outputs<'_, T>,
    job: &Job,
) -> Result<()> {
    let network = ImageNetwork::new(prepared.program(), images, out.wanted());
    network.selfs(images, &|i, kernels| write(out, i, 0, kernels), job)
}

/// Write one entry.
fn write<T: Scalar>(out: &Outputs<'_, T>, row: usize, column: usize, kernels: KernelValues<T>) {
    for target in &out.nngp {
        target.entry(row, column, kernels.nngp);
    }
    for target in &out.ntk {
        target.entry(row, column, kernels.ntk);
    }
}

impl<'a> ImageNetwork<'a> {
    /// The network for images of the size of these.
    pub fn new<T: Scalar>(program: &'a Program, images: &Images<T>, wanted: Wanted) -> Self {
        Self::of_size(program, images.grid, images.channels(), wanted)
    }

    /// The network for images of this height and width, and so many channels.
    pub fn of_size(program: &'a Program, grid: [usize; 2], channels: usize, wanted: Wanted) -> Self {
        let graph = Graph::new(program, grid);
        let layout = Layout::new(program, &graph, channels);
        Self { program, graph, layout, channels, wanted }
    }

    /// What computes planes after a plan.
    pub fn machine<'b>(&'b self, plan: &'b Plan) -> Machine<'b> {
        Machine {
            program: self.program,
            graph: &self.graph,
            layout: &self.layout,
            plan,
            channels: self.channels,
            ntk: self.wanted.ntk,
        }
    }

    /// What the maps of images are made from.
    pub fn source<'b, T>(
        &'b self,
        images: &'b Images<T>,
        known: &'b [Variances],
        job: &'b Job,
    ) -> Source<'b, T> {
        Source { program: self.program, graph: &self.graph, layout: &self.layout, images, known, job }
    }

    /// The scales that all images have before a step, where variances are known up to there.
    pub fn scales<T: Scalar>(&self, images: &Images<T>, step: usize, job: &Job) -> Result<Scales> {
        let mut scales = vec![Scales::default(); images.count.div_ceil(GROUP)];
        for_each_item(job, scales.iter_mut(), GroupConstants::default, |constants, block, scales| {
            let source = self.source(images, &images.pools[block], job);
            *scales = source.scales(members(block, images.count), constants, step)?;
            Ok(())
        })?;
        Ok(scales.into_iter().fold(Scales::default(), Scales::with))
    }

    /// Find the variances of all images behind every pool before a step.
    pub fn prepare<T: Scalar>(&self, images: &mut Images<T>, before: usize, job: &Job) -> Result<()> {
        self.alone(images, before, None::<&fn(usize, KernelValues<T>)>, job)
    }

    /// Every image with itself, and the variances behind every pool.
    fn selfs<T: Scalar>(
        &self,
        images: &mut Images<T>,
        accept: &(impl Fn(usize, KernelValues<T>) + Sync),
        job: &Job,
    ) -> Result<()> {
        self.alone(images, self.program.steps.len(), Some(accept), job)
    }

    /// Single images, block by block: through all pools before a step, and to the end where that is asked for.
    fn alone<T: Scalar>(
        &self,
        images: &mut Images<T>,
        before: usize,
        accept: Option<&(impl Fn(usize, KernelValues<T>) + Sync)>,
        job: &Job,
    ) -> Result<()> {
        let pools = |steps: &[Step]| steps.iter().any(|step| matches!(step.op, Op::Pool { .. }));
        if accept.is_none() && !pools(&self.program.steps[..before]) {
            return Ok(());
        }
        let plan = Plan::new(self.program, &self.graph, Purpose::Selfs, job)?;
        let machine = self.machine(&plan);
        let wanted = |run: &&Run| run.pool.map_or(accept.is_some(), |step| step < before);
        let mut pools = std::mem::take(&mut images.pools);
        let (shared, count) = (&*images, pools.len());
        let few = machine.shared(count);
        machine.afford::<T>(count)?;
        let new = || {
            let mut constants = GroupConstants::default();
            machine.reserve(&mut constants)?;
            Ok((machine.workspaces(few)?, constants))
        };
        let body =
            |thread: &mut Option<(Vec<Workspace<T>>, GroupConstants<T>)>, block, known: &mut Vec<_>| {
                let (workspaces, constants) = made(thread, new)?;
                known.clear();
                for run in plan.runs.iter().filter(wanted) {
                    self.source(shared, known, job).constants(members(block, shared.count), constants)?;
                    let sides = Sides { left: &*constants, right: &*constants, one: None };
                    machine.part(run, &[sides], true, workspaces, job)?;
                    match (run.pool, accept) {
                        (Some(step), _) => known.push(self.variances(&plan, step, &workspaces[0])),
                        (None, Some(accept)) => {
                            let [nngp, ntk] = machine.result(&sides, &workspaces[0].states[0]);
                            let first = block * GROUP;
                            for (lane, image) in (first..shared.count.min(first + GROUP)).enumerate() {
                                accept(image, self.kernels(image, [nngp[lane], ntk[lane]])?);
                            }
                        }
                        (None, None) => {}
                    }
                }
                Ok(())
            };
        if few {
            let mut thread = None;
            pools.iter_mut().enumerate().try_for_each(|(block, known)| body(&mut thread, block, known))?;
        } else {
            for_each_item(job, pools.iter_mut(), || None, body)?;
        }
        images.pools = pools;
        Ok(())
    }

    /// What the tensor of a pool has of every position with itself.
    fn variances<T>(&self, plan: &Plan, step: usize, workspace: &Workspace<T>) -> Variances {
        let tensor = &workspace.tensors[step];
        let [down, across] = &plan.tensors[step];
        let width = self.graph.grids[step + 1][1];
        let of = |values: &[Each]| {
            let at = |position: usize| {
                let [row, column] = [position / width, position % width].map(|place| [place as u32; 2]);
                values[down[&row] * across.len() + across[&column]]
            };
            (0..self.graph.positions(step + 1)).map(at).collect()
        };
        [of(&tensor.kernel), of(&tensor.tangent)]
    }

    /// What is wanted of K and T of a pair.
    pub fn kernels<T: Scalar>(&self, row: usize, [nngp, ntk]: [f64; 2]) -> Result<KernelValues<T>> {
        let rounded = |wanted: bool, value: f64| {
            let rounded = T::from_f64(if wanted { value } else { 0.0 });
            if rounded.to_f64().is_finite() { Ok(rounded) } else { Err(self.overflow::<T>(row, value)) }
        };
        Ok(KernelValues { nngp: rounded(self.wanted.nngp, nngp)?, ntk: rounded(self.wanted.ntk, ntk)? })
    }

    fn overflow<T: Scalar>(&self, row: usize, value: f64) -> Error {
        let layer = self.program.steps.last().map_or("the input", |step| &step.place).to_owned();
        Error::Overflow { layer, row, log10: value.abs().log10(), dtype: T::NAME }
    }
}

/// What a thread keeps, made when it is first asked for.
fn made<S>(kept: &mut Option<S>, make: impl FnOnce() -> Result<S>) -> Result<&mut S> {
    match kept {
        Some(state) => Ok(state),
        None => Ok(kept.insert(make()?)),
    }
}

/// The images of a block; the last one fills it up.
pub fn members(block: usize, count: usize) -> [usize; GROUP] {
    let mut members = [0; GROUP];
    for (lane, member) in members.iter_mut().enumerate() {
        *member = (block * GROUP + lane).min(count - 1);
    }
    members
}
