//! Fitting: from values of a function to the series that a tile evaluates.

use super::Source;
use super::chebyshev::{differentiation, evaluate, points, transform};
use super::lowrank::LowRank;
use super::moments::{Line, PARTS, Parity, Rule, drops};
use crate::dual::Row;
use crate::error::Result;
use crate::parallel::for_each_item;

/// A fit with a larger estimated error is reported as unresolved.
pub const TOLERANCE: f64 = 1e-9;
/// What is aimed at.
const TARGET: f64 = 1e-11;
/// Numbers of quadrature nodes, of Chebyshev points in the defect and in the scale, tried in turn.
const RULES: [usize; 6] = [24, 32, 43, 57, 76, 101];
const DEGREES: [usize; 6] = [10, 15, 22, 33, 50, 75];
const SCALES: [usize; 7] = [4, 6, 9, 13, 19, 28, 40];
/// Fits of a range are shared by calls whose scales round to it, in units of asinh(scale).
const STEP: f64 = 1.0 / 16.0;
/// Slots of a row before the factors: its place ξ, √E[ψ²], scale/√E[φ²], 1/√E[φ'²].
pub(super) const FIXED_SLOTS: usize = 4;
/// What of a series may be left out.
const NEGLIGIBLE: f64 = 1e-15;
/// Bound of quotients by a row's own moments, which may vanish at scale 0.
const LARGE: f64 = 1e8;

/// A function's dual on a range of scales.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The name that users know.
    pub name: String,
    /// Estimated error of kernel values, relative to the rows' own.
    pub error: f64,
    grid: Grid,
    /// Whether φ(0) = 0. Then ψ = φ/scale, which is smooth down to scale 0; else ψ = φ.
    proportional: bool,
    /// E[ψ²].
    size: Vec<f64>,
    /// E[φ'²].
    slope: Vec<f64>,
    /// E[(ψ − ψ')²]/(ξ − ξ')² at ρ = 1.
    pub(super) distance: LowRank,
    /// E[ψψ'] of the odd part at ρ = 1; without terms where φ is odd or even.
    pub(super) odd: LowRank,
    /// D of the odd and of the even part over both scales: a term for each Chebyshev polynomial, none where
    /// the part vanishes.
    pub(super) parts: [Vec<LowRank>; PARTS],
}

/// Chebyshev points in the range of scales. asinh is linear at zero, where kernels are smooth in the scale, and
/// logarithmic far out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Grid {
    low: f64,
    high: f64,
    count: usize,
}

impl Grid {
    /// The grid for rows whose scales lie in this range.
    pub(super) fn new([low, high]: [f64; 2]) -> Self {
        let (low, high) = (low.asinh(), high.asinh());
        if high - low <= 1e-14 * high {
            return Self { low: high, high, count: 1 };
        }
        Self { low: (low / STEP).floor() * STEP, high: (high / STEP).ceil() * STEP, count: SCALES[0] }
    }

    fn scales(&self) -> Vec<f64> {
        points(self.count).into_iter().map(|xi| self.scale(xi)).collect()
    }

    fn scale(&self, xi: f64) -> f64 {
        (self.low + (self.high - self.low) * (1.0 + xi) / 2.0).sinh()
    }

    fn place(&self, scale: f64) -> f64 {
        if self.count == 1 {
            return 0.0;
        }
        ((2.0 * scale.asinh() - self.low - self.high) / (self.high - self.low)).clamp(-1.0, 1.0)
    }
}

