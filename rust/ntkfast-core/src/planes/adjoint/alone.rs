//! Gradients by what single images have, their norms at every position, handed on to the images.
//!
//! √K of a position behind a step is a function of √K of the positions before it; behind a pool it is a kernel of the image
//! with itself.

use super::Pair;
use super::backward::{Backward, Group, Room};
use super::local::{Half, Local, rate};
use super::sums::Sums;
use crate::error::Result;
use crate::parallel::Job;
use crate::planes::GROUP;
use crate::planes::axis::position;
use crate::planes::constants::Each;
use crate::planes::plan::window_size;
use crate::program::{Op, RowTrace, Step};
use crate::real::Jet;

/// A group of images, and the gradients by what they have.
pub struct Alone<'a, 'b> {
    pub backward: &'b Backward<'a>,
    pub local: &'b Local,
    pub room: &'b mut Room,
    /// On the left are those found so far.
    pub sums: &'b mut [Sums; 2],
    pub job: &'b Job,
}

impl Alone<'_, '_> {
    /// Hand all gradients on to the images, of whose kernels with themselves the gradients are `weights`: the result is in
    /// the input of the sums on the left.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`].
    pub fn run(&mut self, weights: &Pair) -> Result<()> {
        let network = self.backward.network;
        let half = Half { local: self.local, one: None };
        let group = Group { halves: [half; 2] };
        let seeded = weights.iter().flatten().any(|&weight| weight != 0.0);
        let mut rows: Vec<Vec<Each>> =
            self.local.rows.iter().map(|rows| vec![[0.0; GROUP]; rows.len()]).collect();
        self.take(&mut rows);
        let mut known = false;
        if seeded {
            self.backward.forward(group, self.room, self.job)?;
            known = true;
            self.step_back(None, group, weights, &mut rows)?;
        }
        for (index, step) in network.program.steps.iter().enumerate().rev() {
            self.job.check()?;
            let found = std::mem::take(&mut rows[index + 1]);
            match &step.op {
                Op::Pool { .. } => {
                    if !known && found.iter().flatten().all(|&value| value == 0.0) {
                        continue;
                    }
                    if !known {
                        self.backward.forward(group, self.room, self.job)?;
                        known = true;
                    }
                    self.seed(index, &found);
                    self.step_back(Some(index), group, weights, &mut rows)?;
                }
                Op::Window(_) => self.window(index, &found, &mut rows),
                _ => self.pointwise(index, step, &found, &mut rows),
            }
        }
        self.input(&rows[0]);
        Ok(())
    }

    /// Take what both sides have found by norms.
    fn take(&mut self, rows: &mut [Vec<Each>]) {
        for sums in &mut *self.sums {
            for (to, from) in rows.iter_mut().zip(&mut sums.rows) {
                for (to, from) in to.iter_mut().zip(from) {
                    to.iter_mut().zip(&*from).for_each(|(to, from)| *to += from);
                    *from = [0.0; GROUP];
                }
            }
        }
    }

    fn step_back(
        &mut self,
        pool: Option<usize>,
        group: Group<'_>,
        weights: &Pair,
        rows: &mut [Vec<Each>],
    ) -> Result<()> {
        if let Some(run) = self.backward.run_to(pool) {
            self.backward.run(run, group, weights, self.room, self.sums, self.job)?;
        }
        self.take(rows);
        Ok(())
    }

    /// The gradients by the logarithms of √K behind a pool are gradients by K of its tensor.
    fn seed(&mut self, index: usize, found: &[Each]) {
        let [down, across] = &self.backward.plan.tensors[index];
        let width = self.backward.network.graph.grids[index + 1][1];
        for (place, (found, [scales, _])) in found.iter().zip(&self.local.rows[index + 1]).enumerate() {
            let [row, column] = [place / width, place % width].map(|place| [place as u32; 2]);
            let [kernel, _] = &mut self.room.tensors[index][down[&row] * across.len() + across[&column]];
            for (lane, kernel) in kernel.iter_mut().enumerate() {
                if scales[lane] > 0.0 {
                    *kernel += found[lane] / (2.0 * scales[lane] * scales[lane]);
                }
            }
        }
    }

    /// K behind a window is the mean of K before it.
    fn window(&self, index: usize, found: &[Each], rows: &mut [Vec<Each>]) {
        let network = self.backward.network;
        let Op::Window(axes) = &network.program.steps[index].op else { return };
        let input = network.graph.inputs[index][0];
        let (before, after) = (network.graph.grids[input], network.graph.grids[index + 1]);
        let share = window_size(axes).recip();
        let seen = |axis: usize, output: usize| {
            let place = move |offset| position(axes[axis], before[axis], output as u32, offset);
            (0..axes[axis].size).filter_map(place).map(|place| place as usize)
        };
        for (at, found) in found.iter().enumerate() {
            let [scales, _] = &self.local.rows[index + 1][at];
            for row in seen(0, at / after[1]) {
                for column in seen(1, at % after[1]) {
                    let place = row * before[1] + column;
                    let [own, _] = &self.local.rows[input][place];
                    for (lane, to) in rows[input][place].iter_mut().enumerate() {
                        if scales[lane] > 0.0 {
                            let ratio = own[lane] / scales[lane];
                            *to += found[lane] * share * ratio * ratio;
                        }
                    }
                }
            }
        }
    }

    /// Each position is a row of its own.
    fn pointwise(&self, index: usize, step: &Step, found: &[Each], rows: &mut [Vec<Each>]) {
        let network = self.backward.network;
        let inputs = network.graph.inputs[index];
        let mut constants = vec![Jet::default(); step.op.slots()];
        let count = if inputs[0] == inputs[1] { 1 } else { 2 };
        for (at, found) in found.iter().enumerate() {
            for (lane, &found) in found.iter().enumerate().filter(|(_, found)| **found != 0.0) {
                for moving in 0..count {
                    let row = |which: usize| {
                        let [scales, tangents] = &self.local.rows[inputs[which]][at];
                        let moves = which == moving || count == 1;
                        let slope = if moves { scales[lane] } else { 0.0 };
                        let scale = Jet { value: scales[lane], slope };
                        RowTrace { scale, tangent: Jet::from(tangents[lane]) }
                    };
                    let both = [row(0), row(1)];
                    let out = step.op.row_along([0.0; 2], network.channels, both, &mut constants);
                    rows[inputs[moving]][at][lane] += found * rate(out.scale);
                }
            }
        }
    }

    /// The gradient by the logarithm of a norm is along the point itself.
    fn input(&mut self, rows: &[Each]) {
        let network = self.backward.network;
        let (channels, units) = (network.channels, network.layout.units);
        let root = (channels as f64).sqrt();
        let [sums, other] = &mut *self.sums;
        sums.add(other);
        for (place, (found, [scales, _])) in rows.iter().zip(&self.local.rows[0]).enumerate() {
            let own = &self.local.constants.data[units + place * channels..][..channels];
            for (sum, unit) in sums.input[place * channels..][..channels].iter_mut().zip(own) {
                for (lane, sum) in sum.iter_mut().enumerate() {
                    if scales[lane] > 0.0 {
                        *sum += found[lane] * unit.0[lane] / (scales[lane] * root);
                    }
                }
            }
        }
    }
}
