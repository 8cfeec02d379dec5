//! e^{−x²}·sin x, in the defect.
//!
//! With P, l and D of [`super::envelope`] for β = 1, y = P/l², and for ρ ≥ 0, the kernel is
//!
//! ½D^{−1/2}·e^{−A}·(1 − e^{−κ}),  A = (t − 2k)/2D,  κ = 2k/D,  t = p + q + 4(pq − k²),
//!
//! and (1 − e^{−y})/2l for a row itself. What [`overlap`] gives makes these differences sums of positive terms:
//! with c₁ = 1/(1 + apart), ζ = c₁·turned, s = 1/(1 + ζ), Y = √(yy') and G = c₁Y,
//!
//! * D/(lr) = 1/(c₁s), κ = Gρs, and A = A₁ + W, with A₁ = (√P − √Q)²/(4 + 4P + 4Q) its value at ρ = 1 and
//!   W = ½[Gms + (1 − s)(1 − 2A₁)];
//! * the kernel falls from ρ = 1 by the factors √s, e^{−W} and (1 − e^{−κ})/(1 − e^{−G});
//! * at ρ = 1 its cosine is 1 − η = (c₁³·e^{−M})^{1/2}, M = c₁(y − y')²lr/2 + Λ(y) + Λ(y') − 2Λ(G), where
//!   Λ(y) = ln[sinh(y/2)/(y/2)] is a short series, since y ≤ ½.

use super::envelope::{self, EnvelopeRow, overlap, vast};
use super::smooth::{Covariances, RowSeries, Smooth};
use super::{Cosine, Dual, DualConstants, Response, RowResponse};
use crate::description::Description;
use crate::error::Result;
use crate::real::Real;
use crate::simd::Number;
use crate::simd::math::decay;
use crate::taylor::{Series, Taylor};
use std::f64::consts::FRAC_1_SQRT_2;

/// e^{−x²}·sin x.
#[derive(Clone, Debug, PartialEq)]
pub struct Gabor;

/// Λ(y), by powers of y² from the first.
const SERIES: [f64; 6] = [
    1.0 / 24.0,
    -1.0 / 2880.0,
    1.0 / 181_440.0,
    -1.0 / 9_676_800.0,
    1.0 / 479_001_600.0,
    -4.403_491_782_239_578e-11,
];

/// Λ(y) + Λ(z) − 2Λ(G) with G² = c²yz, given c² and 1 − c²: in each power, (yᵏ − zᵏ)² + 2(yz)ᵏ(1 − c²ᵏ).
#[inline(always)]
fn spread<N: Number>([y, z]: [N; 2], gap: N, [kept, lost]: [N; 2]) -> N {
    let one = N::splat(1.0);
    let product = y * z;
    // (yᵏ − zᵏ)/(y − z), zᵏ, 2(yz)ᵏ(1 − c²), and (1 − c²ᵏ)/(1 − c²).
    let (mut quotient, mut power, mut scale, mut sum) = (one, z, (lost + lost) * product, one);
    let mut total = N::splat(0.0);
    for coefficient in SERIES {
        let difference = gap * quotient;
        let term = difference.mul_add(difference, scale * sum);
        total = term.mul_add(N::splat(coefficient), total);
        quotient = y.mul_add(quotient, power);
        power = power * z;
        scale = scale * product;
        sum = sum.mul_add(kept, one);
    }
    total
}

impl Dual for Gabor {
    fn new(_fields: &mut Description) -> Result<Self> {
        Ok(Self)
    }

    fn slots(&self) -> usize {
        envelope::SLOTS + 2
    }

