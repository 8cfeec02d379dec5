//! Walks over pairs of images.

use super::images::{Images, Variance};
use super::layout::Layout;
use super::maps::{Constants, Source};
use super::plan::{Graph, Plan, Purpose};
use super::run::{Machine, Workspace};
use super::scales::Scales;
use super::{GROUP, Group};
use crate::error::{Error, Result};
use crate::kernel::{Plain, Wanted};
use crate::parallel::{Job, for_each_index, for_each_item};
use crate::program::Program;
use crate::scalar::Scalar;

/// K and T of a pair of images.
#[derive(Clone, Copy, Debug)]
struct Kernels<T> {
    nngp: T,
    ntk: T,
}

/// A network on images of one size.
pub struct Network<'a> {
    program: &'a Program,
    graph: Graph,
    layout: Layout,
    plan: Plan,
    channels: usize,
    wanted: Wanted,
}

/// All pairs of one set, each computed once and written twice.
///
/// # Errors
/// [`Error::Overflow`], [`Error::PlaneMemory`], [`Error::Cancelled`].
pub fn gram<T: Scalar>(
    program: &Program,
    images: &mut Images<T>,
    out: &Plain<'_, T>,
    job: &Job,
) -> Result<()> {
    let network = Network::new(program, images, out.wanted());
    network.prepare(images, program.steps.len(), job)?;
    let accept = |i, j, kernels| {
        write(out, i, j, kernels);
        if i < j {
            write(out, j, i, kernels);
        }
    };
    let blocks = images.count.div_ceil(GROUP);
    let tiles = (0..blocks).flat_map(|j| (0..=j).map(move |i| [i, j]));
    network.walk(images, images, true, tiles, &accept, job)
}

/// All pairs of two sets of images of one size.
///
/// # Errors
/// As [`gram`].
pub fn cross<T: Scalar>(
    program: &Program,
    left: &mut Images<T>,
    right: &mut Images<T>,
    out: &Plain<'_, T>,
    job: &Job,
) -> Result<()> {
    let network = Network::new(program, left, out.wanted());
    network.prepare(left, program.steps.len(), job)?;
    network.prepare(right, program.steps.len(), job)?;
    let blocks = [left.count, right.count].map(|count| count.div_ceil(GROUP));
    let tiles = (0..blocks[1]).flat_map(|j| (0..blocks[0]).map(move |i| [i, j]));
    network.walk(left, right, false, tiles, &|i, j, kernels| write(out, i, j, kernels), job)
}

/// Every image with itself, in one column.
///
/// # Errors
/// As [`gram`].
pub fn diagonal<T: Scalar>(
    program: &Program,
    images: &mut Images<T>,
    out: &Plain<'_, T>,
    job: &Job,
) -> Result<()> {
    let network = Network::new(program, images, out.wanted());
    network.prepare(images, program.steps.len(), job)?;
    let pairs = (0..images.count).step_by(GROUP).map(|first| {
        let end = images.count.min(first + GROUP);
        Work { tile: [first / GROUP; 2], pairs: (first..end).map(|image| [image; 2]).collect() }
    });
    let accept = |i, _, kernels| write(out, i, 0, kernels);
    network.compute(images, images, true, &pairs.collect::<Vec<_>>(), &accept, job)
}

/// Write one entry.
fn write<T: Scalar>(out: &Plain<'_, T>, row: usize, column: usize, kernels: Kernels<T>) {
    for target in &out.nngp {
        target.entry(row, column, kernels.nngp);
    }
    for target in &out.ntk {
        target.entry(row, column, kernels.ntk);
    }
}

/// A group of pairs of images of two blocks.
struct Work {
    tile: [usize; 2],
    pairs: Vec<[usize; 2]>,
}

/// What a thread works with.
struct Thread<T> {
    workspace: Workspace<T>,
    /// The blocks of images whose constants are here.
    blocks: [Option<usize>; 2],
    constants: [Constants<T>; 2],
    gathered: [Constants<T>; 2],
}

