//! What a fit is made of: D over pairs of rows as Chebyshev series in √m, and moments of single rows.

use super::chebyshev::{differentiation, points, transform};
use super::grid::Grid;
use super::moments::{Basis, Rule};
use super::sampled::PARTS;
use super::sizes::Sizes;
use crate::error::Result;
use crate::parallel::{Job, for_each_item};

/// A square matrix over the pairs of a basis, row after row.
pub type Pairs = Vec<f64>;

/// How much larger than K the NTK before an activation is taken to be: the weight of errors in E[φ'φ'].
pub const TANGENT: f64 = 10.0;

/// The largest m that series reach: a little more than is needed, for at the end of its range the derivative of a
/// series has lost the most digits.
pub const FARTHEST: f64 = 1.1;

/// The defect at a point of [-1, 1].
pub fn defect(v: f64) -> f64 {
    FARTHEST * ((1.0 + v) / 2.0).powi(2)
}

/// Its inverse: v = `STRETCH`·√m − 1.
pub const STRETCH: f64 = 2.0 / 1.048_808_848_170_151_6;

/// D of all pairs of a basis, each part divided by the rows' sizes of it.
pub struct Scaled<'a> {
    basis: &'a Basis<'a>,
    /// Sizes of all rows: of φ and of its parts.
    pub whole: Vec<f64>,
    parts: [Vec<f64>; PARTS],
}

impl<'a> Scaled<'a> {
    /// A basis on scales of a grid's range.
    pub fn new(basis: &'a Basis<'a>, sizes: &Sizes, grid: &Grid) -> Self {
        let all =
            |size: &dyn Fn(f64, f64) -> f64| basis.scales.iter().map(|&x| size(x, grid.place(x))).collect();
        Self {
            basis,
            whole: all(&|scale, xi| sizes.whole(scale, xi)),
            parts: [0, 1].map(|part| all(&|scale, xi| sizes.part(part, scale, xi))),
        }
    }

    /// D at one defect.
    ///
    /// # Errors
    /// [`crate::error::Error::Cancelled`].
    pub fn at(&self, m: f64, rule: &Rule) -> Result<[Pairs; PARTS]> {
        let mut parts = self.basis.drops(m, &self.parts, rule)?;
        parts.iter_mut().flatten().for_each(|value| *value /= m);
        Ok(parts)
    }

    /// D + m·∂D/∂m at one defect, from derivatives of the function.
    ///
    /// # Errors
    /// [`crate::error::Error::Cancelled`].
    pub fn slopes(&self, m: f64, rule: &Rule) -> Result<[Pairs; PARTS]> {
        self.basis.slopes(m, &self.parts, rule)
    }

    /// Chebyshev coefficients of D in v: `[part][coefficient]`.
    ///
    /// # Errors
    /// [`crate::error::Error::Cancelled`].
    pub fn series(&self, count: usize, rule: &Rule, job: &Job) -> Result<[Vec<Pairs>; PARTS]> {
        let mut values: Vec<[Pairs; PARTS]> = vec![Default::default(); count];
        let items = points(count).into_iter().zip(&mut values);
        for_each_item(
            job,
            items,
            || (),
            |(), _, (v, values)| {
                *values = self.at(defect(v), rule)?;
                Ok(())
            },
        )?;
        Ok([0, 1].map(|part| {
            let at_points: Vec<&Pairs> = values.iter().map(|values| &values[part]).collect();
            to_series(&at_points)
        }))
    }

    /// A matrix over pairs whose entries are multiplied with how much both rows' errors matter: those of parts that
    /// are little of φ hardly show.
    pub fn weighted(&self, part: usize, pairs: &Pairs) -> Pairs {
        let spreads = &self.basis.spreads;
        let weight = |i: usize| {
            let norm = spreads[i].norm;
            if norm > 0.0 { (TANGENT.sqrt() * self.parts[part][i] / norm).min(1.0) } else { 0.0 }
        };
        let weights: Vec<f64> = (0..spreads.len()).map(weight).collect();
        let rows = pairs.chunks_exact(spreads.len()).zip(&weights);
        rows.flat_map(|(row, a)| row.iter().zip(&weights).map(move |(value, b)| value * a * b)).collect()
    }
}

/// Moments of single rows, at all pairs of a grid's points.
pub struct Moments {
    /// E[(ψ − ψ')²]/(ξ − ξ')² with φ = size·ψ, and its limit on the diagonal.
    pub distance: Pairs,
    /// E[ψψ'] of the odd part.
    pub odd: Pairs,
}

impl Moments {
    /// The moments of a basis on a whole grid.
    pub fn new(scaled: &Scaled<'_>, rule: &Rule) -> Self {
        let count = scaled.whole.len();
        let (values, weights) = scaled.basis.on_line(&scaled.whole, rule);
        let expectation =
            |a: &[f64], b: &[f64]| -> f64 { weights.iter().zip(a).zip(b).map(|((w, a), b)| w * a * b).sum() };
        let (nodes, derivative) = (points(count), differentiation(count));
        let mut distance = vec![0.0; count * count];
        for part in &values {
            for i in 0..count {
                for j in 0..count {
                    let difference: Vec<f64> = if i == j {
                        let mut sum = vec![0.0; weights.len()];
                        for (weight, row) in derivative[i].iter().zip(part) {
                            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
                        }
                        sum
                    } else {
                        let by = nodes[i] - nodes[j];
                        part[i].iter().zip(&part[j]).map(|(a, b)| (a - b) / by).collect()
                    };
                    distance[i * count + j] += expectation(&difference, &difference);
                }
            }
        }
        let pairs = (0..count).flat_map(|i| (0..count).map(move |j| (i, j)));
        let odd = pairs.map(|(i, j)| expectation(&values[0][i], &values[0][j])).collect();
        Self { distance, odd }
    }
}

/// Coefficients from values at the Chebyshev points, many series at once.
fn to_series(at_points: &[&Pairs]) -> Vec<Pairs> {
    transform(at_points.len())
        .iter()
        .map(|row| {
            let mut sums = vec![0.0; at_points[0].len()];
            for (weight, values) in row.iter().zip(at_points) {
                sums.iter_mut().zip(*values).for_each(|(sum, value)| *sum += weight * value);
            }
            sums
        })
        .collect()
}

/// Series along the first row of every pair on a grid of `count` points; the other is a parameter.
pub fn along_rows(pairs: &Pairs, count: usize) -> Vec<Pairs> {
    let rows: Vec<Pairs> = pairs.chunks_exact(count).map(<[f64]>::to_vec).collect();
    if rows.is_empty() { Vec::new() } else { to_series(&rows.iter().collect::<Vec<_>>()) }
}

/// The last two coefficients of several series, times a weight, against the largest of all, or 1.
pub fn tail(series: &[Vec<Pairs>], weight: impl Fn(usize) -> f64) -> f64 {
    let size = |values: &Pairs| values.iter().fold(0f64, |worst, value| worst.max(value.abs()));
    let largest = series.iter().flatten().map(size).fold(1.0, f64::max);
    let last = series.iter().flat_map(|part| part.iter().enumerate().rev().take(2));
    last.map(|(k, values)| size(values) * weight(k)).fold(0.0, f64::max) / largest
}
