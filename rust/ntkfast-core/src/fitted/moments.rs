//! Gaussian moments of a function that is known on pieces.
//!
//! A function is split into its odd and its even part, which do not correlate; each part's kernel is then needed
//! for ρ ≥ 0 only. Differences of the kernel come from differences of the function,
//!
//! E[f(u)g(u)] − E[f(u)g(v)] = ½ E[(f(u) − f(v))(g(u) − g(v))],
//!
//! so that they keep their digits where u and v nearly coincide. Polar coordinates put the lines u = 0 and
//! v = 0, on which a kink at zero lies, on the borders of the integration; other kinks cut every circle where
//! they meet it.

use super::Source;
use super::chebyshev::gauss_legendre;
use super::nodes::{Node, Nodes, chunks};
use super::sampled::{PARTS, Sampled, Spread};
use crate::error::Result;
use crate::parallel::Job;
use ntkfast_linalg::row_products;
use std::borrow::Cow;
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
    unit: Vec<(f64, f64)>,
    /// For [0, 1], with nodes that gather at 0: a function steep at zero is nearly singular there.
    arc: Vec<(f64, f64)>,
    /// The same for radii.
    radial: Vec<(f64, f64)>,
    /// For the many short intervals between cuts.
    short: Vec<(f64, f64)>,
    /// What [`Rule::line`] gives without cuts.
    whole: Vec<(f64, f64)>,
    reach: f64,
}

impl Rule {
    /// This many nodes in an interval, and as far as `reach` standard deviations.
    pub fn new(count: usize, reach: f64) -> Self {
        let unit = gauss_legendre(count, 0.0, 1.0);
        let short = gauss_legendre(count.div_ceil(3), 0.0, 1.0);
        let (arc, radial, line) = (graded(count), graded(3 * count / 2), graded(3 * count));
        let whole = on(&line, [0.0, reach]).map(|(z, w)| (z, w * density(z))).collect();
        Self { unit, short, whole, arc, radial, reach }
    }

    /// A rule with half as many nodes again.
    pub fn finer(&self) -> Self {
        Self::new(self.unit.len() * 3 / 2, self.reach)
    }

    /// [0, reach], cut at kinks, with the Gaussian in the weights. Two or three times as many nodes: moments of one variable
    /// cost little.
    fn line(&self, cuts: impl Iterator<Item = f64>) -> Cow<'_, [(f64, f64)]> {
        let edges = edges(self.reach, cuts);
        if edges.len() == 2 { Cow::Borrowed(&self.whole) } else { Cow::Owned(halves(&self.unit, &edges)) }
    }

    /// [0, reach] once, with nodes that gather at cuts, where what is integrated over a circle has square roots; at 0 where
    /// there are none.
    fn radii(&self, cuts: impl Iterator<Item = f64>) -> Vec<(f64, f64)> {
        let edges = edges(self.reach, cuts);
        if edges.len() == 2 {
            return on(&self.radial, [0.0, self.reach]).collect();
        }
        let smooth = |from: f64, to: f64, (t, w): (f64, f64)| {
            let (sine, cosine) = (FRAC_PI_2 * t).sin_cos();
            (from + (to - from) * sine * sine, (to - from) * PI * sine * cosine * w)
        };
        let interval = |pair: &[f64]| -> Vec<_> {
            self.short.iter().map(|&node| smooth(pair[0], pair[1], node)).collect()
        };
        edges.windows(2).flat_map(interval).collect()
    }
}

/// A rule for [0, 1] with nodes t², which gather at 0.
fn graded(count: usize) -> Vec<(f64, f64)> {
    gauss_legendre(count, 0.0, 1.0).into_iter().map(|(t, w)| (t * t, 2.0 * t * w)).collect()
}

/// A rule for [0, 1] on both halves of intervals between edges, for expectations over the Gaussian.
fn halves(unit: &[(f64, f64)], edges: &[f64]) -> Vec<(f64, f64)> {
    let intervals = edges.windows(2).flat_map(|pair| {
        let middle = 0.5 * (pair[0] + pair[1]);
        [[pair[0], middle], [middle, pair[1]]]
    });
    intervals.flat_map(|interval| on(unit, interval)).map(|(z, w)| (z, w * density(z))).collect()
}

