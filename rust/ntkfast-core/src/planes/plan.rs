//! What is computed of all pairs of positions, and in which planes.
//!
//! A convolution moves both positions of a pair together: planes of one displacement do not see each other, and a run
//! takes one after the other through all layers up to the next pool, which sums them up in a tensor. Runs and planes
//! are found backwards from what is wanted: nothing else is computed.

use super::axis::{Pair, Track, Windows, in_order, seen_apart, seen_together, targets, tracks};
use crate::network::{Axis, Padding};
use crate::program::{Op, Program, Step};
use std::collections::{BTreeMap, BTreeSet};

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
#[derive(Clone, Debug)]
pub struct Key {
    /// The pairs of every value, by its sheet; none where it is not needed.
    pub tracks: Vec<Track>,
    /// For every step that is a window, how it reads.
    pub windows: Vec<Option<Windows>>,
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
    pub fn new(program: &Program, graph: &Graph, purpose: Purpose) -> Self {
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
        runs.push(Planner { program, graph }.run(None, &end, &mut required));
        for index in (0..count).rev() {
            if matches!(program.steps[index].op, Op::Pool { .. }) {
                let pairs = required[index].clone();
                runs.push(Planner { program, graph }.run(Some(index), &pairs, &mut required));
            }
        }
        runs.reverse();
        let tensors: Vec<_> = required.iter().map(|pairs| pairs.each_ref().map(numbered)).collect();
        for run in &mut runs {
            Planner { program, graph }.finish(run, &tensors);
        }
        let most = |axis: usize| {
            let tracks = runs.iter().flat_map(move |run| run.axes[axis].iter().flat_map(|key| &key.tracks));
            tracks.map(Vec::len).max().unwrap_or(0)
        };
        let cells = most(0) * most(1);
        Self { runs, tensors, cells }
    }

    /// Number of pairs in the tensor of a pool.
    pub fn pairs(&self, step: usize) -> usize {
        self.tensors[step][0].len() * self.tensors[step][1].len()
    }
}

fn numbered(pairs: &BTreeSet<Pair>) -> BTreeMap<Pair, usize> {
    pairs.iter().enumerate().map(|(index, pair)| (*pair, index)).collect()
}

struct Planner<'a> {
    program: &'a Program,
    graph: &'a Graph,
}

impl Planner<'_> {
    /// The run that ends in a pool, or with the program, and gives these pairs; what it needs of earlier pools is
    /// added to what is required of them.
    fn run(
        &self,
        pool: Option<usize>,
        pairs: &[BTreeSet<Pair>; 2],
        required: &mut [[BTreeSet<Pair>; 2]],
    ) -> Run {
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
        let axes = [0, 1].map(|axis| {
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
            let keys = tracks(&seen, circle).into_iter().map(|track| {
                let sets = self.needed_pairs(&steps, axis, (self.graph.sheets[end], track));
                for &step in &steps {
                    if matches!(self.program.steps[step].op, Op::Pool { .. }) {
                        required[step][axis].extend(&sets[self.graph.sheets[step + 1]]);
                    }
                }
                let tracks: Vec<_> = sets.iter().map(in_order).collect();
                Key {
                    tracks,
                    windows: Vec::new(),
                    sources: Vec::new(),
                    targets: Vec::new(),
                    reached: Vec::new(),
                }
            });
            keys.collect()
        });
        Run { pool, steps, reads_input: needed[0], axes }
    }

    /// What is needed of every sheet, where of one of them a track is.
    fn needed_pairs(
        &self,
        steps: &[usize],
        axis: usize,
        wanted: (usize, BTreeSet<Pair>),
    ) -> Vec<BTreeSet<Pair>> {
        let mut sets = vec![BTreeSet::new(); self.graph.grids.len()];
        sets[wanted.0] = wanted.1;
        loop {
            let mut grown = false;
            for &step in steps.iter().rev() {
                if let Op::Window(axes) = &self.program.steps[step].op {
                    let value = self.graph.inputs[step][0];
                    let length = self.graph.grids[value][axis];
                    let seen = seen_together(axes[axis], length, &sets[self.graph.sheets[step + 1]]);
                    let set = &mut sets[self.graph.sheets[value]];
                    let before = set.len();
                    set.extend(seen);
                    grown |= set.len() > before;
                }
            }
            if !grown {
                return sets;
            }
        }
    }

    /// The tables of a run, now that it is known what tensors hold.
    fn finish(&self, run: &mut Run, tensors: &[[BTreeMap<Pair, usize>; 2]]) {
        let Graph { inputs, grids, sheets, .. } = self.graph;
        for axis in [0, 1] {
            let length = |step: usize| grids[inputs[step][0]][axis];
            for key in &mut run.axes[axis] {
                key.windows = vec![None; self.program.steps.len()];
                key.sources = vec![Vec::new(); self.program.steps.len()];
                for &step in &run.steps {
                    let outputs = &key.tracks[sheets[step + 1]];
                    match &self.program.steps[step].op {
                        Op::Window(axes) => {
                            let track = &key.tracks[sheets[inputs[step][0]]];
                            key.windows[step] = Some(Windows::new(axes[axis], length(step), track, outputs));
                        }
                        Op::Pool { .. } => {
                            key.sources[step] =
                                outputs.iter().map(|pair| tensors[step][axis][pair]).collect();
                        }
                        _ => {}
                    }
                }
                if let Some(step) = run.pool
                    && let Op::Pool { axes, .. } = &self.program.steps[step].op
                {
                    let track = &key.tracks[sheets[inputs[step][0]]];
                    key.targets = targets(axes[axis], length(step), track, &tensors[step][axis]);
                    let reached: BTreeSet<_> = key.targets.iter().flatten().copied().collect();
                    key.reached = reached.into_iter().collect();
                }
            }
        }
    }
}

/// How many positions a window sees.
pub fn window_size(axes: &[Axis; 2]) -> f64 {
    axes[0].size as f64 * axes[1].size as f64
}
