//! What is computed of all pairs of positions, and in which planes.
//!
//! A convolution moves both positions of a pair together: planes of one displacement do not see each other, and a run
//! takes one after the other through all layers up to the next pool, which sums them up in a tensor. Runs and planes
//! are found backwards from what is wanted: nothing else is computed.

use super::GROUP;
use super::axis::{
    Pair, Track, Windows, displacement, put_in_order, seen_apart, seen_together, targets, tracks,
};
use crate::error::Result;
use crate::network::{Axis, Padding};
use crate::parallel::Job;
use crate::program::{Op, Program, Step};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The kernels of pairs of images.
    Pairs,
    /// Those of single images with themselves, and their variances behind every pool.
    Selfs,
}

/// Where values are in the network: value 0 is the input, value i + 1 the result of step i.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The values that each step reads.
    pub inputs: Vec<[usize; 2]>,
    /// Height and width of every value.
    pub grids: Vec<[usize; 2]>,
    /// Values that share their positions, because steps between them do not mix any, have the same number here.
    pub sheets: Vec<usize>,
    /// The result.
    pub output: usize,
}

impl Graph {
    /// The graph of a program on images.
    pub fn new(program: &Program, grid: [usize; 2]) -> Self {
        let mut value_in = vec![0; program.registers];
        let (mut inputs, mut grids, mut sheets) = (Vec::new(), vec![grid], vec![0]);
        for (index, step) in program.steps.iter().enumerate() {
            let values = step.inputs.map(|register| value_in[register]);
            let before = grids[values[0]];
            let (grid, sheet) = match &step.op {
                Op::Window(axes) | Op::Pool { axes, .. } => {
                    ([axes[0].outputs(before[0]), axes[1].outputs(before[1])], index + 1)
                }
                _ => {
                    let [sheet, other] = values.map(|value| sheets[value]);
                    sheets.iter_mut().filter(|known| **known == other).for_each(|known| *known = sheet);
                    (before, sheet)
                }
            };
            inputs.push(values);
            grids.push(grid);
            sheets.push(sheet);
            value_in[step.output] = index + 1;
        }
        Self { inputs, grids, sheets, output: value_in[program.outputs[0]] }
    }

    /// Number of positions of a value.
    pub fn positions(&self, value: usize) -> usize {
        self.grids[value][0] * self.grids[value][1]
    }
}

/// One of the tracks of a run on one axis.
#[derive(Clone, Debug, Default)]
pub struct Key {
    /// The pairs of every value, by its sheet; none where it is not needed. As a rule most are the same.
    pub tracks: Vec<Arc<Track>>,
    /// For every step that is a window, how it reads.
    pub windows: Vec<Option<Arc<Windows>>>,
    /// For every step that is a pool, where its tensor has each pair.
    pub sources: Vec<Vec<usize>>,
    /// Where the tensor of the pool in which the run ends takes each pair.
    pub targets: Vec<Vec<usize>>,
    /// All of these places, each once.
    pub reached: Vec<usize>,
}

/// Planes through some layers.
#[derive(Clone, Debug)]
pub struct Run {
    /// The pool in which it ends, if it does not end with the program.
    pub pool: Option<usize>,
    /// The steps, in order. Of a pool only its result is read.
    pub steps: Vec<usize>,
    /// Whether the input is read.
    pub reads_input: bool,
    /// The tracks along both axes; a plane is a product of two.
    pub axes: [Vec<Key>; 2],
    /// Along the first axis: the number of results of the pool, if its tracks go around a circle.
    pub circle: Option<usize>,
}

impl Run {
    /// The tracks along the first axis for several workspaces, each of which makes the sums of its pool at some
    /// displacements, in the order of all tracks. Those that two of them need are in both.
    pub fn by_targets(&self, pairs: &BTreeMap<Pair, usize>, workspaces: usize) -> Vec<Vec<Cow<'_, Key>>> {
        let around = |pair| match self.circle {
            Some(length) => displacement(pair).rem_euclid(length as i64),
            None => displacement(pair),
        };
        let mut places: Vec<_> = pairs.iter().map(|(&pair, &target)| (around(pair), target)).collect();
        places.sort_unstable();
        let mut owners = vec![0; places.len()];
        let mut done = 0;
        for same in places.chunk_by(|a, b| a.0 == b.0) {
            same.iter().for_each(|&(_, target)| owners[target] = done * workspaces / places.len());
            done += same.len();
        }
        let of = |owner: usize| {
            let keys = self.axes[0].iter().filter_map(|key| {
                let mut key = key.clone();
                key.targets.iter_mut().for_each(|targets| targets.retain(|&target| owners[target] == owner));
                key.targets.iter().any(|targets| !targets.is_empty()).then_some(Cow::Owned(key))
            });
            keys.collect()
        };
        (0..workspaces).map(of).collect()
    }
}

