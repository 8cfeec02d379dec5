//! Quadrature rules for Gaussian expectations over spans of a line.

use super::super::chebyshev::gauss_legendre;
use super::line::{Line, Span, Zero};
use std::f64::consts::PI;
use std::sync::LazyLock;

/// Nodes in an interval. Sixteen Chebyshev terms that fall to 1e-14 fall so fast that eight nodes integrate products of
/// them as well.
pub const NODES: usize = 8;
/// Nodes for a polynomial over the whole Gaussian.
pub const WHOLE: usize = 24;

/// Standard deviations beyond which intervals become shorter.
const FAR: f64 = 6.0;

/// Gauss–Legendre nodes and weights on [-1, 1].
pub static LEGENDRE: LazyLock<[[f64; NODES]; 2]> =
    LazyLock::new(|| columns(&gauss_legendre(NODES, -1.0, 1.0)));
/// Gauss–Hermite nodes and weights of the standard Gaussian.
pub static HERMITE: LazyLock<[[f64; WHOLE]; 2]> = LazyLock::new(|| columns(&gauss_hermite()));
/// Nodes and weights on [0, 1] of a double exponential rule, for any power of the distance to 0.
pub static DOUBLE: LazyLock<Vec<(f64, f64)>> = LazyLock::new(double_exponential);

fn columns<const N: usize>(rule: &[(f64, f64)]) -> [[f64; N]; 2] {
    [std::array::from_fn(|i| rule[i].0), std::array::from_fn(|i| rule[i].1)]
}

/// Newton's method on the normalised Hermite polynomials, from the largest node down.
fn gauss_hermite() -> Vec<(f64, f64)> {
    let count = WHOLE as f64;
    let polynomials = |z: f64| {
        let (mut below, mut value) = (0.0, 1.0);
        for k in 0..WHOLE {
            (below, value) = (value, (z * value - (k as f64).sqrt() * below) / (k as f64 + 1.0).sqrt());
        }
        (below, value)
    };
    // Roots lie apart by more than 1/√(2n): a walk by a quarter of this meets a change of sign at each.
    let step = 0.25 / (2.0 * count).sqrt();
    let mut nodes = Vec::with_capacity(WHOLE);
    let mut z = -2.0 * count.sqrt() - step;
    while nodes.len() < WHOLE && z < 3.0 * count.sqrt() {
        if polynomials(z).1 * polynomials(z + step).1 <= 0.0 {
            let mut root = z + 0.5 * step;
            for _ in 0..8 {
                let (below, value) = polynomials(root);
                root -= value / (count.sqrt() * below);
            }
            nodes.push((root, 1.0 / (count * polynomials(root).0.powi(2))));
        }
        z += step;
    }
    nodes
}

/// 1/(1 + e^{−s}), without cancellation where it is small.
fn logistic(s: f64) -> f64 {
    if s < 0.0 { s.exp() / (1.0 + s.exp()) } else { 1.0 / (1.0 + (-s).exp()) }
}

fn double_exponential() -> Vec<(f64, f64)> {
    const STEP: f64 = 0.2;
    (-28..=16)
        .map(|i| {
            let t = f64::from(i) * STEP;
            let s = PI * t.sinh();
            let (x, rest) = (logistic(s), logistic(-s));
            (x, STEP * PI * t.cosh() * x * rest)
        })
        .filter(|(_, weight)| *weight > 0.0)
        .collect()
}

/// A part of a row's line, in standard deviations.
#[derive(Clone, Copy)]
pub struct Stretch<'a> {
    pub from: f64,
    pub to: f64,
    /// The polynomial there; `None` beside zero where there is none.
    pub span: Option<&'a Span>,
}

impl Line {
    /// The stretches of a row with this standard deviation, in order. Where φ is a polynomial on neither side of zero,
    /// there is none so close to it as an eighth of `unit`, or as the first kink.
    pub fn stretches<'a>(&'a self, scale: f64, unit: f64) -> Vec<Stretch<'a>> {
        let of = |span: &'a Span| -> Stretch<'a> {
            Stretch { from: span.from / scale, to: span.to / scale, span: Some(span) }
        };
        let outside = |end: f64| {
            let [below, above] = [-end, end].map(|end| self.spans.partition_point(|span| span.middle < end));
            (self.spans[..below].iter().map(of), self.spans[above..].iter().map(of))
        };
        match &self.zero {
            Zero::Smooth => self.spans.iter().map(of).collect(),
            Zero::Kinked(levels) => {
                let level =
                    levels.iter().rev().find(|level| level[1].to <= 2.0 * scale).unwrap_or(&levels[0]);
                let (below, above) = outside(level[1].to);
                below.chain(level.iter().map(of)).chain(above).collect()
            }
            Zero::Singular => {
                let positive = self.spans.partition_point(|span| span.to <= 0.0);
                let ends = self.spans[positive..].iter().map(|span| span.to);
                let end = ends.take_while(|end| *end <= self.first.min(unit / 8.0)).last();
                let end = end.unwrap_or(self.spans[positive].to);
                let (below, above) = outside(end);
                let edges = [[-end, 0.0], [0.0, end]].map(|edges| edges.map(|edge| edge / scale));
                let beside = edges.map(|[from, to]| Stretch { from, to, span: None });
                below.chain(beside).chain(above).collect()
            }
        }
    }
}

impl Stretch<'_> {
    /// Call `visit` with every node of a standard Gaussian on the stretch, its weight, and φ and φ' there: intervals no
    /// longer than `longest`.
    pub fn nodes(
        &self,
        line: &Line,
        scale: f64,
        [from, to]: [f64; 2],
        longest: f64,
        mut visit: impl FnMut(f64, f64, [f64; 2]),
    ) {
        let (from, to) = (self.from.max(from), self.to.min(to));
        if from >= to {
            return;
        }
        let Some(span) = self.span else {
            // From zero outwards.
            let end = if to > 0.0 { to } else { from };
            for &(x, weight) in DOUBLE.iter() {
                let z = end * x;
                visit(z, weight * end.abs() * density(z), line.at(scale * z));
            }
            return;
        };
        // Far out, the Gaussian falls ever faster.
        let farthest = from.abs().max(to.abs()).max(FAR);
        let count = ((to - from) / longest * (farthest / FAR)).ceil().max(1.0);
        let half = 0.5 * (to - from) / count;
        for i in 0..count as usize {
            let middle = from + half * (2 * i + 1) as f64;
            for (t, weight) in LEGENDRE[0].iter().zip(&LEGENDRE[1]) {
                let z = middle + half * t;
                visit(z, weight * half * density(z), span.at(scale * z));
            }
        }
    }
}

/// The standard Gaussian.
pub fn density(z: f64) -> f64 {
    DENSITY * (-0.5 * z * z).exp()
}

/// 1/√(2π).
pub const DENSITY: f64 = 0.398_942_280_401_432_7;
