//! How a function is sampled: where its pieces end.
//!
//! One piece around zero where the function is analytic there, else octaves down to the smallest numbers; above it,
//! octaves that are cut in halves until [`TERMS`] Chebyshev terms resolve the function on every piece, each against its
//! own size. Where halving goes on and on there is a kink or a step, whose place is thereby known; the pieces beside it
//! are then made anew, with the kink between them.
//!
//! A feature between the points of a piece would go unnoticed. Therefore [`PROBES`] more values in every octave that
//! matters, on either side, are compared with the pieces, which are halved until they agree.

use super::Source;
use super::piece::{Made, Transforms};
use super::sampled::{BOTTOM, Piece, Sampled, TERMS, exponent, octave};
use crate::error::Result;

/// Values that are compared in every octave, on either side of zero. Features wider than 1/1000 of their distance to
/// zero meet at least one of them.
const PROBES: usize = 2048;
/// Octaves with such values begin at this share of the smallest scale.
const PROBED_FROM: f64 = 1.0 / 16.0;
/// And these are the most.
const PROBED_OCTAVES: i32 = 40;
/// How many octaves are tried as the end of the piece around zero: a kink cannot be seen from very close.
const CENTRAL: i32 = 30;
/// How many values near zero are compared with that piece, and to what they have to agree.
const NEAR: i32 = 300;
const NEARLY: f64 = 1e-11;
/// Rounding errors that terms may leave that cancel near zero, relative to u times the steepness.
const CANCELLED: f64 = 8.0 * f64::EPSILON;
/// Width of a piece that is not halved any more, relative to its place.
const NARROWEST: f64 = 1e-12;
/// Width of pieces that only a kink makes necessary.
const NARROW: f64 = 1e-5;
/// Errors up to this share of the values are noise, where three halvings leave more than that share of them in all parts.
const NOISE: f64 = 1e-7;
const LASTING: f64 = 0.35;
/// Values of less than this share of √E[φ²] are nothing, with all that they do; seen at so many scales.
const NOTHING: f64 = 1e-30;
const SCALES: usize = 6;
/// The smallest of them, relative to the largest.
const LEAST: f64 = 1e-12;
/// The most pieces of all.
const MOST: usize = 1 << 13;
/// A piece may miss values by this much of its size, and by so many rounding errors.
const MISS: (f64, f64) = (1e-13, 64.0 * f64::EPSILON);

/// Half-open intervals of positive arguments.
type Interval = [f64; 2];

/// Sample a function on [-top, top] for rows with scales in a range, which has kinks where its owner says, and perhaps
/// elsewhere.
///
/// # Errors
/// [`crate::error::Error::Function`] where the function fails; [`crate::error::Error::Cancelled`].
pub fn sample(source: &Source<'_>, range: [f64; 2], top: f64) -> Result<Sampled> {
    let given = source.function.kinks.iter().map(|kink| kink.abs());
    let mut kinks: Vec<f64> = given.filter(|kink| (1e-250..top).contains(kink)).collect();
    let origin = source.values(&[0.0])?[0];
    let probes = probes(source, range[0], top)?;
    let norms = norms(&probes, origin, range);
    let sampler = Sampler { source, origin, transforms: Transforms::new(source.gain), probes, norms };
    let central = sampler.central(top, &kinks)?;
    let bottom = central.as_ref().map_or_else(|| octave(BOTTOM), |piece| 1.0 / piece.zoom);
    let mut resolved = sampler.resolve(intervals(bottom, top, &kinks))?;
    if resolved.is_complete {
        let found = kinks_of(&resolved.pieces);
        if !found.is_empty() {
            let edges: Vec<f64> =
                kinks.iter().copied().chain(found.iter().flat_map(|kink| kink.around)).collect();
            resolved = sampler.resolve(intervals(bottom, top, &edges))?;
        }
        kinks.extend(found.iter().map(|kink| kink.place));
    }
    let Resolved { mut pieces, doubts, noise, .. } = resolved;
    pieces.extend(central);
    pieces.sort_by(|a, b| a.from.total_cmp(&b.from));
    Ok(Sampled::new(sampler.origin, pieces, kinks, (doubts, noise), top))
}

/// An interval that is to be resolved.
struct Pending {
    interval: Interval,
    /// Errors of the last three intervals that it is a part of.
    errors: [f64; 3],
    /// For how many halvings both halves were as bad.
    together: usize,
}

