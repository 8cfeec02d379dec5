//! Polynomials Σ a_j x^j, from zero rows to those whose powers leave the range of a number.
//!
//! On a row of standard deviation s, x^j has the size √(2j−1)!!·s^j, and its coefficients in Hermite polynomials
//! of x/s ([`super::series`]), divided by that, are a unit vector u_j that depends on j alone. As
//! z·h_l = √(l+1)·h_{l+1} + √l·h_{l−1},
//!
//! u_{j+1,l} = (√l·u_{j,l−1} + √(l+1)·u_{j,l+1})/√(2j+1).
//!
//! A row adds these vectors, weighted by their sizes. The lowest power of s is taken out of all of them, so that a
//! zero row has the direction of the lowest power.

use super::degree::HIGHEST;
use super::series::{Orders, normalise};
use super::smooth::{Covariances, RowSeries, Smooth, power_series};
use super::{Cosine, Dual, DualConstants, Response, RowResponse};
use crate::description::{Description, Value};
use crate::error::Result;
use crate::real::Real;
use crate::simd::Number;
use crate::taylor::{Series, Taylor};
use std::ops::Mul;

/// Σ a_j x^j.
#[derive(Clone, Debug, PartialEq)]
pub struct Polynomial {
    value: Sum,
    slope: Sum,
    name: &'static str,
}

impl Dual for Polynomial {
    fn new(fields: &mut Description) -> Result<Self> {
        let coefficients =
            |value: &Value| value.list(Value::real).filter(|a| (1..=HIGHEST + 1).contains(&a.len()));
        let coefficients = fields.take("coef", "a list of 1 to 1001 finite numbers", coefficients)?;
        let terms = || {
            let coefficients = coefficients.iter().enumerate();
            coefficients.filter(|(_, a)| **a != 0.0).map(|(degree, &a)| (degree, Scaled::new(a)))
        };
        let derivatives = terms()
            .filter(|(degree, _)| *degree > 0)
            .map(|(degree, a)| (degree - 1, a * Scaled::new(degree as f64)));
        let monic = terms().count() == 1 && coefficients.last() == Some(&1.0);
        let name = if monic { "Monomial" } else { "Polynomial" };
        Ok(Self { value: Sum::new(terms()), slope: Sum::new(derivatives), name })
    }

    fn slots(&self) -> usize {
        self.value.orders.slots() + self.slope.orders.slots()
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn row<R: Real>(&self, scale: R, constants: &mut [R]) -> RowResponse<R> {
        let (value, slope) = constants.split_at_mut(self.value.orders.slots());
        RowResponse { scale: self.value.row(scale, value), slope: self.slope.row(scale, slope) }
    }

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        cosine: Cosine<N>,
        left: impl DualConstants<N>,
        right: impl DualConstants<N>,
    ) -> Response<N> {
        self.value.orders.respond::<N, SIGNED>(self.slope.orders, cosine, left, right)
    }

    fn is_nonnegative(&self, input: bool) -> bool {
        // Only where no c_l changes its sign from row to row is every term of Σ c_l c'_l ρ^l one of ρ^l.
        (input || self.value.orders.odd == 0) && self.value.has_fixed_signs()
    }

    fn is_odd(&self) -> bool {
        self.value.orders.even == 0
    }
}

/// Powers of x, added up.
#[derive(Clone, Debug, PartialEq)]
struct Sum {
    /// By ascending degree, none of them 0.
    powers: Vec<Power>,
    orders: Orders,
}

/// a·x^j.
#[derive(Clone, Debug, PartialEq)]
struct Power {
    degree: usize,
    /// a·√(2j−1)!!.
    size: Scaled,
    /// u_j, those of its entries whose l has the parity of j.
    unit: Vec<f64>,
}

impl Sum {
    fn new(terms: impl Iterator<Item = (usize, Scaled)>) -> Self {
        let (mut powers, mut orders) = (Vec::new(), Orders::default());
        // The unit vector and the size of x^j.
        let (mut j, mut unit, mut size) = (0, vec![1.0], Scaled::new(1.0));
        for (degree, coefficient) in terms {
            while j < degree {
                unit = raised(j, &unit);
                size = size * Scaled::new(((2 * j + 1) as f64).sqrt());
                j += 1;
            }
            let count = if j % 2 == 0 { &mut orders.even } else { &mut orders.odd };
            *count = unit.len();
            powers.push(Power { degree, size: coefficient * size, unit: unit.clone() });
        }
        Self { powers, orders }
    }