impl<'a> Network<'a> {
    /// The network for images of the size of these.
    pub fn new<T: Scalar>(program: &'a Program, images: &Images<T>, wanted: Wanted) -> Self {
        let channels = images.channels();
        let graph = Graph::new(program, images.grid);
        let layout = Layout::new(program, &graph, channels);
        let plan = Plan::new(program, &graph, Purpose::Pairs);
        Self { program, graph, layout, plan, channels, wanted }
    }

    fn machine<'b>(&'b self, plan: &'b Plan) -> Machine<'b> {
        Machine {
            program: self.program,
            graph: &self.graph,
            layout: &self.layout,
            plan,
            channels: self.channels,
            ntk: self.wanted.ntk,
        }
    }

    fn source<'b, T>(&'b self, images: &'b Images<T>) -> Source<'b, T> {
        Source { program: self.program, graph: &self.graph, layout: &self.layout, images }
    }

    /// The scales that all images have before a step, where variances are known up to there.
    pub fn scales<T: Scalar>(&self, images: &Images<T>, step: usize, job: &Job) -> Result<Scales> {
        let mut scales = vec![Scales::default(); images.count.div_ceil(GROUP)];
        for_each_item(
            job,
            scales.iter_mut(),
            || None,
            |constants: &mut Option<Constants<T>>, block, scales| {
                let constants = made(constants, || Constants::new(&self.layout))?;
                *scales = self.source(images).scales(members(block, images.count), constants, step)?;
                Ok(())
            },
        )?;
        Ok(scales.into_iter().fold(Scales::default(), Scales::with))
    }

    /// Find the variances of all images behind every pool before a step.
    pub fn prepare<T: Scalar>(&self, images: &mut Images<T>, before: usize, job: &Job) -> Result<()> {
        images.pools.clear();
        let plan = Plan::new(self.program, &self.graph, Purpose::Variances);
        for (number, run) in plan.runs.iter().enumerate() {
            let Some(step) = run.pool.filter(|&step| step < before) else { continue };
            // Pools before this one are known; the run needs their tensors too.
            let plan = Plan { runs: plan.runs[..=number].to_vec(), ..plan.clone() };
            let machine = self.machine(&plan);
            let positions = self.graph.positions(step + 1);
            let mut variances: Vec<Variance> = vec![[0.0; 2]; images.count * positions];
            let (shared, job) = (&*images, job);
            for_each_item(
                job,
                variances.chunks_mut(GROUP * positions),
                || None,
                |thread: &mut Option<(Workspace<T>, Constants<T>)>, block, variances| {
                    let new = || Ok((machine.workspace()?, Constants::new(&self.layout)?));
                    let (workspace, constants) = made(thread, new)?;
                    self.source(shared).constants(members(block, shared.count), constants)?;
                    machine.run([&*constants; 2], true, workspace, job)?;
                    let tensor = &workspace.tensors[step];
                    let [down, across] = &plan.tensors[step];
                    let width = self.graph.grids[step + 1][1];
                    for (lane, image) in variances.chunks_mut(positions).enumerate() {
                        for (position, variance) in image.iter_mut().enumerate() {
                            let [row, column] =
                                [position / width, position % width].map(|place| [place as u32; 2]);
                            let place = down[&row] * across.len() + across[&column];
                            *variance = [tensor.kernel[place][lane], tensor.tangent[place][lane]];
                        }
                    }
                    Ok(())
                },
            )?;
            images.pools.push(variances);
        }
        Ok(())
    }

    fn walk<T: Scalar>(
        &self,
        left: &Images<T>,
        right: &Images<T>,
        same: bool,
        tiles: impl Iterator<Item = [usize; 2]>,
        accept: &(impl Fn(usize, usize, Kernels<T>) + Sync),
        job: &Job,
    ) -> Result<()> {
        let mut work = Vec::new();
        for tile in tiles {
            let range = |block: usize, count: usize| block * GROUP..count.min((block + 1) * GROUP);
            let [rows, columns] = [range(tile[0], left.count), range(tile[1], right.count)];
            let pairs: Vec<_> = rows
                .flat_map(|i| columns.clone().map(move |j| [i, j]))
                .filter(|[i, j]| !same || i <= j)
                .collect();
            work.extend(pairs.chunks(GROUP).map(|pairs| Work { tile, pairs: pairs.to_vec() }));
        }
        self.compute(left, right, same, &work, accept, job)
    }

