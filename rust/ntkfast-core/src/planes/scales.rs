//! The range of what is in maps.

use super::GROUP;
use crate::program::RowTrace;

/// A number for each image.
pub type Each = [f64; GROUP];

/// A range of scales.
#[derive(Clone, Copy, Debug)]
pub struct Scales {
    pub low: f64,
    pub high: f64,
    /// Whether there are zeros.
    pub zeros: bool,
    /// An image with the largest one.
    pub largest: usize,
}

impl Default for Scales {
    fn default() -> Self {
        Self { low: f64::INFINITY, high: 0.0, zeros: false, largest: 0 }
    }
}

impl Scales {
    pub fn add(&mut self, image: usize, row: RowTrace) {
        self.zeros |= row.scale == 0.0;
        if row.scale.is_finite() && (row.scale > 0.0 || row.tangent > 0.0) {
            self.low = self.low.min(row.scale);
            if row.scale > self.high {
                (self.high, self.largest) = (row.scale, image);
            }
        }
    }

    /// Both ranges.
    pub fn with(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
            zeros: self.zeros || other.zeros,
            largest: if other.high > self.high { other.largest } else { self.largest },
        }
    }
}
