//! Gaussian moments of a function that is known on pieces.
//!
//! A function is split into its odd and its even part, which do not correlate; each part's kernel is then needed
//! for ρ ≥ 0 only. Differences of the kernel come from differences of the function,
//!
//! E[f(u)g(u)] − E[f(u)g(v)] = ½ E[(f(u) − f(v))(g(u) − g(v))],
//!
//! so that they keep their digits where u and v nearly coincide. Polar coordinates put the lines u = 0 and
//! v = 0, on which a kink at zero lies, on the borders of the integration. Functions with other kinks are not fitted.

use super::Source;
use super::chebyshev::gauss_legendre;
use super::nodes::{Node, Nodes, chunks};
use super::sampled::{PARTS, Sampled, Spread};
use crate::error::Result;
use crate::parallel::Job;
use ntkfast_linalg::row_products;
use std::f64::consts::{FRAC_PI_2, PI};

/// How many standard deviations are tried.
const REACHES: [f64; 11] = [5.5, 6.5, 7.5, 8.5, 10.0, 12.0, 15.0, 19.0, 24.0, 30.0, 37.0];
/// Below this defect, differences of values have lost digits that matter.
const NEARLY_COINCIDENT: f64 = 1e-3;

/// How far out a quadrature has to go for rows with standard deviation `scale`: where φ² and φ(0)² times the Gaussian
/// have fallen to `negligible` of the largest value, as φ(0) is taken off before anything is integrated, and so has
/// (φ − φ(0))², of which slopes are made. A function that has not left φ(0) yet has not ended. And what they have fallen
/// to.
///
/// # Errors
/// [`crate::error::Error::Function`] where the function fails; [`crate::error::Error::Cancelled`].
pub fn reach(source: &Source<'_>, scale: f64, negligible: f64) -> Result<(f64, f64)> {
    let origin = source.values(&[0.0])?[0];
    let mut largest = [f64::NEG_INFINITY; 2];
    let mut from = 0.0;
    let mut found = (REACHES[0], 1.0);
    for to in REACHES {
        let at: Vec<f64> = (1..=32).map(|i| from + (to - from) * f64::from(i) / 32.0).collect();
        let inputs: Vec<f64> = at.iter().flat_map(|z| [scale * z, -scale * z]).collect();
        let values = source.values(&inputs)?;
        let mut fallen = [0.0; 2];
        for (centered, (largest, fallen)) in largest.iter_mut().zip(&mut fallen).enumerate() {
            let size = |pair: &[f64]| match centered {
                0 => pair[0].abs().max(pair[1].abs()).max(origin.abs()),
                _ => (pair[0] - origin).abs().max((pair[1] - origin).abs()),
            };
            let logs: Vec<f64> = (at.iter().zip(values.chunks_exact(2)))
                .map(|(z, pair)| 2.0 * size(pair).ln() - z * z / 2.0)
                .collect();
            *largest = logs.iter().fold(*largest, |a, b| a.max(*b));
            // A single zero of φ is not the end.
            let last = logs[24..].iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
            *fallen = if *largest > f64::NEG_INFINITY { (last - *largest).exp() } else { 1.0 };
        }
        // What is left of a constant is nothing.
        found = (to, if largest[1] > f64::NEG_INFINITY { fallen[0].max(fallen[1]) } else { 0.0 });
        if fallen[0] <= negligible && fallen[1] <= negligible {
            break;
        }
        from = to;
    }
    Ok(found)
}

/// Gauss–Legendre quadrature on intervals.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// For [0, 1], with nodes that gather at 0: a function steep at zero is nearly singular there.
    arc: Vec<(f64, f64)>,
    /// The same for radii.
    radial: Vec<(f64, f64)>,
    /// The same for moments of one variable, with the Gaussian in the weights.
    line: Vec<(f64, f64)>,
}

impl Rule {
    /// This many nodes in an interval, and as far as `reach` standard deviations.
    pub fn new(count: usize, reach: f64) -> Self {
        let arc = graded(count);
        // Two or three times as many nodes: moments of one variable cost little.
        let radial = on(&graded(3 * count / 2), [0.0, reach]).collect();
        let line = on(&graded(3 * count), [0.0, reach]).map(|(z, w)| (z, w * density(z))).collect();
        Self { arc, radial, line }
    }
}

