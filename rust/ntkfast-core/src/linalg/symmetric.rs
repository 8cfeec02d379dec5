//! Symmetric matrices, checked and scaled.

use crate::error::{Error, Result};
use crate::scalar::Scalar;

/// Largest difference between mirrored entries, in units of ε times the largest entry, that passes for rounding.
const ROUNDING: f64 = 1e3;

/// A finite symmetric matrix, divided by a power of two so that its largest entry is near one.
pub struct Symmetric<T> {
    /// Column by column (or row by row).
    pub(super) entries: Vec<T>,
    /// Number of rows.
    pub(super) size: usize,
    /// The power of two; multiply results by it.
    pub(super) scale: f64,
}

impl<T: Scalar> Symmetric<T> {
    /// Copy a matrix of `size` rows through `fill(row, buffer)`.
    ///
    /// # Errors
    /// [`Error::NotFinite`], [`Error::NotSymmetric`], naming `argument`.
    pub fn new(argument: &'static str, size: usize, fill: impl Fn(usize, &mut [T])) -> Result<Self> {
        let mut entries = vec![T::default(); size * size];
        let mut largest = 0f64;
        for (row, buffer) in entries.chunks_exact_mut(size.max(1)).enumerate() {
            fill(row, buffer);
            for (column, value) in buffer.iter().map(|value| value.to_f64()).enumerate() {
                if !value.is_finite() {
                    return Err(Error::NotFinite { argument, row, column, value });
                }
                largest = largest.max(value.abs());
            }
        }
        check_symmetry(argument, &entries, size, ROUNDING * T::EPSILON * largest)?;

        // An even exponent, so that its root, which the Cholesky factor needs, is exact too.
        let exponent = if largest > 0.0 { largest.log2().floor() as i32 / 2 * 2 } else { 0 };
        let scale = 2f64.powi(exponent);
        if scale != 1.0 {
            // In two steps: the reciprocal of a very small or large power may not be a number.
            let (first, second) = (2f64.powi(-exponent / 2), 2f64.powi(-exponent - -exponent / 2));
            for value in &mut entries {
                *value = T::from_f64(value.to_f64() * first * second);
            }
        }
        Ok(Self { entries, size, scale })
    }

    /// Number of rows.
    pub fn size(&self) -> usize {
        self.size
    }
}

/// Compare mirrored entries, square by square so that both stay in cache.
fn check_symmetry<T: Scalar>(
    argument: &'static str,
    entries: &[T],
    size: usize,
    tolerance: f64,
) -> Result<()> {
    const SQUARE: usize = 32;
    let mut worst = (0, 0, 0f64);
    for top in (0..size).step_by(SQUARE) {
        for left in (0..=top).step_by(SQUARE) {
            for row in top..size.min(top + SQUARE) {
                for column in left..row.min(left + SQUARE) {
                    let difference =
                        (entries[row * size + column].to_f64() - entries[column * size + row].to_f64()).abs();
                    if difference > worst.2 {
                        worst = (row, column, difference);
                    }
                }
            }
        }
    }
    let (row, column, difference) = worst;
    if difference > tolerance {
        let at = |i: usize, j: usize| entries[i * size + j].to_f64();
        let (value, mirrored) = (at(row, column), at(column, row));
        return Err(Error::NotSymmetric { argument, row, column, value, mirrored });
    }
    Ok(())
}
