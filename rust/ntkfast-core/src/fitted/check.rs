//! How far a fit is from the truth, where it was not fitted.

use super::chebyshev::basis as chebyshev;
use super::moments::Basis;
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
pub(super) fn check(fitted: &Fitted, job: &Job) -> Result<f64> {
    let places: &[f64] = if fitted.grid.is_point() { &[0.0] } else { &PLACES };
    let scales: Vec<f64> = places.iter().map(|xi| fitted.grid.scale(*xi)).collect();
    let finer = fitted.rule.finer();
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

    // D, and D + m·∂D/∂m.
    for m in DEFECTS {
        let v = STRETCH * m.sqrt() - 1.0;
        let (drops, slopes) = (scaled.at(m, &finer)?, scaled.slopes(m, &finer)?);
        let mut first = FIXED_SLOTS + fitted.distance.len() + fitted.odd.len();
        for part in 0..PARTS {
            let terms = &fitted.parts[part];
            let (value, derivative) = chebyshev_with_derivative(v, terms.len());
            let (mut drop_errors, mut slope_errors) = (drops[part].clone(), slopes[part].clone());
            for (k, term) in terms.iter().enumerate() {
                let slope = value[k] + 0.5 * STRETCH * m.sqrt() * derivative[k];
                for (pair, (drop, error)) in drop_errors.iter_mut().zip(&mut slope_errors).enumerate() {
                    let product = term.product(&rows[pair / count][first..], &rows[pair % count][first..]);
                    *drop -= value[k] * product;
                    *error -= slope * product;
                }
                first += term.len();
            }
            let share = |row: &[f64]| row[SHARE + part];
            // Of E[φ'φ'] only what shows in the NTK.
            let slope_share = |row: &[f64]| row[SLOPE + part].min(TANGENT.sqrt() * row[SHARE + part]);
            for (pair, (drop, slope)) in drop_errors.iter().zip(&slope_errors).enumerate() {
                let (left, right) = (&rows[pair / count], &rows[pair % count]);
                worst = worst.max(m * drop.abs() * share(left) * share(right));
                worst = worst.max(slope.abs() * slope_share(left) * slope_share(right));
            }
        }
    }
    Ok(worst)
}

/// Chebyshev polynomials and their derivatives, T_k' = 2T_{k−1} + 2vT_{k−1}' − T_{k−2}'.
fn chebyshev_with_derivative(v: f64, count: usize) -> (Vec<f64>, Vec<f64>) {
    let values = chebyshev(v, count);
    let mut derivatives = vec![0.0; count];
    for k in 1..count {
        let before = if k > 1 { 2.0 * v * derivatives[k - 1] - derivatives[k - 2] } else { -1.0 };
        derivatives[k] = 2.0 * values[k - 1] + before;
    }
    (values, derivatives)
}
