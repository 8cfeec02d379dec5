//! A sampled function on the whole line: spans on each of which it is one polynomial, and where it is singular.

use super::super::piece::Transforms;
use super::super::sampled::{Piece, Sampled, TERMS};

/// Narrower pieces, relative to their place, hold a kink or a step that was found: they are left out.
const SLIVER: f64 = 1e-11;
/// How much wider a neighbour has to be to cover what is left out.
const WIDER: f64 = 100.0;
/// A jump is one by more than this share of the values around it: kinks are known to some digits only.
const JUMP: f64 = 1e-9;
/// Errors that a polynomial on either side of zero may have at least.
const SMOOTH: f64 = 1e-13;
/// Scales below this share of the largest have no such polynomial of their own.
const SMALLEST: f64 = 1e-12;
/// Exponents of |u| at zero between which E[φ'²] is infinite, or cannot be told from it.
const STEEP: (f64, f64) = (1e-3, 0.52);
/// Share of E[φ'²] that lies so close to a kink that it is infinite, or cannot be told from it.
const UNBOUNDED: f64 = 1e-9;
/// So close, relative to its place: closer still, the polynomial may be one through the kink.
const BESIDE: std::ops::Range<f64> = 1e-9..1e-7;
/// Smaller changes, in units of the noise of values, are none.
const CHANGE: f64 = 1e3;

/// φ − φ(0) between two places, and φ', in powers of (u − middle)·zoom.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub from: f64,
    pub to: f64,
    pub middle: f64,
    pub zoom: f64,
    pub value: [f64; TERMS],
    pub slope: [f64; TERMS],
}

/// How φ behaves around zero.
#[derive(Clone, Debug, PartialEq)]
pub enum Zero {
    /// One polynomial.
    Smooth,
    /// One polynomial on either side, up to these places: spans that end there, from the smallest on.
    Kinked(Vec<[Span; 2]>),
    /// Another power of |u|, or a logarithm.
    Singular,
}

/// All of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// φ(0).
    pub origin: f64,
    /// Noise of values relative to these.
    pub noise: f64,
    pub spans: Vec<Span>,
    pub zero: Zero,
    /// Kinks and steps, zero among them where there is one.
    pub singular: Vec<f64>,
    /// The first positive one; infinity without one.
    pub first: f64,
    /// Steps: their places, and by how much φ rises.
    pub jumps: Vec<[f64; 2]>,
    /// Whether E[φ'²] is infinite.
    pub is_steep: bool,
}

impl Line {
    /// The line of a function, for rows of scales within a range.
    pub fn new(sampled: &Sampled, [low, high]: [f64; 2]) -> Self {
        let pieces = without_slivers(sampled);
        let mut spans = Vec::with_capacity(2 * pieces.len());
        for (piece, from, to) in pieces.iter().rev() {
            if piece.middle != 0.0 {
                spans.push(Span::mirrored(piece, [*from, *to]));
            }
        }
        for (piece, from, to) in &pieces {
            let from = if piece.middle == 0.0 { -*to } else { *from };
            spans.push(Span::of(piece, [from, *to]));
        }
        let mut singular: Vec<f64> = sampled.kinks.iter().flat_map(|kink| [-*kink, *kink]).collect();
        let first = sampled.kinks.iter().fold(f64::INFINITY, |first, kink| first.min(*kink));
        let zero = if sampled.pieces.first().is_some_and(|piece| piece.middle == 0.0) {
            Zero::Smooth
        } else {
            singular.push(0.0);
            around_zero(&spans, [low.min(first), high], sampled.noise).map_or(Zero::Singular, Zero::Kinked)
        };
        singular.sort_by(f64::total_cmp);
        let jumps = jumps(&spans, &singular);
        let is_steep = zero == Zero::Singular
            && [0, 1].into_iter().any(|part| {
                let power = sampled.power(part);
                sampled.has[part] && power > STEEP.0 && power < STEEP.1
            });
        let mut line = Self {
            noise: sampled.noise,
            origin: sampled.origin,
            first,
            spans,
            zero,
            singular,
            jumps,
            is_steep,
        };
        line.is_steep |= line.is_unbounded(high);
        line
    }

    /// φ − φ(0) and φ'.
    pub fn at(&self, u: f64) -> [f64; 2] {
        self.spans[find(&self.spans, u)].at(u)
    }

    /// Whether much of E[φ'²] lies in the narrowest spans beside kinks.
    fn is_unbounded(&self, scale: f64) -> bool {
        let (mut close, mut all) = (0.0, 0.0);
        for span in &self.spans {
            let width = span.to - span.from;
            let weight = (-(span.middle / scale).powi(2) / 2.0).exp() * width;
            let mean = [-0.9, -0.5, 0.0, 0.5, 0.9].map(|t| span.at(span.middle + t / span.zoom)[1].powi(2));
            let energy = weight * mean.iter().sum::<f64>();
            all += energy;
            let distance = self.singular.iter().map(|kink| (span.middle - kink).abs());
            let near = BESIDE.contains(&(distance.fold(f64::INFINITY, f64::min) / span.middle.abs()));
            let [low, high] = [span.from, span.to].map(|u| span.at(u)[0]);
            // Rounding of a constant is steep on a narrow span.
            let rises =
                (high - low).abs() > CHANGE * self.noise * (low + self.origin).abs().max(self.origin.abs());
            if near && rises {
                close += energy;
            }
        }
        close > UNBOUNDED * all
    }
}

impl Span {
    fn of(piece: &Piece, [from, to]: [f64; 2]) -> Self {
        let [odd, even] = &piece.powers;
        let value = std::array::from_fn(|k| odd[k] + even[k]);
        Self::new([from, to], piece.middle, piece.zoom, value)
    }

