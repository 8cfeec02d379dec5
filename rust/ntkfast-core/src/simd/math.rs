//! Branch-free functions on [`Number`]s, each accurate to a few units in the last place.

use super::Number;
use crate::scalar::Scalar;

/// Polynomial with the given coefficients, lowest power first.
#[inline(always)]
pub fn polynomial<N: Number>(x: N, coefficients: &'static [f64]) -> N {
    x.polynomial(coefficients)
}

/// An argument x ≥ 0 of a polynomial, whose square is a normal number: others take a hundred times as long, and a
/// constant is all that they would add to.
#[inline(always)]
fn normal<N: Number>(x: N) -> N {
    x.max(N::splat(N::Scalar::TINY))
}

/// What the ReLU duals need to know of an angle θ ≤ π/2.
#[derive(Clone, Copy)]
pub struct Angle<N> {
    /// θ = arccos(1 − m).
    pub theta: N,
    /// sin θ − θ cos θ, of order θ³ and without cancellation.
    pub lag: N,
}

/// The angle whose cosine is 1 − m, for 0 ≤ m ≤ 1.
#[inline(always)]
pub fn angle<N: Number>(m: N) -> Angle<N> {
    angle_within::<N, 0>(m)
}

/// The angle whose cosine is 1 − m, for 0 ≤ m ≤ `REACHES[REACH]`. With sin θ = √(m(2 − m)) and θ = sin θ·(1 + m·S(m)),
/// sin θ − θ cos θ = sin θ·m·(1 − cos θ·S(m)): one square root and one polynomial give both parts.
#[inline(always)]
pub fn angle_within<N: Number, const REACH: usize>(m: N) -> Angle<N> {
    let (one, two) = (N::splat(1.0), N::splat(2.0));
    let rise = polynomial(normal(m), N::Scalar::ANGLE[REACH]);
    let sine = (m * (two - m)).sqrt();
    let part = sine * m;
    Angle { theta: part.mul_add(rise, sine), lag: part * rise.neg_mul_add(one - m, one) }
}

/// The angle of the point (x, y) in the closed first quadrant; 0 at the origin.
#[inline(always)]
pub fn atan2<N: Number>(y: N, x: N) -> N {
    const TAN_EIGHTH: f64 = 0.414_213_562_373_095_05; // tan(π/8) = √2 − 1
    let bound = N::splat(TAN_EIGHTH);
    // Rotate by 0, −π/4 or −π/2 into |angle| ≤ π/8.
    let steep = (bound * x).less(y);
    let shallow = (bound * y).less(x);
    let (sum, difference) = (x + y, y - x);
    let numerator = N::select(steep, N::select(shallow, difference, -x), y);
    let denominator = N::select(steep, N::select(shallow, sum, y), x);
    let quarter = N::splat(std::f64::consts::FRAC_PI_4);
    let half = N::splat(std::f64::consts::FRAC_PI_2);
    let offset = N::select(steep, N::select(shallow, quarter, half), N::splat(0.0));
    let ratio = numerator / denominator.max(N::splat(N::Scalar::TINY * N::Scalar::TINY));
    offset + ratio * polynomial(normal(ratio * ratio), N::Scalar::ARCTANGENT)
}

/// Exponential decay from 1 over a time z ≥ 0.
#[derive(Clone, Copy)]
pub struct Decay<N> {
    /// e^{−z}; a tiny number where z is so large that it is not normal.
    pub end: N,
    /// (1 − e^{−z})/z, the mean over that time: 1 at z = 0, and without cancellation.
    pub mean: N,
}

/// e^{−z} and its mean from 0 to z, for z ≥ 0.
#[inline(always)]
pub fn decay<N: Number>(z: N) -> Decay<N> {
    let one = N::splat(1.0);
    let [high, low] = N::Scalar::LN_2;
    let (high, low) = (N::splat(high), N::splat(low));
    // z = k·ln 2 + r with |r| ≤ ln(2)/2.
    let within = normal(z).min(N::splat(N::Scalar::DECAYED));
    let k = within.rounded_product(std::f64::consts::LOG2_E);
    let r = k.neg_mul_add(low, k.neg_mul_add(high, within));
    let mean = polynomial(r, N::Scalar::DECAY);
    let power = (-k).power_of_two();
    let end = (r * mean).neg_mul_add(power, power);
    let lost = (r * mean).mul_add(power, one - power);
    Decay { end, mean: N::select(k.less(N::splat(0.5)), mean, lost / z.max(N::splat(0.25))) }
}
