//! Planes backwards: first through the steps of their run, keeping all values, and then back.

use super::activation::{Activation, Combine, Room as Strips};
use super::local::Half;
use super::mixing::{Cells, Collect, Spread, add};
use super::ops::Linear;
use super::sums::Sums;
use super::{Pair, ops};
use crate::error::Result;
use crate::parallel::Job;
use crate::planes::GROUP;
use crate::planes::drivers::ImageNetwork;
use crate::planes::machine::{Machine, Workspace};
use crate::planes::plan::{Key, Plan, Run, window_size};
use crate::planes::sides::Sides;
use crate::planes::steps::PlanesRun;
use crate::planes::window::CELLS;
use crate::program::{Op, Program, Step};
use crate::simd::{Level, dispatch_f64};

/// What gradients of a network with one plan are computed from.
pub struct Backward<'a> {
    pub network: &'a ImageNetwork<'a>,
    pub plan: &'a Plan,
    /// The program with a register for each value, and each of its steps alone.
    all: Program,
    alone: Vec<Step>,
    /// The runs, which add to no tensor.
    runs: Vec<Run>,
    /// Whether pairs are those of images with themselves.
    selfs: bool,
    pub level: Level,
}

/// What a thread needs.
pub struct Room {
    forward: Workspace<f64>,
    states: Workspace<f64>,
    /// Gradients by K and T: of each value in a plane, and of each pool's tensor.
    planes: Vec<Cells>,
    pub tensors: Vec<Cells>,
    line: Cells,
    strips: Strips,
}

/// A group of pairs of images.
#[derive(Clone, Copy)]
pub struct Group<'a> {
    pub halves: [Half<'a>; 2],
}

impl<'a> Group<'a> {
    fn sides(&self) -> Sides<'a, f64> {
        let [left, right] = self.halves.map(|half| &half.local.constants);
        Sides { left, right, one: self.halves[0].one }
    }
}

impl<'a> Backward<'a> {
    pub fn new(network: &'a ImageNetwork<'a>, plan: &'a Plan, selfs: bool, level: Level) -> Self {
        let all = network.program.with_all_values();
        let alone = all.steps.iter().map(Step::alone).collect();
        let runs = plan.runs.iter().map(|run| Run { pool: None, ..run.clone() }).collect();
        Self { network, plan, all, alone, runs, selfs, level }
    }

    fn machine(&self) -> Machine<'_> {
        Machine { program: &self.all, ..self.network.machine(self.plan) }
    }

    /// Memory of a thread.
    pub fn bytes(&self) -> usize {
        let pairs: usize = (0..self.all.steps.len()).map(|step| self.plan.pairs(step)).sum();
        let cells = self.plan.cells * (self.all.steps.len() + 1) + pairs;
        self.network.machine(self.plan).bytes::<f64>()
            + self.machine().bytes::<f64>()
            + cells * size_of::<Pair>()
    }

    /// What a thread needs.
    ///
    /// # Errors
    /// [`crate::Error::PlaneMemory`].
    pub fn room(&self) -> Result<Room> {
        let tensor = |step| vec![[[0.0; GROUP]; 2]; self.plan.pairs(step)];
        Ok(Room {
            forward: self.network.machine(self.plan).workspace(3)?,
            states: self.machine().workspace(1)?,
            planes: vec![Cells::new(); self.all.steps.len() + 1],
            tensors: (0..self.all.steps.len()).map(tensor).collect(),
            line: Cells::new(),
            strips: Strips::new(),
        })
    }

    /// Compute the tensors of all pools, and forget gradients by them.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`].
    pub fn forward(&self, group: Group<'_>, room: &mut Room, job: &Job) -> Result<()> {
        room.tensors.iter_mut().flatten().for_each(|pair| *pair = [[0.0; GROUP]; 2]);
        let machine = self.network.machine(self.plan);
        for run in self.plan.runs.iter().filter(|run| run.pool.is_some()) {
            machine.part(run, &[group.sides()], self.selfs, std::slice::from_mut(&mut room.forward), job)?;
        }
        Ok(())
    }

    /// The run that ends in a pool, or with the program.
    pub fn run_to(&self, pool: Option<usize>) -> Option<usize> {
        self.plan.runs.iter().position(|run| run.pool == pool)
    }

    /// All runs backwards, the last one first. `weights` are the gradients by K and T of the result.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`].
    pub fn back(
        &self,
        group: Group<'_>,
        weights: &Pair,
        room: &mut Room,
        sums: &mut [Sums; 2],
        job: &Job,
    ) -> Result<()> {
        (0..self.runs.len()).rev().try_for_each(|index| self.run(index, group, weights, room, sums, job))
    }

    /// One run backwards, from the gradients by the tensor of its pool, or else from the weights.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`].
    pub fn run(
        &self,
        index: usize,
        group: Group<'_>,
        weights: &Pair,
        room: &mut Room,
        sums: &mut [Sums; 2],
        job: &Job,
    ) -> Result<()> {
        let (run, sides) = (&self.runs[index], group.sides());
        let machine = self.machine();
        std::mem::swap(&mut room.forward.tensors, &mut room.states.tensors);
        for down in &run.axes[0] {
            for across in run.axes[1].chunks(1) {
                let keys = [down, &across[0]];
                PlanesRun {
                    machine: &machine,
                    run,
                    down,
                    across,
                    groups: &[sides],
                    plane: 0,
                    keys,
                    sides,
                    selfs: self.selfs,
                    workspace: &mut room.states,
                    job,
                }
                .run(self.level)?;
                Plane { to: self, run, pool: self.plan.runs[index].pool, keys, group, room, sums }
                    .back(weights);
            }
        }
        std::mem::swap(&mut room.forward.tensors, &mut room.states.tensors);
        Ok(())
    }
}

