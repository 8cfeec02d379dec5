//! a·e^{bx}, and √2·a·sin(bx + π/4), whose kernel is the Gaussian one (Rahimi and Recht 2007), in the defect.
//!
//! With x = |b|√p and y = |b|√q the kernels are a²·e^{(x²+y²)/2 + xyρ} and a²·e^{−(x²+y²)/2 + xyρ}: divided by
//! row values, both are e^{−z} with z = (x − y)²/2 + xyδ, a sum of positive terms. Both derivatives have the
//! kernel of the function times b².

use super::sin::{size, squeezed};
use super::smooth::{Covariances, RowSeries, Smooth};
use super::{Cosine, Dual, DualConstants, Response, RowResponse};
use crate::description::Description;
use crate::error::Result;
use crate::real::Real;
use crate::simd::Number;
use crate::simd::math::decay;
use crate::taylor::{Series, Taylor};

/// a·e^{bx}, or √2·a·sin(bx + π/4).
#[derive(Clone, Debug, PartialEq)]
pub struct Exp {
    a: f64,
    b: f64,
    wave: bool,
}

impl Dual for Exp {
    fn new(fields: &mut Description) -> Result<Self> {
        Ok(Self { a: fields.real("a")?, b: fields.real("b")?, wave: fields.flag("wave")? })
    }

    fn slots(&self) -> usize {
        2
    }

    fn name(&self) -> &'static str {
        if self.wave { "Rbf" } else { "Exp" }
    }

    fn row<R: Real>(&self, scale: R, constants: &mut [R]) -> RowResponse<R> {
        let x = scale * self.b.abs();
        constants.copy_from_slice(&squeezed(x.min(R::from(f64::MAX))));
        let scale = if self.wave { R::from(1.0) } else { (x * x).exp() } * self.a.abs();
        RowResponse { scale, slope: scale * self.b.abs() }
    }

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        cosine: Cosine<N>,
        left: impl DualConstants<N>,
        right: impl DualConstants<N>,
    ) -> Response<N> {
        let (x, y) = (size([left.get(0), left.get(1)]), size([right.get(0), right.get(1)]));
        let z = (x * y).mul_add(cosine.delta, N::splat(0.5) * (x - y) * (x - y));
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

impl Smooth for Exp {
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
        let mean =
            Taylor::sum_of(left.get(0), right.get(0), k.degree).scaled(if self.wave { -0.5 } else { 0.5 });
        let value = mean.plus(k).scaled(b).exp().scaled(a);
        Covariances { value, slope: value.scaled(b) }
    }
}
