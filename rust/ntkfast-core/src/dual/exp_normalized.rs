//! √(pq)·e^{γ(ρ + shift)}, the normalised Gaussian kernel (Shankar et al. 2020), in the defect.
//!
//! A map of kernels rather than a function of one Gaussian value: homogeneous of degree 1 in either row's
//! standard deviation, and δ' = 1 − e^{−γδ}. What stands for E[φ'φ'] is its derivative by k, γ·e^{γ(ρ + shift)}.

use super::smooth::{Covariances, RowSeries, Smooth};
use super::{Cosine, Dual, DualConstants, Response, RowResponse};
use crate::Float;
use crate::description::Description;
use crate::error::Result;
use crate::real::Real;
use crate::simd::Number;
use crate::simd::math::decay;
use crate::taylor::{Series, Taylor};

/// √(pq)·e^{γ(ρ + shift)}, γ ≥ 0.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpNormalized {
    gamma: f64,
    shift: f64,
}

impl Dual for ExpNormalized {
    fn new(fields: &mut Description) -> Result<Self> {
        Ok(Self { gamma: fields.size("gamma")?, shift: fields.real("shift")? })
    }

    fn slots(&self) -> usize {
        0
    }

    fn name(&self) -> &'static str {
        "ExpNormalized"
    }

    fn row<R: Real>(&self, scale: R, _constants: &mut [R]) -> RowResponse<R> {
        if scale.value() == 0.0 {
            return RowResponse { scale, slope: R::default() };
        }
        let gain = (0.5 * self.gamma * (1.0 + self.shift)).exp();
        RowResponse { scale: scale * gain, slope: (self.gamma.sqrt() * gain).into() }
    }

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        cosine: Cosine<N>,
        _left: impl DualConstants<N>,
        _right: impl DualConstants<N>,
    ) -> Response<N> {
        let z = N::splat(self.gamma.min(N::Scalar::MAX / 4.0)) * cosine.delta;
        let fall = decay(z);
        Response { cosine: Cosine::even(z * fall.mean), slope: fall.end }
    }

    fn is_nonnegative(&self, _input: bool) -> bool {
        true
    }

    fn is_odd(&self) -> bool {
        false
    }
}

impl Smooth for ExpNormalized {
    fn slots(&self) -> usize {
        2
    }

    fn row(&self, p: Series, slots: &mut [Series]) {
        slots.copy_from_slice(&[-0.5, 0.5].map(|power| p.powf(power)));
    }

    #[inline(always)]
    fn pair<N: Number>(
        &self,
        k: &Taylor<N>,
        left: impl RowSeries<N>,
        right: impl RowSeries<N>,
    ) -> Covariances<N> {
        let cosine = k.between(left.get(0), right.get(0));
        let factor = cosine.shifted(self.shift).scaled(self.gamma).exp();
        Covariances { value: factor.between(left.get(1), right.get(1)), slope: factor.scaled(self.gamma) }
    }
}
