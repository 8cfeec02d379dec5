//! Registers of AVX-512, of AVX2, and of every x86-64 (SSE2).
//!
//! SAFETY of every block below: values of the wider types are made only inside [`super::dispatcher`]'s functions,
//! which run after the processor was asked for the features; loads and stores are bounded by an assertion
//! that the compiler removes where loops have constant bounds.

use super::sse2::*;
use super::{Number, Pack, STRIP, Strip};
use crate::scalar::Scalar;
use std::arch::x86_64::*;
use std::ops::{Add, Div, Mul, Neg, Sub};

macro_rules! register {
    (
        $name:ident, $register:ty, $scalar:ty, $lanes:literal, $sums:literal, $mask:ty;
        $set1:ident, $loadu:ident, $storeu:ident, $add:ident, $sub:ident, $mul:ident, $div:ident,
        $fmadd:ident, $fnmadd:ident, $sqrt:ident, $max:ident, $min:ident;
        shift $slli:ident $to_bits:ident $from_bits:ident,
        less $less:ident, blend $blend:ident $intrinsic:ident, any $any:ident $($movemask:ident)?
    ) => {
        /// Lanes of one vector register.
        #[derive(Clone, Copy, Debug)]
        pub struct $name($register);

        register!(@operator $name, Add, add, $add);
        register!(@operator $name, Sub, sub, $sub);
        register!(@operator $name, Mul, mul, $mul);
        register!(@operator $name, Div, div, $div);

        impl Neg for $name {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                Self::splat(0.0) - self
            }
        }

        impl Number for $name {
            type Scalar = $scalar;
            type Mask = $mask;

            #[inline(always)]
            fn splat(value: f64) -> Self {
                Self::broadcast(value as $scalar)
            }
            #[inline(always)]
            fn mul_add(self, factor: Self, addend: Self) -> Self {
                // SAFETY: see the module.
                Self(unsafe { $fmadd(self.0, factor.0, addend.0) })
            }
            #[inline(always)]
            fn neg_mul_add(self, factor: Self, addend: Self) -> Self {
                // SAFETY: see the module.
                Self(unsafe { $fnmadd(self.0, factor.0, addend.0) })
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                // SAFETY: see the module.
                Self(unsafe { $sqrt(self.0) })
            }
            #[inline(always)]
            fn power_of_two(self) -> Self {
                const BIAS: f64 = (<$scalar>::MAX_EXP - 1) as f64;
                const SHIFT: u32 = <$scalar>::MANTISSA_DIGITS - 1;
                let shifted = self + Self::splat(<$scalar as Scalar>::ROUNDER + BIAS);
                // The last bits are now the exponent with its bias.
                // SAFETY: see the module.
                Self(unsafe { $from_bits($slli::<{ SHIFT as _ }>($to_bits(shifted.0))) })
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                // SAFETY: see the module.
                Self(unsafe { $max(self.0, other.0) })
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                // SAFETY: see the module.
                Self(unsafe { $min(self.0, other.0) })
            }
            #[inline(always)]
            fn less(self, other: Self) -> $mask {
                // SAFETY: see the module.
                unsafe { $less::<_CMP_LT_OQ>(self.0, other.0) }
            }
            #[inline(always)]
            fn select(mask: $mask, yes: Self, no: Self) -> Self {
                // SAFETY: see the module.
                Self(unsafe { register!(@$blend $intrinsic, mask, yes.0, no.0) })
            }
        }

        impl Pack for $name {
            const LANES: usize = $lanes;
            const SUMS: usize = $sums;

            #[inline(always)]
            fn broadcast(value: $scalar) -> Self {
                // SAFETY: see the module.
                Self(unsafe { $set1(value) })
            }
            #[inline(always)]
            fn load(strip: &Strip<$scalar>, pack: usize) -> Self {
                assert!(pack < STRIP / $lanes);
                // SAFETY: see the module.
                Self(unsafe { $loadu(strip.0.as_ptr().add(pack * $lanes)) })
            }
            #[inline(always)]
            fn store(self, strip: &mut Strip<$scalar>, pack: usize) {
                assert!(pack < STRIP / $lanes);
                // SAFETY: see the module.
                unsafe { $storeu(strip.0.as_mut_ptr().add(pack * $lanes), self.0) }
            }
            #[inline(always)]
            fn read(slice: &[$scalar]) -> Self {
                assert!(slice.len() >= $lanes);
                // SAFETY: see the module.
                Self(unsafe { $loadu(slice.as_ptr()) })
            }
            #[inline(always)]
            fn write(self, slice: &mut [$scalar]) {
                assert!(slice.len() >= $lanes);
                // SAFETY: see the module.
                unsafe { $storeu(slice.as_mut_ptr(), self.0) }
            }
            #[inline(always)]
            fn sum(self) -> $scalar {
                let mut lanes = [0.0; $lanes];
                // SAFETY: see the module; the array has as many entries as the register.
                unsafe { $storeu(lanes.as_mut_ptr(), self.0) };
                let mut width = $lanes;
                while width > 1 {
                    width /= 2;
                    for i in 0..width {
                        lanes[i] += lanes[i + width];
                    }
                }
                lanes[0]
            }
            #[inline(always)]
            fn any(mask: $mask) -> bool {
                register!(@$any mask $(, $movemask)?)
            }
        }
    };
    (@mask_first $intrinsic:ident, $mask:expr, $yes:expr, $no:expr) => { $intrinsic($mask, $no, $yes) };
    (@mask_last $intrinsic:ident, $mask:expr, $yes:expr, $no:expr) => { $intrinsic($no, $yes, $mask) };
    (@bits $mask:expr) => { $mask != 0 };
    // SAFETY: see the module.
    (@signs $mask:expr, $movemask:ident) => { unsafe { $movemask($mask) != 0 } };
    (@operator $name:ident, $trait:ident, $method:ident, $intrinsic:ident) => {
        impl $trait for $name {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                // SAFETY: see the module.
                Self(unsafe { $intrinsic(self.0, other.0) })
            }
        }
    };
}