    fn name(&self) -> &'static str {
        "Gabor"
    }

    fn row<R: Real>(&self, scale: R, constants: &mut [R]) -> RowResponse<R> {
        let [root, inverse, share] = envelope::constants(scale);
        let y = share * share;
        let end = (-y).exp();
        let mean = if y.value() > 0.0 { -(-y).exp_m1() / y } else { R::from(1.0) };
        // E[φ'²] = (first² + second²)/2l³, second of the size of P/l.
        let first = (end + 1.0).sqrt();
        let steep = (share * root) * 2.0 * (share * root);
        let second = steep * (mean + end).sqrt();
        let size = first.hypot(second);
        constants[..envelope::SLOTS].copy_from_slice(&[root, inverse, share]);
        constants[envelope::SLOTS..].copy_from_slice(&[size.recip(), steep / size]);
        RowResponse {
            scale: share * (mean / 2.0).sqrt() * inverse,
            slope: size * inverse * inverse * inverse * FRAC_1_SQRT_2,
        }
    }

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        cosine: Cosine<N>,
        left: impl DualConstants<N>,
        right: impl DualConstants<N>,
    ) -> Response<N> {
        let (one, two, half) = (N::splat(1.0), N::splat(2.0), N::splat(0.5));
        let slopes = [left.get(3) * right.get(3), left.get(4) * right.get(4)];
        let (l, r) = (EnvelopeRow::new(left), EnvelopeRow::new(right));
        let m = cosine.least::<SIGNED>();
        let rho = one - m;
        let both = overlap(&l, &r, m);

        let level = one / (one + both.apart); // c₁
        let zeta = (level * both.turned).min(vast());
        let still = one / (one + zeta); // s
        let lost = zeta * still;
        let mean = level * (l.share * r.share); // G
        let turn = l.share * both.ratios[0] - r.share * both.ratios[1];
        let tilt = N::splat(0.25) * level * turn * turn; // A₁

        // 1 − η.
        let (y, z) = (l.share * l.share, r.share * r.share);
        let gap = (l.share - r.share) * (l.share + r.share);
        let shift = l.inverse * l.inverse * both.ratios[1] - r.inverse * r.inverse * both.ratios[0];
        let fall = level * (both.apart * (one + level)); // 1 − c₁²
        let cost = spread([y, z], gap, [level * level, fall]);
        let cost = (N::splat(0.125) * level).mul_add(shift * shift, cost); // M
        let apart = decay(cost);
        let cube = level * level * level;
        let top = (cube * apart.end).sqrt();
        let missing = cube.mul_add(cost * apart.mean, level * both.apart * (one + level + level * level));
        let eta = missing / (one + top);

        // What ρ takes from there.
        let root = still.sqrt();
        let first = lost / (one + root);
        let descent = half * (mean * still).mul_add(m, lost * tilt.neg_mul_add(two, one)); // W
        let second = decay(descent);
        let near = decay(mean * (rho * still)); // of κ
        let rest = still.mul_add(m, lost); // (G − κ)/G
        let far = decay(mean * rest);
        let (kept, gone) = (rho * still * near.mean, near.end * rest * far.mean);
        let third = gone / (kept + gone);
        let drop = second.end.mul_add(third, descent * second.mean);
        let drop = root.mul_add(drop, first);
        let defect = (one - eta).mul_add(drop, eta);

        let scale = level * still;
        let height = tilt + descent; // A
        let bracket = (one - height).mul_add(near.mean, near.end) * scale * rho * rho;
        let bracket = slopes[1].mul_add(bracket, slopes[0] * (one + near.end));
        let slope = scale * scale.sqrt() * decay(height).end * bracket;
        Response { cosine: cosine.odd::<SIGNED>(defect), slope }
    }

    fn is_nonnegative(&self, input: bool) -> bool {
        input
    }

    fn is_odd(&self) -> bool {
        true
    }
}

impl Smooth for Gabor {
    fn slots(&self) -> usize {
        2
    }

    fn row(&self, p: Series, slots: &mut [Series]) {
        slots.copy_from_slice(&[(p * 2.0 + 1.0).powf(-0.5), p]);
    }

    #[inline(always)]
    fn pair<N: Number>(
        &self,
        k: &Taylor<N>,
        left: impl RowSeries<N>,
        right: impl RowSeries<N>,
    ) -> Covariances<N> {
        // With d = (1 + 2p)(1 + 2q) − 4k², the kernel is e^{−A}·sinh(k/d)/√d, A = ½ − (1 + p + q)/2d.
        let (l, r) = (left.get(0), right.get(0));
        let z = k.between(l, r).scaled(2.0);
        let root = z.times(&z).scaled(-1.0).shifted(1.0).inverse_root().between(l, r);
        let inverse = root.times(&root);
        let ratio = k.times(&inverse);
        let [sinh, cosh] = ratio.sinh_cosh();
        let sum = Taylor::sum_of(left.get(1), right.get(1), k.degree).shifted(1.0);
        let fall = sum.times(&inverse).scaled(0.5).shifted(-0.5); // −A
        let scale = fall.exp().times(&root);
        let first = ratio.times(&fall.shifted(1.0)).times(&sinh);
        let second = inverse.times(&k.times(&ratio).scaled(8.0).shifted(1.0)).times(&cosh);
        Covariances { value: scale.times(&sinh), slope: scale.times(&first.scaled(8.0).plus(&second)) }
    }
}
