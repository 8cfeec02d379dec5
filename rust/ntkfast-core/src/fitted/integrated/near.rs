//! Nearly parallel pairs, one at a time: quadrature over the plane.
//!
//! With u = x·z and v = y·(ρz + s·w), s = sin θ and x, y the rows' scales, the outer integral over z is cut where φ(u) has
//! an edge, and more finely, by multiples of s, where φ(v) has a kink; the inner one over w is cut where φ(v) has an
//! edge. Both cosines come from positive sums,
//!
//! δ' = ½E[(φ̂(u) − φ̂(v))²],  ε' = ½E[(φ̂(u) + φ̂(v))²],  φ̂ = φ/√E[φ²],
//!
//! so that they keep their digits where points nearly coincide, and are cosines of something whatever the error.

use super::super::moments::inverse;
use super::super::sampled::TERMS;
use super::line::{Line, Span};
use super::rules::{DENSITY, DOUBLE, HERMITE, LEGENDRE, NODES, Stretch, WHOLE, density};
use crate::simd::math::decay;
use crate::simd::{Pack, Vectorized};

/// How far both integrals go at least.
pub const REACH: f64 = 9.0;
/// The longest intervals of both integrals, in standard deviations.
const LONGEST: f64 = 1.0;
/// Where the outer integral is cut beside a kink of the inner function, in multiples of s.
const BESIDE: [f64; 11] = [-7.5, -6.0, -4.5, -3.0, -1.5, 0.0, 1.5, 3.0, 4.5, 6.0, 7.5];
/// Other edges need not be closer together, in multiples of s.
const APART: f64 = 1.5;
/// A smaller s is as good as none.
const SMALLEST: f64 = 1e-20;

/// One row of a pair: its scale, √E[φ²], and scale·√E[φ'²].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Side {
    pub scale: f64,
    pub norm: f64,
    pub slope: f64,
}

/// A pair, by its 1 − ρ and 1 + ρ.
pub struct Near<'a> {
    pub line: &'a Line,
    pub reach: f64,
    pub sides: [Side; 2],
    pub defects: [f64; 2],
}

/// 1 − ρ and 1 + ρ of φ(u) and φ(v), and the cosine of their slopes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Close {
    pub defects: [f64; 2],
    pub slope: f64,
}

impl Vectorized<f64> for Near<'_> {
    type Output = Close;
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = f64>>(self) -> Close {
        let Self { line, reach, sides: [mut outer, mut inner], defects: [delta, epsilon] } = self;
        // The same whichever comes first.
        if outer.scale < inner.scale {
            (outer, inner) = (inner, outer);
        }
        let m = delta.min(epsilon).max(0.0);
        let (rho, sine) = (1.0 - m, (m * (2.0 - m)).sqrt().max(SMALLEST));
        let rho = if epsilon < delta { -rho } else { rho };

        let stretches = line.stretches(inner.scale, sine * inner.scale);
        let cuts = cuts(line, &stretches, inner.scale, rho, sine, reach);
        let conditional = Conditional { line, side: inner, sine, reach, stretches: &stretches };
        let over = inverse(outer.norm);
        let mut sums = [0.0; 3];
        // Not in a closure: these are compiled for the baseline.
        for [z, weight, value, slope] in outer_nodes(line, outer.scale, sine, reach, &cuts) {
            let a = (line.origin + value) * over;
            let [less, more, rise] = conditional.expectations::<P>(rho * z, a);
            sums[0] += weight * less;
            sums[1] += weight * more;
            sums[2] += weight * slope * rise;
        }
        let [less, more, slope] = sums;
        let all = less + more;
        if all == 0.0 {
            return Close { defects: [0.0, 2.0], slope: 0.0 };
        }
        // Both halves of the sums are 1 where the quadrature is exact.
        let defect = 2.0 * less.min(more) / all;
        let defects = if less <= more { [defect, 2.0 - defect] } else { [2.0 - defect, defect] };
        let slope = slope * outer.scale * inverse(outer.slope);
        Close { defects, slope: slope.clamp(-1.0, 1.0) }
    }
}

/// Places, weights, φ and φ' of the outer integral.
fn outer_nodes(line: &Line, scale: f64, sine: f64, reach: f64, cuts: &[f64]) -> Vec<[f64; 4]> {
    let mut nodes = Vec::with_capacity(1024);
    for stretch in line.stretches(scale, sine * scale) {
        let first = cuts.partition_point(|cut| *cut <= stretch.from.max(-reach));
        let (mut from, end) = (stretch.from.max(-reach), stretch.to.min(reach));
        // Beside zero, where φ is no polynomial, there are no cuts: it ends before them.
        let inside = if stretch.span.is_some() { &cuts[first..] } else { &[] };
        let mut more = inside.iter().copied().take_while(|cut| *cut < end).chain([end]);
        while let Some(to) = more.next().filter(|_| from < end) {
            stretch.nodes(line, scale, [from, to], LONGEST, |z, weight, [value, slope]| {
                nodes.push([z, weight, value, slope]);
            });
            from = to;
        }
    }
    nodes
}

