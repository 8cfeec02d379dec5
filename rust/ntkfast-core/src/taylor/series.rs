//! Functions of the length of a row, up to the second power of its relative change.

use std::ops::{Add, Mul, Sub};

/// f, f' and f''/2 by the relative change of the length.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Series(pub [f64; 3]);

impl Series {
    /// A function of this number, given its value, its derivative and half of its second derivative there.
    pub fn compose(self, [value, slope, bend]: [f64; 3]) -> Self {
        let [_, first, second] = self.0;
        Self([value, slope * first, slope * second + bend * first * first])
    }

    /// u^power.
    pub fn powf(self, power: f64) -> Self {
        let u = self.0[0];
        let value = u.powf(power);
        self.compose([value, power * value / u, 0.5 * power * (power - 1.0) * value / (u * u)])
    }

    /// Whether all of it is finite.
    pub fn is_finite(self) -> bool {
        self.0.iter().all(|value| value.is_finite())
    }
}

impl Add for Series {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        Self([a + x, b + y, c + z])
    }
}

impl Add<f64> for Series {
    type Output = Self;
    fn add(self, constant: f64) -> Self {
        let [value, first, second] = self.0;
        Self([value + constant, first, second])
    }
}

impl Sub<f64> for Series {
    type Output = Self;
    fn sub(self, constant: f64) -> Self {
        self + -constant
    }
}

impl Mul for Series {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        Self([a * x, a * y + b * x, a * z + b * y + c * x])
    }
}

impl Mul<f64> for Series {
    type Output = Self;
    fn mul(self, factor: f64) -> Self {
        Self(self.0.map(|value| value * factor))
    }
}
