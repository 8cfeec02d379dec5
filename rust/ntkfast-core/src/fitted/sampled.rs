//! A function as polynomials on pieces of the line: some calls on long arrays, then any number of values for a few
//! nanoseconds each. Arguments near zero keep their digits.

/// Odd and even part.
pub const PARTS: usize = 2;

/// Coefficients of a piece.
pub(super) const TERMS: usize = 16;
/// Octaves begin at this times powers of two: nowhere that a function is likely to have a kink, which would go
/// unnoticed between two pieces.
const EDGE: f64 = 0.754_877_666_246_692_7;
/// Exponent of the smallest octave.
pub(super) const BOTTOM: i32 = -1000;

/// A function's odd part, and its even part less its value at zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// φ(0).
    pub origin: f64,
    /// Whether there is an odd part, and an even one that is not constant.
    pub has: [bool; PARTS],
    /// Where |argument| meets a kink or a step, apart from zero.
    pub kinks: Vec<f64>,
    /// Where the piece around zero ends; 0 where there is none.
    center: f64,
    /// First piece of every octave, from the smallest on, and how many there are in all.
    octaves: Vec<usize>,
    pub(super) pieces: Vec<Piece>,
    /// Pieces that were given up: their ends, and the largest error times value on them.
    doubts: Vec<[f64; 3]>,
    /// Noise of values relative to these; of rounding at least.
    pub noise: f64,
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

impl Sampled {
    /// A function from its pieces, in order.
    pub(super) fn new(
        origin: f64,
        pieces: Vec<Piece>,
        kinks: Vec<f64>,
        (doubts, noise): (Vec<[f64; 3]>, f64),
        top: f64,
    ) -> Self {
        let octaves = (0..=exponent(top) - BOTTOM)
            .map(|octave| pieces.partition_point(|piece| exponent(piece.middle) - BOTTOM < octave))
            .chain([pieces.len()])
            .collect();
        let has = [0, 1]
            .map(|part| pieces.iter().any(|piece| piece.powers[part].iter().any(|power| *power != 0.0)));
        let center = pieces.first().filter(|piece| piece.middle == 0.0).map_or(0.0, |piece| 1.0 / piece.zoom);
        Self { origin, has, kinks, center, octaves, pieces, doubts, noise: noise.max(f64::EPSILON) }
    }

    /// The index of the piece that a positive number lies in.
    pub(super) fn piece(&self, u: f64) -> Option<usize> {
        if u < self.center {
            return Some(0);
        }
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

    /// Share of a row's E[φ²] that pieces given up may be wrong by, given √E[φ²].
    pub fn doubt(&self, scale: f64, norm: f64) -> f64 {
        let density = |u: f64| (-(u / scale).powi(2) / 2.0).exp() / scale;
        let size = (norm * norm).max(f64::MIN_POSITIVE);
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
    /// Both parts at a positive number.
    pub(super) fn parts(&self, u: f64) -> [f64; PARTS] {
        let t = (u - self.middle) * self.zoom;
        let square = t * t;
        self.powers.each_ref().map(|powers| {
            let pairs = powers.chunks_exact(2).rev();
            let (even, odd) =
                pairs.fold((0.0, 0.0), |(a, b), pair| (a * square + pair[0], b * square + pair[1]));
            even + t * odd
        })
    }
}

/// The octave of a positive number.
pub(super) fn exponent(u: f64) -> i32 {
    ((u / EDGE).to_bits() >> 52) as i32 - 1023
}

/// Where an octave begins.
pub(super) fn octave(exponent: i32) -> f64 {
    EDGE * 2f64.powi(exponent)
}
