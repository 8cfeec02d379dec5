//! All pairs of two sets of rows.

use super::lengths::{Lengths, start};
use super::ops::{Plan, Register, ZERO};
use super::rows::{add_steps, series};
use crate::error::Result;
use crate::kernel::{Target, stream};
use crate::memory;
use crate::parallel::{Job, for_each_index};
use crate::program::Program;
use crate::simd::{STRIP, Strip};
use crate::taylor::WITHIN;
use std::ops::Range;

/// What kernels depend on.
pub struct Pairs<'a> {
    /// Features of a row.
    pub features: usize,
    /// Both sets of rows.
    pub sides: [Lengths<'a>; 2],
    /// x·x'/d of all pairs, row after row.
    pub products: &'a [f64],
}

/// The Taylor coefficients of K, or with `ntk` of T, up to a degree, by the change of the cosine and the relative changes of
/// both lengths, in the order of [`crate::taylor::EXPONENTS`]; one array for each. O(n·m·steps).
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
    // Rows need the second derivatives of what follows from them alone.
    let mut plan = Plan::new(program, pairs.features, degree.max(2), false)?;
    add_steps(&mut plan, pairs.sides, job)?;
    let [left, right] = [series(&plan, pairs.sides[0], job)?, series(&plan, pairs.sides[1], job)?];
    let plan = Plan { degree, ntk, ..plan };
    let counts = pairs.sides.map(|side| side.count());
    let blocks = counts.map(|count| count.div_ceil(STRIP));
    let range = |block: usize, count: usize| block * STRIP..count.min((block + 1) * STRIP);
    let pieces = memory::size(blocks)?;
    let slots = 3 * plan.firsts[plan.firsts.len() - 1];
    job.begin(pieces);
    let state = || (vec![Register::ZERO; program.registers], vec![ZERO; slots]);
    for_each_index(job, pieces, state, |(registers, own), piece| {
        let block = [piece / blocks[1], piece % blocks[1]];
        let [rows, columns] = [range(block[0], counts[0]), range(block[1], counts[1])];
        let roots = pairs.sides[1].part(columns.start, STRIP).all();
        for (lane, index) in rows.enumerate() {
            job.check()?;
            left[block[0]].repeat(lane, own);
            let products = &pairs.products[index * counts[1]..][columns.clone()];
            let row = pairs.sides[0].part(index, 1).all().map(|root| Strip([root.0[0]; STRIP]));
            start(&mut registers[0], degree, products, [&row, &roots]);
            for step in 0..program.steps.len() {
                plan.run(step, registers, [own, &right[block[1]].0]);
            }
            let register = &registers[program.outputs[0]];
            let results = if ntk { &register.ntk } else { &register.nngp };
            write(out, index, &columns, results);
        }
        stream::finish();
        Ok(())
    })
}

fn write(out: &[Target<'_, f64>], row: usize, columns: &Range<usize>, results: &[Strip<f64>]) {
    for (target, strip) in out.iter().zip(results) {
        target.band(&(row..row + 1), columns, std::slice::from_ref(strip), false);
    }
}
