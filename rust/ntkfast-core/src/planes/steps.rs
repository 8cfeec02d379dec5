//! A few planes of a run through its steps, in vector registers.

use super::GROUP;
use super::cells::Cells;
use super::machine::{Machine, Workspace};
use super::plan::{Key, Run};
use super::pool::{Pooling, Reading};
use super::sides::Sides;
use super::sums::read;
use super::window::{Both, CELLS, Following, Plane, Windowing};
use crate::dual::Activation;
use crate::error::Result;
use crate::parallel::Job;
use crate::program::{Frame, Op};
use crate::scalar::Scalar;
use crate::simd::{Level, Pack, Vectorized};

/// What there is to do.
pub struct PlanesRun<'a, 'b, T> {
    pub machine: &'a Machine<'a>,
    pub run: &'a Run,
    /// The tracks of the planes along both axes.
    pub down: &'a Key,
    pub across: &'a [Key],
    /// The groups of pairs to be done.
    pub groups: &'a [Sides<'a, T>],
    /// The plane of a group at hand, its tracks, and the group.
    pub plane: usize,
    pub keys: [&'a Key; 2],
    pub sides: Sides<'a, T>,
    pub selfs: bool,
    pub workspace: &'b mut Workspace<T>,
    pub job: &'b Job,
}

/// One kind of work on the plane at hand, each compiled by itself.
struct Inputs<'w, 'a, 'b, T>(&'w mut PlanesRun<'a, 'b, T>);
struct Window<'w, 'a, 'b, T>(&'w mut PlanesRun<'a, 'b, T>, usize, Following<'a>);
struct Pooled<'w, 'a, 'b, T>(&'w mut PlanesRun<'a, 'b, T>, usize);

impl<T: Scalar> Vectorized<T> for Inputs<'_, '_, '_, T> {
    type Output = ();
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = T>>(self) {
        self.0.input::<P>();
    }
}

impl<T: Scalar> Vectorized<T> for Window<'_, '_, '_, T> {
    type Output = ();
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = T>>(self) {
        let Self(work, index, following) = self;
        let step = &work.machine.program.steps[index];
        match (work.machine.ntk, step.signed_output || step.signed[0]) {
            (false, false) => work.window::<P, false, false>(index, following),
            (false, true) => work.window::<P, false, true>(index, following),
            (true, false) => work.window::<P, true, false>(index, following),
            (true, true) => work.window::<P, true, true>(index, following),
        }
    }
}

impl<T: Scalar> Vectorized<T> for Pooled<'_, '_, '_, T> {
    type Output = ();
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = T>>(self) {
        if self.0.machine.ntk {
            self.0.add_to_tensor::<P, true>(self.1);
        } else {
            self.0.add_to_tensor::<P, false>(self.1);
        }
    }
}

