//! The program on single images, a group of them at a time: √K and √T at every position, and the constants of steps.
//!
//! Double precision, as for rows. Every image's maps are in units of their largest value: pairs need no more than
//! proportions.

use super::GROUP;
use super::axis::position;
use super::constants::{Each, GroupConstants, Variances};
use super::images::Images;
use super::layout::Layout;
use super::plan::{Graph, window_size};
use crate::error::{Error, Result};
use crate::network::Axis;
use crate::parallel::Job;
use crate::program::{Op, Program, RowTrace, Scales};
use crate::scalar::Scalar;

/// √K and √T of a value.
#[derive(Clone)]
enum Trace {
    /// These factors times the map of √K of the value's root.
    Proportional { scale: Box<Each>, tangent: Box<Each> },
    /// Position by position.
    Explicit { scale: Vec<Each>, tangent: Vec<Each> },
}

/// What maps are made from.
#[derive(Clone, Copy)]
pub struct Source<'a, T: 'static> {
    pub program: &'a Program,
    pub graph: &'a Graph,
    pub layout: &'a Layout,
    pub images: &'a Images<T>,
    /// The variances of these images behind the pools where they are known.
    pub known: &'a [Variances],
    pub job: &'a Job,
}

impl<T: Scalar> Source<'_, T> {
    /// The constants of these images. Stops before a pool behind which variances are not known yet.
    ///
    /// # Errors
    /// [`Error::Overflow`], [`Error::Cancelled`].
    pub fn constants(&self, which: [usize; GROUP], constants: &mut GroupConstants<T>) -> Result<()> {
        let output = self.graph.output;
        let rows = self.walk(which, constants, self.program.steps.len(), |walk, traces| {
            traces[output].as_ref().map(|trace| walk.row(trace, output, 0))
        })?;
        if let Some(rows) = rows {
            constants.result = [rows.map(|row| row.scale), rows.map(|row| row.tangent)];
        }
        Ok(())
    }

    /// The constants of these images, and √K and √T of every value, position by position: of a layout that keeps all.
    ///
    /// # Errors
    /// As [`Source::constants`].
    pub fn rows(
        &self,
        which: [usize; GROUP],
        constants: &mut GroupConstants<T>,
    ) -> Result<Vec<Vec<[RowTrace; GROUP]>>> {
        self.walk(which, constants, self.program.steps.len(), |walk, traces| {
            let of = |(value, trace): (usize, &Option<Trace>)| {
                let positions = 0..self.graph.positions(value);
                trace
                    .iter()
                    .flat_map(|trace| positions.clone().map(|at| walk.row(trace, value, at)))
                    .collect()
            };
            traces.iter().enumerate().map(of).collect()
        })
    }

    /// The scales that these images have before a step.
    ///
    /// # Errors
    /// [`Error::Overflow`], [`Error::Cancelled`].
    pub fn scales(
        &self,
        which: [usize; GROUP],
        constants: &mut GroupConstants<T>,
        step: usize,
    ) -> Result<Scales> {
        let value = self.graph.inputs[step][0];
        let mut scales = Scales::default();
        self.walk(which, constants, step, |walk, traces| {
            let Some(trace) = &traces[value] else { return };
            for position in 0..self.graph.positions(value) {
                for (image, row) in which.into_iter().zip(walk.row(trace, value, position)) {
                    scales.add(image, row);
                }
            }
        })?;
        Ok(scales)
    }

    fn walk<R>(
        &self,
        which: [usize; GROUP],
        constants: &mut GroupConstants<T>,
        steps: usize,
        result: impl FnOnce(&Walk<'_, '_, T>, &[Option<Trace>]) -> R,
    ) -> Result<R> {
        constants.images = which;
        constants.resize(self.layout.size)?;
        constants.variances.clear();
        let roots = vec![Vec::new(); self.graph.grids.len()];
        let mut walk = Walk { source: *self, constants, roots };
        let input = walk.input();
        let traces = walk.steps(input, steps)?;
        Ok(result(&walk, &traces))
    }
}