/// One plane, whose values are known.
struct Plane<'a, 'b> {
    to: &'b Backward<'a>,
    run: &'b Run,
    pool: Option<usize>,
    keys: [&'b Key; 2],
    group: Group<'b>,
    room: &'b mut Room,
    sums: &'b mut [Sums; 2],
}

impl Plane<'_, '_> {
    fn tracks(&self, value: usize) -> [&[[u32; 2]]; 2] {
        let sheet = self.to.network.graph.sheets[value];
        self.keys.map(|key| key.tracks[sheet].as_slice())
    }

    fn cells(&self, value: usize) -> usize {
        self.tracks(value).map(<[_]>::len).iter().product()
    }

    /// The positions of both images at every pair of a value.
    fn places(&self, value: usize) -> Vec<[usize; 2]> {
        let width = self.to.network.graph.grids[value][1];
        let [down, across] = self.tracks(value);
        let place = |row: &[u32; 2], column: &[u32; 2]| {
            [0, 1].map(|side| row[side] as usize * width + column[side] as usize)
        };
        down.iter().flat_map(|row| across.iter().map(move |column| place(row, column))).collect()
    }

    fn back(mut self, weights: &Pair) {
        let graph = &self.to.network.graph;
        let values = self
            .run
            .steps
            .iter()
            .map(|&step| step + 1)
            .chain([0])
            .chain(self.pool.map(|step| graph.inputs[step][0]));
        for value in values.collect::<Vec<_>>() {
            let cells = self.cells(value);
            let plane = &mut self.room.planes[value];
            plane.clear();
            plane.resize(cells, [[0.0; GROUP]; 2]);
        }
        match self.pool {
            Some(step) => self.pooled(step),
            None => self.room.planes[graph.output][0] = *weights,
        }
        for &index in self.run.steps.iter().rev() {
            if self.cells(index + 1) == 0 {
                continue;
            }
            match &self.to.all.steps[index].op {
                Op::Pool { .. } => self.tensor(index),
                Op::Window(axes) => self.window(index, window_size(axes).recip()),
                Op::LayerNorm { eps } => self.layer_norm(index, *eps),
                Op::Dropout { keep } => self.dropout(index, *keep),
                op => match Linear::of(op, self.to.network.channels) {
                    Some(both) => self.linear(index, both),
                    None if self.to.alone[index].is_activation() => self.activation(index),
                    None => self.product(index),
                },
            }
        }
        if self.run.reads_input {
            self.input();
        }
    }

    /// From the tensor of the pool in which the run ends.
    fn pooled(&mut self, step: usize) {
        let graph = &self.to.network.graph;
        let factor = match &self.to.all.steps[step].op {
            Op::Pool { axes, sum: false } => window_size(axes).powi(-2),
            _ => 1.0,
        };
        let row = self.to.plan.tensors[step][1].len();
        let targets = self.keys.map(|key| &key.targets[..]);
        let Room { planes, tensors, line, .. } = &mut *self.room;
        let to = &mut planes[graph.inputs[step][0]];
        dispatch_f64(self.to.level, Collect { from: &tensors[step], row, places: targets, factor, to, line });
    }

    /// To the tensor of an earlier pool.
    fn tensor(&mut self, index: usize) {
        let row = self.to.plan.tensors[index][1].len();
        let [down, across] = self.keys.map(|key| &key.sources[index]);
        let Room { planes, tensors, .. } = &mut *self.room;
        for (results, &place) in planes[index + 1].chunks_exact(across.len()).zip(down) {
            for (result, &column) in results.iter().zip(across) {
                add(&mut tensors[index][place * row + column], result, 1.0);
            }
        }
    }

    fn window(&mut self, index: usize, share: f64) {
        let input = self.to.network.graph.inputs[index][0];
        let row = self.tracks(input)[1].len();
        let [Some(down), Some(across)] = self.keys.map(|key| key.windows[index].as_deref()) else { return };
        let seen = [down.seen(), across.seen()];
        let Room { planes, line, .. } = &mut *self.room;
        let (before, after) = planes.split_at_mut(index + 1);
        let places = [&seen[0][..], &seen[1][..]];
        let to = &mut before[input];
        dispatch_f64(self.to.level, Spread { from: &after[0], places, factor: share, to, row, line });
    }

    fn linear(&mut self, index: usize, both: [Option<Linear>; 2]) {
        let inputs = self.to.network.graph.inputs[index];
        let (before, after) = self.room.planes.split_at_mut(index + 1);
        for (value, linear) in inputs.into_iter().zip(both) {
            if let Some(linear) = linear {
                linear.add(&mut before[value], &after[0]);
            }
        }
    }