impl<'a, T: Scalar> PlanesRun<'a, '_, T> {
    /// Take the planes through the steps of the run.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`].
    pub fn run(mut self, level: Level) -> Result<()> {
        let Machine { program, graph, ntk, .. } = *self.machine;
        let steps = &self.run.steps[..];
        let planes = 0..self.groups.len() * self.across.len();
        if self.run.reads_input {
            for plane in planes.clone() {
                self.turn_to(plane);
                T::dispatch(level, Inputs(&mut self));
            }
        }
        let mut next = 0;
        while next < steps.len() {
            let (first, index) = (next, steps[next]);
            let step = &program.steps[index];
            next += 1;
            // Where an image meets itself, the neurons that drop out are the same.
            let drops = self.selfs && matches!(step.op, Op::Dropout { .. });
            let mut following = Following::default();
            if let Op::Window(_) = step.op {
                following = self.following(index, &steps[next..]);
                next += usize::from(following.dense.is_some()) + usize::from(following.activation.is_some());
            } else if !step.op.is_spatial() && !drops {
                // Steps that do not mix positions go together, so that a strip stays in the first-level cache.
                let sheet = graph.sheets[index + 1];
                while next < steps.len() && self.goes_along(steps[next], sheet) {
                    next += 1;
                }
            }
            for plane in planes.clone() {
                self.job.check()?;
                self.turn_to(plane);
                if self.cells(index + 1) == 0 {
                    continue;
                }
                match &step.op {
                    Op::Window(_) => T::dispatch(level, Window(&mut self, index, following)),
                    Op::Pool { .. } => self.read_tensor(index, ntk),
                    _ => {
                        let kept = if drops { self.selfs(index) } else { Vec::new() };
                        if ntk {
                            self.pointwise::<true>(level, &steps[first..next], index + 1);
                        } else {
                            self.pointwise::<false>(level, &steps[first..next], index + 1);
                        }
                        for (strip, at, [delta, epsilon, tau]) in kept {
                            let register = &mut self.workspace.states[plane][strip + step.output];
                            (register.delta.0[at], register.epsilon.0[at], register.tau.0[at]) =
                                (delta, epsilon, tau);
                        }
                    }
                }
            }
        }
        if let Some(step) = self.run.pool {
            for plane in planes {
                self.job.check()?;
                self.turn_to(plane);
                T::dispatch(level, Pooled(&mut self, step));
            }
        }
        Ok(())
    }

    fn turn_to(&mut self, plane: usize) {
        self.plane = plane;
        self.keys = [self.down, &self.across[plane % self.across.len()]];
        self.sides = self.groups[plane / self.across.len()];
    }

    /// What of the steps behind a window can be done by the way.
    fn following(&self, window: usize, steps: &[usize]) -> Following<'a> {
        let Machine { program, graph, layout, .. } = *self.machine;
        let mut following = Following::default();
        let mut value = window + 1;
        for &index in steps {
            let step = &program.steps[index];
            if graph.inputs[index][0] != value || step.inputs[0] != step.output {
                break;
            }
            match &step.op {
                Op::Dense { .. } if value == window + 1 && step.op.slots() == 2 && layout.uniform[index] => {
                    following.dense = Some([0, 1].map(|slot| layout.slots[step.first_slot + slot].base));
                }
                Op::Activation(Activation::AbRelu(activation)) => {
                    following.activation = Some(activation);
                    break;
                }
                _ => break,
            }
            value = index + 1;
        }
        following
    }

    fn goes_along(&self, index: usize, sheet: usize) -> bool {
        let op = &self.machine.program.steps[index].op;
        self.machine.graph.sheets[index + 1] == sheet
            && !op.is_spatial()
            && !(self.selfs && matches!(op, Op::Dropout { .. }))
    }

    fn tracks(&self, value: usize) -> [&'a [[u32; 2]]; 2] {
        let sheet = self.machine.graph.sheets[value];
        self.keys.map(|key| key.tracks[sheet].as_slice())
    }

    fn cells(&self, value: usize) -> usize {
        let [down, across] = self.tracks(value);
        down.len() * across.len()
    }

    fn both(&self) -> Both<'a, T> {
        self.sides.both()
    }

    /// Cosines of the channels of the input.
    #[inline(always)]
    fn input<P: Pack<Scalar = T>>(&mut self) {
        let Machine { program, graph, layout, channels, .. } = *self.machine;
        let width = graph.grids[0][1];
        let [down, across] = self.keys.map(|key| &key.tracks[graph.sheets[0]]);
        let both = self.both();
        let parts = GROUP / P::LANES;
        let half = P::splat(0.5);
        for (row, pair) in down.iter().enumerate() {
            let [left_row, right_row] = pair.map(|place| place as usize * width);
            for (column, pair) in across.iter().enumerate() {
                let left = layout.units + (left_row + pair[0] as usize) * channels;
                let right = layout.units + (right_row + pair[1] as usize) * channels;
                let cell = row * across.len() + column;
                let register = &mut self.workspace.states[self.plane][cell / CELLS * program.registers];
                for part in 0..parts {
                    let (mut near, mut far) = (P::splat(0.0), P::splat(0.0));
                    let channels_of =
                        both.left[left..][..channels].iter().zip(&both.right[right..][..channels]);
                    for (a, b) in channels_of {
                        let (a, b) = (both.of_left::<P>(a, part), read::<P>(b, part));
                        let (difference, sum) = (a - b, a + b);
                        near = difference.mul_add(difference, near);
                        far = sum.mul_add(sum, far);
                    }
                    let pack = cell % CELLS * parts + part;
                    (half * near).store(&mut register.delta, pack);
                    (half * far).store(&mut register.epsilon, pack);
                    P::splat(0.0).store(&mut register.tau, pack);
                }
            }
        }
    }

    #[inline(always)]
    fn window<P: Pack<Scalar = T>, const NTK: bool, const SIGNED: bool>(
        &mut self,
        index: usize,
        following: Following<'a>,
    ) {
        let Machine { program, graph, layout, .. } = *self.machine;
        let input = graph.inputs[index][0];
        let [Some(down), Some(across)] = self.keys.map(|key| key.windows[index].as_deref()) else { return };
        let outputs = self.keys.map(|key| &*key.tracks[graph.sheets[index + 1]]);
        let windowing = Windowing {
            step: &program.steps[index],
            plane: Plane {
                outputs,
                windows: [down, across],
                row: self.keys[1].tracks[graph.sheets[input]].len(),
                widths: [graph.grids[input][1], graph.grids[index + 1][1]],
            },
            constants: self.both(),
            maps: [layout.maps[input], layout.maps[index + 1]],
            proportional: layout.roots[index + 1].is_some(),
            following,
            registers: program.registers,
        };
        let Workspace { states, scratch, .. } = &mut *self.workspace;
        windowing.run::<P, NTK, SIGNED>(&mut states[self.plane], scratch);
    }

    /// Steps that do not mix positions, on the planes of one sheet.
    fn pointwise<const NTK: bool>(&mut self, level: Level, steps: &[usize], value: usize) {
        let Machine { program, graph, layout, .. } = *self.machine;
        let [down, across] = self.keys.map(|key| &key.tracks[graph.sheets[value]]);
        let width = graph.grids[value][1];
        let (cells, columns) = (down.len() * across.len(), across.len());
        let anywhere = steps.iter().all(|&step| layout.uniform[step]);
        let both = self.both();
        let mut places = [[0; CELLS]; 2];
        for (strip, registers) in self.workspace.states[self.plane]
            .chunks_exact_mut(program.registers)
            .take(cells.div_ceil(CELLS))
            .enumerate()
        {
            if !anywhere {
                let [lefts, rights] = &mut places;
                for (i, (left, right)) in lefts.iter_mut().zip(rights).enumerate() {
                    let cell = (strip * CELLS + i).min(cells - 1);
                    let (row, column) = (down[cell / columns], across[cell % columns]);
                    *left = row[0] as usize * width + column[0] as usize;
                    *right = row[1] as usize * width + column[1] as usize;
                }
            }
            let slots = &layout.slots[..];
            let left = Cells { data: both.left, one: both.one, slots, places: places[0] };
            let right = Cells { data: both.right, one: None, slots, places: places[1] };
            let mut frame = Frame { level, registers, left, right };
            for &step in steps {
                // As if cosines could be negative: the other code would take as long to compile, and saves little.
                frame.run::<NTK, true>(&program.steps[step]);
            }
        }
    }

    /// What a step reads where some image meets itself at one position: strip, place in it, and state.
    fn selfs(&self, index: usize) -> Vec<(usize, usize, [T; 3])> {
        let Machine { program, graph, .. } = *self.machine;
        let [down, across] = self.tracks(graph.inputs[index][0]);
        let mut found = Vec::new();
        for (row, _) in down.iter().enumerate().filter(|(_, pair)| pair[0] == pair[1]) {
            for (column, _) in across.iter().enumerate().filter(|(_, pair)| pair[0] == pair[1]) {
                let cell = row * across.len() + column;
                let strip = cell / CELLS * program.registers;
                let register = &self.workspace.states[self.plane][strip + program.steps[index].inputs[0]];
                for lane in 0..GROUP {
                    if self.sides.left.images[self.sides.left_lane(lane)] == self.sides.right.images[lane] {
                        let at = cell % CELLS * GROUP + lane;
                        found.push((
                            strip,
                            at,
                            [register.delta.0[at], register.epsilon.0[at], register.tau.0[at]],
                        ));
                    }
                }
            }
        }
        found
    }

    /// Which of the program's pools a step is.
    fn pool_number(&self, index: usize) -> usize {
        let steps = &self.machine.program.steps[..index];
        steps.iter().filter(|step| matches!(step.op, Op::Pool { .. })).count()
    }

    fn read_tensor(&mut self, index: usize, ntk: bool) {
        let Machine { program, graph, layout, plan, .. } = *self.machine;
        let reading = Reading {
            step: &program.steps[index],
            registers: program.registers,
            tracks: self.tracks(index + 1),
            sources: self.keys.map(|key| key.sources[index].as_slice()),
            row: plan.tensors[index][1].len(),
            width: graph.grids[index + 1][1],
            pool: self.pool_number(index),
            sides: self.sides,
            proportional: layout.roots[index + 1].is_some(),
            ntk,
        };
        let Workspace { states, tensors, .. } = &mut *self.workspace;
        reading.run(&tensors[index], &mut states[self.plane]);
    }

    #[inline(always)]
    fn add_to_tensor<P: Pack<Scalar = T>, const NTK: bool>(&mut self, index: usize) {
        let Machine { program, graph, layout, plan, .. } = *self.machine;
        let input = graph.inputs[index][0];
        let pooling = Pooling {
            input: program.steps[index].inputs[0],
            signed: program.steps[index].signed[0],
            registers: program.registers,
            tracks: self.tracks(input),
            targets: self.keys.map(|key| key.targets.as_slice()),
            reached: &self.keys[1].reached,
            row: plan.tensors[index][1].len(),
            width: graph.grids[input][1],
            constants: self.both(),
            maps: layout.maps[input],
        };
        let Workspace { states, tensors, sums, .. } = &mut *self.workspace;
        pooling.run::<P, NTK>(&states[self.plane], &mut tensors[index], sums);
    }
}