/// A rule for [0, 1] with nodes t², which gather at 0.
fn graded(count: usize) -> Vec<(f64, f64)> {
    gauss_legendre(count, 0.0, 1.0).into_iter().map(|(t, w)| (t * t, 2.0 * t * w)).collect()
}

/// A rule for [0, 1] on another interval, either of whose ends may be the one for 0.
fn on(rule: &[(f64, f64)], [from, to]: [f64; 2]) -> impl Iterator<Item = (f64, f64)> + '_ {
    rule.iter().map(move |(t, w)| (from + (to - from) * t, (to - from).abs() * w))
}

/// The moments of a row with this standard deviation.
pub fn spread(sampled: &Sampled, scale: f64, rule: &Rule) -> Spread {
    let (nodes, weights): (Vec<f64>, Vec<f64>) = rule.line.iter().copied().unzip();
    let mut values = vec![0.0; nodes.len()];
    let parts = [0, 1].map(|part| {
        if !sampled.has[part] {
            return (0.0, 0.0);
        }
        sampled.values(part, scale, &nodes, &mut values);
        // Divided by the largest, so that no square leaves the range of a double.
        let size = values.iter().fold(0f64, |worst, value| worst.max(value.abs()));
        if size == 0.0 {
            return (0.0, 0.0);
        }
        let mean = if part == 0 {
            0.0
        } else {
            weights.iter().zip(&values).map(|(w, value)| w * value / size).sum()
        };
        let square: f64 =
            weights.iter().zip(&values).map(|(w, value)| w * (value / size - mean).powi(2)).sum();
        (size * mean, size * square.sqrt())
    });
    let mean = sampled.origin + parts[1].0;
    Spread { scale, norm: parts[0].1.hypot(parts[1].1).hypot(mean), parts: parts.map(|part| part.1) }
}

/// The derivative of √E[φ²] by the scale s: E[f(sz)], z ~ N(0, 1), has the derivative E[f(sz)·(z² − 1)]/s.
pub fn norm_slope(sampled: &Sampled, scale: f64, norm: f64, rule: &Rule) -> f64 {
    let (nodes, weights): (Vec<f64>, Vec<f64>) = rule.line.iter().copied().unzip();
    let mut values = vec![0.0; nodes.len()];
    let mut total = 0.0;
    for part in (0..PARTS).filter(|&part| sampled.has[part]) {
        sampled.values(part, scale, &nodes, &mut values);
        let origin = if part == 0 { 0.0 } else { sampled.origin };
        for ((value, z), weight) in values.iter().zip(&nodes).zip(&weights) {
            let value = (value + origin) / norm;
            total += weight * value * value * (z * z - 1.0);
        }
    }
    norm * total / (2.0 * scale)
}

/// The Gaussian, both halves of the line at once.
fn density(z: f64) -> f64 {
    (-z * z / 2.0).exp() * (2.0 / PI).sqrt()
}

/// A function on rows of several scales.
pub struct Basis<'a> {
    /// Standard deviations of the rows.
    pub scales: Vec<f64>,
    /// Their moments.
    pub spreads: Vec<Spread>,
    sampled: &'a Sampled,
    job: &'a Job,
}

impl<'a> Basis<'a> {
    /// The function on rows of these scales.
    pub fn new(sampled: &'a Sampled, scales: Vec<f64>, rule: &Rule, job: &'a Job) -> Self {
        let spreads = scales.iter().map(|&scale| spread(sampled, scale, rule)).collect();
        Self { scales, spreads, sampled, job }
    }