impl<T: Scalar> Walk<'_, '_, T> {
    fn steps(&mut self, input: Trace, steps: usize) -> Result<Vec<Option<Trace>>> {
        let mut traces = vec![Some(input)];
        for index in 0..steps {
            self.source.job.check()?;
            let step = &self.source.program.steps[index];
            let inputs = self.source.graph.inputs[index];
            let trace = match &step.op {
                Op::Window(axes) => self.window(index, axes, traces[inputs[0]].as_ref()),
                Op::Pool { axes, sum } => self.pool(index, axes, *sum, traces[inputs[0]].as_ref()),
                _ => self.pointwise(index, inputs.map(|value| traces[value].as_ref()))?,
            };
            if let Some(trace) = &trace {
                self.check(index, trace)?;
            }
            traces.push(trace);
            let Layout { roots, until, .. } = self.source.layout;
            for value in inputs.into_iter().flat_map(|value| [Some(value), roots[value]]).flatten() {
                if until[value] == index {
                    traces[value] = None;
                    self.roots[value] = Vec::new();
                }
            }
        }
        Ok(traces)
    }
}

struct Walk<'a, 'b, T: 'static> {
    source: Source<'a, T>,
    constants: &'b mut GroupConstants<T>,
    /// Maps of √K of values that others are proportional to.
    roots: Vec<Vec<Each>>,
}

impl<T: Scalar> Walk<'_, '_, T> {
    fn input(&mut self) -> Trace {
        let Source { images, layout, .. } = self.source;
        let (positions, channels) = (images.positions(), images.channels());
        let mut scale = vec![[0.0; GROUP]; positions];
        for (lane, &image) in self.constants.images.clone().iter().enumerate() {
            for (position, scale) in scale.iter_mut().enumerate() {
                let row = image * positions + position;
                scale[lane] = images.rows.scales()[row];
                let first = layout.units + position * channels;
                for (group, unit) in self.constants.data[first..].iter_mut().zip(images.rows.unit(row)) {
                    group.0[lane] = unit;
                }
            }
        }
        let units = to_units(&mut scale);
        self.store(self.source.layout.maps[0].scale, &scale);
        self.roots[0] = scale;
        Trace::Proportional { scale: units.into(), tangent: [0.0; GROUP].into() }
    }

    /// A row for each image at one position.
    fn row(&self, trace: &Trace, value: usize, position: usize) -> [RowTrace; GROUP] {
        let mut rows = [RowTrace::default(); GROUP];
        match trace {
            Trace::Proportional { scale, tangent } => {
                let root = &self.roots[self.source.layout.roots[value].unwrap_or(0)][position];
                for (lane, row) in rows.iter_mut().enumerate() {
                    *row = RowTrace { scale: scale[lane] * root[lane], tangent: tangent[lane] * root[lane] };
                }
            }
            Trace::Explicit { scale, tangent } => {
                for (lane, row) in rows.iter_mut().enumerate() {
                    *row = RowTrace { scale: scale[position][lane], tangent: tangent[position][lane] };
                }
            }
        }
        rows
    }

    /// # Errors
    /// [`Error::Unprepared`].
    fn pointwise(&mut self, index: usize, inputs: [Option<&Trace>; 2]) -> Result<Option<Trace>> {
        let Source { program, graph, layout, images, .. } = self.source;
        let [Some(first), Some(second)] = inputs else { return Ok(None) };
        let step = &program.steps[index];
        let slots = step.op.slots();
        let base = layout.slots.get(step.first_slot).map_or(0, |slot| slot.base);
        let mut constants = vec![0.0; slots];
        if layout.roots[index + 1].is_some()
            && let Trace::Proportional { scale, tangent } = first
        {
            let (mut scales, mut tangents) = ([0.0; GROUP], [0.0; GROUP]);
            for lane in 0..GROUP {
                let row = RowTrace { scale: scale[lane], tangent: tangent[lane] };
                let row = step.op.row(images.channels(), [row; 2], &mut constants);
                (scales[lane], tangents[lane]) = (row.scale, row.tangent);
                for (group, constant) in self.constants.data[base..].iter_mut().zip(&constants) {
                    group.0[lane] = T::from_f64(*constant);
                }
            }
            return Ok(Some(Trace::Proportional { scale: scales.into(), tangent: tangents.into() }));
        }
        let positions = graph.positions(index + 1);
        let (mut scales, mut tangents) = (vec![[0.0; GROUP]; positions], vec![[0.0; GROUP]; positions]);
        let [left, right] = graph.inputs[index];
        for position in 0..positions {
            let rows = [self.row(first, left, position), self.row(second, right, position)];
            let place = &mut self.constants.data[base + position * slots..];
            for lane in 0..GROUP {
                let scale = rows[0][lane].scale;
                if !step.op.covers(scale) {
                    let (layer, row) = (step.place.clone(), self.constants.images[lane]);
                    return Err(Error::Unprepared { layer, row, scale });
                }
                let row = step.op.row(images.channels(), [rows[0][lane], rows[1][lane]], &mut constants);
                (scales[position][lane], tangents[position][lane]) = (row.scale, row.tangent);
                for (group, constant) in place.iter_mut().zip(&constants) {
                    group.0[lane] = T::from_f64(*constant);
                }
            }
        }
        Ok(Some(Trace::Explicit { scale: scales, tangent: tangents }))
    }

