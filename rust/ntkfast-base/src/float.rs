//! The two number types of arrays.

use bytemuck::Zeroable;
use std::fmt::{Debug, LowerExp};
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// `f32` or `f64`.
pub trait Float:
    sealed::Sealed
    + Copy
    + Default
    + Debug
    + LowerExp
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + Zeroable
    + MulAssign
    + 'static
{
    /// NumPy's name of the type.
    const NAME: &'static str;
    /// Distance from 1 to the next number.
    const EPSILON: f64;
    /// Largest finite number.
    const MAX: f64;

    /// Nearest number of this type.
    fn from_f64(value: f64) -> Self;
    /// The same number in double precision.
    fn to_f64(self) -> f64;
}

impl Float for f64 {
    const NAME: &'static str = "float64";
    const EPSILON: f64 = Self::EPSILON;
    const MAX: f64 = Self::MAX;

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
}

impl Float for f32 {
    const NAME: &'static str = "float32";
    const EPSILON: f64 = Self::EPSILON as f64;
    const MAX: f64 = Self::MAX as f64;

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as Self
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}