/// Runs, in order.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The runs.
    pub runs: Vec<Run>,
    /// For every step that is a pool, the pairs that its tensor holds along both axes.
    pub tensors: Vec<[BTreeMap<Pair, usize>; 2]>,
    /// Most pairs of a plane.
    pub cells: usize,
}

impl Plan {
    /// Plan for a purpose.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`].
    pub fn new(program: &Program, graph: &Graph, purpose: Purpose, job: &Job) -> Result<Self> {
        let planner = Planner { program, graph, job };
        let count = program.steps.len();
        let mut required = vec![[BTreeSet::new(), BTreeSet::new()]; count];
        if purpose == Purpose::Selfs {
            let pools = |(_, step): &(_, &Step)| matches!(step.op, Op::Pool { .. });
            for (index, _) in program.steps.iter().enumerate().filter(pools) {
                let grid = graph.grids[index + 1];
                required[index] =
                    grid.map(|length| (0..length as u32).map(|position| [position; 2]).collect());
            }
        }
        let mut runs = Vec::new();
        let end = [BTreeSet::from([[0, 0]]), BTreeSet::from([[0, 0]])];
        runs.push(planner.run(None, &end, &mut required)?);
        for index in (0..count).rev() {
            if matches!(program.steps[index].op, Op::Pool { .. }) {
                let pairs = required[index].clone();
                runs.push(planner.run(Some(index), &pairs, &mut required)?);
            }
        }
        runs.reverse();
        let tensors: Vec<_> = required.iter().map(|pairs| pairs.each_ref().map(numbered)).collect();
        for run in &mut runs {
            planner.finish(run, &tensors)?;
        }
        let most = |axis: usize| {
            let tracks = runs.iter().flat_map(move |run| run.axes[axis].iter().flat_map(|key| &key.tracks));
            tracks.map(|track| track.len()).max().unwrap_or(0)
        };
        let cells = most(0) * most(1);
        Ok(Self { runs, tensors, cells })
    }

    /// Whether there are many planes.
    pub fn is_large(&self) -> bool {
        let planes = |run: &Run| run.axes[0].len() * run.axes[1].len();
        self.runs.iter().map(planes).sum::<usize>() >= GROUP
    }

    /// Number of pairs in the tensor of a pool.
    pub fn pairs(&self, step: usize) -> usize {
        self.tensors[step][0].len() * self.tensors[step][1].len()
    }
}

/// Tracks that are alike, kept once.
fn shared(tracks: Vec<Track>) -> Vec<Arc<Track>> {
    let mut shared: Vec<Arc<Track>> = Vec::with_capacity(tracks.len());
    for mut track in tracks {
        track.shrink_to_fit();
        let known = shared.iter().rev().find(|known| ***known == track).cloned();
        shared.push(known.unwrap_or_else(|| Arc::new(track)));
    }
    shared
}

fn numbered(pairs: &BTreeSet<Pair>) -> BTreeMap<Pair, usize> {
    pairs.iter().enumerate().map(|(index, pair)| (*pair, index)).collect()
}

struct Planner<'a> {
    program: &'a Program,
    graph: &'a Graph,
    job: &'a Job,
}

