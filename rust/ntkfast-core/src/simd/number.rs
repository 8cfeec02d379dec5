//! What formulae are written against.

use super::Strip;
use crate::scalar::Scalar;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number to compute with: a register of lanes, or one that carries derivatives.
pub trait Number:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// Type of one lane; its tables and tolerances hold for this number.
    type Scalar: Scalar;
    /// One truth value per lane.
    type Mask: Copy;

    /// The same constant in every lane.
    fn splat(value: f64) -> Self;
    /// `self · factor + addend`, rounded once where the processor can.
    fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// `addend − self · factor`, rounded once where the processor can.
    fn neg_mul_add(self, factor: Self, addend: Self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// The integer next to a product of ordinary size.
    #[inline(always)]
    fn rounded_product(self, factor: f64) -> Self {
        let rounder = Self::splat(Self::Scalar::ROUNDER);
        self.mul_add(Self::splat(factor), rounder) - rounder
    }
    /// 2 to the power of `self`, an integer for which that is a normal number.
    fn power_of_two(self) -> Self;
    /// A polynomial of at least two coefficients, lowest power first.
    ///
    /// Even and odd powers are summed apart: two short chains of dependent instructions instead of a long one.
    #[inline(always)]
    fn polynomial(self, coefficients: &'static [f64]) -> Self {
        let square = self * self;
        let last = coefficients.len() - 1;
        let (mut high, mut low) = (Self::splat(coefficients[last]), Self::splat(coefficients[last - 1]));
        let mut i = last - 1;
        while i >= 2 {
            high = high.mul_add(square, Self::splat(coefficients[i - 1]));
            low = low.mul_add(square, Self::splat(coefficients[i - 2]));
            i -= 2;
        }
        // `low` has reached the power i.
        let value = high.mul_add(self, low);
        if i == 1 { value.mul_add(self, Self::splat(coefficients[0])) } else { value }
    }
    /// The larger, lane by lane.
    fn max(self, other: Self) -> Self;
    /// The smaller, lane by lane.
    fn min(self, other: Self) -> Self;
    /// Where `self < other`.
    fn less(self, other: Self) -> Self::Mask;
    /// `yes` where the mask holds, `no` elsewhere.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
}

/// A register whose lanes come from and go to memory.
pub trait Pack: Number {
    /// Lanes in the register; divides [`super::STRIP`].
    const LANES: usize;
    /// Registers in a strip.
    const PACKS: usize = super::STRIP / Self::LANES;
    /// So many sums for each of six rows, and what is added to them, fit into the processor's registers; divides
    /// [`Self::PACKS`].
    const SUMS: usize;

    /// The same lane value everywhere.
    fn broadcast(value: Self::Scalar) -> Self;
    /// Register `pack` of a strip.
    fn load(strip: &Strip<Self::Scalar>, pack: usize) -> Self;
    /// Write register `pack` of a strip.
    fn store(self, strip: &mut Strip<Self::Scalar>, pack: usize);
    /// The first [`Self::LANES`] entries of a slice.
    fn read(slice: &[Self::Scalar]) -> Self;
    /// Write the first [`Self::LANES`] entries of a slice.
    fn write(self, slice: &mut [Self::Scalar]);
    /// Sum of all lanes, always in the same order.
    fn sum(self) -> Self::Scalar;
    /// Whether the mask holds anywhere.
    fn any(mask: Self::Mask) -> bool;
}
