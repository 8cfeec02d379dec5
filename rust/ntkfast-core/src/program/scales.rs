//! The range of the standard deviations that rows have at one place of a program.

use super::RowTrace;

/// A range of scales. Everything that is prepared for rows depends on them through this alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scales {
    /// The smallest one that is not zero, or zero where such a row has a tangent.
    pub low: f64,
    /// The largest one.
    pub high: f64,
    /// Whether there are zeros.
    pub zeros: bool,
    /// A row with the largest one.
    pub largest: usize,
}

impl Default for Scales {
    fn default() -> Self {
        Self { low: f64::INFINITY, high: 0.0, zeros: false, largest: 0 }
    }
}

impl Scales {
    /// Those of rows before the first step.
    pub fn of_rows(scales: &[f64]) -> Self {
        let mut all = Self::default();
        for (row, &scale) in scales.iter().enumerate() {
            all.add(row, RowTrace { scale, tangent: 0.0 });
        }
        all
    }

    /// One more row. What no number can hold is refused later, by whoever computes with it.
    pub fn add(&mut self, index: usize, row: RowTrace) {
        self.zeros |= row.scale == 0.0;
        if row.scale.is_finite() && (row.scale > 0.0 || row.tangent > 0.0) {
            self.low = self.low.min(row.scale);
            if row.scale > self.high {
                (self.high, self.largest) = (row.scale, index);
            }
        }
    }

    /// Whether it is a range that rows can have; without a row that is not zero it is empty.
    pub fn is_range(&self) -> bool {
        let (empty, low) =
            (*self == Self { zeros: self.zeros, largest: self.largest, ..Self::default() }, self.low);
        empty || (low >= 0.0 && low <= self.high && self.high.is_finite())
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
