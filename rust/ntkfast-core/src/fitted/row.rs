//! A fit, and what it makes of a row.

use super::grid::Grid;
use super::lowrank::LowRank;
use super::moments::{Rule, spread};
use super::sampled::{PARTS, Sampled};
use super::sizes::Sizes;
use super::{Accuracy, TINIEST};
use crate::dual::Row;

/// Slots of a row before the factors: its place ξ; √E[φ²] over the size that follows it, and one over that; of either
/// part its size over √E[φ²], and over scale·√E[φ'²].
pub(super) const FIXED_SLOTS: usize = 3 + 2 * PARTS;
/// The first slots of the two latter.
pub(super) const SHARE: usize = 3;
pub(super) const SLOPE: usize = 3 + PARTS;

/// A function's dual on a range of scales.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The name that users know.
    pub name: String,
    /// Estimated error of kernel values, relative to the rows' own.
    pub error: f64,
    pub(super) accuracy: Accuracy,
    /// E[(ψ − ψ')²]/(ξ − ξ')² at ρ = 1, with φ = size·ψ.
    pub(super) distance: LowRank,
    /// E[ψψ'] of the odd part at ρ = 1; without terms where φ is odd or even.
    pub(super) odd: LowRank,
    /// D of the odd and of the even part: a term for each Chebyshev polynomial, none where the part vanishes or is
    /// constant.
    pub(super) parts: [Vec<LowRank>; PARTS],
    /// Whether there is an odd part, and an even one.
    pub(super) has: [bool; PARTS],
    /// What everything is divided by.
    pub(super) sizes: Sizes,
    pub(super) grid: Grid,
    pub(super) rule: Rule,
    pub(super) sampled: Sampled,
}

impl Fitted {
    /// Whether a new fit would give the same.
    pub(super) fn serves(&self, range: [f64; 2], accuracy: Accuracy) -> bool {
        self.accuracy == accuracy && self.grid.with(1) == Grid::new(range, 1, accuracy)
    }

    /// Whether its estimated error is larger than it should be.
    pub fn is_unresolved(&self) -> bool {
        self.error.is_nan() || self.error > self.accuracy.tolerance
    }

    /// Number of per-row constants.
    pub fn slots(&self) -> usize {
        FIXED_SLOTS + self.low_ranks().map(LowRank::len).sum::<usize>()
    }

    /// All low-rank functions, in the order of their slots.
    fn low_ranks(&self) -> impl Iterator<Item = &LowRank> {
        [&self.distance, &self.odd].into_iter().chain(self.parts.iter().flatten())
    }

    /// A row with standard deviation `scale` before the activation; fills its constants.
    pub fn row(&self, scale: f64, constants: &mut [f64]) -> Row {
        let xi = self.grid.place(scale);
        constants[0] = xi;
        let mut first = FIXED_SLOTS;
        for term in self.low_ranks() {
            term.row(xi, &mut constants[first..][..term.len()]);
            first += term.len();
        }
        // D at m = 0, where T_k(−1) = ±1.
        let mut first = FIXED_SLOTS + self.distance.len() + self.odd.len();
        let steepness = self.parts.each_ref().map(|part| {
            let mut sum = 0.0;
            for (k, term) in part.iter().enumerate() {
                let value = term.product(&constants[first..], &constants[first..]);
                sum += if k.is_multiple_of(2) { value } else { -value };
                first += term.len();
            }
            sum.max(0.0)
        });
        let seen = if scale > 0.0 { scale.max(TINIEST) } else { scale };
        let norm = spread(&self.sampled, seen, &self.rule).norm * self.sizes.shrunk(scale, seen);
        let size = self.sizes.whole(scale, xi);
        constants[1] = share(norm, size);
        constants[2] = share(size, norm);
        // Slopes at zero are those next to it; of a φ that does not vanish there, from where differences have digits.
        let near = scale.max(if self.sampled.origin == 0.0 { 1e-200 } else { 1e-5 });
        let part = |part: usize| self.sizes.part(part, near, xi);
        let total = (part(0) * steepness[0].sqrt()).hypot(part(1) * steepness[1].sqrt());
        for i in 0..PARTS {
            constants[SHARE + i] = share(self.sizes.part(i, scale, xi), norm);
            constants[SLOPE + i] = share(part(i), total);
        }
        Row { scale: norm, slope: total / near }
    }
}

/// `part / whole` of two scales, 0 where both vanish.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