/// Where the outer integral is cut for the sake of the inner one, in order; `stretches` are those of the inner row.
fn cuts(line: &Line, stretches: &[Stretch<'_>], inner: f64, rho: f64, sine: f64, reach: f64) -> Vec<f64> {
    let inside = |cut: &f64| cut.abs() < reach;
    let kinks = line.singular.iter().flat_map(|kink| BESIDE.map(|times| kink / (inner * rho) + times * sine));
    let mut cuts: Vec<f64> = kinks.filter(inside).collect();
    let mut edges: Vec<f64> = stretches.iter().map(|stretch| stretch.to / rho).filter(inside).collect();
    edges.sort_by(f64::total_cmp);
    let mut last = f64::NEG_INFINITY;
    for edge in edges {
        if edge - last > APART * sine {
            cuts.push(edge);
            last = edge;
        }
    }
    cuts.sort_by(f64::total_cmp);
    cuts
}

/// The inner row, given the outer variable.
struct Conditional<'a> {
    line: &'a Line,
    side: Side,
    sine: f64,
    reach: f64,
    stretches: &'a [Stretch<'a>],
}

/// Sums over registers of nodes.
struct Sums<P> {
    less: P,
    more: P,
    rise: P,
}

impl Conditional<'_> {
    /// E[(a − φ̂(v))²], E[(a + φ̂(v))²] and E[φ'(v)]·scale/(scale·√E[φ'²]), where v has its mean at `center` standard
    /// deviations.
    #[inline(always)]
    fn expectations<P: Pack<Scalar = f64>>(&self, center: f64, a: f64) -> [f64; 3] {
        let Self { line, side: Side { scale, norm, slope }, sine, reach, stretches } = self;
        let (over, steep) = (inverse(*norm), scale * inverse(*slope));
        let origin = line.origin;
        let [low, high] = [center - reach * sine, center + reach * sine];
        let first = stretches.partition_point(|stretch| stretch.to <= low);
        let zero = P::splat(0.0);
        let mut sums = Sums { less: zero, more: zero, rise: zero };
        let mut alone = [0.0; 3];
        for stretch in stretches[first..].iter().take_while(|stretch| stretch.from < high) {
            let Some(span) = stretch.span else {
                // As a stretch of the inner variable; few functions have one.
                let end = if stretch.to > 0.0 { stretch.to } else { stretch.from };
                for &(x, weight) in DOUBLE.iter() {
                    let v = end * x;
                    let weight = weight * end.abs() / sine * density((v - center) / sine);
                    let [value, rise] = line.at(scale * v);
                    let b = (line.origin + value) * over;
                    alone[0] += weight * (a - b).powi(2);
                    alone[1] += weight * (a + b).powi(2);
                    alone[2] += weight * rise;
                }
                continue;
            };
            // v = scale·(center + s·w), and t = (v − middle)·zoom.
            let (start, rate) = ((scale * center - span.middle) * span.zoom, scale * sine * span.zoom);
            if stretch.from <= low && stretch.to >= high {
                for at in (0..WHOLE).step_by(P::LANES) {
                    let t = P::read(&HERMITE[0][at..]).mul_add(P::splat(rate), P::splat(start));
                    sums.add(span, t, P::read(&HERMITE[1][at..]), a, [origin, over]);
                }
                continue;
            }
            let from = ((stretch.from - center) / sine).max(-reach);
            let to = ((stretch.to - center) / sine).min(*reach);
            let count = ((to - from) / LONGEST).ceil().max(1.0);
            let half = 0.5 * (to - from) / count;
            for i in 0..count as usize {
                let middle = P::splat(from + half * (2 * i + 1) as f64);
                for at in (0..NODES).step_by(P::LANES) {
                    let w = P::read(&LEGENDRE[0][at..]).mul_add(P::splat(half), middle);
                    let weight = P::read(&LEGENDRE[1][at..])
                        * P::splat(half * DENSITY)
                        * decay(P::splat(0.5) * w * w).end;
                    sums.add(span, w.mul_add(P::splat(rate), P::splat(start)), weight, a, [origin, over]);
                }
            }
        }
        [alone[0] + sums.less.sum(), alone[1] + sums.more.sum(), (alone[2] + sums.rise.sum()) * steep]
    }
}

impl<P: Pack<Scalar = f64>> Sums<P> {
    /// A register of nodes of a span, whose values φ − `origin` become φ times `over`.
    #[inline(always)]
    fn add(&mut self, span: &Span, t: P, weight: P, a: f64, [origin, over]: [f64; 2]) {
        let square = t * t;
        let (mut even, mut odd) = (P::splat(span.value[TERMS - 2]), P::splat(span.value[TERMS - 1]));
        let (mut flat, mut steep) = (P::splat(span.slope[TERMS - 2]), P::splat(span.slope[TERMS - 1]));
        for k in (0..TERMS / 2 - 1).rev() {
            even = even.mul_add(square, P::splat(span.value[2 * k]));
            odd = odd.mul_add(square, P::splat(span.value[2 * k + 1]));
            flat = flat.mul_add(square, P::splat(span.slope[2 * k]));
            steep = steep.mul_add(square, P::splat(span.slope[2 * k + 1]));
        }
        let (value, slope) = (odd.mul_add(t, even), steep.mul_add(t, flat));
        let (a, b) = (P::splat(a), (value + P::splat(origin)) * P::splat(over));
        let (less, more) = (a - b, a + b);
        self.less = (weight * less).mul_add(less, self.less);
        self.more = (weight * more).mul_add(more, self.more);
        self.rise = weight.mul_add(slope, self.rise);
    }
}
