//! All pairs of two sets of rows.

use super::ops::{Plan, Register, ZERO};
use super::rows::series;
use super::tables::{WITHIN, place};
use crate::error::Result;
use crate::kernel::{Target, stream};
use crate::memory;
use crate::parallel::{Job, for_each_index};
use crate::program::Program;
use crate::simd::{STRIP, Strip};
use std::ops::Range;

/// What kernels depend on.
pub struct Pairs<'a> {
    /// Features of a row.
    pub features: usize,
    /// ‖x‖²/d of both sets.
    pub variances: [&'a [f64]; 2],
    /// x·x'/d of all pairs, row after row.
    pub products: &'a [f64],
}

/// The Taylor coefficients of K, or with `ntk` of T, up to a degree, by s, p and q in the order of
/// [`super::EXPONENTS`]; one array for each. O(n·m·steps).
///
/// # Errors
/// [`crate::Error::Network`] where the network is not smooth; [`crate::Error::NoDerivative`] and
/// [`crate::Error::Overflow`] at a row; [`crate::Error::Memory`]; [`crate::Error::Cancelled`].
///
/// # Panics
/// If there are not as many arrays as coefficients, or they are smaller than the pairs are many.
pub fn taylor(
    program: &Program,
    pairs: &Pairs<'_>,
    degree: usize,
    ntk: bool,
    out: &[Target<'_, f64>],
    job: &Job,
) -> Result<()> {
    assert!(degree < WITHIN.len() && out.len() == WITHIN[degree], "one array for each coefficient");
    let plan = Plan::new(program, pairs.features, degree, ntk)?;
    // Those of a row need the second derivatives of what follows from it alone.
    let rows = Plan { degree: degree.max(2), ntk: false, firsts: plan.firsts.clone(), ..plan };
    let [left, right] = [series(&rows, pairs.variances[0], job)?, series(&rows, pairs.variances[1], job)?];
    let counts = pairs.variances.map(<[f64]>::len);
    let blocks = counts.map(|count| count.div_ceil(STRIP));
    let range = |block: usize, count: usize| block * STRIP..count.min((block + 1) * STRIP);
    let pieces = memory::size(blocks)?;
    let slots = 3 * plan.firsts[plan.firsts.len() - 1];
    job.begin(pieces);
    let state = || (vec![Register::ZERO; program.registers], vec![ZERO; slots]);
    for_each_index(job, pieces, state, |(registers, own), piece| {
        let block = [piece / blocks[1], piece % blocks[1]];
        let [rows, columns] = [range(block[0], counts[0]), range(block[1], counts[1])];
        for (lane, row) in rows.enumerate() {
            job.check()?;
            left[block[0]].repeat(lane, own);
            let products = &pairs.products[row * counts[1]..][columns.clone()];
            start(&mut registers[0], products);
            for index in 0..program.steps.len() {
                plan.run(index, registers, [own, &right[block[1]].0]);
            }
            let register = &registers[program.outputs[0]];
            let results = if ntk { &register.ntk } else { &register.nngp };
            write(out, row, &columns, results);
        }
        stream::finish();
        Ok(())
    })
}

/// Pairs before all steps.
fn start(register: &mut Register, products: &[f64]) {
    *register = Register::ZERO;
    register.nngp[0].0[..products.len()].copy_from_slice(products);
    register.nngp[place([1, 0, 0])].0.fill(1.0);
}

fn write(out: &[Target<'_, f64>], row: usize, columns: &Range<usize>, results: &[Strip<f64>]) {
    for (target, strip) in out.iter().zip(results) {
        target.band(&(row..row + 1), columns, std::slice::from_ref(strip), false);
    }
}
