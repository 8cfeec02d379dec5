//! Families of symmetric functions of two variables, as quadratic forms in a few functions of one.

use super::chebyshev::{basis as chebyshev, transform};
use super::series::ScalePairs;
use crate::real::Real;

/// f_k(x, y) = Σ_ij b_i(x)·M_k[i, j]·b_j(y), all with the same few b, each a Chebyshev series, of which f_k needs the
/// first few only: later functions are smaller, and need fewer.
///
/// A point's slots are its b, and then, function by function, its M_k·b: one sum over b gives a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forms {
    /// Coefficients of every b.
    basis: Vec<Vec<f64>>,
    forms: Vec<Form>,
    /// Number of slots of a point.
    slots: usize,
}

/// One of the functions.
#[derive(Clone, Debug, PartialEq)]
struct Form {
    /// M_k, row after row.
    matrix: Vec<f64>,
    /// How many b it needs.
    rank: usize,
    /// The first of a point's M_k·b.
    slot: usize,
}

impl Forms {
    /// From values at all pairs of `count` Chebyshev points, leaving out what is below `tolerance`.
    pub fn new(functions: &[ScalePairs], count: usize, tolerance: f64) -> Self {
        let to_coefficients = transform(count);
        let coefficients: Vec<Vec<Vec<f64>>> =
            functions.iter().map(|values| both_sides(&to_coefficients, values)).collect();
        let basis = spanning(coefficients.iter().flatten().cloned().collect(), tolerance);
        let matrices: Vec<Vec<Vec<f64>>> =
            coefficients.into_iter().map(|rows| both_sides(&basis, &rows.concat())).collect();
        let mut ranks: Vec<usize> = matrices.iter().map(|matrix| needed(matrix, tolerance)).collect();
        ranks.truncate(ranks.iter().rposition(|rank| *rank > 0).map_or(0, |last| last + 1));
        // Two functions at a time are evaluated.
        for pair in ranks.chunks_exact_mut(2) {
            pair.fill(pair[0].max(pair[1]));
        }
        let mut slots = basis.len();
        let form = |(matrix, rank): (Vec<Vec<f64>>, usize)| {
            let matrix = matrix[..rank].iter().flat_map(|row| &row[..rank]).copied().collect();
            let slot = slots;
            slots += rank;
            Form { matrix, rank, slot }
        };
        let forms = matrices.into_iter().zip(ranks).map(form).collect();
        Self { basis, forms, slots }
    }

    /// Number of functions f, but for the last ones where these are nothing.
    pub fn len(&self) -> usize {
        self.forms.len()
    }

    /// Number of slots of a point.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// The first slot of function k, and how many there are; functions 2i and 2i + 1 have equally many.
    pub fn part(&self, k: usize) -> (usize, usize) {
        let Form { slot, rank, .. } = self.forms[k];
        (slot, rank)
    }

    /// Fill the slots of a point.
    pub fn fill<R: Real>(&self, x: R, slots: &mut [R]) {
        let Some(first) = self.basis.first() else { return };
        let polynomials = chebyshev(x, first.len());
        let (b, sums) = slots.split_at_mut(self.basis.len());
        for (value, series) in b.iter_mut().zip(&self.basis) {
            *value = series.iter().zip(&polynomials).fold(R::default(), |sum, (a, b)| sum + *b * *a);
        }
        let mut rest = sums;
        for Form { matrix, rank, .. } in &self.forms {
            let (sums, later) = rest.split_at_mut(*rank);
            rest = later;
            sums.fill(R::default());
            for (factor, row) in b.iter().zip(matrix.chunks_exact((*rank).max(1))) {
                sums.iter_mut().zip(row).for_each(|(sum, entry)| *sum = *sum + *factor * *entry);
            }
        }
    }

    /// Function k of two points with these slots; 0 where it was left out.
    pub fn value(&self, k: usize, left: &[f64], right: &[f64]) -> f64 {
        self.forms.get(k).map_or(0.0, |form| dot(&left[form.slot..][..form.rank], &right[..form.rank]))
    }

    /// Every function at a point with itself.
    pub fn diagonal(&self, x: f64) -> Vec<f64> {
        let mut slots = vec![0.0; self.slots()];
        self.fill(x, &mut slots);
        (0..self.len()).map(|k| self.value(k, &slots, &slots)).collect()
    }
}

/// How many rows and columns of a symmetric matrix hold all of it but `tolerance`, taken row by row.
fn needed(matrix: &[Vec<f64>], tolerance: f64) -> usize {
    let mut rank = matrix.len();
    let outside = |row: &Vec<f64>, rank: usize| dot(&row[rank..], &row[rank..]).sqrt() <= tolerance;
    while rank > 0 && matrix.iter().all(|row| outside(row, rank - 1)) {
        rank -= 1;
    }
    rank
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
