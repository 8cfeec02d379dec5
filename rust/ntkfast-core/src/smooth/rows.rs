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
        strips.push(StripSeries(vec![ZERO; slots]));
    }
    let state = || (vec![Register::ZERO; plan.program.registers], vec![[ZERO; 3]; plan.program.registers]);
    for_each_item(job, strips.iter_mut(), state, |(registers, rows), block, strip| {
        let own = lengths.part(block * STRIP, STRIP);
        let variances = own.variances;
        rows[0] = own.series();
        start(&mut registers[0], plan.degree, variances, [&own.all(), &own.all()]);
        for (index, step) in plan.program.steps.iter().enumerate() {
            let [first, end] = [plan.firsts[index], plan.firsts[index + 1]];
            let mut slots = vec![Series::default(); end - first];
            for lane in 0..variances.len() {
                let p = Series(rows[step.inputs[0]].each_ref().map(|strip| strip.0[lane]));
                step.op.series(p, &mut slots);
                let row = block * STRIP + lane;
                if !slots.iter().all(|series| series.is_finite()) {
                    return Err(failure(&step.place, row, p));
                }
                for (slot, Series(orders)) in slots.iter().enumerate() {
                    for (order, value) in orders.iter().enumerate() {
                        strip.0[3 * (first + slot) + order].0[lane] = *value;
                    }
                }
            }
            plan.run(index, registers, [&strip.0, &strip.0]);
            rows[step.output] = along(&registers[step.output]);
            for lane in 0..variances.len() {
                let p = Series(rows[step.output].each_ref().map(|strip| strip.0[lane]));
                if !p.is_finite() {
                    return Err(failure(&step.place, block * STRIP + lane, p));
                }
            }
        }
        Ok(())
    })?;
    Ok(strips)
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

/// Why a step has no derivatives at a row of variance p before or behind it.
fn failure(place: &str, row: usize, p: Series) -> Error {
    let layer = place.to_owned();
    if p.0[0] == 0.0 {
        return Error::NoDerivative { layer, row };
    }
    Error::Overflow { layer, row, log10: p.0[0].abs().log10(), dtype: "float64" }
}
