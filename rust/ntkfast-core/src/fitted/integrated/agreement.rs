//! How far expansions and quadrature are apart where one takes over from the other: an estimate of the errors of both, as
//! they share nothing but the function's pieces.

use super::{FIXED_SLOTS, Integrated, MEAN, SHARE, STEEP};
use crate::fitted::check::larger;

/// Rows with less than this share of the largest √E[φ²] are nothing beside others.
const NOTHING: f64 = 1e-30;
/// Scales below this share of the largest are not compared.
const SMALL: f64 = 1e-6;

impl Integrated {
    /// The largest difference of cosines, and of cosines of slopes beyond what rounding of φ leaves of them.
    pub(in super::super) fn disagreement(&self, [low, high]: [f64; 2]) -> f64 {
        let low = low.max(SMALL * high);
        let scales = if self.grid.is_point() { vec![high] } else { vec![high, (low * high).sqrt(), low] };
        let mut sides: Vec<_> = scales.into_iter().map(|scale| self.direct.side(scale)).collect();
        let largest = sides.iter().fold(0f64, |most, side| most.max(side.norm));
        sides.retain(|side| side.norm > NOTHING * largest);
        let rows: Vec<Vec<f64>> = (sides.iter())
            .map(|side| {
                let mut constants = vec![0.0; self.slots()];
                self.constants(side.scale, &mut constants);
                constants
            })
            .collect();
        let mut worst = 0f64;
        for (i, left) in rows.iter().enumerate() {
            for (j, right) in rows.iter().enumerate().skip(i) {
                let sign = if (i + j) % 2 == 0 { 1.0 } else { -1.0 };
                let (near, far) = (self.threshold, 2.0 - self.threshold);
                let defects = if sign > 0.0 { [near, far] } else { [far, near] };
                let close = self.direct.pair([sides[i], sides[j]], defects);
                let [delta, slope] = self.expanded(left, right, sign * (1.0 - near));
                worst = larger(worst, (delta - close.defects[0]).abs());
                let unknown = self.direct.unknown([sides[i], sides[j]]);
                // Of rows whose derivative is nothing, there is nothing to compare.
                if unknown.is_finite() {
                    worst = larger(worst, (slope - close.slope).abs() - unknown);
                }
            }
        }
        worst
    }

    /// 1 − cosine, and the cosine of slopes, of two rows with these constants.
    fn expanded(&self, left: &[f64], right: &[f64], rho: f64) -> [f64; 2] {
        let products = |from: usize, count: usize| {
            let part = |row: &'_ [f64]| row[FIXED_SLOTS + from..][..count].to_vec();
            part(left).into_iter().zip(part(right)).map(|(a, b)| a * b).collect::<Vec<f64>>()
        };
        let horner = |terms: &[f64]| terms.iter().rev().fold(0.0, |sum, term| sum * rho + term);
        let values = products(0, self.terms);
        let mean = left[MEAN] - right[MEAN];
        let share = left[SHARE] - right[SHARE];
        let shares = left[SHARE] * right[SHARE];
        let delta = 0.5 * (mean * mean + share * share) + shares * (1.0 - rho * horner(&values));
        let slope = if self.slope_terms() > 0 {
            horner(&products(self.terms, self.slope_terms()))
        } else {
            let rising: Vec<f64> =
                values.iter().enumerate().map(|(n, value)| (n + 1) as f64 * value).collect();
            left[STEEP] * right[STEEP] * horner(&rising)
        };
        [delta, slope]
    }
}
