//! Walks over pairs of images.

use super::images::Images;
use super::layout::Layout;
use super::maps::{Constants, Source, Variances};
use super::plan::{Graph, Plan, Purpose};
use super::run::{FEW, Machine, Sides, TOGETHER, Workspace};
use super::scales::{Each, Scales};
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
    network.selfs(images, &|i, kernels| write(out, i, i, kernels), job)?;
    let accept = |i, j, kernels| {
        write(out, i, j, kernels);
        write(out, j, i, kernels);
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
    network.selfs(images, &|i, kernels| write(out, i, 0, kernels), job)
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

/// Groups of pairs of images of two blocks.
struct Piece {
    tile: [usize; 2],
    groups: Vec<Vec<[usize; 2]>>,
}

/// What a thread works with.
struct Thread<T> {
    workspaces: Vec<Workspace<T>>,
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

    fn source<'b, T>(&'b self, images: &'b Images<T>, known: &'b [Variances]) -> Source<'b, T> {
        Source { program: self.program, graph: &self.graph, layout: &self.layout, images, known }
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
                let source = self.source(images, &images.pools[block]);
                *scales = source.scales(members(block, images.count), constants, step)?;
                Ok(())
            },
        )?;
        Ok(scales.into_iter().fold(Scales::default(), Scales::with))
    }

    /// Find the variances of all images behind every pool before a step.
    pub fn prepare<T: Scalar>(&self, images: &mut Images<T>, before: usize, job: &Job) -> Result<()> {
        self.alone(images, before, None::<&fn(usize, Kernels<T>)>, job)
    }

    /// Every image with itself, and the variances behind every pool.
    fn selfs<T: Scalar>(
        &self,
        images: &mut Images<T>,
        accept: &(impl Fn(usize, Kernels<T>) + Sync),
        job: &Job,
    ) -> Result<()> {
        self.alone(images, self.program.steps.len(), Some(accept), job)
    }

    /// Single images, block by block: through all pools before a step, and to the end where that is asked for.
    fn alone<T: Scalar>(
        &self,
        images: &mut Images<T>,
        before: usize,
        accept: Option<&(impl Fn(usize, Kernels<T>) + Sync)>,
        job: &Job,
    ) -> Result<()> {
        let plan = Plan::new(self.program, &self.graph, Purpose::Selfs);
        let machine = self.machine(&plan);
        let wanted = |step: Option<usize>| step.map_or(accept.is_some(), |step| step < before);
        let mut pools = std::mem::take(&mut images.pools);
        let (shared, count) = (&*images, pools.len());
        let new = || Ok((machine.workspaces(count)?, Constants::new(&self.layout)?));
        let body = |thread: &mut Option<(Vec<Workspace<T>>, Constants<T>)>, block, known: &mut Vec<_>| {
            let (workspaces, constants) = made(thread, new)?;
            known.clear();
            for run in plan.runs.iter().filter(|run| wanted(run.pool)) {
                self.source(shared, known).constants(members(block, shared.count), constants)?;
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
        if count < FEW {
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

    fn walk<T: Scalar>(
        &self,
        left: &Images<T>,
        right: &Images<T>,
        same: bool,
        tiles: impl Iterator<Item = [usize; 2]>,
        accept: &(impl Fn(usize, usize, Kernels<T>) + Sync),
        job: &Job,
    ) -> Result<()> {
        // With few planes, what is made of the images of two blocks costs as much as their pairs: one thread does all
        // of these.
        let planes: usize = self.plan.runs.iter().map(|run| run.axes[0].len() * run.axes[1].len()).sum();
        let mut pieces = Vec::new();
        for tile in tiles {
            let range = |block: usize, count: usize| block * GROUP..count.min((block + 1) * GROUP);
            let [rows, columns] = [range(tile[0], left.count), range(tile[1], right.count)];
            let pairs: Vec<_> = rows
                .flat_map(|i| columns.clone().map(move |j| [i, j]))
                .filter(|[i, j]| !same || i < j)
                .collect();
            let groups = pairs.chunks(GROUP).map(<[_]>::to_vec);
            if planes < GROUP {
                pieces.push(Piece { tile, groups: groups.collect() });
            } else {
                pieces.extend(groups.map(|group| Piece { tile, groups: vec![group] }));
            }
        }
        let machine = self.machine(&self.plan);
        job.begin(pieces.len());
        let body = |thread: &mut Option<Thread<T>>, index: usize| {
            let thread = made(thread, || Thread::new(&machine, pieces.len()))?;
            self.piece(&machine, [left, right], &pieces[index], thread, accept, job)
        };
        if pieces.len() >= FEW {
            return for_each_index(job, pieces.len(), || None, body);
        }
        let mut thread = None;
        (0..pieces.len()).try_for_each(|index| {
            body(&mut thread, index)?;
            job.advance();
            Ok(())
        })
    }

    fn piece<T: Scalar>(
        &self,
        machine: &Machine<'_>,
        images: [&Images<T>; 2],
        Piece { tile, groups }: &Piece,
        thread: &mut Thread<T>,
        accept: &(impl Fn(usize, usize, Kernels<T>) + Sync),
        job: &Job,
    ) -> Result<()> {
        for side in [0, 1] {
            if thread.blocks[side] != Some(tile[side]) {
                thread.blocks[side] = None;
                let which = members(tile[side], images[side].count);
                let source = self.source(images[side], &images[side].pools[tile[side]]);
                source.constants(which, &mut thread.constants[side])?;
                thread.blocks[side] = Some(tile[side]);
            }
        }
        let Thread { workspaces, constants, gathered, .. } = thread;
        let mut rest = &groups[..];
        while let Some(first) = rest.first() {
            let ready = if self.plan.runs.len() > 1 {
                1
            } else {
                rest.iter().take(TOGETHER).take_while(|pairs| stands(pairs).is_some()).count().max(1)
            };
            let (now, later) = rest.split_at(ready);
            rest = later;
            if stands(first).is_none() {
                for side in [0, 1] {
                    let lane = |lane: usize| first[lane.min(first.len() - 1)][side] % GROUP;
                    gathered[side].gather(&constants[side], std::array::from_fn(lane));
                }
            }
            let sides: Vec<_> = now
                .iter()
                .map(|pairs| match stands(pairs) {
                    one @ Some(_) => Sides { left: &constants[0], right: &constants[1], one },
                    None => Sides { left: &gathered[0], right: &gathered[1], one: None },
                })
                .collect();
            for (pairs, [nngp, ntk]) in now.iter().zip(machine.run(&sides, workspaces, job)?) {
                for (lane, &[i, j]) in pairs.iter().enumerate() {
                    accept(i, j, self.kernels(i, [nngp[lane], ntk[lane]])?);
                }
            }
        }
        Ok(())
    }

    /// What is wanted of K and T of a pair.
    fn kernels<T: Scalar>(&self, row: usize, [nngp, ntk]: [f64; 2]) -> Result<Kernels<T>> {
        let rounded = |wanted: bool, value: f64| {
            let rounded = T::from_f64(if wanted { value } else { 0.0 });
            if rounded.to_f64().is_finite() { Ok(rounded) } else { Err(self.overflow::<T>(row, value)) }
        };
        Ok(Kernels { nngp: rounded(self.wanted.nngp, nngp)?, ntk: rounded(self.wanted.ntk, ntk)? })
    }

    fn overflow<T: Scalar>(&self, row: usize, value: f64) -> Error {
        let layer = self.program.steps.last().map_or("the input", |step| &step.place).to_owned();
        Error::Overflow { layer, row, log10: value.abs().log10(), dtype: T::NAME }
    }
}

/// The place of the left image in its block where a group is one left image with all images of a right block.
fn stands(pairs: &[[usize; 2]]) -> Option<usize> {
    let one = pairs.iter().enumerate().all(|(lane, pair)| pair[0] == pairs[0][0] && pair[1] % GROUP == lane);
    (one && pairs.len() == GROUP).then_some(pairs[0][0] % GROUP)
}

impl<T: Scalar> Thread<T> {
    fn new(machine: &Machine<'_>, pieces: usize) -> Result<Self> {
        let new =
            || Constants::new(machine.layout).map_err(|_| Error::PlaneMemory { bytes: machine.bytes::<T>() });
        Ok(Self {
            workspaces: machine.workspaces(pieces)?,
            blocks: [None; 2],
            constants: [new()?, new()?],
            gathered: [new()?, new()?],
        })
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
        for (to, from) in self.data.iter_mut().zip(&from.data) {
            for (to, lane) in to.0.iter_mut().zip(lanes) {
                *to = from.0[lane];
            }
        }
        self.variances.clear();
        self.variances.extend(
            from.variances.iter().map(|maps| maps.each_ref().map(|map| map.iter().map(pick).collect())),
        );
        self.result = from.result.each_ref().map(pick);
    }
}
