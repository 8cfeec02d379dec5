//! How far a fit is from the truth, where it was not fitted.

use super::chebyshev::basis as chebyshev;
use super::moments::{Basis, Rule};
use super::row::{FIXED_SLOTS, Fitted, SHARE, SLOPE};
use super::sampled::PARTS;
use super::series::{STRETCH, Scaled, TANGENT};
use crate::error::Result;
use crate::parallel::Job;

/// Where a fit is compared: between its points.
const DEFECTS: [f64; 7] = [1e-8, 1e-4, 7e-3, 0.06, 0.27, 0.55, 0.96];
const PLACES: [f64; 5] = [-0.97, -0.52, 0.04, 0.61, 0.98];

/// The largest error of kernel values found, relative to the rows' own; it includes what quadrature leaves.
///
/// # Errors
/// [`crate::error::Error::Cancelled`].
pub(super) fn check(fitted: &Fitted, rule: &Rule, job: &Job) -> Result<f64> {
    let places: &[f64] = if fitted.grid.is_point() { &[0.0] } else { &PLACES };
    let scales: Vec<f64> = places.iter().map(|xi| fitted.grid.scale(*xi)).collect();
    let finer = rule.finer();
    let basis = Basis::new(&fitted.sampled, scales.clone(), &finer, job);
    let scaled = Scaled::new(&basis, &fitted.sizes, &fitted.grid);
    let rows: Vec<Vec<f64>> = scales
        .iter()
        .map(|scale| {
            let mut constants = vec![0.0; fitted.slots()];
            fitted.row(*scale, &mut constants);
            constants
        })
        .collect();
    let count = scales.len();
    let mut worst = 0f64;
    for spread in &basis.spreads {
        worst = worst.max(fitted.sampled.doubt(spread));
    }

    // Moments of single rows.
    let (values, weights) = basis.on_line(&scaled.whole, &finer);
    for i in 0..count {
        for j in 0..count {
            let (mut unlike, mut odd) = (0.0, 0.0);
            for (part, values) in values.iter().enumerate() {
                for ((w, a), b) in weights.iter().zip(&values[i]).zip(&values[j]) {
                    unlike += w * (a - b) * (a - b);
                    odd += if part == 0 { w * a * b } else { 0.0 };
                }
            }
            let (left, right) = (&rows[i][FIXED_SLOTS..], &rows[j][FIXED_SLOTS..]);
            let place = rows[i][0] - rows[j][0];
            worst = worst.max((fitted.distance.product(left, right) * place * place - unlike).abs() / 2.0);
            if !fitted.odd.is_empty() {
                let after = fitted.distance.len();
                worst = worst.max((fitted.odd.product(&left[after..], &right[after..]) - odd).abs());
            }
        }
    }

    // D, whose error is multiplied by about the degree in its derivative.
    for m in DEFECTS {
        let polynomials = |count: usize| chebyshev(STRETCH * m.sqrt() - 1.0, count);
        let exact = scaled.at(m, &finer)?;
        let mut first = FIXED_SLOTS + fitted.distance.len() + fitted.odd.len();
        for part in 0..PARTS {
            let terms = &fitted.parts[part];
            let mut errors = exact[part].clone();
            for (term, polynomial) in terms.iter().zip(polynomials(terms.len())) {
                for (i, left) in rows.iter().enumerate() {
                    for (j, right) in rows.iter().enumerate() {
                        errors[i * count + j] -= polynomial * term.product(&left[first..], &right[first..]);
                    }
                }
                first += term.len();
            }
            let steepest = 1.0 + m.sqrt() * terms.len() as f64;
            // Of E[φ'φ'] only what shows in the NTK.
            let share = |row: &[f64]| {
                row[SLOPE + part].min(TANGENT.sqrt() * row[SHARE + part]).max(m.sqrt() * row[SHARE + part])
            };
            for (k, error) in errors.iter().enumerate() {
                worst = worst.max(error.abs() * steepest * share(&rows[k / count]) * share(&rows[k % count]));
            }
        }
    }
    Ok(worst)
}