impl Pending {
    fn new(interval: Interval) -> Self {
        Self { interval, errors: [f64::INFINITY; 3], together: 0 }
    }

    /// Whether an error is one that halving does not reduce, neither here nor beside.
    fn is_noisy(&self, error: f64, size: f64) -> bool {
        self.together >= self.errors.len() && error > LASTING * self.errors[0] && error <= NOISE * size
    }

    /// Its halves, after this error; whether the other half of the same interval has one, too.
    fn halves(&self, error: f64, both: bool) -> [Self; 2] {
        let [from, to] = self.interval;
        let middle = 0.5 * (from + to);
        let [_, older, old] = self.errors;
        let together = if both { self.together + 1 } else { 0 };
        [[from, middle], [middle, to]].map(|interval| Self {
            interval,
            errors: [older, old, error],
            together,
        })
    }
}

fn is_narrow([from, to]: Interval) -> bool {
    to - from <= NARROWEST * to
}

/// Pieces in order.
struct Resolved {
    pieces: Vec<Piece>,
    /// Those that were given up: their ends, and the largest error times value on them.
    doubts: Vec<[f64; 3]>,
    /// Noise of values relative to these.
    noise: f64,
    /// Whether all were resolved but for noise.
    is_complete: bool,
}

struct Sampler<'a> {
    source: &'a Source<'a>,
    origin: f64,
    transforms: Transforms,
    /// Arguments, and the values there and at their negatives; in order.
    probes: Vec<[f64; 3]>,
    /// Some scales, and about √E[(φ − φ(0))²] there.
    norms: Vec<[f64; 2]>,
}

