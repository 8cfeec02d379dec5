//! Arcsine kernels asin(ρst) against their value at ρ = 1, for sines s, t of per-row angles.

use crate::scalar::Scalar;
use crate::simd::Number;
use crate::simd::math::atan2;

/// asin(ρst) of a pair.
#[derive(Clone, Copy)]
pub struct Arcsine<N> {
    /// st, kept away from 0.
    pub product: N,
    /// √(1 − s²t²).
    pub cos_angle: N,
    /// √(1 − ρ²s²t²).
    pub cos_lower: N,
    /// asin(st); st where that is tiny, so that quotients of the two are right.
    pub angle: N,
    /// asin(st) − asin(ρst), without cancellation.
    pub drop: N,
}

/// `left` and `right` are a row's s and √(1 − s²); the latter, kept away from 0 so that its square is a normal
/// number. ρ = 1 − m with 0 ≤ m ≤ 1.
#[inline(always)]
pub fn arcsine<N: Number>(left: [N; 2], right: [N; 2], m: N) -> Arcsine<N> {
    let (one, two) = (N::splat(1.0), N::splat(2.0));
    let sine_square = m * (two - m); // 1 − ρ²
    let rho = one - m;
    let product = (left[0] * right[0]).max(N::splat(N::Scalar::TINY));
    let product_square = product * product;
    let side = left[0] * right[1];
    let cos_angle_square = side.mul_add(side, left[1] * left[1]);
    let cos_angle = cos_angle_square.sqrt();
    let cos_lower = product_square.mul_add(sine_square, cos_angle_square).sqrt();
    let angle = atan2(product, cos_angle);
    // One arctangent of positive terms.
    let drop = atan2(
        product * sine_square,
        rho.mul_add(cos_angle, cos_lower) * product_square.mul_add(rho, cos_angle * cos_lower),
    );
    Arcsine { product, cos_angle, cos_lower, angle, drop }
}
