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
    /// Both sets of rows.
    pub sides: [Lengths<'a>; 2],
    /// x·x'/d of all pairs, row after row.
    pub products: &'a [f64],
}

/// The lengths of rows.
#[derive(Clone, Copy)]
pub struct Lengths<'a> {
    /// ‖x‖²/d.
    pub variances: &'a [f64],
    /// The square over d of a coordinate that cosines and lengths have in addition, and kernels have not. Rows of zeros
    /// need one that is positive.
    pub added: &'a [f64],
}

impl<'a> Lengths<'a> {
    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.variances.len()
    }

    /// Up to so many rows.
    pub(super) fn part(self, first: usize, count: usize) -> Self {
        let range = first..self.count().min(first + count);
        Self { variances: &self.variances[range.clone()], added: &self.added[range] }
    }

    /// √(‖x‖²/d + added) and √added of up to 64 rows.
    pub(super) fn all(self) -> [Strip<f64>; 2] {
        let mut roots = [ZERO; 2];
        for (lane, (variance, added)) in self.variances.iter().zip(self.added).enumerate() {
            roots[0].0[lane] = (variance + added).sqrt();
            roots[1].0[lane] = added.sqrt();
        }
        roots
    }

    /// ‖x‖²/d of up to 64 rows, whose lengths change.
    pub(super) fn series(self) -> [Strip<f64>; 3] {
        let mut series = [ZERO; 3];
        for (lane, (variance, added)) in self.variances.iter().zip(self.added).enumerate() {
            series[0].0[lane] = *variance;
            series[1].0[lane] = 2.0 * (variance + added);
            series[2].0[lane] = variance + added;
        }
        series
    }
}

/// The Taylor coefficients of K, or with `ntk` of T, up to a degree, by the change of the cosine and the relative changes of
/// both lengths, in the order of [`super::EXPONENTS`]; one array for each. O(n·m·steps).
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
    let [left, right] = [series(&rows, pairs.sides[0], job)?, series(&rows, pairs.sides[1], job)?];
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
            start(&mut registers[0], products, [&row, &roots]);
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

/// K before all steps, given x·x'/d and [`Lengths::all`] of both rows of each pair: the product of the lengths times the
/// cosine, all of which change, less that of the additional coordinates.
pub(super) fn start(register: &mut Register, products: &[f64], [left, right]: [&[Strip<f64>; 2]; 2]) {
    *register = Register::ZERO;
    for (lane, product) in products.iter().enumerate() {
        let whole = product + left[1].0[lane] * right[1].0[lane];
        let lengths = left[0].0[lane] * right[0].0[lane];
        register.nngp[0].0[lane] = *product;
        for [b, c] in [[0, 1], [1, 0], [1, 1]] {
            register.nngp[place([0, b, c])].0[lane] = whole;
        }
        for [b, c] in [[0, 0], [0, 1], [1, 0], [1, 1]] {
            register.nngp[place([1, b, c])].0[lane] = lengths;
        }
    }
}

fn write(out: &[Target<'_, f64>], row: usize, columns: &Range<usize>, results: &[Strip<f64>]) {
    for (target, strip) in out.iter().zip(results) {
        target.band(&(row..row + 1), columns, std::slice::from_ref(strip), false);
    }
}
