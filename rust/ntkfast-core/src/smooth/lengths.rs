//! Rows before all steps: their lengths, and K of pairs as a function of the cosine and the lengths.

use super::ops::{Register, ZERO};
use crate::simd::Strip;
use crate::taylor::{WITHIN, place};

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

/// Which coefficients of K are the product of the lengths times the cosine, before all steps, and which are that of the
/// lengths.
const WHOLE: [usize; 3] = [place([0, 0, 1]), place([0, 1, 0]), place([0, 1, 1])];
const LENGTHS: [usize; 4] = [place([1, 0, 0]), place([1, 0, 1]), place([1, 1, 0]), place([1, 1, 1])];

/// K and T before all steps, up to a degree, given x·x'/d and [`Lengths::all`] of both rows of each pair: the product of
/// the lengths times the cosine, all of which change, less that of the additional coordinates.
pub(super) fn start(
    register: &mut Register,
    degree: usize,
    products: &[f64],
    [left, right]: [&[Strip<f64>; 2]; 2],
) {
    register.nngp[..WITHIN[degree]].fill(ZERO);
    register.ntk[..WITHIN[degree]].fill(ZERO);
    for (lane, product) in products.iter().enumerate() {
        let whole = product + left[1].0[lane] * right[1].0[lane];
        let lengths = left[0].0[lane] * right[0].0[lane];
        register.nngp[0].0[lane] = *product;
        for place in WHOLE {
            register.nngp[place].0[lane] = whole;
        }
        for place in LENGTHS {
            register.nngp[place].0[lane] = lengths;
        }
    }
}
