//! How far a fit is from the truth, where it was not fitted.

use super::chebyshev::basis as chebyshev;
use super::moments::Basis;
use super::row::{FIXED_SLOTS, Fitted, SHARE, SLOPE};
use super::sampled::PARTS;
use super::series::{Scaled, TANGENT};
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
    let scaled = Scaled::new(&basis, &fitted.sizes, &fitted.grid, &finer);
    let rows: Vec<Vec<f64>> = scales
        .iter()
        .map(|scale| {
            let mut constants = vec![0.0; fitted.slots()];
            fitted.constants(*scale, &mut constants);
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
            let mut unlike = 0.0;
            for values in &values {
                for ((w, a), b) in weights.iter().zip(&values[i]).zip(&values[j]) {
                    unlike += w * (a - b) * (a - b);
                }
            }
            let place = rows[i][0] - rows[j][0];
            let [left, right] = [i, j].map(|row| &rows[row][FIXED_SLOTS..]);
            let distance = if fitted.grid.is_point() { 0.0 } else { fitted.distance.value(0, left, right) };
            worst = worst.max((distance * place * place - unlike).abs() / 2.0);
        }
    }

    // D, and D + m·∂D/∂m.
    let odd = FIXED_SLOTS + fitted.distance.slots();
    let (all_drops, all_slopes) = (scaled.at(&DEFECTS, &finer, job)?, scaled.slopes(&DEFECTS, &finer, job)?);
    for (m, (drops, slopes)) in DEFECTS.into_iter().zip(all_drops.into_iter().zip(all_slopes)) {
        let (cosine, sine) = (1.0 - m, (m * (2.0 - m)).sqrt());
        let v = fitted.map.variable(sine);
        // x·∂v/∂x.
        let by_v = (1.0 + v) * fitted.map.0 / (sine + fitted.map.0);
        let mut first = odd + fitted.odd.slots();
        for part in 0..PARTS {
            let forms = &fitted.parts[part];
            let (value, derivative) = chebyshev_with_derivative(v, forms.len());
            let (mut drop_errors, mut slope_errors) = (drops[part].clone(), slopes[part].clone());
            for (pair, (drop, error)) in drop_errors.iter_mut().zip(&mut slope_errors).enumerate() {
                let [left, right] = [pair / count, pair % count].map(|row| &rows[row][..]);
                let (mut b, mut b_by_x) = (0.0, 0.0);
                for k in 0..forms.len() {
                    let coefficient = forms.value(k, &left[first..], &right[first..]);
                    b += value[k] * coefficient;
                    b_by_x += by_v * derivative[k] * coefficient;
                }
                if part == 0 {
                    let moment = fitted.odd.value(0, &left[odd..], &right[odd..]);
                    *drop -= moment + cosine * (1.0 + cosine) * b;
                    *error -= moment - sine * sine * b + cosine * cosine * (2.0 * b + b_by_x);
                } else {
                    *drop -= (1.0 + cosine) * b;
                    *error -= cosine * (2.0 * b + b_by_x);
                }
            }
            first += forms.slots();
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
