//! a·sin(bx + c) and a·cos(bx + c), in the defect.
//!
//! sin(bx + c) = cos c·sin bx + sin c·cos bx: an odd and an even part, which are uncorrelated ([`blend`]). With
//! x = |b|√p, y = |b|√q, G = xy and E[cos(bu ± bv)] = e^{−(x² ± 2Gρ + y²)/2} their kernels are
//! e^{−(x²+y²)/2}·sinh(Gρ) and e^{−(x²+y²)/2}·cosh(Gρ) (Rahimi and Recht 2007 use their sum). Divided by row
//! values, with t = x − y, s = x + y, X(z) = (1 − e^{−z})/z, r² = X(2x²) and A² = (1 + e^{−2x²})(1 + e^{−2y²}),
//! the cosines are 1 − δ' with
//!
//! δ'_sin = η + e^{−t²/2}·m·X(Gm)·(1 + e^{−G(2−m)})/(2·r_x·r_y),
//! δ'_cos = η + e^{−t²/2}·(1 − e^{−Gm})(1 − e^{−G(2−m)})/A,  m = 1 − |ρ|.
//!
//! Either η belongs to ρ = 1: it is what unequal norms cost. Where t² is small it comes from Δ = 1 − (1 − η)² as
//! Δ/(1 + √(1 − Δ)), with d = e^{−x²} − e^{−y²} and
//!
//! Δ_sin = [(1 − e^{−s²})(1 − e^{−t²}) − d²]/(2G·r_x·r_y)²,  Δ_cos = [(1 − e^{−s²})(1 − e^{−t²}) + d²]/A²,
//!
//! and elsewhere from 1 − η itself. The sine's bracket is a difference that loses digits, yet Δ's absolute error
//! is t²/G roundings: that of 1 − η at t² = G, ever less for closer norms.

use super::blend::{blend, shares};
use super::smooth::{Covariances, RowSeries, Smooth};
use super::{Cosine, Dual, DualConstants, Response, RowResponse};
use crate::Float;
use crate::description::Description;
use crate::error::Result;
use crate::real::Real;
use crate::simd::Number;
use crate::simd::math::decay;
use crate::taylor::{Series, Taylor};
use std::f64::consts::FRAC_1_SQRT_2;

/// a·sin(bx + c + quarters·π/2), quarters 0 or 1: the last makes it a cosine without rounding c.
#[derive(Clone, Debug, PartialEq)]
pub struct Sin {
    a: f64,
    b: f64,
    /// |cos| of the phase: how much of sin bx there is. Exactly 0 where it is nothing but rounding.
    odd: f64,
    /// |sin| of the phase: how much of cos bx there is. Exactly 0 likewise.
    even: f64,
    name: &'static str,
}

/// Per-row constants of [`Sin`].
struct SinRow<N> {
    /// x, of [`squeezed`] size.
    x: N,
    /// e^{−x²}.
    gauss: N,
    /// 1/√X(2x²).
    steep: N,
    /// 1/√(1 + e^{−2x²}).
    level: N,
    /// Shares of the two parts in φ.
    shares: [N; 2],
    /// Share of the even kernel in E[φ'²], as a standard deviation.
    slope_even: N,
    /// Share of the odd kernel likewise.
    slope_odd: N,
}

impl<N: Number> SinRow<N> {
    #[inline(always)]
    fn new(constants: impl DualConstants<N>) -> Self {
        Self {
            x: size([constants.get(0), constants.get(1)]),
            steep: size([constants.get(2), constants.get(3)]),
            gauss: constants.get(4),
            level: constants.get(5),
            shares: [constants.get(6), constants.get(7)],
            slope_even: constants.get(8),
            slope_odd: constants.get(9),
        }
    }
}

/// x as float64 and as float32 take it, which [`size`] chooses from. Where the type cannot hold squares, neighbouring
/// numbers are more than a period apart, so that of two such x it only counts whether they are equal: all are brought
/// to where it can.
pub(super) fn squeezed<R: Real>(x: R) -> [R; 2] {
    [1e150, 1e18].map(|large| if x.value() > large { ((x / large).ln() / 1e3 + 1.0) * large } else { x })
}

/// The one of two constants of [`squeezed`] that is for the type.
#[inline(always)]
pub(super) fn size<N: Number>([double, single]: [N; 2]) -> N {
    if N::Scalar::MAX > 1e300 { double } else { single }
}

impl Dual for Sin {
    fn new(fields: &mut Description) -> Result<Self> {
        let (a, b, c) = (fields.real("a")?, fields.real("b")?, fields.real("c")?);
        let (sin, cos) = c.sin_cos();
        let ahead = fields.flag("quarter_ahead")?;
        let (odd, even, name) = if ahead { (sin, cos, "Cos") } else { (cos, sin, "Sin") };
        let share = |value: f64| if value.abs() < 1e-15 { 0.0 } else { value.abs() };
        Ok(Self { a, b, odd: share(odd), even: share(even), name })
    }

