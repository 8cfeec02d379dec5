//! A fit, and what it makes of a row.

use super::chebyshev::evaluate;
use super::forms::Forms;
use super::grid::Grid;
use super::moments::{Rule, norm_slope, spread};
use super::sampled::{PARTS, Sampled};
use super::series::Map;
use super::sizes::Sizes;
use super::{Accuracy, TINIEST};
use crate::dual::RowResponse;
use crate::real::Real;

/// Slots of a row before those of forms: its place ξ; √E[φ²] over the size that follows it, and one over that; of either
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
    /// What φ was multiplied with.
    pub(super) gain: f64,
    /// E[(ψ − ψ')²]/(ξ − ξ')² at ρ = 1, with φ = size·ψ.
    pub(super) distance: Forms,
    /// E[φφ'] of the odd part at ρ = 1, divided by its sizes.
    pub(super) odd: Forms,
    /// B of the odd and of the even part, its Chebyshev coefficients in the angle: none where the part vanishes or is
    /// constant.
    pub(super) parts: [Forms; PARTS],
    /// D of either part where equal rows coincide, as a series in ξ.
    pub(super) steepness: [Vec<f64>; PARTS],
    /// The variable of these series.
    pub(super) map: Map,
    /// Whether there is an odd part, and an even one.
    pub(super) has: [bool; PARTS],
    /// What everything is divided by.
    pub(super) sizes: Sizes,
    pub(super) grid: Grid,
    /// The smallest scale at which the error was estimated.
    pub(super) lowest: f64,
    pub(super) rule: Rule,
    pub(super) sampled: Sampled,
}

impl Fitted {
    /// Whether a new fit would give the same.
    pub(super) fn serves(&self, range: [f64; 2], accuracy: Accuracy) -> bool {
        self.accuracy == accuracy
            && self.grid.with(1) == Grid::new(range, 1, accuracy)
            && self.lowest <= range[0].max(TINIEST)
    }

    /// Whether rows of that scale are among those that it was made for.
    pub fn covers(&self, scale: f64) -> bool {
        // Rows of scale zero have no direction, and matter only where φ does not vanish.
        scale == 0.0 && self.sampled.origin == 0.0
            || self.grid.contains(if scale > 0.0 { scale.max(TINIEST) } else { scale }, self.accuracy)
    }

    /// Whether its estimated error is larger than it should be.
    pub fn is_unresolved(&self) -> bool {
        self.error.is_nan() || self.error > self.accuracy.tolerance
    }

    /// Number of per-row constants.
    pub fn slots(&self) -> usize {
        FIXED_SLOTS + self.forms().map(Forms::slots).sum::<usize>()
    }

    /// All forms, in the order of their slots.
    fn forms(&self) -> impl Iterator<Item = &Forms> {
        [&self.distance, &self.odd].into_iter().chain(&self.parts)
    }

    /// A row with standard deviation `scale` before the activation.
    pub fn row(&self, scale: f64) -> RowResponse {
        self.response(self.measure(scale).row)
    }

    /// Without the gain.
    fn response<R: Real>(&self, row: RowResponse<R>) -> RowResponse<R> {
        RowResponse { scale: row.scale / self.gain, slope: row.slope / self.gain }
    }

    /// The same, and its constants.
    pub fn constants<R: Real>(&self, scale: R, constants: &mut [R]) -> RowResponse<R> {
        let Measured { xi, near, row } = self.measure(scale);
        let size = self.sizes.whole(scale, xi);
        constants[0] = xi;
        constants[1] = share(row.scale, size);
        constants[2] = share(size, row.scale);
        let total = row.slope * near;
        for i in 0..PARTS {
            constants[SHARE + i] = share(self.sizes.part(i, scale, xi), row.scale);
            constants[SLOPE + i] = share(self.sizes.part(i, near, xi), total);
        }
        let mut first = FIXED_SLOTS;
        for forms in self.forms() {
            forms.fill(xi, &mut constants[first..][..forms.slots()]);
            first += forms.slots();
        }
        self.response(row)
    }

    fn measure<R: Real>(&self, scale: R) -> Measured<R> {
        let xi = self.grid.place(scale);
        let seen = if scale.value() > 0.0 { scale.max(R::from(TINIEST)) } else { scale };
        let norm = self.norm(seen) * self.sizes.shrunk(scale, seen);
        let steepness = self.steepness.each_ref().map(|series| evaluate(series, xi).max(R::default()));
        // Slopes at zero are those next to it; of a φ that does not vanish there, from where differences have digits.
        let near = scale.max(R::from(if self.sampled.origin == 0.0 { 1e-200 } else { 1e-5 }));
        let part = |part: usize| self.sizes.part(part, near, xi) * steepness[part].sqrt();
        Measured { xi, near, row: RowResponse { scale: norm, slope: part(0).hypot(part(1)) / near } }
    }

    /// √E[φ²].
    fn norm<R: Real>(&self, scale: R) -> R {
        let norm = spread(&self.sampled, scale.value(), &self.rule).norm;
        let slope = if R::IS_JET { norm_slope(&self.sampled, scale.value(), norm, &self.rule) } else { 0.0 };
        scale.map(norm, slope)
    }
}

/// A row, its place, and the scale at which slopes are taken.
struct Measured<R> {
    xi: R,
    near: R,
    row: RowResponse<R>,
}

/// `part / whole` of two scales, 0 where both vanish.
fn share<R: Real>(part: R, whole: R) -> R {
    if whole.value() > 0.0 { part / whole } else { R::default() }
}
