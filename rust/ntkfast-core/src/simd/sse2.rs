//! The registers that every x86-64 has, in the terms of [`super::x86`]: what the wider ones do in one instruction takes
//! two or three here.
//!
//! SAFETY of every block below: every x86-64 has these instructions, which touch no memory.

use std::arch::x86_64::*;

macro_rules! of_sse2 {
    (
        $register:ty, $fmadd:ident, $fnmadd:ident, $less:ident, $blend:ident;
        $add:ident, $sub:ident, $mul:ident, $compare:ident, $and:ident, $andnot:ident, $or:ident
    ) => {
        #[inline(always)]
        pub unsafe fn $fmadd(value: $register, factor: $register, addend: $register) -> $register {
            // SAFETY: see the module.
            unsafe { $add($mul(value, factor), addend) }
        }

        #[inline(always)]
        pub unsafe fn $fnmadd(value: $register, factor: $register, addend: $register) -> $register {
            // SAFETY: see the module.
            unsafe { $sub(addend, $mul(value, factor)) }
        }

        /// With one way to compare, which is that of the wider registers.
        #[inline(always)]
        pub unsafe fn $less<const ORDERED: i32>(left: $register, right: $register) -> $register {
            // SAFETY: see the module.
            unsafe { $compare(left, right) }
        }

        #[inline(always)]
        pub unsafe fn $blend(no: $register, yes: $register, mask: $register) -> $register {
            // SAFETY: see the module.
            unsafe { $or($and(mask, yes), $andnot(mask, no)) }
        }
    };
}

of_sse2!(
    __m128d, fmadd_pd, fnmadd_pd, less_pd, blend_pd;
    _mm_add_pd, _mm_sub_pd, _mm_mul_pd, _mm_cmplt_pd, _mm_and_pd, _mm_andnot_pd, _mm_or_pd
);
of_sse2!(
    __m128, fmadd_ps, fnmadd_ps, less_ps, blend_ps;
    _mm_add_ps, _mm_sub_ps, _mm_mul_ps, _mm_cmplt_ps, _mm_and_ps, _mm_andnot_ps, _mm_or_ps
);
