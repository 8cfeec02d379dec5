//! a·e^{bx²}, b < 0, in the defect.
//!
//! With D and e of [`super::envelope`] for β = −b, the kernels are a²/√D and 4a²b²k/D^{3/2}. Divided by row
//! values they are 1/√(1 + e) and ρ/(1 + e)^{3/2}; with t = √(1 + e), δ' = 1 − 1/t = e/(t² + t).

use super::envelope::{self, EnvelopeRow, overlap, vast};
use super::smooth::{Covariances, RowSeries, Smooth};
use super::{Cosine, Dual, DualConstants, Response, RowResponse};
use crate::description::{Description, Value};
use crate::error::Result;
use crate::real::Real;
use crate::simd::Number;
use crate::taylor::{Series, Taylor};

/// a·e^{bx²}.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    a: f64,
    b: f64,
}

impl Dual for Gaussian {
    fn new(fields: &mut Description) -> Result<Self> {
        let b = |value: &Value| value.real().filter(|b| *b < 0.0);
        Ok(Self { a: fields.real("a")?, b: fields.take("b", "a finite number < 0", b)? })
    }

    fn slots(&self) -> usize {
        envelope::SLOTS
    }

    fn name(&self) -> &'static str {
        "Gaussian"
    }

    fn row<R: Real>(&self, scale: R, constants: &mut [R]) -> RowResponse<R> {
        let rate = (-self.b).sqrt();
        let x = scale * rate;
        constants.copy_from_slice(&envelope::constants(x));
        let inverse = constants[1];
        let slope = x * inverse * inverse * inverse * (2.0 * self.a.abs() * rate);
        RowResponse { scale: inverse * self.a.abs(), slope }
    }

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        cosine: Cosine<N>,
        left: impl DualConstants<N>,
        right: impl DualConstants<N>,
    ) -> Response<N> {
        let one = N::splat(1.0);
        let both = overlap(&EnvelopeRow::new(left), &EnvelopeRow::new(right), cosine.least::<SIGNED>());
        let excess = (both.apart + both.turned).min(vast());
        let square = one + excess;
        let root = square.sqrt();
        let slope = (one - cosine.delta) / (square * root);
        Response { cosine: Cosine::even(excess / (square + root)), slope }
    }

    fn is_nonnegative(&self, _input: bool) -> bool {
        true
    }

    fn is_odd(&self) -> bool {
        false
    }
}

impl Smooth for Gaussian {
    fn slots(&self) -> usize {
        2
    }

    fn row(&self, p: Series, slots: &mut [Series]) {
        let root = (p * (-2.0 * self.b) + 1.0).powf(-0.5);
        slots.copy_from_slice(&[root, root * root * root]);
    }

    #[inline(always)]
    fn pair<N: Number>(
        &self,
        k: &Taylor<N>,
        left: impl RowSeries<N>,
        right: impl RowSeries<N>,
    ) -> Covariances<N> {
        let (a, b) = (self.a * self.a, self.b * self.b);
        let z = k.between(left.get(0), right.get(0)).scaled(-2.0 * self.b);
        let steep = z.times(&z).scaled(-1.0).shifted(1.0).inverse_root();
        let cube = steep.times(&steep).times(&steep);
        Covariances {
            value: steep.between(left.get(0), right.get(0)).scaled(a),
            slope: k.times(&cube).between(left.get(1), right.get(1)).scaled(4.0 * a * b),
        }
    }
}
