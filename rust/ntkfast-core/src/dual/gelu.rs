//! GELU, x·Φ(x) = x/2 + (x/2)·erf(x/√2) (its kernel: Tsuchida et al. 2021), in the defect.
//!
//! The linear and the even part are uncorrelated ([`blend`]). With s = √(p/(1+p)), s' = 1/√(1+p), t and t' of q,
//! z = ρst, Z = √(1 − z²) and c = s'²t'², the even part's kernel is √((1+p)(1+q))/2π times
//!
//! B(z) = c/Z + (s²t² − c)·Z + z·asin z.
//!
//! Let W = √(1 − s²t²), the Z of ρ = 1, and β = B(st)/(st)² = c/W + W + asin(st)/st. The part's cosine is 1 − δ',
//!
//! δ' = η + (1 − η)·[B(st) − B(z)]/B(st),  1 − η = β/√(β_l·β_r),
//! [B(st) − B(z)]/(st)² = [m(2−m)/(Z + W)]·[c/(WZ) + c − s²t²] + [m·asin(st) + (1−m)·(asin(st) − asin z)]/(st)
//!
//! with ρ = 1 − m. η, what unequal norms cost, has two more forms where this one would leave rounding alone:
//!
//! * for close norms ½l²κ + O(l⁴), l = ln √(p/q), with κ the mean over both rows of E[(dψ/d ln √p)²], ψ the even
//!   part over its norm; Stein's lemma gives it in closed form;
//! * for large norms, where the part is nearly |x|/2 and β nearly π/2, from the excess h = β·2/π − 1 = O(W²).

use super::arcsine::arcsine;
use super::blend::{blend, shares};
use super::smooth::{Covariances, RowSeries, Smooth};
use super::{Cosine, Dual, DualConstants, Response, RowResponse};
use crate::Float;
use crate::description::Description;
use crate::error::Result;
use crate::real::Real;
use crate::scalar::Scalar;
use crate::simd::Number;
use crate::simd::math::polynomial;
use crate::taylor::{Series, Taylor};
use std::f64::consts::{FRAC_1_PI, FRAC_2_PI, FRAC_PI_2, TAU};

/// x·Φ(x).
#[derive(Clone, Debug, PartialEq)]
pub struct Gelu;

/// asin W/(W√(1 − W²)) − 1 over W², by powers of W².
const ARC: [f64; 4] = [2.0 / 3.0, 8.0 / 15.0, 16.0 / 35.0, 128.0 / 315.0];
/// 1/√(1 − W²) − 1 over W², by powers of W².
const SECANT: [f64; 5] = [0.5, 0.375, 0.3125, 0.273_437_5, 0.246_093_75];

/// Per-row constants of [`Gelu`].
struct GeluRow<N> {
    /// s.
    sine: N,
    /// √(1 − s²), kept away from 0 so that its square is a normal number.
    cosine: N,
    /// 1/√β.
    root: N,
    /// κ/4.
    turning: N,
    /// h.
    excess: N,
    /// 1/√E[φ'²].
    slope: N,
    /// Shares of the linear and the even part in φ.
    shares: [N; 2],
}

impl<N: Number> GeluRow<N> {
    #[inline(always)]
    fn new(constants: impl DualConstants<N>) -> Self {
        Self {
            sine: constants.get(0),
            cosine: constants.get(1).max(N::splat(N::Scalar::TINY)),
            root: constants.get(2),
            turning: constants.get(3),
            excess: constants.get(4),
            slope: constants.get(5),
            shares: [constants.get(6), constants.get(7)],
        }
    }
}

impl Dual for Gelu {
    fn new(_fields: &mut Description) -> Result<Self> {
        Ok(Self)
    }

    fn slots(&self) -> usize {
        8
    }