    /// What a spatial step reads: maps with largest value 1 and their factors. They are stored where nobody has yet.
    fn read(&mut self, value: usize, trace: &Trace) -> [(Vec<Each>, Each); 2] {
        match trace {
            Trace::Proportional { scale, tangent } => {
                let root = &self.roots[self.source.layout.roots[value].unwrap_or(0)];
                [(root.clone(), **scale), (root.clone(), **tangent)]
            }
            Trace::Explicit { scale, tangent } => {
                let maps = self.source.layout.maps[value];
                [(scale, maps.scale), (tangent, maps.tangent)].map(|(map, place)| {
                    let mut map = map.clone();
                    let units = to_units(&mut map);
                    self.store(place, &map);
                    (map, units)
                })
            }
        }
    }

    fn window(&mut self, index: usize, axes: &[Axis; 2], input: Option<&Trace>) -> Option<Trace> {
        let Source { graph, layout, .. } = self.source;
        let value = graph.inputs[index][0];
        let input = input?;
        let maps = layout.maps[index + 1];
        let means = |map: &[Each]| {
            let squares: Vec<_> = map.iter().map(|row| row.map(|value| value * value)).collect();
            let mut means = window_means(axes, graph.grids[value], graph.grids[index + 1], &squares);
            means.iter_mut().flatten().for_each(|mean| *mean = mean.sqrt());
            let units = to_units(&mut means);
            (means, units)
        };
        // Sums over windows of what these factors were applied to are means.
        let share = window_size(axes).recip().sqrt();
        let factors = |gains: Each| gains.map(|gain| share * inverse(gain));
        if let Trace::Proportional { scale, tangent } = input {
            let root = layout.roots[value].unwrap_or(0);
            let (scales, gain) = means(&self.roots[root]);
            self.store(maps.scale, &scales);
            self.store_inverse(maps.inverse, &scales, std::f64::consts::FRAC_1_SQRT_2);
            self.store(maps.factors[0], &[factors(gain)]);
            self.store(maps.factors[1], &[factors(gain)]);
            self.roots[index + 1] = scales;
            return Some(Trace::Proportional {
                scale: times(**scale, gain).into(),
                tangent: times(**tangent, gain).into(),
            });
        }
        let [(scale, factor), (tangent, tangent_factor)] = self.read(value, input);
        let (scales, gain) = means(&scale);
        self.store(maps.scale, &scales);
        self.store_inverse(maps.inverse, &scales, std::f64::consts::FRAC_1_SQRT_2);
        self.store(maps.factors[0], &[factors(gain)]);
        let (tangents, tangent_gain) = means(&tangent);
        self.store(maps.tangent, &tangents);
        self.store_inverse(maps.inverse_tangent, &tangents, 1.0);
        self.store(maps.factors[1], &[factors(tangent_gain)]);
        let explicit = |map: Vec<Each>, factor: Each| map.into_iter().map(|row| times(row, factor)).collect();
        Some(Trace::Explicit {
            scale: explicit(scales, times(factor, gain)),
            tangent: explicit(tangents, times(tangent_factor, tangent_gain)),
        })
    }

