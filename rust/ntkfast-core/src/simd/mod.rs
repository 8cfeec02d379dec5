//! Vector registers chosen at run time, and branch-free mathematics on them.
//!
//! Numerical code is written once against [`Number`] (arithmetic) and [`Pack`] (arithmetic plus lanes in
//! memory). [`crate::scalar::Scalar::dispatch`] compiles it for every [`Level`] and runs the one that the
//! processor has: one dispatch a tile, everything below it inlined.

pub mod coefficients;
pub mod math;
mod number;
mod plain;
mod side;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use number::{Number, Pack};
use plain::Plain;
pub use side::{Lanes, Side, Single, weight};
use std::sync::OnceLock;

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

/// Instruction sets the core is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// x86 with AVX-512 F, DQ, VL and BW.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// x86 with AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// The target's baseline: NEON on aarch64, SSE2 on x86-64.
    Plain,
}

impl Level {
    /// All levels this processor can run, best first.
    pub fn available() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            let mut levels = Vec::with_capacity(3);
            if std::is_x86_feature_detected!("avx512f")
                && std::is_x86_feature_detected!("avx512dq")
                && std::is_x86_feature_detected!("avx512vl")
                && std::is_x86_feature_detected!("avx512bw")
            {
                levels.push(Self(Set::Avx512));
            }
            if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
                levels.push(Self(Set::Avx2));
            }
            levels.push(Self(Set::Plain));
            levels
        }
        #[cfg(not(target_arch = "x86_64"))]
        vec![Self(Set::Plain)]
    }

    /// The level in use: the best available one unless another was forced before.
    pub fn current() -> Self {
        *CURRENT.get_or_init(|| Self::available()[0])
    }

    /// Use the level of this name from the start; false where the processor does not have it, or another level
    /// is already in use.
    pub fn force(name: &str) -> bool {
        match Self::available().into_iter().find(|level| level.name() == name) {
            Some(level) => *CURRENT.get_or_init(|| level) == level,
            None => false,
        }
    }

    /// Name as `NTKFAST_SIMD` and `info()` spell it.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            Set::Plain if cfg!(target_arch = "aarch64") => "neon",
            Set::Plain => "plain",
        }
    }
}

static CURRENT: OnceLock<Level> = OnceLock::new();

/// Work to be compiled for every level. Mark `run` and all that it calls `#[inline(always)]`: what is not
/// inlined is compiled for the baseline.
pub trait Kernel<T> {
    /// What the work returns.
    type Output;
    /// Do the work with registers of type `P`.
    fn run<P: Pack<Scalar = T>>(self) -> Self::Output;
}

macro_rules! dispatcher {
    ($name:ident, $scalar:ty, $avx512:ident, $avx2:ident) => {
        /// Run `kernel` compiled for `level`.
        pub(crate) fn $name<K: Kernel<$scalar>>(level: Level, kernel: K) -> K::Output {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")]
                fn avx512<K: Kernel<$scalar>>(kernel: K) -> K::Output {
                    kernel.run::<x86::$avx512>()
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2<K: Kernel<$scalar>>(kernel: K) -> K::Output {
                    kernel.run::<x86::$avx2>()
                }
                match level.0 {
                    // SAFETY: levels come from `Level::available`, which asked the processor.
                    Set::Avx512 => return unsafe { avx512(kernel) },
                    // SAFETY: as above.
                    Set::Avx2 => return unsafe { avx2(kernel) },
                    Set::Plain => {}
                }
            }
            let _ = level;
            kernel.run::<Plain<$scalar>>()
        }
    };
}

pub(crate) use double::dispatch_f64;
pub(crate) use single::dispatch_f32;

// A module each, which the compiler takes for pieces of work that it can do at the same time.
mod double {
    use super::*;
    dispatcher!(dispatch_f64, f64, F64x8, F64x4);
}
mod single {
    use super::*;
    dispatcher!(dispatch_f32, f32, F32x16, F32x8);
}
