//! What a fit is made of: B over pairs of rows as Chebyshev series, and moments of single rows.

use super::chebyshev::{basis, differentiation, points, transform};
use super::grid::Grid;
use super::moments::{Basis, Rule};
use super::sampled::PARTS;
use super::sizes::Sizes;
use crate::error::Result;
use crate::parallel::{Job, for_each_item};

/// A square matrix over the pairs of a basis, row after row.
pub type ScalePairs = Vec<f64>;

/// How much larger than K the NTK before an activation is taken to be: the weight of errors in E[φ'φ'].
pub const TANGENT: f64 = 10.0;

/// The variable of series: v = 2(1 + a)x/(x + a) − 1, from −1 where points coincide to 1 where they are orthogonal. A
/// steep slope at zero brings singularities near x = 0, which a small a moves away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Map(pub f64);

impl Map {
    /// v at a place x = sin θ.
    pub fn variable(self, x: f64) -> f64 {
        2.0 * (1.0 + self.0) * x / (x + self.0) - 1.0
    }

    /// Sine and cosine of θ at v.
    fn place(self, v: f64) -> (f64, f64) {
        let (Self(a), t) = (self, (1.0 + v) / 2.0);
        let x = a * t / (1.0 + a - t);
        let rest = (1.0 + a) * (1.0 - t) / (1.0 + a - t);
        (x, (rest * (1.0 + x)).sqrt())
    }
}

/// D of all pairs of a basis, each part divided by the rows' sizes of it.
pub struct Scaled<'a> {
    basis: &'a Basis<'a>,
    /// Sizes of all rows: of φ and of its parts.
    pub whole: Vec<f64>,
    parts: [Vec<f64>; PARTS],
    /// E[φφ'] of the odd part at ρ = 1, divided likewise.
    pub odd: ScalePairs,
}

impl<'a> Scaled<'a> {
    /// A basis on scales of a grid's range.
    pub fn new(basis: &'a Basis<'a>, sizes: &Sizes, grid: &Grid, rule: &Rule) -> Self {
        let all = |size: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
            basis.scales.iter().map(|&x| size(x, grid.place(x))).collect()
        };
        let parts = [0, 1].map(|part| all(&|scale, xi| sizes.part(part, scale, xi)));
        let ([odd, _], weights) = basis.on_line(&parts[0], rule);
        let row = |a: &Vec<f64>| odd.iter().map(|b| expectation(&weights, a, b)).collect::<Vec<f64>>();
        let odd = odd.iter().flat_map(row).collect();
        Self { basis, whole: all(&|scale, xi| sizes.whole(scale, xi)), parts, odd }
    }

    /// D at many defects, on all threads.
    ///
    /// # Errors
    /// [`crate::error::Error::Cancelled`].
    pub fn at(&self, defects: &[f64], rule: &Rule, job: &Job) -> Result<Vec<[ScalePairs; PARTS]>> {
        each(defects, job, |m| {
            let mut parts = self.basis.drops(m, &self.parts, rule)?;
            parts.iter_mut().flatten().for_each(|value| *value /= m);
            Ok(parts)
        })
    }

    /// Chebyshev coefficients of B in v: `[part][coefficient]`.
    ///
    /// # Errors
    /// [`crate::error::Error::Cancelled`].
    pub fn series(&self, map: Map, count: usize, rule: &Rule, job: &Job) -> Result<[Vec<ScalePairs>; PARTS]> {
        let places: Vec<(f64, f64)> = points(count).into_iter().map(|v| map.place(v)).collect();
        let defects: Vec<f64> = places.iter().map(|(sine, cosine)| sine * sine / (1.0 + cosine)).collect();
        let mut values = self.at(&defects, rule, job)?;
        for ([odd, even], (_, cosine)) in values.iter_mut().zip(&places) {
            for (value, moment) in odd.iter_mut().zip(&self.odd) {
                *value = (*value - moment) / (cosine * (1.0 + cosine));
            }
            even.iter_mut().for_each(|value| *value /= 1.0 + cosine);
        }
        Ok([0, 1].map(|part| {
            let at_points: Vec<&ScalePairs> = values.iter().map(|values| &values[part]).collect();
            to_series(&at_points)
        }))
    }

    /// A matrix over pairs whose entries are multiplied with how much both rows' errors matter: those of parts that
    /// are little of φ hardly show.
    pub fn weighted(&self, part: usize, pairs: &ScalePairs) -> ScalePairs {
        let spreads = &self.basis.spreads;
        let weight = |i: usize| {
            let norm = spreads[i].norm;
            if norm > 0.0 { (TANGENT.sqrt() * self.parts[part][i] / norm).min(1.0) } else { 0.0 }
        };
        let weights: Vec<f64> = (0..spreads.len()).map(weight).collect();
        let rows = pairs.chunks_exact(spreads.len()).zip(&weights);
        rows.flat_map(|(row, a)| row.iter().zip(&weights).map(move |(value, b)| value * a * b)).collect()
    }

    /// E[(ψ − ψ')²]/(ξ − ξ')² with φ = size·ψ, and its limit on the diagonal, for a basis on a whole grid.
    pub fn distance(&self, rule: &Rule) -> ScalePairs {
        let count = self.whole.len();
        let (values, weights) = self.basis.on_line(&self.whole, rule);
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
                    distance[i * count + j] += expectation(&weights, &difference, &difference);
                }
            }
        }
        distance
    }
}