/// Fit the dual of a function to rows within a grid's range.
///
/// # Errors
/// [`crate::error::Error::Function`] where the function fails.
pub(super) fn fit(source: &Source<'_>, mut grid: Grid) -> Result<Fitted> {
    // What is needed is found on little: the quadrature and the degree at both ends of the range, then the number
    // of scales at a few defects.
    let ends = [grid.scale(1.0), grid.scale(if grid.count == 1 { 1.0 } else { -0.98 })];
    let parity = Parity::of(source, ends)?;
    let probes = [1e-3, 0.1, 0.9];
    let (rule, rule_error) = settle(&RULES, |count| {
        let mut values = Vec::new();
        for m in probes {
            values.extend(slopes(source, parity, &ends, m, Rule(count))?.into_iter().flatten());
        }
        Ok(values)
    })?;
    let rule = Rule(rule);
    let (mut degree, mut degree_error) = (0, f64::INFINITY);
    for count in DEGREES {
        let series = defect_series(source, parity, &ends, count, rule)?;
        (degree, degree_error) = (count, tail(&series, |k| (k * k) as f64));
        if degree_error <= TARGET {
            break;
        }
    }
    let proportional = source.values(&[0.0])?[0] == 0.0;
    let mut scale_error = 0.0;
    if grid.count > 1 {
        for count in SCALES {
            grid.count = count;
            scale_error = 0f64;
            for m in probes {
                // Along one scale the other is a parameter: columns are series.
                let parts = slopes(source, parity, &grid.scales(), m, rule)?;
                scale_error =
                    scale_error.max(tail(&parts.map(|part| columns_to_series(&part, count)), |_| 1.0));
            }
            let moments = Moments::new(source, parity, &grid, proportional, rule)?;
            let matrices = [&moments.products[0], &moments.products[1], &moments.distances];
            scale_error =
                scale_error.max(tail(&matrices.map(|m| columns_to_series(&m.concat(), count)), |_| 1.0));
            if scale_error <= TARGET {
                break;
            }
        }
    }
    fit_on(source, parity, grid, proportional, degree, rule, rule_error + degree_error + scale_error)
}

/// The first count from which the next changes nothing, and how much it changed.
fn settle(counts: &[usize], values: impl Fn(usize) -> Result<Vec<f64>>) -> Result<(usize, f64)> {
    let mut before = values(counts[0])?;
    let mut found = (counts[0], f64::INFINITY);
    for next in &counts[1..] {
        let after = values(*next)?;
        let size = after.iter().fold(f64::MIN_POSITIVE, |a, b| a.max(b.abs()));
        let change = before.iter().zip(&after).fold(0f64, |worst, (a, b)| worst.max((a - b).abs())) / size;
        found = (*next, change);
        if change <= TARGET {
            break;
        }
        before = after;
    }
    Ok(found)
}

/// D over both scales at one defect, for all pairs of scales.
fn slopes(
    source: &Source<'_>,
    parity: Parity,
    scales: &[f64],
    m: f64,
    rule: Rule,
) -> Result<[Vec<f64>; PARTS]> {
    let mut parts = drops(source, parity, scales, m, rule)?;
    for part in &mut parts {
        for (row, a) in part.chunks_exact_mut(scales.len()).zip(scales) {
            row.iter_mut().zip(scales).for_each(|(value, b)| *value /= m * a * b);
        }
    }
    Ok(parts)
}

/// Chebyshev coefficients of D over both scales: entry [part][coefficient][pair of scales].
fn defect_series(
    source: &Source<'_>,
    parity: Parity,
    scales: &[f64],
    count: usize,
    rule: Rule,
) -> Result<[Vec<Vec<f64>>; PARTS]> {
    let nodes = points(count);
    let mut values: Vec<[Vec<f64>; PARTS]> = vec![Default::default(); count];
    let items = nodes.iter().zip(&mut values);
    for_each_item(
        source.job,
        items,
        || (),
        |(), _, (v, values)| {
            *values = slopes(source, parity, scales, defect(*v), rule)?;
            Ok(())
        },
    )?;
    Ok([0, 1].map(|part| {
        let at_nodes: Vec<&Vec<f64>> = values.iter().map(|values| &values[part]).collect();
        to_series(&at_nodes)
    }))
}

