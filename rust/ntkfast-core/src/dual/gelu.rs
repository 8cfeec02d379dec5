//! GELU, x·Φ(x) = x/2 + (x/2)·erf(x/√2) (its kernel: Tsuchida et al. 2021), in the defect.
//!
//! The linear and the even part are uncorrelated ([`blend`]). With s = √(p/(1+p)), s' = 1/√(1+p), t, t' of q,
//! z = ρst, Z = √(1 − z²) and c = s'²t'² the even part's kernel is √((1+p)(1+q))/2π times
//!
//! B(z) = c/Z + (s²t² − c)·Z + z·asin z,
//!
//! and so its cosine is 1 − δ' with, W = √(1 − s²t²) the Z of ρ = 1 and β = B(st)/(st)² = c/W + W + asin(st)/st,
//!
//! δ' = η + (1 − η)·[B(st) − B(z)]/B(st),  1 − η = β/√(β_l·β_r),
//! [B(st) − B(z)]/(st)² = [m(2−m)/(Z + W)]·[c/(WZ) + c − s²t²] + [m·asin(st) + (1−m)·(asin(st) − asin z)]/(st)
//!
//! for ρ = 1 − m. Where the norms are close 1 − η would cancel. There η = ½(ln √p/√q)²·κ + O(ln⁴), κ the mean
//! of both rows' E[(d/d ln √p of φ_even/√E[φ_even²])²], which Stein's lemma gives in closed form.

use super::arcsine::arcsine;
use super::blend::{blend, shares};
use super::{Cosine, Dual, MAX_SLOTS, Response, Row};
use crate::scalar::Scalar;
use crate::simd::Number;
use std::array::from_fn;
use std::f64::consts::{FRAC_1_PI, TAU};

/// x·Φ(x).
#[derive(Clone, Debug, PartialEq)]
pub struct Gelu;

/// Per-row constants of [`Gelu`].
struct Side<N> {
    /// s.
    sine: N,
    /// √(1 − s²), kept away from 0 so that its square is a normal number.
    cosine: N,
    /// 1/√β.
    root: N,
    /// κ/4.
    turning: N,
    /// 1/√E[φ'²].
    slope: N,
    /// Shares of the linear and the even part in φ.
    shares: [N; 4],
}

impl<N: Number> Side<N> {
    #[inline(always)]
    fn new(constants: &[N; MAX_SLOTS]) -> Self {
        Self {
            sine: constants[0],
            cosine: constants[1].max(N::splat(N::Scalar::TINY)),
            root: constants[2],
            turning: constants[3],
            slope: constants[4],
            shares: from_fn(|i| constants[5 + i]),
        }
    }
}

impl Dual for Gelu {
    const SLOTS: usize = 9;

    fn new(parameters: &[f64]) -> Option<Self> {
        parameters.is_empty().then_some(Self)
    }

    fn name(&self) -> &'static str {
        "Gelu"
    }

    fn row(&self, scale: f64, constants: &mut [f64]) -> Row {
        let tangent = scale.min(1e150);
        let cosine = 1.0 / tangent.hypot(1.0);
        let sine = tangent * cosine;
        let v = sine * sine;
        let steep = (1.0 + v).sqrt();
        let angle = if v > 0.0 { v.atan2(cosine * steep) / v } else { 1.0 };
        let beta = cosine.powi(3) / steep + cosine * steep + angle;
        // 2E[uφφ' − φ²] and E[(uφ' − φ)²] of the even part, u ~ N(0, p), over its E[φ²].
        let first = 2.0 * cosine.powi(3) * (2.0 / steep + steep.powi(-3)) / beta;
        let second = 3.0 * cosine.powi(3) * steep.powi(-5) / beta;
        let kappa = (second - first * first / 4.0).max(0.0);
        let derivative = v * angle + v * (cosine / steep) * (2.0 + 1.0 / (1.0 + v));
        let slope = (0.25 + derivative / TAU).sqrt();
        let even = sine * (beta / TAU).sqrt();
        constants[..5].copy_from_slice(&[sine, cosine, 1.0 / beta.sqrt(), kappa / 4.0, 1.0 / slope]);
        constants[5..].copy_from_slice(&shares(0.5, even));
        Row { scale: scale * even.hypot(0.5), slope }
    }

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        cosine: Cosine<N>,
        left: &[N; MAX_SLOTS],
        right: &[N; MAX_SLOTS],
    ) -> Response<N> {
        let (zero, one, two) = (N::splat(0.0), N::splat(1.0), N::splat(2.0));
        let (l, r) = (Side::new(left), Side::new(right));
        let m = cosine.least::<SIGNED>();
        let rho = one - m;

        let arc = arcsine([l.sine, l.cosine], [r.sine, r.cosine], m);
        let (w, z) = (arc.cos_angle, arc.cos_lower);
        let ratio = one / arc.product;
        let angle = arc.angle * ratio;
        let c = (l.cosine * r.cosine) * (l.cosine * r.cosine);
        let inverse = one / (w * z);
        let beta = c.mul_add(z * inverse, w + angle);

        // (x/y)^{1/2} − (y/x)^{1/2} of the two scales, squared.
        let (far_side, near_side) = (l.sine * r.cosine, l.cosine * r.sine);
        let gap = far_side - near_side;
        let gap = gap * gap / (far_side * near_side).max(N::splat(N::Scalar::TINY * N::Scalar::TINY));
        // Its error is 0.006·gap² at most: a rounding at the switch.
        let close = gap.less(N::splat(13.0 * N::Scalar::EPSILON.sqrt()));
        let eta_far = (l.root * r.root).neg_mul_add(beta, one).max(zero);
        let eta = N::select(close, (l.turning + r.turning) * gap, eta_far);

        let slack = c.mul_add(inverse, c) - arc.product * arc.product;
        let fall = (m * (two - m) / (z + w)).mul_add(slack, m * angle);
        let fall = (rho * arc.drop).mul_add(ratio, fall);
        let even = (one - eta).mul_add(fall / beta, eta);

        let sine = rho * arc.product / z;
        let bend = sine.mul_add(c / (z * z) + w.mul_add(w, c), arc.angle - arc.drop);
        let bend = if SIGNED { N::select(cosine.epsilon.less(cosine.delta), -bend, bend) } else { bend };
        let slope = bend.mul_add(N::splat(FRAC_1_PI / 2.0), N::splat(0.25)) * (l.slope * r.slope);
        let linear = Cosine { delta: cosine.delta, epsilon: if SIGNED { cosine.epsilon } else { two - m } };
        Response { cosine: blend(linear, Cosine::even(even), l.shares, r.shares), slope }
    }

    fn is_nonnegative(&self, input: bool) -> bool {
        input
    }

    fn is_odd(&self) -> bool {
        false
    }
}
