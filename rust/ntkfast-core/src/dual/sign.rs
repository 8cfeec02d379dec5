//! sign(x), in the defect: the arc-cosine kernel of degree 0 (Cho and Saul 2009) less its mean.
//!
//! The cosine is 1 − 2θ/π, so that δ' = 2θ/π is of size √δ. The derivative vanishes almost everywhere: what
//! earlier layers have trained has no effect behind a jump.

use super::{Cosine, Dual, DualConstants, Response, RowResponse};
use crate::description::Description;
use crate::error::Result;
use crate::real::Real;
use crate::simd::Number;
use crate::simd::math::angle;
use std::f64::consts::FRAC_2_PI;

/// sign(x).
#[derive(Clone, Debug, PartialEq)]
pub struct Sign;

impl Dual for Sign {
    fn new(_fields: &mut Description) -> Result<Self> {
        Ok(Self)
    }

    fn slots(&self) -> usize {
        0
    }

    fn name(&self) -> &'static str {
        "Sign"
    }

    fn row<R: Real>(&self, scale: R, _constants: &mut [R]) -> RowResponse<R> {
        RowResponse { scale: R::from(if scale.value() > 0.0 { 1.0 } else { 0.0 }), slope: R::default() }
    }

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        cosine: Cosine<N>,
        _left: impl DualConstants<N>,
        _right: impl DualConstants<N>,
    ) -> Response<N> {
        let theta = angle(cosine.least::<SIGNED>()).theta;
        Response { cosine: cosine.odd::<SIGNED>(theta * N::splat(FRAC_2_PI)), slope: N::splat(0.0) }
    }

    fn is_nonnegative(&self, input: bool) -> bool {
        input
    }

    fn is_odd(&self) -> bool {
        true
    }
}
