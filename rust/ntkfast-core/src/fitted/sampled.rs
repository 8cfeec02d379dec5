//! A function as polynomials on pieces of the line: some calls on long arrays, then any number of values for a few
//! nanoseconds each.
//!
//! Octaves below the largest argument are cut in halves until sixteen Chebyshev terms resolve the function on every
//! piece, each against its own size, so that arguments near zero keep their digits. Where halving goes on and on
//! there is a kink or a step, whose place is thereby known.

use super::Source;
use super::chebyshev::{points, transform};
use crate::error::Result;

/// Odd and even part.
pub const PARTS: usize = 2;

/// Coefficients of a piece.
pub(super) const TERMS: usize = 16;
/// Octaves begin at this times powers of two: nowhere that a function is likely to have a kink, which would go
/// unnoticed between two pieces.
const EDGE: f64 = 0.754_877_666_246_692_7;
/// Exponent of the smallest octave.
const BOTTOM: i32 = -1000;
/// Last coefficients of a resolved piece, relative to its largest value.
const RESOLVED: f64 = 1e-14;
/// Width of a piece that is not halved any more, relative to its place.
const NARROWEST: f64 = 1e-12;
/// Width of pieces that only a kink makes necessary.
const NARROW: f64 = 1e-5;
/// The most pieces of all.
const MOST: usize = 1 << 13;
/// The most kinks that a quadrature goes around.
const MOST_KINKS: usize = 6;

/// A function's odd part, and its even part less its value at zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// φ(0).
    pub origin: f64,
    /// Whether there is an odd part, and an even one that is not constant.
    pub has: [bool; PARTS],
    /// Where |argument| meets a kink or a step, apart from zero.
    pub kinks: Vec<f64>,
    /// First piece of every octave, from the smallest on, and how many there are in all.
    octaves: Vec<usize>,
    pub(super) pieces: Vec<Piece>,
    /// Pieces that were given up: their ends, and the largest error times value on them.
    doubts: Vec<[f64; 3]>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) from: f64,
    pub(super) middle: f64,
    /// 1 over half the width.
    pub(super) zoom: f64,
    /// Powers of (u − middle)·zoom.
    pub(super) powers: [[f64; TERMS]; PARTS],
}

/// Half-open intervals of positive arguments.
type Interval = [f64; 2];

impl Sampled {
    /// Sample a function on [-top, top], which has kinks where its owner says, and perhaps elsewhere.
    ///
    /// # Errors
    /// [`crate::error::Error::Function`] where the function fails; [`crate::error::Error::Cancelled`].
    pub fn new(source: &Source<'_>, top: f64) -> Result<Self> {
        let origin = source.values(&[0.0])?[0];
        let given = source.function.kinks.iter().map(|kink| kink.abs());
        let mut kinks: Vec<f64> = given.filter(|kink| (1e-250..top).contains(kink)).collect();
        let mut pending = intervals(top, &kinks);
        let (mut pieces, mut doubts) = (Vec::new(), Vec::new());
        let transforms = (transform(TERMS), to_powers());
        while !pending.is_empty() {
            let full = pieces.len() + 2 * pending.len() > MOST;
            let values = sample(source, &pending)?;
            let mut halves = Vec::new();
            for (interval, values) in pending.iter().zip(values) {
                let [from, to] = *interval;
                let (piece, tail, size) = Piece::new(*interval, &values, origin, &transforms);
                let narrow = to - from <= NARROWEST * to;
                if tail > 0.0 && !narrow && !full {
                    let middle = 0.5 * (from + to);
                    halves.extend([[from, middle], [middle, to]]);
                    continue;
                }
                if tail > 0.0 && !narrow {
                    doubts.push([from, to, tail * size]);
                }
                pieces.push(piece);
            }
            pending = halves;
        }
        pieces.sort_by(|a, b| a.from.total_cmp(&b.from));
        if doubts.is_empty() {
            kinks.extend(kinks_of(&pieces));
        }
        if kinks.len() > MOST_KINKS {
            kinks.clear();
        }
        let octaves = (0..=exponent(top) - BOTTOM)
            .map(|octave| pieces.partition_point(|piece| exponent(piece.middle) - BOTTOM < octave))
            .chain([pieces.len()])
            .collect();
        let has = [0, 1]
            .map(|part| pieces.iter().any(|piece| piece.powers[part].iter().any(|power| *power != 0.0)));
        Ok(Self { origin, has, kinks, octaves, pieces, doubts })
    }

    /// The index of the piece that a positive number lies in.
    pub(super) fn piece(&self, u: f64) -> Option<usize> {
        let octave = exponent(u) - BOTTOM;
        if octave < 0 {
            return None;
        }
        let octave = (octave as usize).min(self.octaves.len() - 2);
        let first = self.octaves[octave];
        let inside = &self.pieces[first..self.octaves[octave + 1]];
        Some(first + inside.partition_point(|piece| piece.from <= u).max(1) - 1)
    }

    /// The power of u with which a part falls off towards zero, where it has digits; ∞ for no part.
    pub fn power(&self, part: usize) -> f64 {
        let top = self.pieces.last().map_or(1.0, |piece| piece.from);
        let near = [-200, -16, -8].map(|exponent| top * 2f64.powi(exponent));
        let values = near.map(|u| [self.value(part, u), self.value(part, 2.0 * u)]);
        let power =
            values.into_iter().find(|[a, b]| *a != 0.0 && *b != 0.0).map(|[a, b]| (b / a).abs().log2());
        let whole = power.map_or(f64::INFINITY, f64::round);
        power.filter(|power| (power - whole).abs() > 1e-3).unwrap_or(whole)
    }