    fn product(&mut self, index: usize) {
        let inputs = self.to.network.graph.inputs[index];
        for (cell, places) in self.places(index + 1).into_iter().enumerate() {
            let values = inputs.map(|value| self.pair(value, cell, places));
            let out = &self.room.planes[index + 1][cell];
            let found = ops::product(&self.to.all.steps[index].op, out, values);
            for (value, found) in inputs.into_iter().zip(found) {
                add(&mut self.room.planes[value][cell], &found, 1.0);
            }
        }
    }

    /// K and T of a value at a pair of positions.
    fn pair(&self, value: usize, cell: usize, places: [usize; 2]) -> Pair {
        let register = &self.room.states.states[0][cell / CELLS * self.to.all.registers + value];
        let [l, r] = [0, 1].map(|side| self.group.halves[side].row(value, places[side]));
        let first = cell % CELLS * GROUP;
        [
            std::array::from_fn(|lane| l[0][lane] * r[0][lane] * (1.0 - register.delta.0[first + lane])),
            std::array::from_fn(|lane| l[1][lane] * r[1][lane] * register.tau.0[first + lane]),
        ]
    }

    /// K and T divided by the roots of K + ε₀ of both rows.
    fn layer_norm(&mut self, index: usize, eps: f64) {
        let input = self.to.network.graph.inputs[index][0];
        for (cell, places) in self.places(index + 1).into_iter().enumerate() {
            let rows = [0, 1].map(|side| self.group.halves[side].row(input, places[side])[0]);
            let values = self.pair(input, cell, places);
            let out = self.room.planes[index + 1][cell];
            for lane in 0..GROUP {
                let norms = rows.map(|scales| scales[lane].hypot(eps.sqrt()));
                let over = norms[0] * norms[1];
                if over == 0.0 {
                    continue;
                }
                let mut total = 0.0;
                for (which, out) in out.iter().enumerate() {
                    self.room.planes[input][cell][which][lane] += out[lane] / over;
                    total += out[lane] * values[which][lane] / over;
                }
                for side in [0, 1] {
                    let share = rows[side][lane] / norms[side];
                    self.sums[side].rows[input][places[side]][lane] -= total * share * share;
                }
            }
        }
    }

    /// Where an image meets itself, the neurons that drop out are the same.
    fn dropout(&mut self, index: usize, keep: f64) {
        let input = self.to.network.graph.inputs[index][0];
        for (cell, [left, right]) in self.places(index + 1).into_iter().enumerate() {
            let factor = if self.to.selfs && left == right { 1.0 / keep } else { 1.0 };
            let (before, after) = self.room.planes.split_at_mut(index + 1);
            add(&mut before[input][cell], &after[0][cell], factor);
        }
    }

    fn activation(&mut self, index: usize) {
        let input = self.to.network.graph.inputs[index][0];
        let step = &self.to.alone[index];
        let halves = self.group.halves;
        let [Some(left), Some(right)] = halves.map(|half| half.local.rates[index].as_ref()) else { return };
        let signed = self.to.all.steps[index].signed[0];
        let activation = Activation {
            step,
            halves,
            input,
            output: index + 1,
            rates: [left, right],
            signed,
            level: self.to.level,
        };
        let places = self.places(index + 1);
        let registers = self.to.all.registers;
        let Room { planes, states, strips, .. } = &mut *self.room;
        activation.begin(strips);
        let (before, after) = planes.split_at_mut(index + 1);
        let [left, right] = &mut *self.sums;
        for (strip, places) in places.chunks(CELLS).enumerate() {
            let register = &states.states[0][strip * registers + input];
            activation.run(register, places, strips);
            let cells = strip * CELLS..strip * CELLS + places.len();
            dispatch_f64(
                self.to.level,
                Combine {
                    activation: &activation,
                    room: strips,
                    register,
                    places,
                    out: &after[0][cells.clone()],
                    to: &mut before[input][cells],
                    rows: [&mut left.rows[input], &mut right.rows[input]],
                },
            );
        }
    }

    /// K of the input is a product of channels.
    fn input(&mut self) {
        let ImageNetwork { channels, .. } = *self.to.network;
        let units = self.to.network.layout.units;
        let root = (channels as f64).sqrt();
        for (cell, places) in self.places(0).into_iter().enumerate() {
            let by_kernel = self.room.planes[0][cell][0];
            let scales = [0, 1].map(|side| self.group.halves[side].row(0, places[side])[0]);
            for side in [0, 1] {
                let (other, own) = (1 - side, places[side] * channels);
                let half = self.group.halves[other];
                let theirs = &half.local.constants.data[units + places[other] * channels..][..channels];
                let sums = &mut self.sums[side].input[own..][..channels];
                for (sum, unit) in sums.iter_mut().zip(theirs) {
                    let unit = half.lanes(&unit.0);
                    for lane in 0..GROUP {
                        sum[lane] += by_kernel[lane] * scales[other][lane] * unit[lane] / root;
                    }
                }
            }
        }
    }
}