/// A rule for [0, 1] on another interval, either of whose ends may be the one for 0.
fn on(rule: &[(f64, f64)], [from, to]: [f64; 2]) -> impl Iterator<Item = (f64, f64)> + '_ {
    rule.iter().map(move |(t, w)| (from + (to - from) * t, (to - from).abs() * w))
}

/// 0, the cuts below `end` in order, `end`.
fn edges(end: f64, cuts: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut edges: Vec<f64> = cuts.filter(|cut| (0.0..end).contains(cut)).chain([0.0, end]).collect();
    edges.sort_by(f64::total_cmp);
    edges.dedup_by(|next, edge| *next - *edge <= 1e-13 * end);
    edges
}

/// The moments of a row with this standard deviation.
pub fn spread(sampled: &Sampled, scale: f64, rule: &Rule) -> Spread {
    let cuts = sampled.kinks.iter().map(|kink| kink / scale);
    let (nodes, weights): (Vec<f64>, Vec<f64>) = rule.line(cuts).iter().copied().unzip();
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
        let (nodes, weights): (Vec<f64>, Vec<f64>) = rule.line(self.cuts()).iter().copied().unzip();
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

    fn cuts(&self) -> impl Iterator<Item = f64> + '_ {
        self.scales.iter().flat_map(|scale| self.sampled.kinks.iter().map(move |kink| kink / scale))
    }

    /// ½E[(f_i(u) − f_i(v))(f_j(u) − f_j(v))] at correlation 1 − m for all pairs of rows, each f divided by its
    /// `norms`: row after row, of each part that there is.
    ///
    /// # Errors
    /// [`crate::error::Error::Cancelled`].
    pub fn drops(&self, m: f64, norms: &[Vec<f64>; PARTS], rule: &Rule) -> Result<[Vec<f64>; PARTS]> {
        self.integrate(m, rule, false, |part, row, nodes, others, [differences, _]| {
            let (scale, over) = (self.scales[row], inverse(norms[part][row]));
            self.sampled.values(part, scale, &nodes.u, differences);
            self.sampled.values(part, scale, &nodes.sorted, others);
            for (&i, other) in nodes.places.iter().zip(&*others) {
                differences[i] -= if part == 0 { nodes.sign[i] * other } else { *other };
            }
            if m < NEARLY_COINCIDENT {
                self.sampled.differences(part, scale, nodes, differences);
            }
            differences.iter_mut().zip(&nodes.root).for_each(|(value, root)| *value *= root * over);
        })
    }

    /// scale_i·scale_j·E[f_i'(u)f_j'(v)] likewise.
    ///
    /// # Errors
    /// [`crate::error::Error::Cancelled`].
    pub fn slopes(&self, m: f64, norms: &[Vec<f64>; PARTS], rule: &Rule) -> Result<[Vec<f64>; PARTS]> {
        self.integrate(m, rule, true, |part, row, nodes, others, [first, second]| {
            let (scale, over) = (self.scales[row], inverse(norms[part][row]));
            self.sampled.slopes(part, scale, &nodes.u, first);
            self.sampled.slopes(part, scale, &nodes.sorted, others);
            for (&i, other) in nodes.places.iter().zip(&*others) {
                let factor = nodes.root[i] * over * scale;
                first[i] *= factor;
                second[i] = other * if part == 0 { factor } else { factor * nodes.sign[i] };
            }
        })
    }

    /// Σ over nodes at correlation 1 − m of a_i·a_j, or of a_i·b_j + b_i·a_j where there are `two`. `write` fills
    /// them for a part and a row; it may use one array more.
    fn integrate(
        &self,
        m: f64,
        rule: &Rule,
        two: bool,
        write: impl Fn(usize, usize, &Nodes, &mut [f64], [&mut [f64]; 2]),
    ) -> Result<[Vec<f64>; PARTS]> {
        let count = self.scales.len();
        let mut sums = self.sampled.has.map(|has| vec![0.0; if has { count * count } else { 0 }]);
        let mut products = vec![0.0; count * count];
        for chunk in &self.nodes(m, rule) {
            self.job.check()?;
            let mut first = vec![0.0; count * chunk.len()];
            let mut second = if two { first.clone() } else { Vec::new() };
            let mut more = vec![0.0; chunk.len()];
            for (part, sum) in sums.iter_mut().enumerate().filter(|(_, sum)| !sum.is_empty()) {
                let mut seconds = second.chunks_exact_mut(chunk.len());
                for (row, a) in first.chunks_exact_mut(chunk.len()).enumerate() {
                    let b = seconds.next().unwrap_or_default();
                    write(part, row, chunk, &mut more, [a, b]);
                }
                row_products(&mut products, count, &first, if two { &second } else { &first }, chunk.len());
                for i in 0..count {
                    for j in 0..count {
                        let turned = if two { products[j * count + i] } else { 0.0 };
                        sum[i * count + j] += products[i * count + j] + turned;
                    }
                }
            }
        }
        Ok(sums)
    }

    /// Nodes over a quarter of the plane, some at a time; the other quarters give the same, with u and v exchanged in
    /// two of them.
    fn nodes(&self, m: f64, rule: &Rule) -> Vec<Nodes> {
        let half_angle = (m / 2.0).sqrt().asin();
        let (sine, cosine) = half_angle.sin_cos();
        let cuts: Vec<f64> = self.cuts().collect();
        // Where a circle begins to meet a kink of u, and where it meets those of u and v at one place.
        let radii = rule.radii(cuts.iter().flat_map(|cut| [*cut, cut / cosine, cut / sine]));
        let mut circle = arcs(half_angle, &[], 0.0, rule);
        let mut all = Vec::with_capacity(radii.len() * circle.len());
        for (r, weight) in radii {
            if !cuts.is_empty() {
                circle = arcs(half_angle, &cuts, r, rule);
            }
            let weight = weight * r * (-r * r / 2.0).exp() / PI;
            all.extend(
                circle.iter().map(|(unit, w)| Node { place: unit.map(|x| r * x), weight: w * weight }),
            );
        }
        chunks(&all)
    }
}