impl Planner<'_> {
    /// The run that ends in a pool, or with the program, and gives these pairs; what it needs of earlier pools is
    /// added to what is required of them.
    fn run(
        &self,
        pool: Option<usize>,
        pairs: &[BTreeSet<Pair>; 2],
        required: &mut [[BTreeSet<Pair>; 2]],
    ) -> Result<Run> {
        let end = pool.map_or(self.graph.output, |step| self.graph.inputs[step][0]);
        let mut needed = vec![false; self.graph.grids.len()];
        needed[end] = true;
        let mut steps = Vec::new();
        for index in (0..self.program.steps.len()).rev() {
            if needed[index + 1] {
                steps.push(index);
                if !matches!(self.program.steps[index].op, Op::Pool { .. }) {
                    self.graph.inputs[index].iter().for_each(|&value| needed[value] = true);
                }
            }
        }
        steps.reverse();
        let (mut axes, mut around) = ([Vec::new(), Vec::new()], None);
        for (axis, keys) in axes.iter_mut().enumerate() {
            let length = self.graph.grids[end][axis];
            let seen = match pool.map(|step| &self.program.steps[step].op) {
                Some(Op::Pool { axes, .. }) => seen_apart(axes[axis], length, &pairs[axis]),
                _ => pairs[axis].clone(),
            };
            let circular = |&step: &usize| {
                matches!(&self.program.steps[step].op,
                Op::Window(axes) if axes[axis].padding == Padding::Circular)
            };
            let circle = steps.iter().any(circular).then_some(length);
            if axis == 0 {
                around = circle.and(pool.map(|step| self.graph.grids[step + 1][axis]));
            }
            for track in tracks(&seen, circle) {
                self.job.check()?;
                let tracks = self.needed_pairs(&steps, axis, (self.graph.sheets[end], track));
                for &step in &steps {
                    if matches!(self.program.steps[step].op, Op::Pool { .. }) {
                        required[step][axis].extend(tracks[self.graph.sheets[step + 1]].iter().copied());
                    }
                }
                keys.push(Key { tracks, ..Key::default() });
            }
        }
        Ok(Run { pool, steps, reads_input: needed[0], axes, circle: around })
    }

    /// What is needed of every sheet, where of one of them a track is.
    fn needed_pairs(&self, steps: &[usize], axis: usize, wanted: (usize, Track)) -> Vec<Arc<Track>> {
        let mut tracks = vec![Track::new(); self.graph.grids.len()];
        tracks[wanted.0] = wanted.1;
        // How many results of each window have been followed: a sheet may be needed by a later look at itself.
        let mut followed = vec![0; self.program.steps.len()];
        loop {
            let mut grown = false;
            for &step in steps.iter().rev() {
                let outputs = &tracks[self.graph.sheets[step + 1]];
                if let Op::Window(axes) = &self.program.steps[step].op
                    && outputs.len() > followed[step]
                {
                    followed[step] = outputs.len();
                    let value = self.graph.inputs[step][0];
                    let seen = seen_together(axes[axis], self.graph.grids[value][axis], outputs);
                    let track = &mut tracks[self.graph.sheets[value]];
                    track.extend(seen);
                    put_in_order(track);
                    grown = true;
                }
            }
            if !grown {
                return shared(tracks);
            }
        }
    }

    /// The tables of a run, now that it is known what tensors hold.
    fn finish(&self, run: &mut Run, tensors: &[[BTreeMap<Pair, usize>; 2]]) -> Result<()> {
        let Graph { inputs, grids, sheets, .. } = self.graph;
        for (axis, keys) in run.axes.iter_mut().enumerate() {
            for key in keys {
                self.job.check()?;
                key.windows = self.windows(&run.steps, axis, &key.tracks);
                key.sources = vec![Vec::new(); self.program.steps.len()];
                for &step in &run.steps {
                    if let Op::Pool { .. } = self.program.steps[step].op {
                        let pairs = key.tracks[sheets[step + 1]].iter();
                        key.sources[step] = pairs.map(|pair| tensors[step][axis][pair]).collect();
                    }
                }
                if let Some(step) = run.pool
                    && let Op::Pool { axes, .. } = &self.program.steps[step].op
                {
                    let input = inputs[step][0];
                    let track = &key.tracks[sheets[input]];
                    key.targets = targets(axes[axis], grids[input][axis], track, &tensors[step][axis]);
                    let reached: BTreeSet<_> = key.targets.iter().flatten().copied().collect();
                    key.reached = reached.into_iter().collect();
                }
            }
        }
        Ok(())
    }

    /// How the windows of a run read these tracks; those that are alike, kept once.
    fn windows(&self, steps: &[usize], axis: usize, tracks: &[Arc<Track>]) -> Vec<Option<Arc<Windows>>> {
        let Graph { inputs, grids, sheets, .. } = self.graph;
        let mut all = vec![None; self.program.steps.len()];
        for (index, &step) in steps.iter().enumerate() {
            let Op::Window(axes) = &self.program.steps[step].op else { continue };
            let alike = steps[..index].iter().find(|&&other| self.reads_alike([other, step], axis, tracks));
            all[step] = match alike {
                Some(&other) => all[other].clone(),
                None => {
                    let input = inputs[step][0];
                    let [before, after] = [input, step + 1].map(|value| &tracks[sheets[value]]);
                    Some(Arc::new(Windows::new(axes[axis], grids[input][axis], before, after)))
                }
            };
        }
        all
    }

    /// Whether two steps are windows of one shape from one track to another.
    fn reads_alike(&self, steps: [usize; 2], axis: usize, tracks: &[Arc<Track>]) -> bool {
        let Graph { inputs, grids, sheets, .. } = self.graph;
        let [Op::Window(first), Op::Window(second)] = steps.map(|step| &self.program.steps[step].op) else {
            return false;
        };
        let [input, other] = steps.map(|step| inputs[step][0]);
        let same = |a: usize, b: usize| Arc::ptr_eq(&tracks[sheets[a]], &tracks[sheets[b]]);
        first[axis] == second[axis]
            && grids[input][axis] == grids[other][axis]
            && same(input, other)
            && same(steps[0] + 1, steps[1] + 1)
    }
}

/// How many positions a window sees.
pub fn window_size(axes: &[Axis; 2]) -> f64 {
    axes[0].size as f64 * axes[1].size as f64
}
