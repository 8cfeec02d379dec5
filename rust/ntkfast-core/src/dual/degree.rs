//! Degrees of polynomials, as they arrive from outside.

/// The highest that is accepted: beyond it, at hardly any variance can a number hold the kernel of a power.
pub const HIGHEST: usize = 1000;

/// An accepted degree.
pub fn degree(value: f64) -> Option<usize> {
    (value.fract() == 0.0 && (0.0..=HIGHEST as f64).contains(&value)).then_some(value as usize)
}
