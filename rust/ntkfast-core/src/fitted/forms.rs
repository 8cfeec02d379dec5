//! Families of symmetric functions of two variables, as quadratic forms in a few functions of one.

use super::chebyshev::{basis as chebyshev, transform};
use super::series::Pairs;

/// f_k(x, y) = Σ_ij b_i(x)·M_k[i, j]·b_j(y), all with the same few b, each a Chebyshev series.
///
/// A point's slots are its b, and then, function by function, its Mb: one sum over b gives a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forms {
    /// Coefficients of every b.
    basis: Vec<Vec<f64>>,
    /// M_k, row after row.
    matrices: Vec<Vec<f64>>,
}

impl Forms {
    /// From values at all pairs of `count` Chebyshev points, leaving out what is below `tolerance`.
    pub fn new(functions: &[Pairs], count: usize, tolerance: f64) -> Self {
        let to_coefficients = transform(count);
        let coefficients: Vec<Vec<Vec<f64>>> =
            functions.iter().map(|values| both_sides(&to_coefficients, values)).collect();
        let basis = spanning(coefficients.iter().flatten().cloned().collect(), tolerance);
        let form = |matrix: Vec<Vec<f64>>| {
            let flat: Vec<f64> = matrix.into_iter().flatten().collect();
            both_sides(&basis, &flat).into_iter().flatten().collect()
        };
        let matrices = coefficients.into_iter().map(form).collect();
        Self { basis, matrices }
    }

    /// Number of functions b.
    pub fn rank(&self) -> usize {
        self.basis.len()
    }

    /// Number of functions f.
    pub fn len(&self) -> usize {
        self.matrices.len()
    }

    /// Number of slots of a point.
    pub fn slots(&self) -> usize {
        self.rank() * (1 + self.len())
    }

    /// Fill the slots of a point.
    pub fn fill(&self, x: f64, slots: &mut [f64]) {
        let rank = self.rank();
        if rank == 0 {
            return;
        }
        let polynomials = chebyshev(x, self.basis[0].len());
        let (b, sums) = slots.split_at_mut(rank);
        for (value, series) in b.iter_mut().zip(&self.basis) {
            *value = dot(series, &polynomials);
        }
        for (sums, matrix) in sums.chunks_exact_mut(rank).zip(&self.matrices) {
            sums.fill(0.0);
            for (factor, row) in b.iter().zip(matrix.chunks_exact(rank)) {
                sums.iter_mut().zip(row).for_each(|(sum, entry)| *sum += factor * entry);
            }
        }
    }

    /// Function k of two points with these slots.
    pub fn value(&self, k: usize, left: &[f64], right: &[f64]) -> f64 {
        let rank = self.rank();
        dot(&left[rank * (1 + k)..][..rank], &right[..rank])
    }

    /// Every function at a point with itself.
    pub fn diagonal(&self, x: f64) -> Vec<f64> {
        let mut slots = vec![0.0; self.slots()];
        self.fill(x, &mut slots);
        (0..self.len()).map(|k| self.value(k, &slots, &slots)).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A·V·Aᵀ for a symmetric V, row after row.
fn both_sides(a: &[Vec<f64>], values: &[f64]) -> Vec<Vec<f64>> {
    let Some(count) = a.first().map(Vec::len) else { return Vec::new() };
    let half: Vec<Vec<f64>> =
        a.iter().map(|row| values.chunks_exact(count).map(|column| dot(row, column)).collect()).collect();
    half.iter().map(|left| a.iter().map(|right| dot(left, right)).collect()).collect()
}

/// Orthonormal vectors whose span is within `tolerance` of all these, by Gram and Schmidt's process: always the one
/// next that is farthest from the span.
fn spanning(mut vectors: Vec<Vec<f64>>, tolerance: f64) -> Vec<Vec<f64>> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    while basis.len() < vectors.first().map_or(0, Vec::len) {
        let farthest = vectors.iter().max_by(|a, b| dot(a, a).total_cmp(&dot(b, b)));
        let Some(next) = farthest.map(|vector| (vector, dot(vector, vector).sqrt())) else { break };
        if next.1 <= tolerance {
            break;
        }
        let mut next: Vec<f64> = next.0.iter().map(|x| x / next.1).collect();
        // What is left of a vector has lost digits: orthogonal to the last one only the second time.
        for other in &basis {
            subtract(&mut next, other);
        }
        let norm = dot(&next, &next).sqrt();
        next.iter_mut().for_each(|x| *x /= norm);
        for vector in &mut vectors {
            subtract(vector, &next);
        }
        basis.push(next);
    }
    basis
}

/// Leave out what is along a vector of length 1.
fn subtract(vector: &mut [f64], unit: &[f64]) {
    let along = dot(vector, unit);
    vector.iter_mut().zip(unit).for_each(|(x, y)| *x -= along * y);
}