register!(
    F64x8, __m512d, f64, 8, 4, __mmask8;
    _mm512_set1_pd, _mm512_loadu_pd, _mm512_storeu_pd, _mm512_add_pd, _mm512_sub_pd, _mm512_mul_pd,
    _mm512_div_pd, _mm512_fmadd_pd, _mm512_fnmadd_pd, _mm512_sqrt_pd, _mm512_max_pd, _mm512_min_pd;
    shift _mm512_slli_epi64 _mm512_castpd_si512 _mm512_castsi512_pd,
    less _mm512_cmp_pd_mask, blend mask_first _mm512_mask_blend_pd, any bits
);
register!(
    F32x16, __m512, f32, 16, 4, __mmask16;
    _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_sub_ps, _mm512_mul_ps,
    _mm512_div_ps, _mm512_fmadd_ps, _mm512_fnmadd_ps, _mm512_sqrt_ps, _mm512_max_ps, _mm512_min_ps;
    shift _mm512_slli_epi32 _mm512_castps_si512 _mm512_castsi512_ps,
    less _mm512_cmp_ps_mask, blend mask_first _mm512_mask_blend_ps, any bits
);
register!(
    F64x4, __m256d, f64, 4, 2, __m256d;
    _mm256_set1_pd, _mm256_loadu_pd, _mm256_storeu_pd, _mm256_add_pd, _mm256_sub_pd, _mm256_mul_pd,
    _mm256_div_pd, _mm256_fmadd_pd, _mm256_fnmadd_pd, _mm256_sqrt_pd, _mm256_max_pd, _mm256_min_pd;
    shift _mm256_slli_epi64 _mm256_castpd_si256 _mm256_castsi256_pd,
    less _mm256_cmp_pd, blend mask_last _mm256_blendv_pd, any signs _mm256_movemask_pd
);
register!(
    F32x8, __m256, f32, 8, 2, __m256;
    _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_sub_ps, _mm256_mul_ps,
    _mm256_div_ps, _mm256_fmadd_ps, _mm256_fnmadd_ps, _mm256_sqrt_ps, _mm256_max_ps, _mm256_min_ps;
    shift _mm256_slli_epi32 _mm256_castps_si256 _mm256_castsi256_ps,
    less _mm256_cmp_ps, blend mask_last _mm256_blendv_ps, any signs _mm256_movemask_ps
);
register!(
    F64x2, __m128d, f64, 2, 2, __m128d;
    _mm_set1_pd, _mm_loadu_pd, _mm_storeu_pd, _mm_add_pd, _mm_sub_pd, _mm_mul_pd,
    _mm_div_pd, fmadd_pd, fnmadd_pd, _mm_sqrt_pd, _mm_max_pd, _mm_min_pd;
    shift _mm_slli_epi64 _mm_castpd_si128 _mm_castsi128_pd,
    less less_pd, blend mask_last blend_pd, any signs _mm_movemask_pd
);
register!(
    F32x4, __m128, f32, 4, 2, __m128;
    _mm_set1_ps, _mm_loadu_ps, _mm_storeu_ps, _mm_add_ps, _mm_sub_ps, _mm_mul_ps,
    _mm_div_ps, fmadd_ps, fnmadd_ps, _mm_sqrt_ps, _mm_max_ps, _mm_min_ps;
    shift _mm_slli_epi32 _mm_castps_si128 _mm_castsi128_ps,
    less less_ps, blend mask_last blend_ps, any signs _mm_movemask_ps
);
