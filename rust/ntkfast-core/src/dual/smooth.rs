//! What an activation does to the covariances of a pair, and to all that they depend on twice differentiably.
//!
//! Here kernels are the textbook's functions of p, k and q rather than of a cosine's defect: they are smooth where rows
//! coincide, at an error of about 1 + p roundings.

use crate::simd::Number;
use crate::taylor::{HIGHEST, OneSided, Series, Taylor};

/// What a row's own functions are to a pair, by number.
pub trait RowSeries<N>: Copy {
    /// Function `slot`.
    fn get(self, slot: usize) -> OneSided<N>;
}

/// E[φφ] and E[φ'φ'].
pub struct Covariances<N> {
    /// E[φ(u)φ(v)].
    pub value: Taylor<N>,
    /// E[φ'(u)φ'(v)].
    pub slope: Taylor<N>,
}

/// An activation whose kernel has two derivatives by either row.
pub trait Smooth {
    /// Why it has not.
    fn roughness(&self) -> Option<&'static str> {
        None
    }

    /// How many functions of a row's variance a pair needs.
    fn slots(&self) -> usize;

    /// Fill in these functions at a row of variance p.
    fn row(&self, p: Series, slots: &mut [Series]);

    /// A pair of covariance k, given both rows' functions by number.
    fn pair<N: Number>(
        &self,
        k: &Taylor<N>,
        left: impl RowSeries<N>,
        right: impl RowSeries<N>,
    ) -> Covariances<N>;
}

/// Activations that are not: what they are to a pair is never asked for.
macro_rules! rough {
    ($($dual:ty: $reason:literal),* $(,)?) => {
        $(impl Smooth for $dual {
            fn roughness(&self) -> Option<&'static str> {
                Some($reason)
            }

            fn slots(&self) -> usize {
                0
            }

            fn row(&self, _p: Series, _slots: &mut [Series]) {}

            fn pair<N: Number>(
                &self,
                _k: &Taylor<N>,
                _left: impl RowSeries<N>,
                _right: impl RowSeries<N>,
            ) -> Covariances<N> {
                unreachable!("refused by `check_smooth`")
            }
        })*
    };
}

rough! {
    super::Sign: "it jumps at 0",
    super::RectifiedMonomial: "it is not smooth at 0",
}

/// The kernel Σ c_l(p)·c_l(q)·k^l, given the functions c_l of either row, and its derivative by k, which is E[φ'φ'].
#[inline(always)]
pub fn power_series<N: Number>(
    count: usize,
    k: &Taylor<N>,
    left: impl RowSeries<N>,
    right: impl RowSeries<N>,
) -> Covariances<N> {
    // Coefficients by powers of the change of k, for powers of both lengths.
    let mut sums = [[[N::splat(0.0); 3]; 3]; HIGHEST + 2];
    let x = k.value();
    for l in (0..count).rev() {
        let (a, b) = (left.get(l), right.get(l));
        for i in 0..3 {
            for j in 0..3 {
                for power in (1..sums.len()).rev() {
                    sums[power][i][j] = sums[power][i][j].mul_add(x, sums[power - 1][i][j]);
                }
                sums[0][i][j] = sums[0][i][j].mul_add(x, a[i] * b[j]);
            }
        }
    }
    let (mut value, mut slope) = ([sums[0]; HIGHEST + 1], [sums[1]; HIGHEST + 1]);
    for order in 0..=HIGHEST {
        value[order] = sums[order];
        slope[order] = sums[order + 1];
        let factor = N::splat((order + 1) as f64);
        for row in &mut slope[order] {
            for entry in row {
                *entry = *entry * factor;
            }
        }
    }
    Covariances { value: k.compose_between(&value), slope: k.compose_between(&slope) }
}