/// Coefficients from values at the Chebyshev points, many series at once.
fn to_series(at_points: &[&Vec<f64>]) -> Vec<Vec<f64>> {
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

fn columns_to_series(matrix: &[f64], count: usize) -> Vec<Vec<f64>> {
    let rows: Vec<Vec<f64>> = matrix.chunks_exact(count).map(<[f64]>::to_vec).collect();
    if rows.is_empty() { Vec::new() } else { to_series(&rows.iter().collect::<Vec<_>>()) }
}

/// m from the variable of the series, 2√m − 1.
fn defect(v: f64) -> f64 {
    ((1.0 + v) / 2.0).powi(2)
}

/// The last two coefficients of several series, times a weight, against the largest of all.
fn tail(parts: &[Vec<Vec<f64>>], weight: impl Fn(usize) -> f64) -> f64 {
    let size = |values: &Vec<f64>| values.iter().fold(0f64, |worst, value| worst.max(value.abs()));
    let largest = parts.iter().flatten().map(size).fold(f64::MIN_POSITIVE, f64::max);
    let last = parts.iter().flat_map(|part| part.iter().enumerate().rev().take(2));
    last.map(|(k, values)| size(values) * weight(k)).fold(0.0, f64::max) / largest
}

/// Moments of one variable at all pairs of a grid's scales.
struct Moments {
    /// Share of the largest row's E[φ²] near the end of the quadrature.
    beyond: f64,
    /// E[ψψ'], part by part.
    products: [Vec<Vec<f64>>; PARTS],
    /// E[(ψ − ψ')²]/(ξ − ξ')², and its limit E[(∂ψ/∂ξ)²] on the diagonal.
    distances: Vec<Vec<f64>>,
}

impl Moments {
    fn new(source: &Source<'_>, parity: Parity, grid: &Grid, proportional: bool, rule: Rule) -> Result<Self> {
        let scales = grid.scales();
        let count = scales.len();
        let line = Line::new(source, parity, &scales, rule)?;
        let (nodes, derivative) = (points(count), differentiation(count));
        let mut distances = vec![vec![0.0; count]; count];
        let products = [0, 1].map(|part| {
            let psi: Vec<Vec<f64>> = scales
                .iter()
                .enumerate()
                .map(|(i, scale)| {
                    let by = if proportional { *scale } else { 1.0 };
                    line.part(part, i).iter().map(|value| value / by).collect()
                })
                .collect();
            for i in 0..count {
                for j in 0..count {
                    let difference: Vec<f64> = if i == j {
                        let mut sum = vec![0.0; psi[0].len()];
                        for (weight, values) in derivative[i].iter().zip(&psi) {
                            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
                        }
                        sum
                    } else {
                        let by = nodes[i] - nodes[j];
                        psi[i].iter().zip(&psi[j]).map(|(a, b)| (a - b) / by).collect()
                    };
                    distances[i][j] += line.expectation(&difference, &difference);
                }
            }
            let product = |i: usize, j: usize| line.expectation(&psi[i], &psi[j]);
            (0..count).map(|i| (0..count).map(|j| product(i, j)).collect()).collect()
        });
        // Chebyshev points descend: the first scale is the largest.
        Ok(Self { beyond: line.beyond(0), products, distances })
    }
}

fn fit_on(
    source: &Source<'_>,
    parity: Parity,
    grid: Grid,
    proportional: bool,
    degree: usize,
    rule: Rule,
    error: f64,
) -> Result<Fitted> {
    let scales = grid.scales();
    let count = scales.len();
    let moments = Moments::new(source, parity, &grid, proportional, rule)?;
    let sizes: Vec<f64> = (0..count).map(|i| moments.products[0][i][i] + moments.products[1][i][i]).collect();
    let series = defect_series(source, parity, &scales, degree, rule)?;
    let square =
        |pairs: &Vec<f64>| -> Vec<Vec<f64>> { pairs.chunks_exact(count).map(<[f64]>::to_vec).collect() };
    // What of D is negligible, given what it is multiplied with to become a cosine.
    let over_size =
        |(scale, size): (&f64, &f64)| if proportional { 1.0 / size } else { scale * scale / size };
    let gain = scales.iter().zip(&sizes).map(over_size).fold(0.0, f64::max);
    let parts = [0, 1].map(|part| {
        if !parity.0[part] {
            return Vec::new();
        }
        series[part].iter().map(|pairs| LowRank::new(&square(pairs), NEGLIGIBLE / gain)).collect()
    });
    // Σ over both parts of D at m = 0, where T_k is ±1: E[φ'²].
    let at_zero = |i: usize, part: &Vec<Vec<f64>>| -> f64 {
        let signed = |(k, pairs): (usize, &Vec<f64>)| {
            let value = pairs.get(i * count + i).copied().unwrap_or_default();
            if k.is_multiple_of(2) { value } else { -value }
        };
        part.iter().enumerate().map(signed).sum()
    };
    let slopes: Vec<f64> = (0..count).map(|i| series.iter().map(|part| at_zero(i, part)).sum()).collect();
    let as_series = |values: Vec<f64>| columns_to_series(&values, 1).into_iter().flatten().collect();
    // Errors above are relative to the largest row, and quotients are bounded: where rows differ by orders of
    // magnitude, or nearly vanish, as those of x³ near zero do, the estimate has to say so.
    let (smallest, largest) =
        sizes.iter().fold((f64::INFINITY, 0f64), |(low, high), &size| (low.min(size), high.max(size)));
    let bounded = smallest > 0.0
        && (gain >= LARGE || slopes.iter().any(|slope| *slope > 0.0 && *slope * LARGE * LARGE < 1.0));
    let spread = if smallest > 0.0 { largest / smallest } else { 1.0 };
    let error = error * spread.max(1.0) + moments.beyond + f64::from(u8::from(bounded));
    let low_rank = |matrix: &Vec<Vec<f64>>| LowRank::new(matrix, NEGLIGIBLE * smallest);
    let mixed = parity.0 == [true, true];
    Ok(Fitted {
        name: source.function.name.clone(),
        error,
        grid,
        proportional,
        size: as_series(sizes),
        slope: as_series(slopes),
        distance: if count == 1 { LowRank::default() } else { low_rank(&moments.distances) },
        odd: if mixed { low_rank(&moments.products[0]) } else { LowRank::default() },
        parts,
    })
}

impl Fitted {
    /// Whether a new fit for this grid would give the same.
    pub(super) fn serves(&self, grid: &Grid) -> bool {
        let bits = |grid: &Grid| [grid.low.to_bits(), grid.high.to_bits()];
        bits(&self.grid) == bits(grid)
    }

    /// Number of per-row constants.
    pub fn slots(&self) -> usize {
        FIXED_SLOTS + self.low_ranks().map(LowRank::len).sum::<usize>()
    }

    /// All low-rank functions, in the order of their slots.
    fn low_ranks(&self) -> impl Iterator<Item = &LowRank> {
        [&self.distance, &self.odd].into_iter().chain(self.parts.iter().flatten())
    }

    /// A row with standard deviation `scale` before the activation; fills its constants.
    pub fn row(&self, scale: f64, constants: &mut [f64]) -> Row {
        let xi = self.grid.place(scale);
        let size = evaluate(&self.size, xi).max(0.0).sqrt();
        let slope = evaluate(&self.slope, xi).max(0.0).sqrt();
        constants[0] = xi;
        constants[1] = size;
        constants[2] = (if self.proportional { 1.0 } else { scale } / size).clamp(0.0, LARGE);
        constants[3] = (1.0 / slope).min(LARGE);
        let mut first = FIXED_SLOTS;
        for term in self.low_ranks() {
            term.row(xi, &mut constants[first..][..term.len()]);
            first += term.len();
        }
        Row { scale: if self.proportional { size * scale } else { size }, slope }
    }
}
