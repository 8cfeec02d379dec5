//! What the constants of a row are computed with: a number, or a number and its derivative.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number in double precision, maybe with its derivative along one direction.
///
/// Numbers on the right of an operator are constants.
pub trait Real:
    Copy
    + Default
    + From<f64>
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
    + Div<f64, Output = Self>
{
    /// Whether there is a derivative.
    const IS_JET: bool;

    /// The number alone.
    fn value(self) -> f64;

    /// A function of this number, given its value and its derivative there; where that is not finite, the number counts
    /// as a constant.
    fn map(self, value: f64, slope: f64) -> Self;

    /// √x.
    fn sqrt(self) -> Self {
        let root = self.value().sqrt();
        self.map(root, 0.5 / root)
    }

    /// 1/x.
    fn recip(self) -> Self {
        let inverse = self.value().recip();
        self.map(inverse, -inverse * inverse)
    }

    /// e^x.
    fn exp(self) -> Self {
        let value = self.value().exp();
        self.map(value, value)
    }

    /// e^x − 1.
    fn exp_m1(self) -> Self {
        self.map(self.value().exp_m1(), self.value().exp())
    }

    /// ln x.
    fn ln(self) -> Self {
        self.map(self.value().ln(), self.value().recip())
    }

    /// x^n.
    fn powi(self, n: i32) -> Self {
        let x = self.value();
        self.map(x.powi(n), if n == 0 { 0.0 } else { f64::from(n) * x.powi(n - 1) })
    }

    /// x^p.
    fn powf(self, p: f64) -> Self {
        let x = self.value();
        self.map(x.powf(p), if p == 0.0 { 0.0 } else { p * x.powf(p - 1.0) })
    }

    /// The inverse of the hyperbolic sine.
    fn asinh(self) -> Self {
        let x = self.value();
        self.map(x.asinh(), x.hypot(1.0).recip())
    }

    /// √(x² + y²).
    fn hypot(self, other: Self) -> Self;

    /// The angle of the point (other, self).
    fn atan2(self, other: Self) -> Self;

    /// x·factor + addend, rounded once.
    fn mul_add(self, factor: f64, addend: Self) -> Self;

    /// The larger of the two.
    fn max(self, other: Self) -> Self {
        if self.value() >= other.value() || other.value().is_nan() { self } else { other }
    }

    /// The smaller of the two.
    fn min(self, other: Self) -> Self {
        if self.value() <= other.value() || other.value().is_nan() { self } else { other }
    }
}

impl Real for f64 {
    const IS_JET: bool = false;

    fn value(self) -> f64 {
        self
    }

    fn map(self, value: f64, _slope: f64) -> f64 {
        value
    }

    fn hypot(self, other: Self) -> f64 {
        f64::hypot(self, other)
    }

    fn atan2(self, other: Self) -> f64 {
        f64::atan2(self, other)
    }

    fn mul_add(self, factor: f64, addend: Self) -> f64 {
        f64::mul_add(self, factor, addend)
    }
}

/// A number and its derivative.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Jet {
    /// The number.
    pub value: f64,
    /// Its derivative.
    pub slope: f64,
}

impl From<f64> for Jet {
    fn from(value: f64) -> Self {
        Self { value, slope: 0.0 }
    }
}

impl Real for Jet {
    const IS_JET: bool = true;

    fn value(self) -> f64 {
        self.value
    }

    fn map(self, value: f64, slope: f64) -> Self {
        // 0·∞ is where a root meets zero rows.
        let slope = if self.slope == 0.0 || !slope.is_finite() { 0.0 } else { slope * self.slope };
        Self { value, slope }
    }

    fn hypot(self, other: Self) -> Self {
        let value = self.value.hypot(other.value);
        let slope = if value > 0.0 {
            self.value / value * self.slope + other.value / value * other.slope
        } else {
            0.0
        };
        Self { value, slope }
    }

    fn atan2(self, other: Self) -> Self {
        let size = self.value.hypot(other.value);
        let slope = if size > 0.0 {
            other.value / size * (self.slope / size) - self.value / size * (other.slope / size)
        } else {
            0.0
        };
        Self { value: self.value.atan2(other.value), slope }
    }

    fn mul_add(self, factor: f64, addend: Self) -> Self {
        Self {
            value: self.value.mul_add(factor, addend.value),
            slope: self.slope.mul_add(factor, addend.slope),
        }
    }
}

impl Neg for Jet {
    type Output = Self;
    fn neg(self) -> Self {
        Self { value: -self.value, slope: -self.slope }
    }
}

impl Add for Jet {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { value: self.value + other.value, slope: self.slope + other.slope }
    }
}

impl Sub for Jet {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { value: self.value - other.value, slope: self.slope - other.slope }
    }
}

impl Mul for Jet {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let slope = self.slope * other.value + self.value * other.slope;
        Self { value: self.value * other.value, slope }
    }
}

impl Div for Jet {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        Self { value, slope: (self.slope - value * other.slope) / other.value }
    }
}

impl Add<f64> for Jet {
    type Output = Self;
    fn add(self, other: f64) -> Self {
        Self { value: self.value + other, ..self }
    }
}

impl Sub<f64> for Jet {
    type Output = Self;
    fn sub(self, other: f64) -> Self {
        Self { value: self.value - other, ..self }
    }
}

impl Mul<f64> for Jet {
    type Output = Self;
    fn mul(self, other: f64) -> Self {
        Self { value: self.value * other, slope: self.slope * other }
    }
}

impl Div<f64> for Jet {
    type Output = Self;
    fn div(self, other: f64) -> Self {
        Self { value: self.value / other, slope: self.slope / other }
    }
}
