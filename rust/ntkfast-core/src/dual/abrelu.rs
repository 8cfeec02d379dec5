//! a·min(x, 0) + b·max(x, 0): ReLU, leaky ReLU, absolute value, and their kin.
//!
//! Arc-cosine kernels (Cho and Saul 2009, eq. 6) in the defect: with w = (a−b)²/(a²+b²) and, for ρ ≥ 0,
//! δ' = δ − w·(sin θ − θ cos θ)/π and E[φ'φ'] ∝ 1 − wθ/π. For ρ < 0 the same functions of the mirrored angle
//! π − θ apply.

use super::smooth::{Covariances, RowSeries, Smooth};
use super::{Cosine, Dual, DualConstants, Response, RowResponse};
use crate::description::Description;
use crate::error::Result;
use crate::real::Real;
use crate::simd::Number;
use crate::simd::math::angle_within;
use crate::taylor::{Series, Taylor};
use std::f64::consts::FRAC_1_PI;

/// a·min(x, 0) + b·max(x, 0).
#[derive(Clone, Debug, PartialEq)]
pub struct AbRelu {
    a: f64,
    b: f64,
    /// √((a² + b²)/2): what φ does to a standard deviation.
    gain: f64,
    /// (a − b)²/(a² + b²): 0 for a line, 1 for ReLU, 2 for |x|.
    kink: f64,
    /// The same over π, which pairs would otherwise divide again and again.
    kink_over_pi: f64,
    /// (a + b)²/(a² + b²) = 2 − kink, with all its digits where it is small.
    line: f64,
}

impl Dual for AbRelu {
    fn new(fields: &mut Description) -> Result<Self> {
        let (a, b) = (fields.real("a")?, fields.real("b")?);
        let largest = a.abs().max(b.abs());
        let total = if largest > 0.0 { (a / largest).powi(2) + (b / largest).powi(2) } else { 1.0 };
        let (kink, line) = if largest > 0.0 {
            // Halves, so that neither the difference nor the sum overflows.
            let share = |half: f64| (half / (0.5 * largest)).powi(2) / total;
            (share(0.5 * a - 0.5 * b), share(0.5 * a + 0.5 * b))
        } else {
            (0.0, 2.0)
        };
        // Exactly 1 for |x| and x: a rounding here would be repeated in every layer.
        let kink_over_pi = kink * FRAC_1_PI;
        Ok(Self { a, b, gain: largest * (total / 2.0).sqrt(), kink, kink_over_pi, line })
    }

    fn slots(&self) -> usize {
        0
    }

    fn name(&self) -> &'static str {
        match (self.a, self.b) {
            (0.0, 1.0) => "Relu",
            (-1.0, 1.0) => "Abs",
            (_, 1.0) => "LeakyRelu",
            _ => "ABRelu",
        }
    }

    fn row<R: Real>(&self, scale: R, _constants: &mut [R]) -> RowResponse<R> {
        RowResponse { scale: scale * self.gain, slope: self.gain.into() }
    }

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        cosine: Cosine<N>,
        _left: impl DualConstants<N>,
        _right: impl DualConstants<N>,
    ) -> Response<N> {
        self.pair_within::<N, SIGNED, 0>(cosine)
    }

    fn is_nonnegative(&self, input: bool) -> bool {
        // The cosine becomes kink·κ1 + (1 − kink)·ρ, with κ1 ≥ max(ρ, 0).
        input || self.kink >= 1.0
    }

    fn is_odd(&self) -> bool {
        self.a == self.b
    }
}

impl AbRelu {
    /// [`Dual::pair`] where 1 − |ρ| is at most `REACHES[REACH]`.
    #[inline(always)]
    pub(crate) fn pair_within<N: Number, const SIGNED: bool, const REACH: usize>(
        &self,
        cosine: Cosine<N>,
    ) -> Response<N> {
        let (one, two) = (N::splat(1.0), N::splat(2.0));
        let kink_over_pi = N::splat(self.kink_over_pi);
        let m = cosine.least::<SIGNED>();
        let angle = angle_within::<N, REACH>(m);
        let delta = angle.lag.neg_mul_add(kink_over_pi, m);
        let slope = angle.theta.neg_mul_add(kink_over_pi, one);
        if !SIGNED {
            return Response { cosine: Cosine { delta, epsilon: two - delta }, slope };
        }
        let negative = cosine.epsilon.less(cosine.delta);
        let rest = N::splat(1.0 - self.kink);
        let bend = angle.lag.mul_add(kink_over_pi, rest * m);
        Response {
            cosine: Cosine {
                delta: N::select(negative, N::splat(self.line) - bend, delta),
                epsilon: N::select(negative, N::splat(self.kink) + bend, two - delta),
            },
            slope: N::select(negative, angle.theta.mul_add(kink_over_pi, rest), slope),
        }
    }
}

impl Smooth for AbRelu {
    fn roughness(&self) -> Option<&'static str> {
        (self.a != self.b).then_some("it has a kink at 0")
    }

    fn slots(&self) -> usize {
        0
    }

    fn row(&self, _p: Series, _slots: &mut [Series]) {}

    #[inline(always)]
    fn pair<N: Number>(
        &self,
        k: &Taylor<N>,
        _left: impl RowSeries<N>,
        _right: impl RowSeries<N>,
    ) -> Covariances<N> {
        Covariances { value: k.scaled(self.a * self.a), slope: Taylor::constant(self.a * self.a, k.degree) }
    }
}