/// 1 over a norm; nothing of a row without one.
fn inverse(norm: f64) -> f64 {
    if norm > 0.0 { 1.0 / norm } else { 0.0 }
}

/// Nodes [u, v, u − v] of a quarter of the unit circle and their weights: u and v are cos(ψ ∓ half_angle), and four
/// quarters in ψ give the same. Cut where v changes its sign, and where u or v meet `cuts` at radius r.
fn arcs(half_angle: f64, cuts: &[f64], r: f64, rule: &Rule) -> Vec<([f64; 3], f64)> {
    let meet = cuts.iter().filter(|cut| **cut < r).map(|cut| (cut / r).acos());
    let places = meet.flat_map(|theta| {
        [half_angle + theta, half_angle - theta, theta - half_angle, PI - theta - half_angle]
    });
    let sine = half_angle.sin();
    let border = FRAC_PI_2 - half_angle;
    let (nodes, intervals) = if cuts.is_empty() {
        (&rule.arc, vec![[border, 0.0], [border, FRAC_PI_2]])
    } else {
        let edges = edges(FRAC_PI_2, places.chain([border]));
        (&rule.short, edges.windows(2).map(|pair| [pair[0], pair[1]]).collect())
    };
    (intervals.into_iter())
        .flat_map(|interval| on(nodes, interval))
        .map(|(psi, w)| {
            // On this side of the border, v must not be negative by rounding.
            let v = (psi + half_angle).cos();
            let v = if psi < border { v.max(0.0) } else { v.min(0.0) };
            ([(psi - half_angle).cos(), v, 2.0 * psi.sin() * sine], w)
        })
        .collect()
}
