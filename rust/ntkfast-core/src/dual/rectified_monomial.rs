//! max(x, 0)ⁿ for n = 0, 1, 2, …: the arc-cosine kernels (Cho and Saul 2009, section 2.1) in the defect.
//!
//! With κ_n the cosine of degree n and g_n = n²/(4n² − 1), their recurrence is
//! κ_{n+1} = ρκ_n + g_n(1 − ρ²)κ_{n−1}. For D_n = 1 − κ_n it becomes
//!
//! D_{n+1} = ρD_n + g_n·δε·D_{n−1} + δ(1 − g_n·ε),
//!
//! for ρ ≥ 0 a sum of positive terms, as g_n·ε ≤ 2/3. For ρ < 0 its errors do not grow: κ_n(ρ) and (−1)ⁿκ_n(−ρ)
//! are the two solutions of the first recurrence, and neither exceeds 1. E[φ'φ'] is the kernel of degree n − 1.

use super::degree::degree;
use super::{Cosine, Dual, DualConstants, Response, RowResponse};
use crate::description::Description;
use crate::error::Result;
use crate::real::Real;
use crate::simd::Number;
use crate::simd::math::angle;
use std::f64::consts::{FRAC_1_PI, FRAC_1_SQRT_2};

/// max(x, 0)ⁿ; of degree 0 the step function, which is 0 at 0.
#[derive(Clone, Debug, PartialEq)]
pub struct RectifiedMonomial {
    degree: usize,
    /// g_1 … g_{n−1}.
    ratios: Vec<f64>,
}

/// √E[max(x, 0)^{2n}] for x of this standard deviation: √((2n−1)!!/2)·sⁿ.
fn size<R: Real>(degree: usize, scale: R) -> R {
    // Factor by factor, so that neither part overflows where the product does not.
    (1..=degree).fold(FRAC_1_SQRT_2.into(), |size: R, k| size * (scale * ((2 * k - 1) as f64).sqrt()))
}

impl Dual for RectifiedMonomial {
    fn new(fields: &mut Description) -> Result<Self> {
        let degree = degree(fields)?;
        let ratio = |n: usize| {
            let square = (n * n) as f64;
            square / (4.0 * square - 1.0)
        };
        Ok(Self { degree, ratios: (1..degree).map(ratio).collect() })
    }

    fn slots(&self) -> usize {
        0
    }

    fn name(&self) -> &'static str {
        "RectifiedMonomial"
    }

    fn row<R: Real>(&self, scale: R, _constants: &mut [R]) -> RowResponse<R> {
        match self.degree {
            0 if scale.value() == 0.0 => RowResponse::default(),
            0 => RowResponse { scale: FRAC_1_SQRT_2.into(), slope: R::default() },
            degree => {
                RowResponse { scale: size(degree, scale), slope: size(degree - 1, scale) * degree as f64 }
            }
        }
    }

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        cosine: Cosine<N>,
        _left: impl DualConstants<N>,
        _right: impl DualConstants<N>,
    ) -> Response<N> {
        let (one, two) = (N::splat(1.0), N::splat(2.0));
        let m = cosine.least::<SIGNED>();
        let angle = angle(m);
        let (turn, lag) = (angle.theta * N::splat(FRAC_1_PI), angle.lag * N::splat(FRAC_1_PI));
        let (mut below, mut defect) = (turn, m - lag);
        if SIGNED {
            let negative = cosine.epsilon.less(cosine.delta);
            below = N::select(negative, one - turn, below);
            defect = N::select(negative, one - lag, defect);
        }
        if self.degree == 0 {
            return Response { cosine: Cosine::even(below), slope: N::splat(0.0) };
        }
        let (delta, epsilon) = if SIGNED { (cosine.delta, cosine.epsilon) } else { (m, two - m) };
        let (rho, sine_square) = (one - delta, delta * epsilon);
        for ratio in &self.ratios {
            let ratio = N::splat(*ratio);
            let added = delta * ratio.neg_mul_add(epsilon, one);
            let next = rho.mul_add(defect, (ratio * sine_square).mul_add(below, added));
            (below, defect) = (defect, next);
        }
        Response { cosine: Cosine::even(defect), slope: one - below }
    }

    fn is_nonnegative(&self, _input: bool) -> bool {
        true
    }

    fn is_odd(&self) -> bool {
        false
    }
}