    /// Values of all rows, divided by `norms`, on nodes of the half-line and the nodes' weights, for expectations of
    /// products; part by part, row by row. The even part has its mean.
    pub fn on_line(&self, norms: &[f64], rule: &Rule) -> ([Vec<Vec<f64>>; PARTS], Vec<f64>) {
        let (nodes, weights): (Vec<f64>, Vec<f64>) = rule.line.iter().copied().unzip();
        let values = [0, 1].map(|part| {
            let origin = if part == 0 { 0.0 } else { self.sampled.origin };
            let row = |(scale, norm): (&f64, &f64)| {
                let mut row = vec![0.0; nodes.len()];
                self.sampled.values(part, *scale, &nodes, &mut row);
                row.iter_mut().for_each(|value| *value = (origin + *value) / norm);
                row
            };
            self.scales.iter().zip(norms).map(row).collect()
        });
        (values, weights)
    }

    /// ½E[(f_i(u) − f_i(v))(f_j(u) − f_j(v))] at correlation 1 − m for all pairs of rows, each f divided by its
    /// `norms`: row after row, of each part that there is.
    ///
    /// # Errors
    /// [`crate::error::Error::Cancelled`].
    pub fn drops(&self, m: f64, norms: &[Vec<f64>; PARTS], rule: &Rule) -> Result<[Vec<f64>; PARTS]> {
        let count = self.scales.len();
        let mut sums = self.sampled.has.map(|has| vec![0.0; if has { count * count } else { 0 }]);
        let mut products = vec![0.0; count * count];
        for nodes in &self.nodes(m, rule) {
            self.job.check()?;
            let mut differences = vec![0.0; count * nodes.len()];
            let mut others = vec![0.0; nodes.len()];
            for (part, sum) in sums.iter_mut().enumerate().filter(|(_, sum)| !sum.is_empty()) {
                for (row, differences) in differences.chunks_exact_mut(nodes.len()).enumerate() {
                    let (scale, over) = (self.scales[row], inverse(norms[part][row]));
                    self.sampled.values(part, scale, &nodes.u, differences);
                    self.sampled.values(part, scale, &nodes.sorted, &mut others);
                    for (&i, other) in nodes.places.iter().zip(&others) {
                        differences[i] -= if part == 0 { nodes.sign[i] * other } else { *other };
                    }
                    if m < NEARLY_COINCIDENT {
                        self.sampled.differences(part, scale, nodes, differences);
                    }
                    differences.iter_mut().zip(&nodes.root).for_each(|(value, root)| *value *= root * over);
                }
                row_products(&mut products, count, &differences, &differences, nodes.len());
                sum.iter_mut().zip(&products).for_each(|(sum, product)| *sum += product);
            }
        }
        Ok(sums)
    }

    /// Nodes over a quarter of the plane, some at a time; the other quarters give the same, with u and v exchanged in
    /// two of them.
    fn nodes(&self, m: f64, rule: &Rule) -> Vec<Nodes> {
        let half_angle = (m / 2.0).sqrt().asin();
        let circle = arcs(half_angle, rule);
        let mut all = Vec::with_capacity(rule.radial.len() * circle.len());
        for &(r, weight) in &rule.radial {
            let weight = weight * r * (-r * r / 2.0).exp() / PI;
            all.extend(
                circle.iter().map(|(unit, w)| Node { place: unit.map(|x| r * x), weight: w * weight }),
            );
        }
        chunks(&all)
    }
}

/// 1 over a norm; nothing of a row without one, or with one whose inverse no number holds.
pub fn inverse(norm: f64) -> f64 {
    if norm >= f64::MIN_POSITIVE { 1.0 / norm } else { 0.0 }
}

/// Nodes [u, v, u − v] of a quarter of the unit circle and their weights: u and v are cos(ψ ∓ half_angle), and four
/// quarters in ψ give the same. Cut where v changes its sign.
fn arcs(half_angle: f64, rule: &Rule) -> Vec<([f64; 3], f64)> {
    let sine = half_angle.sin();
    let border = FRAC_PI_2 - half_angle;
    ([[border, 0.0], [border, FRAC_PI_2]].into_iter())
        .flat_map(|interval| on(&rule.arc, interval))
        .map(|(psi, w)| {
            // On this side of the border, v must not be negative by rounding.
            let v = (psi + half_angle).cos();
            let v = if psi < border { v.max(0.0) } else { v.min(0.0) };
            ([(psi - half_angle).cos(), v, 2.0 * psi.sin() * sine], w)
        })
        .collect()
}