/// A function of every defect, on all threads.
fn each(
    defects: &[f64],
    job: &Job,
    function: impl Fn(f64) -> Result<[ScalePairs; PARTS]> + Sync,
) -> Result<Vec<[ScalePairs; PARTS]>> {
    let mut values: Vec<[ScalePairs; PARTS]> = vec![Default::default(); defects.len()];
    for_each_item(
        job,
        defects.iter().zip(&mut values),
        || (),
        |(), _, (&m, value)| {
            *value = function(m)?;
            Ok(())
        },
    )?;
    Ok(values)
}

fn expectation(weights: &[f64], a: &[f64], b: &[f64]) -> f64 {
    weights.iter().zip(a).zip(b).map(|((w, a), b)| w * a * b).sum()
}

/// Coefficients from values at the Chebyshev points, many series at once.
fn to_series(at_points: &[&ScalePairs]) -> Vec<ScalePairs> {
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

/// Many series in one variable as series with `count` terms in another.
pub fn mapped(series: &[ScalePairs], from: Map, to: Map, count: usize) -> Vec<ScalePairs> {
    let values: Vec<ScalePairs> = (points(count).into_iter())
        .map(|v| {
            let polynomials = basis(from.variable(to.place(v).0), series.len());
            let mut sums = vec![0.0; series.first().map_or(0, Vec::len)];
            for (polynomial, values) in polynomials.iter().zip(series) {
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += polynomial * value);
            }
            sums
        })
        .collect();
    to_series(&values.iter().collect::<Vec<_>>())
}

/// Series along the first row of every pair on a grid of `count` points; the other is a parameter.
pub fn along_rows(pairs: &ScalePairs, count: usize) -> Vec<ScalePairs> {
    let rows: Vec<ScalePairs> = pairs.chunks_exact(count).map(<[f64]>::to_vec).collect();
    if rows.is_empty() { Vec::new() } else { to_series(&rows.iter().collect::<Vec<_>>()) }
}

/// The last two coefficients of several series, times a weight, against the largest of all, or 1.
pub fn tail(series: &[Vec<ScalePairs>], weight: impl Fn(usize) -> f64) -> f64 {
    let last = series.iter().flat_map(|part| part.iter().enumerate().rev().take(2));
    last.map(|(k, values)| size(values) * weight(k)).fold(0.0, f64::max) / largest(series)
}

/// How many terms of several series are more than `target`, together with their derivatives; against the largest of
/// all, or 1.
pub fn needed(series: &[Vec<ScalePairs>], target: f64) -> usize {
    let bound = target * largest(series);
    let terms = |part: &Vec<ScalePairs>| {
        let last = part.iter().enumerate().rev().find(|(k, values)| size(values) * *k as f64 > bound);
        last.map_or(1, |(k, _)| k + 1)
    };
    series.iter().map(terms).max().unwrap_or(1)
}

fn size(values: &ScalePairs) -> f64 {
    values.iter().fold(0.0, |worst, value| worst.max(value.abs()))
}

fn largest(series: &[Vec<ScalePairs>]) -> f64 {
    series.iter().flatten().map(size).fold(1.0, f64::max)
}
