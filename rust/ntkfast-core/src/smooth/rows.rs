//! The functions of a row that pairs need, row by row.

use super::lengths::{Lengths, start};
use super::ops::{Plan, Register, ZERO};
use crate::error::{Error, Result};
use crate::memory;
use crate::parallel::{Job, for_each_item};
use crate::simd::{STRIP, Strip};
use crate::taylor::{COUNT, EXPONENTS, Series};

/// Functions of the rows of a strip: for each step's each function f, f' and f''/2.
pub(super) struct StripSeries(pub Vec<Strip<f64>>);

impl StripSeries {
    /// The functions of one row, in all lanes.
    pub fn repeat(&self, lane: usize, to: &mut [Strip<f64>]) {
        for (to, from) in to.iter_mut().zip(&self.0) {
            to.0.fill(from.0[lane]);
        }
    }
}

/// Rows whose variances tell what all have before each step.
const SAMPLED: usize = STRIP;

/// Add all steps to a plan, for these rows.
///
/// # Errors
/// As [`series`], and [`Plan::add`].
pub(super) fn add_steps(plan: &mut Plan<'_>, sides: [Lengths<'_>; 2], job: &Job) -> Result<()> {
    let rows = |side: Lengths<'_>| -> Vec<_> {
        let lengths = side.variances.iter().copied().zip(side.added.iter().copied());
        lengths.enumerate().map(|(row, length)| (length, row)).collect()
    };
    let mut all = sides.map(rows).concat();
    all.sort_by(|a, b| a.0.0.total_cmp(&b.0.0));
    let count = all.len().min(SAMPLED);
    let sample = (0..count).map(|i| all[i * (all.len() - 1) / (count - 1).max(1)]);
    let (lengths, numbers): (Vec<_>, Vec<_>) = sample.unzip();
    let (variances, added): (Vec<f64>, Vec<f64>) = lengths.into_iter().unzip();
    let mut walk = Walk::new(plan, Lengths { variances: &variances, added: &added });
    let mut strip = StripSeries(Vec::new());
    for index in 0..plan.program.steps.len() {
        let [before, ..] = &walk.rows[plan.program.steps[index].inputs[0]];
        plan.add(before.0[..count].iter().fold(0.0, |largest, variance| largest.max(*variance)), job)?;
        strip.0.resize(3 * plan.firsts[index + 1], ZERO);
        walk.step(plan, index, &numbers, &mut strip, job)?;
    }
    Ok(())
}

/// The functions of all rows. O(rows · steps).
///
/// # Errors
/// [`Error::NoDerivative`] where a row is zero before a layer that divides by its norm; [`Error::Overflow`];
/// [`Error::Memory`]; [`Error::Cancelled`].
pub(super) fn series(plan: &Plan<'_>, lengths: Lengths<'_>, job: &Job) -> Result<Vec<StripSeries>> {
    let slots = 3 * plan.firsts[plan.firsts.len() - 1];
    let mut strips = memory::empty(lengths.count().div_ceil(STRIP))?;
    for _ in 0..lengths.count().div_ceil(STRIP) {
        job.check()?;
        strips.push(StripSeries(memory::collect((0..slots).map(|_| ZERO))?));
    }
    for_each_item(
        job,
        strips.iter_mut(),
        || (),
        |(), block, strip| {
            let first = block * STRIP;
            let own = lengths.part(first, STRIP);
            let mut walk = Walk::new(plan, own);
            let numbers: Vec<_> = (first..first + own.count()).collect();
            for index in 0..plan.program.steps.len() {
                walk.step(plan, index, &numbers, strip, job)?;
            }
            Ok(())
        },
    )?;
    Ok(strips)
}

/// Rows with themselves on their way through a program.
struct Walk {
    registers: Vec<Register>,
    /// Their variances as functions of their lengths.
    rows: Vec<[Strip<f64>; 3]>,
}

impl Walk {
    fn new(plan: &Plan<'_>, lengths: Lengths<'_>) -> Self {
        let mut registers = vec![Register::ZERO; plan.program.registers];
        let mut rows = vec![[ZERO; 3]; plan.program.registers];
        let all = lengths.all();
        start(&mut registers[0], plan.degree, lengths.variances, [&all, &all]);
        rows[0] = lengths.series();
        Self { registers, rows }
    }

    /// Run a step on rows of these numbers, and fill in their functions.
    fn step(
        &mut self,
        plan: &Plan<'_>,
        index: usize,
        numbers: &[usize],
        strip: &mut StripSeries,
        job: &Job,
    ) -> Result<()> {
        let step = &plan.program.steps[index];
        let [first, end] = [plan.firsts[index], plan.firsts[index + 1]];
        let mut slots = vec![Series::default(); end - first];
        for (lane, &row) in numbers.iter().enumerate() {
            let p = Series(self.rows[step.inputs[0]].each_ref().map(|strip| strip.0[lane]));
            if !plan.series(index, p, &mut slots, job)? {
                return Err(Error::NoDerivative { layer: step.place.clone(), row });
            }
            for (slot, Series(orders)) in slots.iter().enumerate() {
                for (order, value) in orders.iter().enumerate() {
                    strip.0[3 * (first + slot) + order].0[lane] = *value;
                }
            }
        }
        plan.run(index, &mut self.registers, [&strip.0, &strip.0]);
        self.rows[step.output] = along(&self.registers[step.output]);
        for (lane, &row) in numbers.iter().enumerate() {
            let p = Series(self.rows[step.output].each_ref().map(|strip| strip.0[lane]));
            if !p.is_finite() {
                let log10 = p.0[0].abs().log10();
                return Err(Error::Overflow { layer: step.place.clone(), row, log10, dtype: "float64" });
            }
        }
        Ok(())
    }
}

/// K of rows with themselves, where only the lengths change.
fn along(register: &Register) -> [Strip<f64>; 3] {
    let mut row = [ZERO; 3];
    for (strip, [cosine, left, right]) in register.nngp[..COUNT].iter().zip(EXPONENTS) {
        if let Some(row) = row.get_mut(left + right).filter(|_| cosine == 0) {
            row.0.iter_mut().zip(&strip.0).for_each(|(sum, value)| *sum += value);
        }
    }
    row
}
