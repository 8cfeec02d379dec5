//! Chebyshev series on [-1, 1], and Gauss–Legendre nodes.

use crate::real::Real;
use std::f64::consts::PI;

/// The `count` Chebyshev points cos(π(2i + 1)/(2·count)).
pub fn points(count: usize) -> Vec<f64> {
    (0..count).map(|i| (PI * (2 * i + 1) as f64 / (2 * count) as f64).cos()).collect()
}

/// T_0(x), …, T_{count−1}(x).
pub fn basis<R: Real>(x: R, count: usize) -> Vec<R> {
    let mut values = vec![R::from(1.0), x];
    while values.len() < count {
        let n = values.len();
        values.push(x * 2.0 * values[n - 1] - values[n - 2]);
    }
    values.truncate(count);
    values
}

/// Row k of this matrix times the values at [`points`] gives coefficient k of the interpolant.
pub fn transform(count: usize) -> Vec<Vec<f64>> {
    // T_k at point i is cos(πk(2i + 1)/(2·count)): whole turns are taken off while they are integers.
    let cosines: Vec<f64> = (0..4 * count).map(|j| (PI * j as f64 / (2 * count) as f64).cos()).collect();
    let polynomial = |k: usize, i: usize| cosines[k * (2 * i + 1) % (4 * count)];
    (0..count)
        .map(|k| {
            let weight = if k == 0 { 1.0 } else { 2.0 } / count as f64;
            (0..count).map(|i| weight * polynomial(k, i)).collect()
        })
        .collect()
}

/// Row i of this matrix times the values at [`points`] gives the interpolant's derivative at point i.
pub fn differentiation(count: usize) -> Vec<Vec<f64>> {
    let nodes = points(count);
    // Barycentric weights of these points: (−1)^i sin θ_i.
    let weight = |i: usize| {
        let sine = (PI * (2 * i + 1) as f64 / (2 * count) as f64).sin();
        if i.is_multiple_of(2) { sine } else { -sine }
    };
    (0..count)
        .map(|i| {
            let mut row: Vec<f64> = (0..count)
                .map(|j| if i == j { 0.0 } else { weight(j) / weight(i) / (nodes[i] - nodes[j]) })
                .collect();
            row[i] = -row.iter().sum::<f64>();
            row
        })
        .collect()
}

/// The value of a series.
pub fn evaluate<R: Real>(coefficients: &[f64], x: R) -> R {
    let (mut next, mut after) = (R::default(), R::default());
    for coefficient in coefficients.iter().skip(1).rev() {
        (next, after) = (x * 2.0 * next + *coefficient - after, next);
    }
    coefficients.first().map_or(R::default(), |first| x * next + *first - after)
}

/// Nodes and weights of Gauss–Legendre quadrature on [from, to], by Newton's method.
pub fn gauss_legendre(count: usize, from: f64, to: f64) -> Vec<(f64, f64)> {
    let n = count as f64;
    (0..count)
        .map(|i| {
            let mut x = (PI * (i as f64 + 0.75) / (n + 0.5)).cos();
            let mut slope = 0.0;
            // Converges quadratically from this guess: five steps suffice for any count.
            for _ in 0..5 {
                let (mut below, mut value) = (1.0, x);
                for k in 2..=count {
                    let k = k as f64;
                    (below, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * below) / k);
                }
                slope = n * (x * value - below) / (x * x - 1.0);
                x -= value / slope;
            }
            let half = (to - from) / 2.0;
            (from + half * (1.0 + x), half * 2.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
}