    fn slots(&self) -> usize {
        10
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn row<R: Real>(&self, scale: R, constants: &mut [R]) -> RowResponse<R> {
        let one = R::from(1.0);
        let sizes = squeezed((scale * self.b.abs()).min(R::from(f64::MAX)));
        let roots = sizes.map(|x| {
            let square = x * x;
            let twice = square * 2.0;
            if square.value() > 0.0 { (-(-twice).exp_m1() / twice).sqrt() } else { one }
        });
        let (x, root) = (sizes[0], roots[0]);
        let square = x * x;
        let level = ((-(square * 2.0)).exp() + 1.0).sqrt();
        // √E[sin² bu] and √E[cos² bu].
        let (sin, cos) = (x * root, level * FRAC_1_SQRT_2);
        let [odd, even] = [sin * self.odd, cos * self.even];
        let [slope_even, slope_odd] = [cos * self.odd, sin * self.even];
        let slope = slope_even.hypot(slope_odd);
        constants[..2].copy_from_slice(&sizes);
        constants[2..4].copy_from_slice(&roots.map(R::recip));
        constants[4..6].copy_from_slice(&[(-square).exp(), level.recip()]);
        constants[6..8].copy_from_slice(&shares(odd, even));
        let share = |part: R| if slope.value() > 0.0 { part / slope } else { R::default() };
        constants[8..].copy_from_slice(&[share(slope_even), share(slope_odd)]);
        RowResponse { scale: odd.hypot(even) * self.a.abs(), slope: slope * (self.a.abs() * self.b.abs()) }
    }

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        cosine: Cosine<N>,
        left: impl DualConstants<N>,
        right: impl DualConstants<N>,
    ) -> Response<N> {
        let (zero, one, two) = (N::splat(0.0), N::splat(1.0), N::splat(2.0));
        let half = N::splat(0.5);
        let (l, r) = (SinRow::new(left), SinRow::new(right));
        let m = cosine.least::<SIGNED>();

        let (s, t, g) = (l.x + r.x, (l.x - r.x).max(r.x - l.x), l.x * r.x);
        let (near, far) = (decay(g * m), decay(g * (two - m)));
        let (narrow, wide, gap) = (decay(half * t * t), decay(half * s * s), decay(s * t));
        // 1 − e^{−z} over z, for z = t² and z = s², from halves of z.
        let mean_narrow = half * narrow.mean * (one + narrow.end);
        let mean_wide = half * wide.mean * (one + wide.end);
        let mean_gap = l.gauss.max(r.gauss) * gap.mean;

        let even = {
            let level = l.level * r.level;
            let bend = mean_gap * (s * t);
            let lost = bend.mul_add(bend, (mean_wide * (s * s)) * (mean_narrow * (t * t))) * level * level;
            let eta_close = lost / (one + (one - lost).max(zero).sqrt());
            let eta_far = (narrow.end * near.end.mul_add(far.end, one)).neg_mul_add(level, one);
            let eta = N::select(half.less(t * t), eta_far, eta_close);
            let drop = (near.mean * (g * m)) * (far.mean * (g * (two - m)));
            (narrow.end * level).mul_add(drop, eta)
        };
        let odd = {
            let bracket = mean_gap.neg_mul_add(mean_gap, mean_wide * mean_narrow);
            // In this order nothing leaves the range.
            let ratio = half * t * ((s / g) * l.steep * r.steep);
            let lost = ratio * ratio * bracket;
            let eta_close = lost.max(zero) / (one + (one - lost).max(zero).sqrt());
            // X(2G) as a sum of positive terms.
            let mean = half * m.mul_add(near.mean, (two - m) * near.end * far.mean);
            let eta_far = (narrow.end * (l.steep * mean)).neg_mul_add(r.steep, one).max(zero);
            let eta = N::select((half * g.min(one)).less(t * t), eta_far, eta_close);
            // For small variances the leading term is all there is; the others would leave rounding.
            let largest = l.x.max(r.x);
            let small = (largest * largest).less(N::splat(2.5 * N::Scalar::EPSILON.sqrt().sqrt()));
            let eta = N::select(small, (s * t) * (s * t) * N::splat(1.0 / 12.0), eta);
            (half * narrow.end * l.steep * (m * near.mean) * r.steep).mul_add(one + far.end, eta)
        };
        let (even, odd) = (Cosine::even(even), cosine.odd::<SIGNED>(odd));
        let slope_even = (l.slope_even * r.slope_even) * (one - even.delta);
        Response {
            cosine: blend(odd, even, l.shares, r.shares),
            slope: (l.slope_odd * r.slope_odd).mul_add(one - odd.delta, slope_even),
        }
    }

    fn is_nonnegative(&self, input: bool) -> bool {
        input || self.odd == 0.0
    }

    fn is_odd(&self) -> bool {
        self.even == 0.0
    }
}

impl Smooth for Sin {
    fn slots(&self) -> usize {
        1
    }

    fn row(&self, p: Series, slots: &mut [Series]) {
        slots[0] = p;
    }

    #[inline(always)]
    fn pair<N: Number>(
        &self,
        k: &Taylor<N>,
        left: impl RowSeries<N>,
        right: impl RowSeries<N>,
    ) -> Covariances<N> {
        let (a, b) = (self.a * self.a, self.b * self.b);
        let (odd, even) = (self.odd * self.odd, self.even * self.even);
        let mean = Taylor::sum_of(left.get(0), right.get(0), k.degree).scaled(0.5);
        let waves = [k.minus(&mean), k.scaled(-1.0).minus(&mean)];
        let cosh = waves[0].scaled(b).exp().plus(&waves[1].scaled(b).exp()).scaled(0.5);
        let sinh = cosh.times(&k.scaled(b).tanh());
        Covariances {
            value: sinh.scaled(odd).plus(&cosh.scaled(even)).scaled(a),
            slope: cosh.scaled(odd).plus(&sinh.scaled(even)).scaled(a * b),
        }
    }
}