    fn compute<T: Scalar>(
        &self,
        left: &Images<T>,
        right: &Images<T>,
        same: bool,
        work: &[Work],
        accept: &(impl Fn(usize, usize, Kernels<T>) + Sync),
        job: &Job,
    ) -> Result<()> {
        let machine = self.machine(&self.plan);
        job.begin(work.len());
        for_each_index(
            job,
            work.len(),
            || None,
            |thread: &mut Option<Thread<T>>, index| {
                let thread = made(thread, || {
                    let new = || {
                        Constants::new(&self.layout)
                            .map_err(|_| Error::PlaneMemory { bytes: machine.bytes::<T>() })
                    };
                    Ok(Thread {
                        workspace: machine.workspace()?,
                        blocks: [None; 2],
                        constants: [new()?, new()?],
                        gathered: [new()?, new()?],
                    })
                })?;
                let Work { tile, pairs } = &work[index];
                let mut wholes = [false; 2];
                for (side, images) in [left, right].into_iter().enumerate() {
                    if thread.blocks[side] != Some(tile[side]) {
                        thread.blocks[side] = None;
                        let which = members(tile[side], images.count);
                        self.source(images).constants(which, &mut thread.constants[side])?;
                        thread.blocks[side] = Some(tile[side]);
                    }
                    let mut lanes = [0; GROUP];
                    for (lane, place) in lanes.iter_mut().enumerate() {
                        *place = pairs[lane.min(pairs.len() - 1)][side] % GROUP;
                    }
                    let whole = lanes.iter().enumerate().all(|(lane, &place)| lane == place);
                    wholes[side] = whole;
                    if !whole {
                        thread.gathered[side].gather(&thread.constants[side], lanes);
                    }
                }
                let selfs = same && pairs.iter().any(|[i, j]| i == j);
                let Thread { workspace, constants, gathered, .. } = thread;
                let sides = [0, 1].map(|side| if wholes[side] { &constants[side] } else { &gathered[side] });
                let [nngp, ntk] = machine.run(sides, selfs, workspace, job)?;
                for (lane, &[i, j]) in pairs.iter().enumerate() {
                    let value = |wanted: bool, value: f64| {
                        let rounded = T::from_f64(if wanted { value } else { 0.0 });
                        if rounded.to_f64().is_finite() {
                            Ok(rounded)
                        } else {
                            Err(self.overflow::<T>(i, value))
                        }
                    };
                    let nngp = value(self.wanted.nngp, nngp[lane])?;
                    let ntk = value(self.wanted.ntk, ntk[lane])?;
                    accept(i, j, Kernels { nngp, ntk });
                }
                Ok(())
            },
        )
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
fn members(block: usize, count: usize) -> [usize; GROUP] {
    let mut members = [0; GROUP];
    for (lane, member) in members.iter_mut().enumerate() {
        *member = (block * GROUP + lane).min(count - 1);
    }
    members
}

impl<T: Scalar> Constants<T> {
    fn new(layout: &Layout) -> Result<Self> {
        let data = crate::memory::collect((0..layout.size).map(|_| Group([T::default(); GROUP])))?;
        Ok(Self { images: [0; GROUP], data, variances: Vec::new(), result: [[0.0; GROUP]; 2] })
    }

    /// Take the images of another group that are in these lanes.
    fn gather(&mut self, from: &Self, lanes: [usize; GROUP]) {
        let pick = |values: &[f64; GROUP]| lanes.map(|lane| values[lane]);
        self.images = lanes.map(|lane| from.images[lane]);
        let one = lanes.iter().all(|&lane| lane == lanes[0]);
        for (to, from) in self.data.iter_mut().zip(&from.data) {
            if one {
                to.0 = [from.0[lanes[0]]; GROUP];
            } else {
                for (to, lane) in to.0.iter_mut().zip(lanes) {
                    *to = from.0[lane];
                }
            }
        }
        self.variances.clear();
        self.variances.extend(
            from.variances.iter().map(|maps| maps.each_ref().map(|map| map.iter().map(pick).collect())),
        );
        self.result = from.result.each_ref().map(pick);
    }
}
