//! The range of standard deviations that a fit serves.

use super::Accuracy;
use super::chebyshev::points;
use crate::real::Real;

/// Ranges are rounded to this step of asinh(scale), so that fits are shared by calls with similar rows.
const STEP: f64 = 1.0 / 16.0;

/// Rows whose scales differ by less than this many negligible errors count as alike.
const ALIKE: f64 = 30.0;

/// Chebyshev points in a range of standard deviations. asinh is linear at zero, where kernels are smooth in the
/// scale, and logarithmic far out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    low: f64,
    high: f64,
    /// How many points; one where all rows are alike.
    pub count: usize,
}

impl Grid {
    /// The grid for rows whose scales lie in this range, with `count` points where they differ by more than errors
    /// that do not matter.
    pub fn new([low, high]: [f64; 2], count: usize, accuracy: Accuracy) -> Self {
        let (low, high) = (low.asinh(), high.asinh());
        if high - low <= ALIKE * accuracy.negligible * high {
            return Self { low: high, high, count: 1 };
        }
        Self { low: (low / STEP).floor() * STEP, high: (high / STEP).ceil() * STEP, count }
    }

    /// The same range with another number of points.
    pub fn with(self, count: usize) -> Self {
        Self { count, ..self }
    }

    /// Whether all rows are alike.
    pub fn is_point(&self) -> bool {
        self.low == self.high
    }

    /// The points, from the largest scale to the smallest.
    pub fn scales(&self) -> Vec<f64> {
        points(self.count).into_iter().map(|xi| self.scale(xi)).collect()
    }

    /// The scale at a place in [-1, 1].
    pub fn scale(&self, xi: f64) -> f64 {
        (self.low + (self.high - self.low) * (1.0 + xi) / 2.0).sinh()
    }

    /// Whether this is a grid for rows of that scale, too.
    pub fn contains(&self, scale: f64, accuracy: Accuracy) -> bool {
        let place = scale.asinh();
        if self.is_point() {
            (place - self.high).abs() <= ALIKE * accuracy.negligible * self.high
        } else {
            (self.low..=self.high).contains(&place)
        }
    }

    /// The place of a scale.
    pub fn place<R: Real>(&self, scale: R) -> R {
        if self.is_point() {
            return R::default();
        }
        let place = (scale.asinh() * 2.0 - self.low - self.high) / (self.high - self.low);
        place.map(place.value().clamp(-1.0, 1.0), 1.0)
    }
}
