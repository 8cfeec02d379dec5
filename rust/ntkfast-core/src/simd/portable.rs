//! Registers as arrays, which the compiler turns into NEON: the baseline of every target but x86-64. There they are used,
//! and so tested, with `NTKFAST_PORTABLE=1` while compiling.

use super::{Number, Pack, STRIP, Strip};
use crate::scalar::Scalar;
use std::array::from_fn;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// Lanes without special instructions: as many as 128 bits hold, which is a register of every target. More at a time take
/// the compiler many times as long, and run slower.
#[derive(Clone, Copy, Debug)]
#[repr(align(16))]
pub struct Portable<T, const LANES: usize>([T; LANES]);

macro_rules! operator {
    ($trait:ident, $method:ident, $op:tt) => {
        impl<T: Scalar, const LANES: usize> $trait for Portable<T, LANES> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(from_fn(|i| self.0[i] $op other.0[i]))
            }
        }
    };
}

operator!(Add, add, +);
operator!(Sub, sub, -);
operator!(Mul, mul, *);
operator!(Div, div, /);

impl<T: Scalar, const LANES: usize> Neg for Portable<T, LANES> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(self.0.map(|x| -x))
    }
}

macro_rules! plain {
    ($scalar:ident, $lanes:literal) => {
        impl Number for Portable<$scalar, $lanes> {
            type Scalar = $scalar;
            type Mask = [bool; $lanes];

            #[inline(always)]
            fn splat(value: f64) -> Self {
                Self([value as $scalar; $lanes])
            }
            #[inline(always)]
            fn mul_add(self, factor: Self, addend: Self) -> Self {
                // Without the instruction `mul_add` is a slow library call.
                if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
                    Self(from_fn(|i| self.0[i].mul_add(factor.0[i], addend.0[i])))
                } else {
                    self * factor + addend
                }
            }
            #[inline(always)]
            fn neg_mul_add(self, factor: Self, addend: Self) -> Self {
                (-self).mul_add(factor, addend)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                Self(self.0.map($scalar::sqrt))
            }
            #[inline(always)]
            fn power_of_two(self) -> Self {
                let bias = <$scalar>::MAX_EXP - 1;
                let shifted = self + Self::splat(<$scalar as Scalar>::ROUNDER + f64::from(bias));
                // The last bits are now the exponent with its bias.
                Self(shifted.0.map(|x| $scalar::from_bits(x.to_bits() << (<$scalar>::MANTISSA_DIGITS - 1))))
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                Self(from_fn(|i| if self.0[i] > other.0[i] { self.0[i] } else { other.0[i] }))
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                Self(from_fn(|i| if self.0[i] < other.0[i] { self.0[i] } else { other.0[i] }))
            }
            #[inline(always)]
            fn less(self, other: Self) -> Self::Mask {
                from_fn(|i| self.0[i] < other.0[i])
            }
            #[inline(always)]
            fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
                Self(from_fn(|i| if mask[i] { yes.0[i] } else { no.0[i] }))
            }
        }

        impl Pack for Portable<$scalar, $lanes> {
            const LANES: usize = $lanes;
            const SUMS: usize = 2;

            #[inline(always)]
            fn broadcast(value: $scalar) -> Self {
                Self([value; $lanes])
            }
            #[inline(always)]
            fn load(strip: &Strip<$scalar>, pack: usize) -> Self {
                Self(from_fn(|i| strip.0[pack * $lanes + i]))
            }
            #[inline(always)]
            fn store(self, strip: &mut Strip<$scalar>, pack: usize) {
                assert!(pack < STRIP / $lanes);
                strip.0[pack * $lanes..][..$lanes].copy_from_slice(&self.0);
            }
            #[inline(always)]
            fn read(slice: &[$scalar]) -> Self {
                Self(from_fn(|i| slice[i]))
            }
            #[inline(always)]
            fn write(self, slice: &mut [$scalar]) {
                slice[..$lanes].copy_from_slice(&self.0);
            }
            #[inline(always)]
            fn sum(self) -> $scalar {
                self.0.iter().fold(0.0, |total, x| total + x)
            }
            #[inline(always)]
            fn any(mask: Self::Mask) -> bool {
                mask.contains(&true)
            }
        }
    };
}

plain!(f64, 2);
plain!(f32, 4);

/// Two lanes of `f64`.
pub type F64x2 = Portable<f64, 2>;
/// Four lanes of `f32`.
pub type F32x4 = Portable<f32, 4>;
