//! Numbers that carry derivatives: forward mode.

use super::Number;
use crate::scalar::Scalar;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number and its derivatives along `K` directions.
#[derive(Clone, Copy, Debug)]
pub struct Tangent<N, const K: usize> {
    /// The number.
    pub value: N,
    /// Its derivatives.
    pub slopes: [N; K],
}

/// The slopes of two numbers as a new array: a macro, as closures may be compiled without the instruction set.
macro_rules! slopes {
    ($left:ident, $right:ident, $ours:ident, $theirs:ident => $slope:expr) => {{
        let mut slopes = $left.slopes;
        for (slope, &$theirs) in slopes.iter_mut().zip(&$right.slopes) {
            let $ours = *slope;
            *slope = $slope;
        }
        slopes
    }};
}

impl<N: Number, const K: usize> Tangent<N, K> {
    /// The value, and slopes times a factor.
    #[inline(always)]
    fn scaled(self, value: N, factor: N) -> Self {
        let mut slopes = self.slopes;
        for slope in &mut slopes {
            *slope = *slope * factor;
        }
        Self { value, slopes }
    }
}

impl<N: Number, const K: usize> Add for Tangent<N, K> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self { value: self.value + other.value, slopes: slopes!(self, other, a, b => a + b) }
    }
}

impl<N: Number, const K: usize> Sub for Tangent<N, K> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self { value: self.value - other.value, slopes: slopes!(self, other, a, b => a - b) }
    }
}

impl<N: Number, const K: usize> Mul for Tangent<N, K> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let slopes = slopes!(self, other, a, b => a.mul_add(other.value, self.value * b));
        Self { value: self.value * other.value, slopes }
    }
}

impl<N: Number, const K: usize> Div for Tangent<N, K> {
    type Output = Self;
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        let inverse = N::splat(1.0) / other.value;
        Self { value, slopes: slopes!(self, other, a, b => value.neg_mul_add(b, a) * inverse) }
    }
}

impl<N: Number, const K: usize> Neg for Tangent<N, K> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.scaled(-self.value, N::splat(-1.0))
    }
}

impl<N: Number, const K: usize> Number for Tangent<N, K> {
    type Scalar = N::Scalar;
    type Mask = N::Mask;

    #[inline(always)]
    fn splat(value: f64) -> Self {
        Self { value: N::splat(value), slopes: [N::splat(0.0); K] }
    }

    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        let mut slopes = slopes!(self, factor, a, b => a.mul_add(factor.value, self.value * b));
        for (slope, &added) in slopes.iter_mut().zip(&addend.slopes) {
            *slope = *slope + added;
        }
        Self { value: self.value.mul_add(factor.value, addend.value), slopes }
    }

    #[inline(always)]
    fn neg_mul_add(self, factor: Self, addend: Self) -> Self {
        (-self).mul_add(factor, addend)
    }

    /// A root of 0 counts as a constant: the mean of what it is on either side of a kink.
    #[inline(always)]
    fn sqrt(self) -> Self {
        let root = self.value.sqrt();
        self.scaled(root, N::splat(0.5) / root.max(N::splat(N::Scalar::TINY)))
    }

    /// Integers are constants.
    #[inline(always)]
    fn power_of_two(self) -> Self {
        Self { value: self.value.power_of_two(), slopes: [N::splat(0.0); K] }
    }

    #[inline(always)]
    fn rounded_product(self, factor: f64) -> Self {
        Self { value: self.value.rounded_product(factor), slopes: [N::splat(0.0); K] }
    }

    /// The derivative of the polynomial is computed once, for all directions.
    #[inline(always)]
    fn polynomial(self, coefficients: &'static [f64]) -> Self {
        let x = self.value;
        let last = coefficients.len() - 1;
        let mut slope = N::splat(last as f64 * coefficients[last]);
        for i in (1..last).rev() {
            slope = slope.mul_add(x, N::splat(i as f64 * coefficients[i]));
        }
        self.scaled(x.polynomial(coefficients), slope)
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self::select(self.value.less(other.value), other, self)
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self::select(other.value.less(self.value), other, self)
    }

    #[inline(always)]
    fn less(self, other: Self) -> Self::Mask {
        self.value.less(other.value)
    }

    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        let slopes = slopes!(yes, no, a, b => N::select(mask, a, b));
        Self { value: N::select(mask, yes.value, no.value), slopes }
    }
}
