//! Truncated Taylor series of functions of a pair.
//!
//! A kernel is a function of the cosine c of two rows and of both lengths. Two derivatives by either row meet the
//! coefficients of a change of c to the power a, and of relative changes of the lengths to the powers b and c, with b ≤ 2,
//! c ≤ 2 and a + b + c ≤ 4 alone, and products keep to them: they are the 27 coefficients of [`Taylor`], by ascending
//! degree, so that fewer derivatives need a part from the front.

use super::tables::{COUNT, LEFT, LENGTHS, RIGHT, STARTS, TERMS, WITHIN};
use crate::simd::Number;
use crate::simd::math::{atan2, decay};

/// Coefficients that a number has, and room for five more: indices of five bits need no check.
pub const ROOM: usize = 32;
/// The highest degree.
pub const HIGHEST: usize = 4;

/// A function of the cosine and both lengths near a pair.
#[derive(Clone, Copy)]
pub struct Taylor<N> {
    /// Coefficients, in the order of [`super::tables::EXPONENTS`].
    pub coefficients: [N; ROOM],
    /// Degree of the last coefficient that counts.
    pub degree: usize,
}

/// A function of one of the lengths alone.
pub type OneSided<N> = [N; 3];

impl<N: Number> Taylor<N> {
    /// A constant.
    #[inline(always)]
    pub fn constant(value: f64, degree: usize) -> Self {
        let mut coefficients = [N::splat(0.0); ROOM];
        coefficients[0] = N::splat(value);
        Self { coefficients, degree }
    }

    /// How many coefficients count.
    #[inline(always)]
    fn count(&self) -> usize {
        WITHIN[self.degree]
    }

    /// The value at the pair itself.
    #[inline(always)]
    pub fn value(&self) -> N {
        self.coefficients[0]
    }

    /// Sum.
    #[inline(always)]
    pub fn plus(mut self, other: &Self) -> Self {
        for i in 0..self.count() {
            self.coefficients[i] = self.coefficients[i] + other.coefficients[i];
        }
        self
    }

    /// Difference.
    #[inline(always)]
    pub fn minus(mut self, other: &Self) -> Self {
        for i in 0..self.count() {
            self.coefficients[i] = self.coefficients[i] - other.coefficients[i];
        }
        self
    }

    /// Sum with a constant.
    #[inline(always)]
    pub fn shifted(mut self, constant: f64) -> Self {
        self.coefficients[0] = self.coefficients[0] + N::splat(constant);
        self
    }

    /// Product with a constant.
    #[inline(always)]
    pub fn scaled(mut self, factor: f64) -> Self {
        let factor = N::splat(factor);
        for i in 0..self.count() {
            self.coefficients[i] = self.coefficients[i] * factor;
        }
        self
    }

    /// Product.
    #[inline(always)]
    pub fn times(&self, other: &Self) -> Self {
        self.times_up_to(other, self.count())
    }

    /// The first coefficients of a product.
    #[inline(always)]
    fn times_up_to(&self, other: &Self, count: usize) -> Self {
        let mut product = Self::constant(0.0, self.degree);
        for k in 0..count {
            let mut sum = N::splat(0.0);
            for &[i, j] in &TERMS[STARTS[k]..STARTS[k + 1]] {
                sum =
                    self.coefficients[i as usize % ROOM].mul_add(other.coefficients[j as usize % ROOM], sum);
            }
            product.coefficients[k] = sum;
        }
        product
    }

    /// Product with functions of either length.
    #[inline(always)]
    pub fn between(&self, left: OneSided<N>, right: OneSided<N>) -> Self {
        self.times_one_sided(left, &LEFT).times_one_sided(right, &RIGHT)
    }

    /// Product with a function of the length that the table is for.
    #[inline(always)]
    fn times_one_sided(&self, factor: OneSided<N>, table: &[(usize, [u8; 3]); COUNT]) -> Self {
        let mut product = Self::constant(0.0, self.degree);
        let results = product.coefficients.iter_mut().zip(table);
        for (result, (count, places)) in results.take(self.count()) {
            let mut sum = N::splat(0.0);
            for (&value, &place) in factor.iter().zip(&places[..*count]) {
                sum = self.coefficients[place as usize % ROOM].mul_add(value, sum);
            }
            *result = sum;
        }
        product
    }

    /// A function of one length times a function of the other.
    #[inline(always)]
    pub fn product_of(left: OneSided<N>, right: OneSided<N>, degree: usize) -> Self {
        Self::constant(1.0, degree).between(left, right)
    }

    /// A function of one length plus a function of the other.
    #[inline(always)]
    pub fn sum_of(left: OneSided<N>, right: OneSided<N>, degree: usize) -> Self {
        let one = [N::splat(1.0), N::splat(0.0), N::splat(0.0)];
        Self::product_of(left, one, degree).plus(&Self::product_of(one, right, degree))
    }

