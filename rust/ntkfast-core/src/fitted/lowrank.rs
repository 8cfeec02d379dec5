//! Symmetric functions of two variables as short sums of products.

use super::chebyshev::{evaluate, transform};

/// f(x, y) = Σ ± v(x)·v(y), positive terms first, each v a Chebyshev series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LowRank {
    /// Coefficients of every v.
    pub factors: Vec<Vec<f64>>,
    /// How many terms have a plus.
    pub positive: usize,
}

impl LowRank {
    /// From values at all pairs of Chebyshev points, dropping terms below `tolerance`.
    pub fn new(values: &[Vec<f64>], tolerance: f64) -> Self {
        let count = values.len();
        let to_coefficients = transform(count);
        // C V Cᵀ, symmetric again.
        let half: Vec<Vec<f64>> = to_coefficients
            .iter()
            .map(|row| (0..count).map(|j| (0..count).map(|k| row[k] * values[k][j]).sum()).collect())
            .collect();
        let coefficients = (0..count)
            .map(|i| {
                (0..count).map(|j| (0..count).map(|k| half[i][k] * to_coefficients[j][k]).sum()).collect()
            })
            .collect();
        let mut terms = eigenpairs(coefficients);
        terms.retain(|(value, _)| value.abs() > tolerance);
        terms.sort_by(|a, b| b.0.total_cmp(&a.0));
        let positive = terms.iter().filter(|(value, _)| *value > 0.0).count();
        let factors = terms
            .into_iter()
            .map(|(value, vector)| vector.into_iter().map(|x| x * value.abs().sqrt()).collect())
            .collect();
        Self { factors, positive }
    }

    /// Number of terms.
    pub fn len(&self) -> usize {
        self.factors.len()
    }

    /// Whether it vanishes.
    pub fn is_empty(&self) -> bool {
        self.factors.is_empty()
    }

    /// The value for rows with these factors.
    pub fn product(&self, left: &[f64], right: &[f64]) -> f64 {
        let terms = left.iter().zip(right).take(self.len()).map(|(a, b)| a * b);
        terms.enumerate().map(|(i, term)| if i < self.positive { term } else { -term }).sum()
    }

    /// Every v at one point.
    pub fn row(&self, x: f64, out: &mut [f64]) {
        for (value, factor) in out.iter_mut().zip(&self.factors) {
            *value = evaluate(factor, x);
        }
    }
}

/// Eigenvalues and eigenvectors of a small symmetric matrix by Jacobi rotations, which keep the digits of small
/// eigenvalues.
fn eigenpairs(mut a: Vec<Vec<f64>>) -> Vec<(f64, Vec<f64>)> {
    let count = a.len();
    let mut vectors: Vec<Vec<f64>> =
        (0..count).map(|i| (0..count).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    for _sweep in 0..30 {
        let mut rotated = false;
        for p in 0..count {
            for q in p + 1..count {
                let size = a[p][p].abs().max(a[q][q].abs()).max(f64::MIN_POSITIVE);
                if a[p][q].abs() <= 1e-18 * size {
                    continue;
                }
                rotated = true;
                let tau = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let t = tau.signum() / (tau.abs() + tau.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                let s = t * c;
                let turned = |x: f64, y: f64| (c * x - s * y, s * x + c * y);
                for row in a.iter_mut().chain(&mut vectors) {
                    (row[p], row[q]) = turned(row[p], row[q]);
                }
                let (above, below) = a.split_at_mut(q);
                for (x, y) in above[p].iter_mut().zip(&mut below[0]) {
                    (*x, *y) = turned(*x, *y);
                }
            }
        }
        if !rotated {
            break;
        }
    }
    (0..count).map(|i| (a[i][i], vectors.iter().map(|row| row[i]).collect())).collect()
}