    fn name(&self) -> &'static str {
        "Gelu"
    }

    fn row<R: Real>(&self, scale: R, constants: &mut [R]) -> RowResponse<R> {
        let one = R::from(1.0);
        let tangent = scale.min(R::from(1e150));
        let cosine = tangent.hypot(one).recip();
        let sine = tangent * cosine;
        let v = sine * sine;
        let steep = (v + 1.0).sqrt();
        let angle = if v.value() > 0.0 { v.atan2(cosine * steep) / v } else { one };
        let beta = cosine.powi(3) / steep + cosine * steep + angle;
        // 2E[uφφ' − φ²] and E[(uφ' − φ)²] of the even part, u ~ N(0, p), over its E[φ²].
        let first = cosine.powi(3) * 2.0 * (R::from(2.0) / steep + steep.powi(-3)) / beta;
        let second = cosine.powi(3) * 3.0 * steep.powi(-5) / beta;
        let kappa = (second - first * first / 4.0).max(R::default());
        let derivative = v * angle + v * (cosine / steep) * ((v + 1.0).recip() + 2.0);
        let slope = (derivative / TAU + 0.25).sqrt();
        let even = sine * (beta / TAU).sqrt();
        let (w, root) = (cosine * steep, beta.sqrt().recip());
        // β − π/2, for v near 1 with an error of W roundings.
        let excess = if v.value() > 0.5 {
            cosine.powi(3) / steep + (w - w.atan2(v) / v) + cosine * FRAC_PI_2 * cosine / v
        } else {
            beta - FRAC_PI_2
        };
        let [kappa, excess] = [kappa / 4.0, excess * FRAC_2_PI];
        constants[..6].copy_from_slice(&[sine, cosine, root, kappa, excess, slope.recip()]);
        constants[6..].copy_from_slice(&shares(R::from(0.5), even));
        RowResponse { scale: scale * even.hypot(R::from(0.5)), slope }
    }

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        cosine: Cosine<N>,
        left: impl DualConstants<N>,
        right: impl DualConstants<N>,
    ) -> Response<N> {
        let (zero, one, two) = (N::splat(0.0), N::splat(1.0), N::splat(2.0));
        let (l, r) = (GeluRow::new(left), GeluRow::new(right));
        let m = cosine.least::<SIGNED>();
        let rho = one - m;

        let arc = arcsine([l.sine, l.cosine], [r.sine, r.cosine], m);
        let (w, z) = (arc.cos_angle, arc.cos_lower);
        let ratio = one / arc.product;
        let angle = arc.angle * ratio;
        let c = (l.cosine * r.cosine) * (l.cosine * r.cosine);
        let inverse = one / (w * z);
        let tail = c * z * inverse;
        let beta = tail + w + angle;

        // (x/y)^{1/2} − (y/x)^{1/2} of the two scales, squared.
        let (far_side, near_side) = (l.sine * r.cosine, l.cosine * r.sine);
        let gap = far_side - near_side;
        let gap = gap * gap / (far_side * near_side).max(N::splat(N::Scalar::TINY * N::Scalar::TINY));
        // The quadratic form of η is wrong by 0.006·gap² at most: a rounding at the switch.
        let close = gap.less(N::splat(13.0 * N::Scalar::EPSILON.sqrt()));
        let roots = l.root * r.root;
        let eta_far = roots.neg_mul_add(beta, one).max(zero);
        let square = w * w;
        let secant = square * polynomial(square, &SECANT);
        let excess =
            (w * square).neg_mul_add(polynomial(square, &ARC), tail).mul_add(N::splat(FRAC_2_PI), secant);
        // [(1 + h_l)(1 + h_r) − (1 + h)²]/[(1 + h_l)(1 + h_r)] = 1 − (1 − η)², which is small.
        let lost = l.excess.mul_add(r.excess, (l.excess - excess) + (r.excess - excess));
        let lost = excess.neg_mul_add(excess, lost) * roots * roots * N::splat(FRAC_PI_2 * FRAC_PI_2);
        let lost = lost.max(zero);
        let eta_large = N::splat(0.5) * lost * lost.mul_add(N::splat(0.25), one);
        let large = w.less(N::splat(1.5 * N::Scalar::EPSILON.sqrt().sqrt().sqrt()));
        let eta = N::select(large, eta_large, eta_far);
        let eta = N::select(close, (l.turning + r.turning) * gap, eta);

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

impl Smooth for Gelu {
    fn slots(&self) -> usize {
        4
    }

    fn row(&self, p: Series, slots: &mut [Series]) {
        let root = (p + 1.0).powf(-0.5);
        let square = root * root;
        slots.copy_from_slice(&[root, p * root, square, p * square]);
    }

    #[inline(always)]
    fn pair<N: Number>(
        &self,
        k: &Taylor<N>,
        left: impl RowSeries<N>,
        right: impl RowSeries<N>,
    ) -> Covariances<N> {
        let z = k.between(left.get(0), right.get(0));
        let square = z.times(&z);
        let rest = square.scaled(-1.0).shifted(1.0);
        let steep = rest.inverse_root();
        let angle = z.asin(steep.value());
        let bent = square.times(&steep).between(left.get(0), right.get(0));
        let bent = rest.times(&steep).between(left.get(1), right.get(1)).plus(&bent);
        let value = bent.plus(&k.times(&angle)).scaled(FRAC_1_PI / 2.0).plus(&k.scaled(0.25));
        let outer = Taylor::product_of(left.get(3), right.get(3), k.degree);
        let factor =
            steep.times(&steep).shifted(1.0).between(left.get(2), right.get(2)).minus(&outer).shifted(1.0);
        let slope = z.times(&steep).times(&factor).plus(&angle).scaled(FRAC_1_PI / 2.0).shifted(0.25);
        Covariances { value, slope }
    }
}
