//! Gaussian moments of a function that is only known by its values.
//!
//! A function is split into its odd and its even part, which do not correlate; each part's kernel is then needed
//! for ρ ≥ 0 only. Differences of the kernel come from differences of the function,
//!
//! E[f(u)g(u)] − E[f(u)g(v)] = ½ E[(f(u) − f(v))(g(u) − g(v))],
//!
//! so that they keep their digits where u and v nearly coincide. Polar coordinates put the lines u = 0 and
//! v = 0, on which a kink at zero lies, on the borders of the integration.

use super::Source;
use super::chebyshev::gauss_legendre;
use crate::error::Result;
use crate::linalg::row_products;
use std::f64::consts::{FRAC_PI_2, PI};

/// Gaussian weight beyond this many standard deviations is below the rounding of what is within.
const REACH: f64 = 9.0;

/// Odd and even part.
pub const PARTS: usize = 2;

/// Quadrature of this many nodes in every direction.
#[derive(Clone, Copy, Debug)]
pub struct Rule(pub usize);

/// Odd and even part of a function, for those that it has.
#[derive(Clone, Copy, Debug)]
pub struct Parity(pub [bool; PARTS]);

impl Parity {
    /// Which parts a function has, judged by its values within reach of each of `scales`.
    pub fn of(source: &Source<'_>, scales: [f64; 2]) -> Result<Self> {
        let at: Vec<f64> = gauss_legendre(64, 0.0, REACH).iter().map(|node| node.0).collect();
        let mut present = [false; PARTS];
        for scale in scales {
            let parts = sample(source, Self([true, true]), &[scale], &at)?;
            let sizes = parts.each_ref().map(|part| part.iter().fold(0f64, |a, b| a.max(b.abs())));
            let negligible = 1e-15 * sizes[0].max(sizes[1]);
            for (present, size) in present.iter_mut().zip(sizes) {
                *present |= size > negligible;
            }
        }
        Ok(Self(present))
    }
}

/// Values of a function's odd and even part at `scale`·t for every scale and every t, scale by scale; nothing for
/// a part that it does not have.
fn sample(source: &Source<'_>, parity: Parity, scales: &[f64], at: &[f64]) -> Result<[Vec<f64>; PARTS]> {
    let positive = || scales.iter().flat_map(|scale| at.iter().map(move |t| scale * t));
    let mut inputs: Vec<f64> = positive().collect();
    let count = inputs.len();
    let both = parity.0 == [true, true];
    if both {
        inputs.extend(positive().map(|x| -x));
    }
    let values = source.values(&inputs)?;
    let (plus, minus) = values.split_at(count);
    Ok([(0, -1.0), (1, 1.0)].map(|(part, sign)| match (parity.0[part], both) {
        (false, _) => Vec::new(),
        (true, false) => plus.to_vec(),
        (true, true) => plus.iter().zip(minus).map(|(a, b)| 0.5 * (a + sign * b)).collect(),
    }))
}

/// Values on the half-line with weights of the Gaussian on it, for moments of one variable.
pub struct Line {
    at: Vec<f64>,
    weights: Vec<f64>,
    parts: [Vec<f64>; PARTS],
}

impl Line {
    /// Sample a function at all scales.
    pub fn new(source: &Source<'_>, parity: Parity, scales: &[f64], rule: Rule) -> Result<Self> {
        let nodes = gauss_legendre(2 * rule.0, 0.0, REACH);
        let at: Vec<f64> = nodes.iter().map(|node| node.0).collect();
        // Both halves of the line at once: 2/√(2π).
        let weights = nodes.iter().map(|(z, w)| w * (-z * z / 2.0).exp() * (2.0 / PI).sqrt()).collect();
        let parts = sample(source, parity, scales, &at)?;
        Ok(Self { at, weights, parts })
    }

    /// Share of E[φ²] within one standard deviation of where the Gaussian is cut off, at one of the scales: a
    /// measure of what lies beyond.
    pub fn beyond(&self, scale: usize) -> f64 {
        let (mut all, mut last) = (0.0, 0.0);
        for part in 0..PARTS {
            for ((z, w), value) in self.at.iter().zip(&self.weights).zip(self.part(part, scale)) {
                all += w * value * value;
                last += if *z > REACH - 1.0 { w * value * value } else { 0.0 };
            }
        }
        if all > 0.0 { last / all } else { 0.0 }
    }

    /// A part's values at one of the scales; none where the function has no such part.
    pub fn part(&self, part: usize, scale: usize) -> &[f64] {
        let count = self.weights.len();
        self.parts[part].get(scale * count..(scale + 1) * count).unwrap_or_default()
    }

    /// E[a(Z)·b(Z)] from the values of two functions of the same parity.
    pub fn expectation(&self, a: &[f64], b: &[f64]) -> f64 {
        self.weights.iter().zip(a).zip(b).map(|((w, a), b)| w * a * b).sum()
    }
}

/// ½E[(f_i(u) − f_i(v))(f_j(u) − f_j(v))] at correlation 1 − m for all pairs of scales, row after row, of each
/// part that there is.
pub fn drops(
    source: &Source<'_>,
    parity: Parity,
    scales: &[f64],
    m: f64,
    rule: Rule,
) -> Result<[Vec<f64>; PARTS]> {
    // u and v are r·cos(ψ ∓ α/2) with cos α = 1 − m; four quadrants in ψ give the same.
    let half_angle = (m / 2.0).sqrt().asin();
    let border = FRAC_PI_2 - half_angle;
    let radial = gauss_legendre(rule.0, 0.0, REACH);
    let mut angular = gauss_legendre(rule.0, 0.0, border);
    angular.extend(gauss_legendre(rule.0, border, FRAC_PI_2));
    let nodes = radial.len() * angular.len();
    let mut at = vec![0.0; 2 * nodes];
    let mut roots = vec![0.0; nodes];
    let (first, second) = at.split_at_mut(nodes);
    let mut i = 0;
    for (psi, w) in &angular {
        let (u, v) = ((psi - half_angle).cos(), (psi + half_angle).cos());
        for (r, weight) in &radial {
            (first[i], second[i]) = (r * u, r * v);
            roots[i] = (w * weight * r * (-r * r / 2.0).exp() / PI).sqrt();
            i += 1;
        }
    }
    let count = scales.len();
    Ok(sample(source, parity, scales, &at)?.map(|part| {
        if part.is_empty() {
            return Vec::new();
        }
        let mut weighted = Vec::with_capacity(count * nodes);
        for values in part.chunks_exact(2 * nodes) {
            let (u, v) = values.split_at(nodes);
            weighted.extend(roots.iter().zip(u).zip(v).map(|((root, u), v)| root * (u - v)));
        }
        let mut out = vec![0.0; count * count];
        row_products(&mut out, count, &weighted, &weighted, nodes);
        out
    }))
}
