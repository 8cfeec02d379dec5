//! What kernels need of the two number types.

use crate::simd::{Level, Vectorized, coefficients};
use ntkfast_base::Float;

/// Bounds of m for which [`crate::simd::math::angle_within`] has a polynomial of its own, a shorter one for a smaller bound.
pub const REACHES: [f64; 4] = [1.0, 0.7, 0.55, 0.3];

/// `f32` or `f64`, with what vector registers need to compute with it.
pub trait Scalar: Float {
    /// Below this δ (or ε), 1 ∓ v̂·v̂' has lost too many digits and is recomputed from v̂ ∓ v̂'.
    const CLOSE: f64;
    /// A number whose square and whose reciprocal's square are still normal.
    const TINY: f64;
    /// Polynomials of [`crate::simd::math::angle_within`], for each of its [`crate::scalar::REACHES`].
    const ANGLE: [&'static [f64]; REACHES.len()];
    /// Polynomial of [`crate::simd::math::atan2`].
    const ARCTANGENT: &'static [f64];
    /// Polynomial of [`crate::simd::math::decay`].
    const DECAY: &'static [f64];
    /// Adding and subtracting it rounds a number to an integer.
    const ROUNDER: f64;
    /// ln 2 in two parts: small multiples of the first are exact.
    const LN_2: [f64; 2];
    /// A number whose negative exponential is still normal; from here on it counts as 0.
    const DECAYED: f64;

    /// Run `kernel` compiled for this SIMD level.
    fn dispatch<K: Vectorized<Self>>(level: Level, kernel: K) -> K::Output;
}

impl Scalar for f64 {
    const CLOSE: f64 = 1e-2;
    const TINY: f64 = 1e-150;
    const ANGLE: [&'static [f64]; REACHES.len()] = [
        &coefficients::ANGLE_100_64,
        &coefficients::ANGLE_70_64,
        &coefficients::ANGLE_55_64,
        &coefficients::ANGLE_30_64,
    ];
    const ARCTANGENT: &'static [f64] = &coefficients::ARCTANGENT_64;
    const DECAY: &'static [f64] = &coefficients::DECAY_64;
    const ROUNDER: f64 = 1.5 / Self::EPSILON;
    const LN_2: [f64; 2] = [0.6931471805592082, 7.371002565167799e-13];
    const DECAYED: f64 = 700.0;

    #[inline]
    fn dispatch<K: Vectorized<Self>>(level: Level, kernel: K) -> K::Output {
        crate::simd::dispatch_f64(level, kernel)
    }
}

impl Scalar for f32 {
    const CLOSE: f64 = 5e-2;
    const TINY: f64 = 1e-18;
    const ANGLE: [&'static [f64]; REACHES.len()] = [
        &coefficients::ANGLE_100_32,
        &coefficients::ANGLE_70_32,
        &coefficients::ANGLE_55_32,
        &coefficients::ANGLE_30_32,
    ];
    const ARCTANGENT: &'static [f64] = &coefficients::ARCTANGENT_32;
    const DECAY: &'static [f64] = &coefficients::DECAY_32;
    const ROUNDER: f64 = 1.5 / Self::EPSILON as f64;
    const LN_2: [f64; 2] = [0.693145751953125, 1.4286068203094173e-06];
    const DECAYED: f64 = 87.0;

    #[inline]
    fn dispatch<K: Vectorized<Self>>(level: Level, kernel: K) -> K::Output {
        crate::simd::dispatch_f32(level, kernel)
    }
}
