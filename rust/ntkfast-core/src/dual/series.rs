//! Functions by their coefficients in Hermite polynomials: polynomials of every kind.
//!
//! On a row of standard deviation s a function is φ(sz) = Σ_l c_l·h_l(z), z ~ N(0, 1), h_l = He_l/√l!, and as the
//! h_l of two normal numbers of correlation ρ have correlation ρ^l (Mehler's formula), its kernel is Σ_l c_l c'_l ρ^l.
//! With both rows' coefficients divided by their norms,
//!
//! δ' = ½Σ(c_l − c'_l)² + Σ c_l c'_l (1 − ρ^l),  ε' = ½Σ(c_l − c'_l)² + Σ c_l c'_l (1 + ρ^l),
//!
//! and 1 − |ρ|^{l+2} = ρ²(1 − |ρ|^l) + (1 − ρ²), a sum of positive terms. Constants of a row are its c_l, first
//! those of even and then those of odd l, in ascending order.
//!
//! Sums take ranges of constants, not closures over them: a closure that is not inlined is compiled without the
//! instruction set, at five times the cost.

use super::{Cosine, DualConstants, Response};
use crate::real::Real;
use crate::simd::Number;
use std::ops::Range;

/// How many coefficients of either parity there are; a parity may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Orders {
    /// Those of l = 0, 2, 4, …
    pub even: usize,
    /// Those of l = 1, 3, 5, …
    pub odd: usize,
}

/// What the coefficients of one parity add up to.
struct Part<N> {
    /// Σ(c_l − c'_l)².
    spread: N,
    /// Σ c_l c'_l.
    total: N,
    /// Σ c_l c'_l (1 − |ρ|^l).
    drop: N,
}

impl Orders {
    /// The orders of φ where those of φ' are `slope`: what a pair makes of a function and its derivative.
    #[inline(always)]
    pub fn respond<N: Number, const SIGNED: bool>(
        self,
        slope: Self,
        cosine: Cosine<N>,
        left: impl DualConstants<N>,
        right: impl DualConstants<N>,
    ) -> Response<N> {
        Response {
            cosine: self.cosine::<N, SIGNED>(cosine, &left, &right),
            slope: slope.correlation::<N, SIGNED>(cosine, self.slots(), &left, &right),
        }
    }

    /// How many constants a row has.
    pub fn slots(self) -> usize {
        self.even + self.odd
    }

    #[inline(always)]
    fn cosine<N: Number, const SIGNED: bool>(
        self,
        cosine: Cosine<N>,
        left: &impl DualConstants<N>,
        right: &impl DualConstants<N>,
    ) -> Cosine<N> {
        let (zero, half, two) = (N::splat(0.0), N::splat(0.5), N::splat(2.0));
        let m = cosine.least::<SIGNED>();
        let even = part(0..self.even, m, zero, left, right);
        let odd = part(self.even..self.slots(), m, m, left, right);
        let spread = half * (even.spread + odd.spread);
        // Where coefficients differ in sign, rounding may leave less than nothing.
        let near = (spread + (odd.drop + even.drop)).max(zero);
        let beyond = (two - near).max(zero);
        if !SIGNED {
            return Cosine { delta: near, epsilon: beyond };
        }
        let far = spread + (even.drop + (odd.total + odd.total - odd.drop));
        let opposite = spread + (odd.drop + (even.total + even.total - even.drop));
        let negative = cosine.epsilon.less(cosine.delta);
        Cosine {
            delta: N::select(negative, far.max(zero), near),
            epsilon: N::select(negative, opposite.max(zero), beyond),
        }
    }

    /// Σ c_l c'_l ρ^l of the constants from `first` on.
    #[inline(always)]
    fn correlation<N: Number, const SIGNED: bool>(
        self,
        cosine: Cosine<N>,
        first: usize,
        left: &impl DualConstants<N>,
        right: &impl DualConstants<N>,
    ) -> N {
        let size = N::splat(1.0) - cosine.least::<SIGNED>();
        let rho = if SIGNED { N::select(cosine.epsilon.less(cosine.delta), -size, size) } else { size };
        let square = size * size;
        let odd_from = first + self.even;
        let even = horner(first..odd_from, square, left, right);
        rho.mul_add(horner(odd_from..first + self.slots(), square, left, right), even)
    }
}

/// The part of one parity, 1 − |ρ|^l being `fall` for its first l. |ρ| = 1 − m.
#[inline(always)]
fn part<N: Number>(
    slots: Range<usize>,
    m: N,
    fall: N,
    left: &impl DualConstants<N>,
    right: &impl DualConstants<N>,
) -> Part<N> {
    let size = N::splat(1.0) - m;
    let (square, rest) = (size * size, m * (N::splat(2.0) - m));
    let zero = N::splat(0.0);
    let (mut part, mut fall) = (Part { spread: zero, total: zero, drop: zero }, fall);
    for i in slots {
        let (c, d) = (left.get(i), right.get(i));
        let (gap, product) = (c - d, c * d);
        part.spread = gap.mul_add(gap, part.spread);
        part.total = part.total + product;
        part.drop = product.mul_add(fall, part.drop);
        fall = square.mul_add(fall, rest);
    }
    part
}

/// The products of both rows' constants as coefficients of a polynomial in ρ², by Horner's rule.
#[inline(always)]
fn horner<N: Number>(
    slots: Range<usize>,
    square: N,
    left: &impl DualConstants<N>,
    right: &impl DualConstants<N>,
) -> N {
    let mut sum = N::splat(0.0);
    for i in slots.rev() {
        sum = sum.mul_add(square, left.get(i) * right.get(i));
    }
    sum
}

/// Divide a row's coefficients by their norm, which is returned. All zero they stay.
pub fn normalise<R: Real>(coefficients: &mut [R]) -> R {
    let norm = coefficients.iter().fold(R::default(), |sum, &c| sum + c * c).sqrt();
    if norm.value() > 0.0 {
        coefficients.iter_mut().for_each(|c| *c = *c / norm);
    }
    norm
}