    /// On the other side of zero.
    fn mirrored(piece: &Piece, [from, to]: [f64; 2]) -> Self {
        let [odd, even] = &piece.powers;
        let sign = |k: usize| if k.is_multiple_of(2) { 1.0 } else { -1.0 };
        let value = std::array::from_fn(|k| sign(k) * (even[k] - odd[k]));
        Self::new([-to, -from], -piece.middle, piece.zoom, value)
    }

    fn new([from, to]: [f64; 2], middle: f64, zoom: f64, value: [f64; TERMS]) -> Self {
        // Rounding errors of a constant would be steep on a narrow span.
        let rounding = 64.0 * f64::EPSILON * value.iter().fold(0f64, |most, power| most.max(power.abs()));
        let slope = std::array::from_fn(|k| match value.get(k + 1) {
            Some(next) if next.abs() > rounding => (k + 1) as f64 * next * zoom,
            _ => 0.0,
        });
        Self { from, to, middle, zoom, value, slope }
    }

    /// φ − φ(0) and φ'.
    pub fn at(&self, u: f64) -> [f64; 2] {
        let t = (u - self.middle) * self.zoom;
        [&self.value, &self.slope].map(|powers| powers.iter().rev().fold(0.0, |sum, power| sum * t + power))
    }
}

/// The span that holds a place, or the one nearest to it.
fn find(spans: &[Span], u: f64) -> usize {
    spans.partition_point(|span| span.to <= u).min(spans.len() - 1)
}

/// Pieces and where they begin and end once slivers are left out. The wider neighbour of a gap covers it, where the gap is
/// so much narrower that this is no extrapolation.
fn without_slivers(sampled: &Sampled) -> Vec<(&Piece, f64, f64)> {
    let mut kept: Vec<(&Piece, f64, f64)> = Vec::with_capacity(sampled.pieces.len());
    for piece in &sampled.pieces {
        let (mut from, to) = if piece.middle == 0.0 {
            (0.0, 1.0 / piece.zoom)
        } else {
            (piece.from, piece.middle + 1.0 / piece.zoom)
        };
        if to - from <= SLIVER * to {
            continue;
        }
        if let Some((_, start, end)) = kept.last_mut() {
            let gap = from - *end;
            if (*end - *start).max(to - from) > WIDER * gap {
                if *end - *start > to - from {
                    *end = from;
                } else {
                    from = *end;
                }
            }
        }
        kept.push((piece, from, to));
    }
    kept
}

/// Spans on either side of zero with ends at every third octave of the scales; `None` where the function is no polynomial
/// there.
fn around_zero(spans: &[Span], [low, high]: [f64; 2], noise: f64) -> Option<Vec<[Span; 2]>> {
    let middle = spans.partition_point(|span| span.to <= 0.0);
    let ends: Vec<f64> = spans[middle..].iter().map(|span| span.to).collect();
    let line = |u: f64| spans[find(spans, u)].at(u)[0];
    let mut found: Vec<[Span; 2]> = Vec::new();
    let mut next = 0.0;
    let smallest = low.max(SMALLEST * high) / 16.0;
    for &end in ends.iter().filter(|end| **end > smallest && **end < 2.0 * high) {
        if end < next {
            continue;
        }
        // Very close to zero, rounding may hide what a larger one shows.
        let Some(pair) = one_sided(end, line, SMOOTH.max(16.0 * noise)) else { continue };
        found.push(pair);
        next = 7.9 * end;
    }
    if found.is_empty() { None } else { Some(found) }
}

/// One polynomial on either side of zero, if they are right.
fn one_sided(end: f64, line: impl Fn(f64) -> f64, smooth: f64) -> Option<[Span; 2]> {
    let transforms = Transforms::new(1.0);
    let side = |sign: f64| {
        let middle = 0.5 * sign * end;
        let values: Vec<f64> = transforms.nodes.iter().map(|t| line(middle + 0.5 * end * t)).collect();
        let value = transforms.powers(&transforms.chebyshev(&values));
        let ends = if sign > 0.0 { [0.0, end] } else { [-end, 0.0] };
        let span = Span::new(ends, middle, 2.0 / end, value);
        let size = values.iter().fold(0f64, |worst, value| worst.max(value.abs()));
        let right = (0..80).map(|k| sign * end * 0.73f64.powi(k)).all(|u| {
            // The end itself belongs to the next span.
            let u = u * (1.0 - f64::EPSILON);
            (span.at(u)[0] - line(u)).abs() <= smooth * size
        });
        right.then_some(span)
    };
    Some([side(-1.0)?, side(1.0)?])
}

/// Steps among the singular places.
fn jumps(spans: &[Span], singular: &[f64]) -> Vec<[f64; 2]> {
    let mut jumps: Vec<[f64; 2]> = Vec::new();
    for &place in singular {
        let after = find(spans, place);
        // The edge nearest to the place, which was known to some digits only.
        let Some((after, edge)) = [after, after + 1]
            .into_iter()
            .filter(|after| *after > 0 && *after < spans.len())
            .map(|after| (after, spans[after].from))
            .min_by(|a, b| (a.1 - place).abs().total_cmp(&(b.1 - place).abs()))
        else {
            continue;
        };
        let [before, after] = [&spans[after - 1], &spans[after]];
        let (left, right) = (before.at(before.to)[0], after.at(edge)[0]);
        let around = [left, right, before.at(before.middle)[0], after.at(after.middle)[0]];
        let size = around.into_iter().fold(0f64, |most, value| most.max(value.abs()));
        if (right - left).abs() > JUMP * size {
            jumps.push([edge, right - left]);
        }
    }
    jumps.dedup();
    jumps
}