impl Sampler<'_> {
    /// The largest piece around zero, ended by an octave, that is one polynomial; `None` where the function is not
    /// analytic at zero.
    fn central(&self, top: f64, kinks: &[f64]) -> Result<Option<Piece>> {
        let end = kinks.iter().fold(top, |end, kink| end.min(*kink));
        let last = exponent(end);
        let ends: Vec<f64> = (last - CENTRAL..=last).rev().map(octave).filter(|end| *end > 0.0).collect();
        let inputs: Vec<f64> =
            ends.iter().flat_map(|end| self.transforms.nodes.iter().map(move |t| end * t)).collect();
        let values = self.source.values(&inputs)?;
        for (end, values) in ends.iter().zip(values.chunks_exact(TERMS)) {
            let lost = CANCELLED * self.steepness(*end, values);
            let Some(made) = self.transforms.central(*end, values, self.origin, lost * end) else { continue };
            if self.holds_near_zero(&made, *end, lost)? && self.agrees(&made, self.probes_in([0.0, *end])) {
                return Ok(Some(made.piece));
            }
        }
        Ok(None)
    }

    /// How steep terms may be that cancel near zero: the function's |φ(u) − φ(0)|/u farther out, within bounds.
    fn steepness(&self, end: f64, values: &[f64]) -> f64 {
        let rise = |u: f64, value: f64| (value - self.origin).abs() / u.abs();
        let nodes = self.transforms.nodes.iter().map(|t| end * t);
        let here = nodes.zip(values).map(|(u, value)| rise(u, *value)).fold(0.0, f64::max);
        let beyond = self.probes_in([end, 16.0 * end]).iter();
        let beyond = beyond.map(|&[u, plus, minus]| rise(u, plus).max(rise(u, minus))).fold(here, f64::max);
        beyond.min(64.0 * here)
    }

    /// Whether both parts are right close to zero, as far as rounding of values lets this be seen: features there may be
    /// of any size.
    fn holds_near_zero(&self, made: &Made, end: f64, lost: f64) -> Result<bool> {
        let near: Vec<f64> = (1..=NEAR).map(|k| end * 0.73f64.powi(k)).filter(|u| *u > 1e-290).collect();
        let inputs: Vec<f64> = near.iter().flat_map(|u| [*u, -u]).collect();
        let values = self.source.values(&inputs)?;
        Ok(near.iter().zip(values.chunks_exact(2)).all(|(&u, pair)| {
            let rounding = MISS.1 * pair[0].abs().max(pair[1].abs()).max(self.origin.abs());
            // Terms that cancel near zero leave rounding errors of their own size: that of u, or of a constant, which
            // the last coefficients show.
            let rounding = rounding.max(lost * u).max(4.0 * made.tail);
            let sampled = [0.5 * (pair[0] - pair[1]), 0.5 * (pair[0] + pair[1]) - self.origin];
            let close = |(value, part): (f64, f64)| (value - part).abs() <= NEARLY * value.abs() + rounding;
            sampled.into_iter().zip(made.piece.parts(u)).all(close)
        }))
    }

    /// Halve intervals until they are resolved.
    fn resolve(&self, intervals: Vec<Interval>) -> Result<Resolved> {
        let mut resolved = Resolved { pieces: Vec::new(), doubts: Vec::new(), noise: 0.0, is_complete: true };
        let mut pending: Vec<Pending> = intervals.into_iter().map(Pending::new).collect();
        let mut halved = false;
        while !pending.is_empty() {
            let full = resolved.pieces.len() + 2 * pending.len() > MOST;
            let tried: Vec<(Made, f64)> = (pending.iter().zip(self.values(&pending)?))
                .map(|(pending, values)| self.attempt(pending.interval, &values))
                .collect();
            let mut halves = Vec::new();
            for (i, (pending, (made, error))) in pending.iter().zip(&tried).enumerate() {
                let narrow = is_narrow(pending.interval);
                let noisy = pending.is_noisy(*error, made.size);
                if *error > 0.0 && !narrow && !full && !noisy {
                    // The other half of the same interval stands beside it. A kink lies in one of them.
                    let both = halved && tried[i ^ 1].1 > 0.0;
                    halves.extend(pending.halves(*error, both));
                    continue;
                }
                if *error > 0.0 && !narrow {
                    let [from, to] = pending.interval;
                    resolved.doubts.push([from, to, error * made.size]);
                    if noisy {
                        resolved.noise = resolved.noise.max(error / made.size);
                    } else {
                        resolved.is_complete = false;
                    }
                }
                resolved.pieces.push(made.piece.clone());
            }
            pending = halves;
            halved = true;
        }
        resolved.pieces.sort_by(|a, b| a.from.total_cmp(&b.from));
        Ok(resolved)
    }

    /// The piece on an interval, from its values, and its error, where it is more than it may be, else 0.
    fn attempt(&self, interval: Interval, values: &[f64]) -> (Made, f64) {
        let (values, ends) = values.split_at(2 * TERMS);
        let made = self.transforms.piece(interval, values, self.origin);
        let error = if !self.matters(interval, made.own) {
            0.0
        } else if made.tail > 0.0 || is_narrow(interval) {
            made.tail
        } else {
            let [low, high] = inside(interval);
            let ends = [[low, ends[0], ends[1]], [high, ends[2], ends[3]]];
            self.miss(&made, &ends).max(self.miss(&made, self.probes_in(interval)))
        };
        (made, error)
    }

    /// Whether values of this size are anything at all of φ − φ(0), for rows of any scale.
    fn matters(&self, [from, _]: Interval, size: f64) -> bool {
        self.norms.iter().any(|&[scale, norm]| {
            let root = (-(from / scale).powi(2) / 4.0).exp();
            size * root > NOTHING * norm
        })
    }

    /// Values at the Chebyshev points of every interval, at the same points mirrored, and at ± both ends: beyond the
    /// outermost points a step would not be seen.
    fn values(&self, pending: &[Pending]) -> Result<Vec<Vec<f64>>> {
        let nodes = &self.transforms.nodes;
        let at = |[from, to]: Interval| nodes.iter().map(move |t| 0.5 * (from + to) + 0.5 * (to - from) * t);
        let all = |interval: Interval| {
            let ends = inside(interval).into_iter().flat_map(|u| [u, -u]);
            at(interval).chain(at(interval).map(|u| -u)).chain(ends)
        };
        let inputs: Vec<f64> = pending.iter().flat_map(|pending| all(pending.interval)).collect();
        Ok(self.source.values(&inputs)?.chunks_exact(2 * TERMS + 4).map(<[f64]>::to_vec).collect())
    }

    fn probes_in(&self, [from, to]: Interval) -> &[[f64; 3]] {
        let [first, end] = [from, to].map(|edge| self.probes.partition_point(|probe| probe[0] < edge));
        &self.probes[first..end]
    }

    /// The largest error of a piece at some values, where it is more than it may be, else 0.
    fn miss(&self, made: &Made, probes: &[[f64; 3]]) -> f64 {
        let may = MISS.0 * made.size.max(self.origin.abs()) + MISS.1 * made.noise;
        let mut worst = 0f64;
        for &[u, plus, minus] in probes {
            let [odd, even] = made.piece.parts(u);
            let even = self.origin + even;
            worst = worst.max((plus - even - odd).abs()).max((minus - even + odd).abs());
        }
        if worst > may { worst } else { 0.0 }
    }

    fn agrees(&self, made: &Made, probes: &[[f64; 3]]) -> bool {
        self.miss(made, probes) == 0.0
    }
}

