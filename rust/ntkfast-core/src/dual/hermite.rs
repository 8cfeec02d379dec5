//! Hermite polynomials He_n/√n!, at any variance.
//!
//! On a row of variance p, with n = l + 2j, the coefficient of He_l/√l! ([`super::series`]) is
//! √(n!/l!)/(j!·2^j)·(p − 1)^j·p^{l/2}: at unit variance exactly He_n alone. With the size v = |p − 1| + p taken
//! out, what is left is made of (p − 1)/v and p/v, whose sizes have sum 1.

use super::degree::degree;
use super::series::{Orders, normalise};
use super::smooth::{Covariances, RowSeries, Smooth, power_series};
use super::{Cosine, Dual, DualConstants, Response, RowResponse};
use crate::description::Description;
use crate::error::Result;
use crate::real::Real;
use crate::simd::Number;
use crate::taylor::{Series, Taylor};

/// He_n/√n!.
#[derive(Clone, Debug, PartialEq)]
pub struct Hermite {
    value: Normalised,
    /// That of degree n − 1: φ' is √n times as large. None for a constant.
    slope: Option<Normalised>,
}

impl Dual for Hermite {
    fn new(fields: &mut Description) -> Result<Self> {
        let degree = degree(fields)?;
        Ok(Self { value: Normalised::new(degree), slope: degree.checked_sub(1).map(Normalised::new) })
    }

    fn slots(&self) -> usize {
        self.value.factors.len() + self.slope.as_ref().map_or(0, |slope| slope.factors.len())
    }

    fn name(&self) -> &'static str {
        "Hermite"
    }

    fn row<R: Real>(&self, scale: R, constants: &mut [R]) -> RowResponse<R> {
        let (value, slope) = constants.split_at_mut(self.value.factors.len());
        let root = (self.value.degree as f64).sqrt();
        RowResponse {
            scale: self.value.row(scale, value),
            slope: self.slope.as_ref().map_or(R::default(), |below| below.row(scale, slope) * root),
        }
    }

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        cosine: Cosine<N>,
        left: impl DualConstants<N>,
        right: impl DualConstants<N>,
    ) -> Response<N> {
        let slope = self.slope.as_ref().map(Normalised::orders).unwrap_or_default();
        self.value.orders().respond::<N, SIGNED>(slope, cosine, left, right)
    }

    fn is_nonnegative(&self, input: bool) -> bool {
        // Coefficients change their signs at unit variance, but for those of 1 and x.
        self.value.degree == 0 || input && self.value.degree == 1
    }

    fn is_odd(&self) -> bool {
        self.value.is_odd()
    }
}

/// He_n/√n! of one degree.
#[derive(Clone, Debug, PartialEq)]
struct Normalised {
    degree: usize,
    /// √(n!/l!)/(j!·2^j), by ascending l.
    factors: Vec<f64>,
}

impl Normalised {
    fn new(degree: usize) -> Self {
        let mut factors = vec![1.0];
        for j in 1..=degree / 2 {
            let l = (degree - 2 * j) as f64;
            factors.push(factors[j - 1] * ((l + 1.0) * (l + 2.0)).sqrt() / (2 * j) as f64);
        }
        factors.reverse();
        Self { degree, factors }
    }

    fn is_odd(&self) -> bool {
        self.degree % 2 == 1
    }

    fn orders(&self) -> Orders {
        let count = self.factors.len();
        if self.is_odd() { Orders { even: 0, odd: count } } else { Orders { even: count, odd: 0 } }
    }

    /// √E[φ²] of a row; fills its constants.
    fn row<R: Real>(&self, scale: R, constants: &mut [R]) -> R {
        let half = (self.degree / 2) as i32;
        // (p − 1)/v and p/v.
        let (excess, rest) = if scale.value() < 1.0 {
            ((scale - 1.0) * (scale + 1.0), scale * scale)
        } else {
            let inverse = scale.recip();
            let rest = (-(inverse * inverse) + 2.0).recip();
            ((-inverse + 1.0) * (inverse + 1.0) * rest, rest)
        };
        for (i, (c, factor)) in (0..).zip(constants.iter_mut().zip(&self.factors)) {
            *c = excess.powi(half - i) * *factor * rest.powi(i);
        }
        // An odd function is that of an even degree times x, of which s is taken out: zero rows have a direction.
        let linear = if self.is_odd() { scale } else { R::from(1.0) };
        let size = (scale * 2.0 * scale - 1.0).max(R::from(1.0));
        size.powi(half) * linear * normalise(constants)
    }
}

impl Smooth for Hermite {
    fn slots(&self) -> usize {
        self.value.degree + 1
    }

    fn row(&self, p: Series, slots: &mut [Series]) {
        slots.fill(Series::default());
        let mut power = Series([1.0, 0.0, 0.0]);
        for (j, factor) in self.value.factors.iter().rev().enumerate() {
            slots[self.value.degree - 2 * j] = power * *factor;
            power = power * (p - 1.0);
        }
    }

    #[inline(always)]
    fn pair<N: Number>(
        &self,
        k: &Taylor<N>,
        left: impl RowSeries<N>,
        right: impl RowSeries<N>,
    ) -> Covariances<N> {
        power_series(self.value.degree + 1, k, left, right)
    }
}