    /// A function f of this number, given f, f', f''/2, f'''/6 and f''''/24 at its value.
    #[inline(always)]
    pub fn compose(&self, derivatives: [N; HIGHEST + 1]) -> Self {
        let mut change = *self;
        change.coefficients[0] = N::splat(0.0);
        let mut sum = Self::constant(0.0, self.degree);
        sum.coefficients[0] = derivatives[self.degree];
        for order in (0..self.degree).rev() {
            // What is multiplied `order` times more needs no higher degree than this.
            sum = sum.times_up_to(&change, WITHIN[self.degree - order]);
            sum.coefficients[0] = derivatives[order];
        }
        sum
    }

    /// The function Σ f_j·v^j of the change v of this number, where the f_j are functions of both lengths.
    #[inline(always)]
    pub fn compose_between(&self, functions: &[[OneSided<N>; 3]; HIGHEST + 1]) -> Self {
        let mut change = *self;
        change.coefficients[0] = N::splat(0.0);
        let mut sum = Self::constant(0.0, self.degree);
        for order in (0..=self.degree).rev() {
            sum = sum.times_up_to(&change, WITHIN[self.degree - order]);
            for (places, values) in LENGTHS.iter().zip(&functions[order]) {
                for (&place, &value) in places.iter().zip(values) {
                    sum.coefficients[place] = sum.coefficients[place] + value;
                }
            }
        }
        sum
    }

    /// u^{−1/2}.
    #[inline(always)]
    pub fn inverse_root(&self) -> Self {
        let root = N::splat(1.0) / self.value().sqrt();
        let square = root * root;
        let mut term = root;
        let mut derivatives = [root; HIGHEST + 1];
        for (derivative, factor) in derivatives[1..].iter_mut().zip([-0.5, 0.375, -0.3125, 0.273_437_5]) {
            term = term * square;
            *derivative = term * N::splat(factor);
        }
        self.compose(derivatives)
    }

    /// e^u.
    #[inline(always)]
    pub fn exp(&self) -> Self {
        let u = self.value();
        let small = decay(u.max(-u)).end;
        let value = N::select(u.less(N::splat(0.0)), small, N::splat(1.0) / small);
        let factors = [1.0, 1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0];
        let mut derivatives = [value; HIGHEST + 1];
        for (derivative, factor) in derivatives.iter_mut().zip(factors) {
            *derivative = value * N::splat(factor);
        }
        self.compose(derivatives)
    }

    /// asin z, given (1 − z²)^{−1/2} at the value.
    #[inline(always)]
    pub fn asin(&self, steep: N) -> Self {
        let (z, zero) = (self.value(), N::splat(0.0));
        let size = z.max(-z);
        let angle = atan2(size, N::splat(1.0) / steep);
        let square = z * z;
        let (cube, steep_square) = (steep * steep * steep, steep * steep);
        let third = square.mul_add(N::splat(1.0 / 3.0), N::splat(1.0 / 6.0));
        let fourth = z * square.mul_add(N::splat(0.25), N::splat(0.375));
        self.compose([
            N::select(z.less(zero), -angle, angle),
            steep,
            N::splat(0.5) * z * cube,
            third * cube * steep_square,
            fourth * cube * steep_square * steep_square,
        ])
    }

    /// tanh u.
    #[inline(always)]
    pub fn tanh(&self) -> Self {
        let (u, one) = (self.value(), N::splat(1.0));
        let size = u.max(-u);
        let fall = decay(size + size);
        // 1 − e^{−2|u|} keeps its digits.
        let tanh = (size + size) * fall.mean / (one + fall.end);
        let tanh = N::select(u.less(N::splat(0.0)), -tanh, tanh);
        let inverse = one / (one + fall.end);
        let rest = N::splat(4.0) * fall.end * inverse * inverse; // 1 − tanh²
        let square = tanh * tanh;
        self.compose([
            tanh,
            rest,
            -tanh * rest,
            rest * (square + square - rest) * N::splat(1.0 / 3.0),
            tanh * rest * (rest + rest - square) * N::splat(1.0 / 3.0),
        ])
    }

    /// sinh u and cosh u, for small u.
    #[inline(always)]
    pub fn sinh_cosh(&self) -> [Self; 2] {
        let u = self.value();
        let size = u.max(-u);
        let fall = decay(size);
        let rise = N::splat(1.0) / fall.end;
        let cosh = N::splat(0.5) * (rise + fall.end);
        // (e^u − 1)(1 + e^{−u})/2
        let sinh = N::splat(0.5) * size * fall.mean * (N::splat(1.0) + rise);
        let sinh = N::select(u.less(N::splat(0.0)), -sinh, sinh);
        let factors = [0.5, 1.0 / 6.0, 1.0 / 24.0].map(N::splat);
        let odd = [sinh, cosh, sinh * factors[0], cosh * factors[1], sinh * factors[2]];
        let even = [cosh, sinh, cosh * factors[0], sinh * factors[1], cosh * factors[2]];
        [self.compose(odd), self.compose(even)]
    }
}
