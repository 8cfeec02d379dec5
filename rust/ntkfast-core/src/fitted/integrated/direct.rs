//! A function that can be integrated for rows of any scale in a range.

use super::line::Line;
use super::near::{Close, Near, REACH, Side};
use crate::fitted::sampled::Sampled;
use crate::scalar::Scalar;
use crate::simd::Level;

/// How much larger errors of slopes may be than the noise of values: these are differences over a piece.
const ROUNDING: f64 = 2048.0;

/// The function on the line, and how many standard deviations matter.
#[derive(Clone, Debug, PartialEq)]
pub struct Direct {
    pub(super) line: Line,
    pub(super) reach: f64,
}

impl Direct {
    /// A sampled function, for rows whose scales lie within a range, integrated as far as `reach` standard deviations.
    pub fn new(sampled: &Sampled, range: [f64; 2], reach: f64) -> Self {
        Self { line: Line::new(sampled, range), reach: reach.max(REACH) }
    }

    /// How many pieces of the function a row of this scale meets; see [`Line::stretches`].
    pub fn stretches(&self, scale: f64, unit: f64) -> usize {
        self.line.stretches(scale, unit).iter().filter(|stretch| stretch.from.abs() < self.reach).count()
    }

    /// A row of this scale.
    pub fn side(&self, scale: f64) -> Side {
        self.moments(scale).side(scale)
    }

    /// Whether values have more noise than rounding.
    pub fn is_noisy(&self) -> bool {
        self.line.noise > f64::EPSILON
    }

    /// How far cosines of slopes may be off because values have noise, if only that of rounding.
    pub fn unknown(&self, sides: [Side; 2]) -> f64 {
        let [a, b] = sides.map(|side| ROUNDING * self.line.noise * side.norm / side.slope);
        a.max(b)
    }

    /// A pair by its 1 − ρ and 1 + ρ.
    pub fn pair(&self, sides: [Side; 2], defects: [f64; 2]) -> Close {
        f64::dispatch(Level::current(), Near { line: &self.line, reach: self.reach, sides, defects })
    }
}
