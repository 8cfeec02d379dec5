//! Sums of two uncorrelated values: a layer and its bias, two branches, the parts of an activation.

use super::Cosine;
use crate::simd::Number;

/// Per-row constants of a sum.
pub const SLOTS: usize = 4;

/// A row whose two values have these scales: sine and cosine of half of, and of, the angle whose tangent is
/// the ratio of the scales.
pub fn shares(first: f64, second: f64) -> [f64; SLOTS] {
    let alpha = second.atan2(first);
    let (half_sin, half_cos) = (alpha / 2.0).sin_cos();
    let (sin, cos) = alpha.sin_cos();
    // The cosine of a rounded quarter turn is not 0, and a row of zeros would differ from itself.
    let cos = if first == 0.0 && second > 0.0 { 0.0 } else { cos };
    [half_sin, half_cos, cos, sin]
}

/// The cosine of a sum: δ ← cc'δ₁ + ss'δ₂ + 2 sin²((α − α')/2), with c, s the shares of the two in either
/// row's scale and α the angle between them. All terms are positive.
#[inline(always)]
pub fn blend<N: Number>(
    first: Cosine<N>,
    second: Cosine<N>,
    left: [N; SLOTS],
    right: [N; SLOTS],
) -> Cosine<N> {
    let (cos, sin, spread) = weights(left, right);
    Cosine {
        delta: cos.mul_add(first.delta, sin.mul_add(second.delta, spread)),
        epsilon: cos.mul_add(first.epsilon, sin.mul_add(second.epsilon, spread)),
    }
}

/// The same where the second value is a constant: δ₂ = 0.
#[inline(always)]
pub fn blend_constant<N: Number>(first: Cosine<N>, left: [N; SLOTS], right: [N; SLOTS]) -> Cosine<N> {
    let (cos, sin, spread) = weights(left, right);
    Cosine {
        delta: cos.mul_add(first.delta, spread),
        epsilon: cos.mul_add(first.epsilon, (sin + sin) + spread),
    }
}

/// cc', ss', and 2 sin²((α − α')/2).
#[inline(always)]
fn weights<N: Number>(left: [N; SLOTS], right: [N; SLOTS]) -> (N, N, N) {
    let turn = left[0] * right[1] - left[1] * right[0];
    (left[2] * right[2], left[3] * right[3], (turn + turn) * turn)
}