    fn pool(&mut self, index: usize, axes: &[Axis; 2], sum: bool, input: Option<&Trace>) -> Option<Trace> {
        let Source { graph, layout, known, .. } = self.source;
        let value = graph.inputs[index][0];
        let [(_, factor), (_, tangent_factor)] = self.read(value, input?);
        let variances = known.get(self.constants.variances.len())?.clone();
        let count = if sum { 1.0 } else { window_size(axes) };
        let roots = |map: &[Each]| map.iter().map(|row| row.map(f64::sqrt)).collect::<Vec<_>>();
        let mut scales = roots(&variances[0]);
        let gain = to_units(&mut scales);
        self.store(layout.maps[index + 1].scale, &scales);
        let gain = gain.map(|gain| gain / count);
        let (scale, tangent) = (times(factor, gain), times(tangent_factor, gain));
        let trace = if layout.roots[index + 1].is_some() {
            self.roots[index + 1] = scales;
            Trace::Proportional { scale: scale.into(), tangent: tangent.into() }
        } else {
            let tangents = roots(&variances[1]).into_iter();
            let of_tangent = tangent_factor.map(|factor| factor / count);
            Trace::Explicit {
                scale: scales.into_iter().map(|row| times(row, scale)).collect(),
                tangent: tangents.map(|row| times(row, of_tangent)).collect(),
            }
        };
        self.constants.variances.push(variances);
        Some(trace)
    }

    fn store(&mut self, place: usize, map: &[Each]) {
        for (group, row) in self.constants.data[place..].iter_mut().zip(map) {
            group.0 = row.map(T::from_f64);
        }
    }

    /// `factor`/map; 0 where the map is 0, or too small to tell.
    fn store_inverse(&mut self, place: usize, map: &[Each], factor: f64) {
        for (group, row) in self.constants.data[place..].iter_mut().zip(map) {
            group.0 = row.map(|value| T::from_f64(if value > T::TINY { factor / value } else { 0.0 }));
        }
    }

    /// Refuse what no number can hold.
    fn check(&self, index: usize, trace: &Trace) -> Result<()> {
        let bad = |lane: usize| match trace {
            Trace::Proportional { scale, tangent } => !(scale[lane].is_finite() && tangent[lane].is_finite()),
            Trace::Explicit { scale, tangent } => {
                scale.iter().chain(tangent).any(|row| !row[lane].is_finite())
            }
        };
        match ((0..GROUP).find(|&lane| bad(lane)), self.source.program.steep()) {
            (Some(_), Some(name)) => Err(Error::Steep { name: name.to_owned() }),
            (Some(lane), None) => Err(Error::Overflow {
                layer: self.source.program.steps[index].place.clone(),
                row: self.constants.images[lane],
                log10: f64::INFINITY,
                dtype: "float64",
            }),
            (None, _) => Ok(()),
        }
    }
}

/// Divide every image's map by its largest value, which is returned.
fn to_units(map: &mut [Each]) -> Each {
    let mut units = [0f64; GROUP];
    for row in &*map {
        units.iter_mut().zip(row).for_each(|(unit, value)| *unit = unit.max(*value));
    }
    for row in map {
        row.iter_mut().zip(&units).for_each(|(value, unit)| {
            *value = if *unit > 0.0 { *value / *unit } else { 0.0 };
        });
    }
    units
}

fn times(a: Each, b: Each) -> Each {
    let mut product = a;
    product.iter_mut().zip(b).for_each(|(value, factor)| *value *= factor);
    product
}

fn inverse(value: f64) -> f64 {
    if value > 0.0 { 1.0 / value } else { 1.0 }
}

/// Means over windows.
fn window_means(axes: &[Axis; 2], before: [usize; 2], after: [usize; 2], map: &[Each]) -> Vec<Each> {
    let tables = [0, 1].map(|axis| {
        let seen = |output: usize| -> Vec<usize> {
            let place = |offset| position(axes[axis], before[axis], output as u32, offset);
            (0..axes[axis].size).filter_map(place).map(|position| position as usize).collect()
        };
        (0..after[axis]).map(seen).collect::<Vec<_>>()
    });
    let share = 1.0 / window_size(axes);
    let mut rows = vec![[0.0; GROUP]; before[0] * after[1]];
    for (row, line) in rows.chunks_mut(after[1]).enumerate() {
        for (seen, sum) in tables[1].iter().zip(line) {
            for &column in seen {
                let values = &map[row * before[1] + column];
                sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
        }
    }
    let mut means = vec![[0.0; GROUP]; after[0] * after[1]];
    for (seen, line) in tables[0].iter().zip(means.chunks_mut(after[1])) {
        for &row in seen {
            for (sum, values) in line.iter_mut().zip(&rows[row * after[1]..]) {
                sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value * share);
            }
        }
    }
    means
}
