//! Functions known by their values, in Hermite polynomials of each row.
//!
//! On a row of standard deviation s, φ(sz) = Σ a_l·He_l(z)/√l!, and E[φφ] = Σ a_l·a'_l·ρ^l for a pair of correlation ρ.
//! With μ_l = a_l/s^l it is the power series Σ μ_l·μ'_l·k^l in the covariance, and μ_l changes with the variance p = s² by
//!
//! dμ_l/dp = ½√((l+1)(l+2))·μ_{l+2},
//!
//! so that values of φ give all derivatives. The a_l of functions that are analytic near the real line fall fast; those of
//! functions with kinks do not, and neither do those of narrow features.

use super::{Function, Source};
use crate::error::Result;
use crate::memory;
use crate::parallel::Job;
use crate::taylor::Series;
use std::f64::consts::PI;

/// Nodes of the quadrature: so many on either side of zero, at distances of 1/16, as far as the Gaussian reaches.
const NODES: i32 = 192;
const SPACING: f64 = 1.0 / 16.0;
/// The most terms. Beyond, polynomials oscillate faster than nodes follow each other.
const MOST: usize = 1000;
/// What terms that are left out may have of Σ l⁴·a_l², of which Laplacians of both rows are made.
const LEFT_OUT: f64 = 1e-12;
/// What the last terms that there may be, a tenth of all, may have of it.
const TOLERATED: f64 = 1e-10;
/// Coefficients of this share of √E[φ²] are rounding.
const ROUNDING: f64 = 2e-16;
/// How fast variances may change with the length of a row before rounding is all that is left.
const STEEPEST: f64 = 1e3;

/// A function in Hermite polynomials, on rows up to about a scale.
pub struct Expansion {
    function: Function,
    scale: f64,
    terms: usize,
    /// For each l, what values at the nodes are multiplied with.
    weights: Vec<Vec<f64>>,
}

impl Expansion {
    /// For rows up to about this standard deviation; `None` where polynomials do not resolve the function.
    ///
    /// # Errors
    /// [`crate::Error::Function`] where the function fails; [`crate::Error::Cancelled`].
    pub fn new(function: &Function, scale: f64, job: &Job) -> Result<Option<Self>> {
        let mut new = Self { function: function.clone(), scale, terms: MOST, weights: weights()? };
        let shares = new.coefficients(scale, job)?.into_iter().enumerate();
        let shares: Vec<f64> = shares.map(|(l, a)| ((l + 1) as f64).powi(4) * a * a).collect();
        let total: f64 = shares.iter().sum();
        let needed = |left_out: f64| {
            let mut rest = 0.0;
            let last = shares.iter().rposition(|share| {
                rest += share;
                rest > left_out * total
            });
            last.map_or(1, |last| last + 1)
        };
        if needed(TOLERATED) > MOST / 10 * 9 {
            return Ok(None);
        }
        new.terms = needed(LEFT_OUT).min(MOST - AHEAD);
        new.weights.truncate(new.terms + AHEAD);
        Ok(Some(new))
    }

    /// How many functions of a row its pairs need.
    pub fn slots(&self) -> usize {
        self.terms
    }

    /// 1 over the square of the scale: what covariances are multiplied with before they are raised to powers.
    pub fn unit(&self) -> f64 {
        (self.scale * self.scale).recip()
    }

    /// Fill in the μ_l of a row of variance p, times the scale to the power l; false where they are rounding.
    ///
    /// # Errors
    /// As [`Expansion::new`].
    pub fn row(&self, p: Series, slots: &mut [Series], job: &Job) -> Result<bool> {
        let [variance, first, second] = p.0;
        if !(variance > 0.0 && first.abs().max(second.abs().sqrt()) <= STEEPEST * variance) {
            return Ok(false);
        }
        let a = self.coefficients(variance.sqrt(), job)?;
        let ratio = self.scale / variance.sqrt();
        for (l, slot) in slots.iter_mut().enumerate() {
            let n = l as f64;
            let [two, four] = [((n + 1.0) * (n + 2.0)).sqrt(), ((n + 3.0) * (n + 4.0)).sqrt()];
            let slope = 0.5 * two * a[l + 2] / variance;
            let bend = 0.125 * two * four * a[l + 4] / (variance * variance);
            let power = ratio.powi(l as i32);
            // Powers may exceed all numbers where there is nothing to be multiplied.
            *slot =
                p.compose([a[l], slope, bend].map(|value| if value == 0.0 { 0.0 } else { value * power }));
        }
        Ok(true)
    }

    /// The a_l at a scale, by the trapezoidal rule.
    fn coefficients(&self, scale: f64, job: &Job) -> Result<Vec<f64>> {
        let inputs: Vec<f64> = nodes().map(|z| scale * z).collect();
        let values = Source { function: &self.function, job, gain: 1.0 }.values(&inputs)?;
        let square: f64 = nodes().zip(&values).map(|(z, value)| value * value * (-z * z / 2.0).exp()).sum();
        let rounding = ROUNDING * (square * SPACING / (2.0 * PI).sqrt()).sqrt();
        let all = self.weights.iter().map(|weights| dot(weights, &values));
        Ok(all.map(|a| if a.abs() < rounding { 0.0 } else { a }).collect())
    }
}

/// How many coefficients beyond the last derivatives are made of.
const AHEAD: usize = 4;

fn nodes() -> impl Iterator<Item = f64> {
    (-NODES..=NODES).map(|i| f64::from(i) * SPACING)
}

/// For each l up to the most, He_l/√l! times the density and the distance of nodes, at all of them.
///
/// # Errors
/// [`crate::Error::Memory`].
fn weights() -> Result<Vec<Vec<f64>>> {
    // √ of the density is a factor of the polynomials, which then stay in range.
    let roots: Vec<f64> = nodes().map(|z| (-z * z / 4.0).exp() / (2.0 * PI).powf(0.25)).collect();
    let (mut before, mut polynomial) = (vec![0.0; roots.len()], roots.clone());
    let mut all = Vec::with_capacity(MOST);
    for l in 0..MOST {
        let products = polynomial.iter().zip(&roots).map(|(value, root)| value * root * SPACING);
        all.push(memory::collect(products)?);
        let [n, next] = [l as f64, (l + 1) as f64].map(f64::sqrt);
        for ((before, polynomial), z) in before.iter_mut().zip(&mut polynomial).zip(nodes()) {
            (*before, *polynomial) = (*polynomial, (z * *polynomial - n * *before) / next);
        }
    }
    Ok(all)
}

/// A product of vectors, in sums that do not depend on each other.
fn dot(x: &[f64], y: &[f64]) -> f64 {
    const SUMS: usize = 8;
    let mut sums = [0.0; SUMS];
    for (x, y) in x.chunks(SUMS).zip(y.chunks(SUMS)) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    sums.iter().sum()
}