    /// √E[φ²] of a row; fills its constants.
    fn row<R: Real>(&self, scale: R, constants: &mut [R]) -> R {
        constants.fill(R::default());
        let Some(lowest) = self.powers.first().map(|power| power.degree) else { return R::default() };
        let x = scale.value();
        let s = Scaled::new(x.min(f64::MAX));
        let sizes = || self.powers.iter().map(|power| power.size * s.power(power.degree - lowest));
        let largest = sizes().filter(|size| size.mantissa != 0.0).map(|size| size.exponent).max();
        let largest = largest.unwrap_or(0);
        for (power, size) in self.powers.iter().zip(sizes()) {
            let weight = Scaled { exponent: size.exponent - largest, ..size }.to_f64();
            let weight = scale.map(weight, weight * (power.degree - lowest) as f64 / x);
            let first = if power.degree % 2 == 0 { 0 } else { self.orders.even };
            for (c, u) in constants[first..].iter_mut().zip(&power.unit) {
                *c = weight.mul_add(*u, *c);
            }
        }
        let norm = normalise(constants);
        let unbounded = self.powers.last().is_some_and(|power| power.degree > 0);
        if unbounded && !x.is_finite() {
            return scale;
        }
        let size = (Scaled { exponent: largest, mantissa: norm.value() } * s.power(lowest)).to_f64();
        norm.map(size, size / norm.value()) + scale.map(0.0, size * lowest as f64 / x)
    }

    /// Whether the coefficients of either parity have one sign.
    fn has_fixed_signs(&self) -> bool {
        (0..2).all(|parity| {
            let same = self.powers.iter().filter(|power| power.degree % 2 == parity);
            let mut positive = same.map(|power| power.size.mantissa > 0.0);
            let first = positive.next();
            positive.all(|sign| Some(sign) == first)
        })
    }
}

/// The unit vector of x^{j+1} from that of x^j.
fn raised(j: usize, unit: &[f64]) -> Vec<f64> {
    let parity = (j + 1) % 2;
    let at = |l: Option<usize>| l.and_then(|l| unit.get(l / 2)).copied().unwrap_or(0.0);
    (parity..=j + 1)
        .step_by(2)
        .map(|l| {
            let (down, up) =
                ((l as f64).sqrt() * at(l.checked_sub(1)), ((l + 1) as f64).sqrt() * at(Some(l + 1)));
            (down + up) / ((2 * j + 1) as f64).sqrt()
        })
        .collect()
}

/// mantissa·2^exponent, for products far beyond what a number can hold. The mantissa is in ±[1, 2), or 0.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Scaled {
    mantissa: f64,
    exponent: i32,
}

impl Scaled {
    fn new(value: f64) -> Self {
        const MANTISSA: u64 = (1 << 52) - 1;
        const ONE: u64 = 1023 << 52;
        if value == 0.0 {
            return Self { mantissa: 0.0, exponent: 0 };
        }
        let (value, shift) = if value.is_normal() { (value, 0) } else { (value * 2f64.powi(64), -64) };
        let bits = value.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as i32 - 1023 + shift;
        let mantissa = f64::from_bits(bits & MANTISSA | ONE).copysign(value);
        Self { mantissa, exponent }
    }

    /// To a power of at most 1000.
    fn power(self, n: usize) -> Self {
        let n = n as i32;
        let Self { mantissa, exponent } = Self::new(self.mantissa.powi(n));
        Self { mantissa, exponent: exponent + n * self.exponent }
    }

    fn to_f64(self) -> f64 {
        // In two steps, as 2^exponent may be out of range where the product is not.
        let exponent = self.exponent.clamp(-1500, 1500);
        let half = exponent / 2;
        self.mantissa * 2f64.powi(half) * 2f64.powi(exponent - half)
    }
}

impl Mul for Scaled {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let Self { mantissa, exponent } = Self::new(self.mantissa * other.mantissa);
        Self { mantissa, exponent: exponent + self.exponent + other.exponent }
    }
}

impl Smooth for Polynomial {
    fn slots(&self) -> usize {
        self.highest() + 1
    }

    fn row(&self, p: Series, slots: &mut [Series]) {
        slots.fill(Series::default());
        let mut powers = vec![Series([1.0, 0.0, 0.0])];
        for power in &self.value.powers {
            let parity = power.degree % 2;
            while powers.len() <= power.degree / 2 {
                powers.push(powers[powers.len() - 1] * p);
            }
            for (i, unit) in power.unit.iter().enumerate() {
                let factor = (power.size * Scaled::new(*unit)).to_f64();
                let slot = &mut slots[2 * i + parity];
                *slot = *slot + powers[power.degree / 2 - i] * factor;
            }
        }
    }

    #[inline(always)]
    fn pair<N: Number>(
        &self,
        k: &Taylor<N>,
        left: impl RowSeries<N>,
        right: impl RowSeries<N>,
    ) -> Covariances<N> {
        power_series(self.highest() + 1, k, left, right)
    }
}

impl Polynomial {
    fn highest(&self) -> usize {
        self.value.powers.last().map_or(0, |power| power.degree)
    }
}
