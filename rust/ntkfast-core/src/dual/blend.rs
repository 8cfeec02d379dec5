//! Sums of two uncorrelated values: a layer and its bias, two branches, the parts of an activation.

use super::Cosine;
use crate::real::Real;
use crate::simd::Number;

/// Per-row constants of a sum.
pub const SLOTS: usize = 2;

/// A row whose two values have these scales: the cosine and the sine of the angle whose tangent is their ratio. The
/// smaller one has relative precision, and the larger one is exactly 1 where that is the nearest number, so that
/// differences of either between rows have the precision of their own size.
pub fn shares<R: Real>(first: R, second: R) -> [R; SLOTS] {
    let ordered = first.value() >= second.value();
    let (larger, smaller) = if ordered { (first, second) } else { (second, first) };
    let ratio = if smaller.value() > 0.0 { smaller / larger } else { R::default() };
    let near = ratio.hypot(R::from(1.0)).recip();
    let far = ratio * near;
    if ordered { [near, far] } else { [far, near] }
}

/// The cosine of a sum: δ ← cc'δ₁ + ss'δ₂ + 1 − cos(α − α'), with c, s the shares of the two in either row's scale and α
/// the angle between them. All terms are positive.
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

/// cc', ss', and 1 − cos(α − α') as half the square of the chord. Where one value is small beside the other, so is its
/// share, and the chord is its difference: δ then has relative precision, whatever the ratio.
#[inline(always)]
fn weights<N: Number>(left: [N; SLOTS], right: [N; SLOTS]) -> (N, N, N) {
    let (across, along) = (left[0] - right[0], left[1] - right[1]);
    let square = across.mul_add(across, along * along);
    (left[0] * right[0], left[1] * right[1], N::splat(0.5) * square)
}
