//! Vector registers chosen at run time, and branch-free mathematics on them.
//!
//! Numerical code is written once against [`Number`] (arithmetic) and [`Pack`] (arithmetic plus lanes in
//! memory). [`crate::scalar::Scalar::dispatch`] compiles it for every [`Level`] and runs the one that the
//! processor has: one dispatch a step of a strip, everything below it inlined.

pub mod coefficients;
pub mod math;
mod number;
#[cfg(portable)]
mod portable;
mod prefetch;
mod row_constants;
#[cfg(not(portable))]
mod sse2;
mod tangent;
#[cfg(not(portable))]
mod x86;

#[cfg(all(plain, portable))]
use portable as baseline;
#[cfg(all(plain, not(portable)))]
use x86 as baseline;

pub use number::{Number, Pack};
pub use prefetch::prefetch;
pub use row_constants::{GroupConstants, Lanes, RowConstants, Single, weight};
use std::sync::OnceLock;
pub use tangent::Tangent;

/// Pairs in a strip: what one op handles at a time, within the first-level cache.
pub const STRIP: usize = 64;

/// A strip of numbers, aligned to a cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Strip<T>(pub [T; STRIP]);

impl<T> Strip<T> {
    /// The numbers of strips, one after the other.
    #[inline(always)]
    pub fn flat(strips: &[Self]) -> &[T] {
        const { assert!(size_of::<Self>() == STRIP * size_of::<T>()) };
        // SAFETY: a strip consists of its numbers, as was asserted, so that so many follow each other, aligned as strips are.
        unsafe { std::slice::from_raw_parts(strips.as_ptr().cast(), strips.len() * STRIP) }
    }
}

/// An instruction set that this processor was seen to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(Set);

/// Instruction sets the core is compiled for; `build.rs` chooses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// x86 with AVX-512 F, DQ, VL and BW.
    #[cfg(avx512)]
    Avx512,
    /// x86 with AVX2 and FMA.
    #[cfg(avx2)]
    Avx2,
    /// The target's baseline: NEON on aarch64, SSE2 on x86-64.
    #[cfg(plain)]
    Plain,
}

impl Level {
    /// All levels this processor can run, best first.
    ///
    /// # Panics
    /// Where it can run none, which may only be with the feature `quick`, compiled on another machine.
    pub fn available() -> Vec<Self> {
        let mut levels = Vec::with_capacity(3);
        #[cfg(avx512)]
        if std::is_x86_feature_detected!("avx512f")
            && std::is_x86_feature_detected!("avx512dq")
            && std::is_x86_feature_detected!("avx512vl")
            && std::is_x86_feature_detected!("avx512bw")
        {
            levels.push(Self(Set::Avx512));
        }
        #[cfg(avx2)]
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            levels.push(Self(Set::Avx2));
        }
        #[cfg(plain)]
        levels.push(Self(Set::Plain));
        assert!(!levels.is_empty(), "compiled by `make quick` for another processor; run `make build`");
        levels
    }

    /// The level in use: the best available one unless another was forced before.
    pub fn current() -> Self {
        *CURRENT.get_or_init(|| Self::available()[0])
    }

    /// The level of this name, where the processor has it.
    pub fn named(name: &str) -> Option<Self> {
        Self::available().into_iter().find(|level| level.name() == name)
    }

    /// Use the level of this name from the start; false where the processor does not have it, or another level
    /// is already in use.
    pub fn force(name: &str) -> bool {
        Self::named(name).is_some_and(|level| *CURRENT.get_or_init(|| level) == level)
    }

    /// Name as `NTKFAST_SIMD` and `info()` spell it.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(avx512)]
            Set::Avx512 => "avx512",
            #[cfg(avx2)]
            Set::Avx2 => "avx2",
            #[cfg(plain)]
            Set::Plain if cfg!(target_arch = "aarch64") => "neon",
            #[cfg(plain)]
            Set::Plain => "plain",
        }
    }
}

static CURRENT: OnceLock<Level> = OnceLock::new();

/// Work to be compiled for every level. Mark `run` and all that it calls `#[inline(always)]`: what is not
/// inlined is compiled for the baseline.
pub trait Vectorized<T> {
    /// What the work returns.
    type Output;
    /// The type in whose module the work is compiled: modules are what the compiler works on at the same time, and
    /// what it compiles again after a change.
    type Unit: ?Sized;
    /// Do the work with registers of type `P`.
    fn run<P: Pack<Scalar = T>>(self) -> Self::Output;
}

macro_rules! dispatcher {
    ($name:ident, $compiled:ident, $scalar:ty, $avx512:ident, $avx2:ident, $plain:ident) => {
        /// Run `kernel` compiled for `level`.
        #[inline]
        pub(crate) fn $name<K: Vectorized<$scalar>>(level: Level, kernel: K) -> K::Output {
            match level.0 {
                // SAFETY: levels come from `Level::available`, which asked the processor.
                #[cfg(avx512)]
                Set::Avx512 => unsafe { <K::Unit as $compiled>::avx512(kernel) },
                // SAFETY: as above.
                #[cfg(avx2)]
                Set::Avx2 => unsafe { <K::Unit as $compiled>::avx2(kernel) },
                #[cfg(plain)]
                Set::Plain => <K::Unit as $compiled>::plain(kernel),
            }
        }

        /// One function a kernel and level, in the compiler's unit of `Self`.
        trait $compiled {
            /// # Safety
            /// The processor must have AVX-512 F, DQ, VL and BW.
            #[cfg(avx512)]
            #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")]
            unsafe fn avx512<K: Vectorized<$scalar>>(kernel: K) -> K::Output {
                kernel.run::<x86::$avx512>()
            }

            /// # Safety
            /// The processor must have AVX2 and FMA.
            #[cfg(avx2)]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2<K: Vectorized<$scalar>>(kernel: K) -> K::Output {
                kernel.run::<x86::$avx2>()
            }

            #[cfg(plain)]
            #[inline(never)]
            fn plain<K: Vectorized<$scalar>>(kernel: K) -> K::Output {
                kernel.run::<baseline::$plain>()
            }
        }

        impl<U: ?Sized> $compiled for U {}
    };
}

dispatcher!(dispatch_f64, Float64, f64, F64x8, F64x4, F64x2);
dispatcher!(dispatch_f32, Float32, f32, F32x16, F32x8, F32x4);