/// The first and the last numbers inside an interval, whose ends may be kinks.
fn inside([from, to]: Interval) -> [f64; 2] {
    [from.next_up(), to.next_down()]
}

/// Values between the points of pieces, in the octaves that matter.
fn probes(source: &Source<'_>, low: f64, top: f64) -> Result<Vec<[f64; 3]>> {
    let last = exponent(top);
    let first = exponent((PROBED_FROM * low).max(f64::MIN_POSITIVE)).max(last - PROBED_OCTAVES).max(BOTTOM);
    // Never at the same places of two octaves, so that what has a period is not always met in the same phase.
    let at = |i: usize, e: i32| 1.0 + (i as f64 + (0.618 * f64::from(e)).rem_euclid(1.0)) / PROBES as f64;
    let places = (first..=last).flat_map(|e| (0..PROBES).map(move |i| octave(e) * at(i, e)));
    let places: Vec<f64> = places.filter(|u| *u > 0.0 && *u < top).collect();
    let inputs: Vec<f64> = places.iter().flat_map(|u| [*u, -u]).collect();
    let values = source.values(&inputs)?;
    Ok(places.into_iter().zip(values.chunks_exact(2)).map(|(u, values)| [u, values[0], values[1]]).collect())
}

/// About √E[(φ − φ(0))²] at scales over a range, from values between the pieces' points.
fn norms(probes: &[[f64; 3]], origin: f64, [low, high]: [f64; 2]) -> Vec<[f64; 2]> {
    let scale = |i: usize| high * (low.max(high * LEAST) / high).powf(i as f64 / (SCALES - 1) as f64);
    let scales = (0..SCALES).map(scale);
    scales
        .map(|scale| {
            let square = |&[u, plus, minus]: &[f64; 3]| {
                let (z, width) = (u / scale, octave(exponent(u)) / PROBES as f64 / scale);
                let values = [plus, minus].map(|value| (value - origin).powi(2));
                (values[0] + values[1]) * (-z * z / 2.0).exp() * width
            };
            [scale, probes.iter().map(square).sum::<f64>().sqrt()]
        })
        .collect()
}

/// A kink that was found.
struct Kink {
    place: f64,
    /// Where it ends for certain, on either side.
    around: [f64; 2],
}

/// Narrow pieces side by side are one kink; it lies in the narrowest, or beside it.
fn kinks_of(pieces: &[Piece]) -> Vec<Kink> {
    let width = |piece: &Piece| 2.0 / piece.zoom;
    let narrow = |piece: &Piece| width(piece) < NARROW * piece.middle;
    let indices: Vec<usize> = (0..pieces.len()).collect();
    indices
        .chunk_by(|&a, &b| narrow(&pieces[a]) && narrow(&pieces[b]))
        .filter_map(|group| {
            let narrow = group.iter().copied().filter(|&i| narrow(&pieces[i]));
            narrow.min_by(|&a, &b| width(&pieces[a]).total_cmp(&width(&pieces[b])))
        })
        .map(|i| {
            let end = |piece: &Piece| piece.middle + 0.5 * width(piece);
            let (before, after) = (&pieces[i.saturating_sub(1)], &pieces[(i + 1).min(pieces.len() - 1)]);
            Kink { place: pieces[i].middle, around: [before.from, end(after)] }
        })
        .collect()
}

/// The octaves from `bottom` up to `top`, cut at these places.
fn intervals(bottom: f64, top: f64, cuts: &[f64]) -> Vec<Interval> {
    let octaves = (exponent(bottom)..=exponent(top)).map(octave);
    let mut edges: Vec<f64> =
        octaves.chain(cuts.iter().copied()).filter(|edge| *edge > bottom && *edge < top).collect();
    edges.extend([bottom, top]);
    edges.sort_by(f64::total_cmp);
    edges.windows(2).filter(|pair| pair[0] < pair[1]).map(|pair| [pair[0], pair[1]]).collect()
}