    /// Share of a row's E[φ²] that pieces given up may be wrong by.
    pub fn doubt(&self, row: &Spread) -> f64 {
        let density = |u: f64| (-(u / row.scale).powi(2) / 2.0).exp() / row.scale;
        let size = (row.norm * row.norm).max(f64::MIN_POSITIVE);
        let weighted = |[from, to, error]: &[f64; 3]| 2.0 * error * density(*from) * (to - from) / size;
        self.doubts.iter().map(weighted).sum()
    }
}

/// Moments of one row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread {
    /// Standard deviation before the activation.
    pub scale: f64,
    /// √E[φ²].
    pub norm: f64,
    /// Standard deviation of the odd and of the even part.
    pub parts: [f64; PARTS],
}

impl Piece {
    /// A piece from its values at ±u; the size of its last coefficients where they are not negligible, else 0; and
    /// its largest value.
    fn new(
        [from, to]: Interval,
        values: &[f64],
        origin: f64,
        (to_chebyshev, to_powers): &(Vec<Vec<f64>>, Vec<[f64; TERMS]>),
    ) -> (Self, f64, f64) {
        let (plus, minus) = values.split_at(TERMS);
        let size = values.iter().fold(0f64, |worst, value| worst.max(value.abs()));
        let swing = |values: &[f64]| {
            let largest = values.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
            largest - values.iter().fold(f64::INFINITY, |a, b| a.min(*b))
        };
        // Rounding of values, and of arguments times the slope.
        let noise = size.max(origin.abs()) + swing(plus).max(swing(minus)) * to / (to - from);
        let mut worst = 0f64;
        let powers = [(-1.0, 0.0), (1.0, origin)].map(|(sign, origin)| {
            let part: Vec<f64> = plus.iter().zip(minus).map(|(a, b)| 0.5 * (a + sign * b) - origin).collect();
            let own = part.iter().fold(0f64, |worst, value| worst.max(value.abs()));
            // Rounding of the other part.
            if own <= 4.0 * f64::EPSILON * size.max(origin.abs()) {
                return [0.0; TERMS];
            }
            let chebyshev: Vec<f64> =
                to_chebyshev.iter().map(|row| row.iter().zip(&part).map(|(a, b)| a * b).sum()).collect();
            let tail = chebyshev[TERMS - 2].abs() + chebyshev[TERMS - 1].abs();
            if tail > RESOLVED * own && tail > 8.0 * f64::EPSILON * noise && own > 1e-290 {
                worst = worst.max(tail);
            }
            let mut powers = [0.0; TERMS];
            for (coefficient, row) in chebyshev.iter().zip(to_powers) {
                powers.iter_mut().zip(row).for_each(|(power, factor)| *power += coefficient * factor);
            }
            powers
        });
        (Self { from, middle: 0.5 * (from + to), zoom: 2.0 / (to - from), powers }, worst, size)
    }
}

/// The octave of a positive number.
fn exponent(u: f64) -> i32 {
    ((u / EDGE).to_bits() >> 52) as i32 - 1023
}

/// Narrow pieces side by side are one kink; it lies in the narrowest.
fn kinks_of(pieces: &[Piece]) -> Vec<f64> {
    let width = |piece: &Piece| 2.0 / piece.zoom;
    let narrow = |piece: &&Piece| width(piece) < NARROW * piece.middle;
    pieces
        .chunk_by(|a, b| narrow(&a) && narrow(&b))
        .filter_map(|group| group.iter().filter(narrow).min_by(|a, b| width(a).total_cmp(&width(b))))
        .map(|piece| piece.middle)
        .collect()
}

/// The octaves up to `top`, cut at the kinks.
fn intervals(top: f64, kinks: &[f64]) -> Vec<Interval> {
    let mut edges: Vec<f64> = (BOTTOM..=exponent(top)).map(|e| EDGE * 2f64.powi(e)).chain([top]).collect();
    edges.extend(kinks);
    edges.sort_by(f64::total_cmp);
    edges.windows(2).filter(|pair| pair[0] < pair[1]).map(|pair| [pair[0], pair[1]]).collect()
}

/// Values at the Chebyshev points of every interval and then at the same points mirrored, interval by interval.
fn sample(source: &Source<'_>, intervals: &[Interval]) -> Result<Vec<Vec<f64>>> {
    let nodes = points(TERMS);
    let at = |[from, to]: Interval| nodes.iter().map(move |t| 0.5 * (from + to) + 0.5 * (to - from) * t);
    let inputs: Vec<f64> =
        intervals.iter().flat_map(|&interval| at(interval).chain(at(interval).map(|u| -u))).collect();
    Ok(source.values(&inputs)?.chunks_exact(2 * TERMS).map(<[f64]>::to_vec).collect())
}

/// Coefficients of the powers of t in every Chebyshev polynomial.
fn to_powers() -> Vec<[f64; TERMS]> {
    let mut rows = vec![[0.0; TERMS]; TERMS];
    rows[0][0] = 1.0;
    rows[1][1] = 1.0;
    for k in 2..TERMS {
        for i in 0..TERMS {
            let before = if i > 0 { rows[k - 1][i - 1] } else { 0.0 };
            rows[k][i] = 2.0 * before - rows[k - 2][i];
        }
    }
    rows
}
