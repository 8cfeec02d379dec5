//! The units of maps, and the ranges of what is in them.

use super::GROUP;
use crate::program::RowTrace;

/// A number for each image.
pub type Each = [f64; GROUP];

/// The units of maps.
pub enum Units<'a> {
    /// Found as maps are made.
    New(Vec<f64>),
    /// Known from a reference.
    Known(std::slice::Iter<'a, f64>),
}

impl Units<'_> {
    /// Bring a map to its units, which are returned.
    pub fn apply(&mut self, map: &mut [Each]) -> Each {
        let mut largest = [0f64; GROUP];
        for row in &*map {
            largest.iter_mut().zip(row).for_each(|(largest, value)| *largest = largest.max(*value));
        }
        let units = match self {
            Self::New(units) => {
                units.push(largest[0]);
                largest
            }
            Self::Known(units) => {
                let unit = units.next().copied().unwrap_or(0.0);
                let alike = unit / APART..unit * APART;
                largest.map(|largest| if alike.contains(&largest) { unit } else { largest })
            }
        };
        for row in map {
            row.iter_mut().zip(&units).for_each(|(value, unit)| {
                *value = if *unit > 0.0 { *value / *unit } else { 0.0 };
            });
        }
        units
    }
}

/// Images whose sizes differ by less share their units.
const APART: f64 = 1.0;

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
