//! Symmetric matrices, checked and scaled.

use crate::error::{Error, Result};
use crate::memory;
use crate::parallel::{Job, for_each_item};
use crate::scalar::Scalar;

/// Largest difference between mirrored entries, in units of ε times the largest entry, that passes for rounding.
const ROUNDING: f64 = 1e3;

/// A finite symmetric matrix, divided by a power of two so that its largest entry is near one.
pub struct Symmetric<T> {
    /// Column by column (or row by row).
    pub(super) entries: Vec<T>,
    /// Number of rows.
    pub(super) size: usize,
    /// Twice the exponent of the root of that power of two.
    exponent: i32,
}

impl<T: Scalar> Symmetric<T> {
    /// Copy a matrix of `size` rows through `fill(row, buffer)`.
    ///
    /// # Errors
    /// [`Error::NotFinite`], [`Error::NotSymmetric`], naming `argument`; [`Error::Memory`]; [`Error::Cancelled`].
    pub fn new(
        argument: &'static str,
        size: usize,
        fill: impl Fn(usize, &mut [T]) + Sync,
        job: &Job,
    ) -> Result<Self> {
        let mut entries = memory::buffer(memory::size([size, size])?)?;
        let mut largest = vec![0f64; size];
        let rows = entries.chunks_exact_mut(size.max(1)).zip(&mut largest);
        for_each_item(
            job,
            rows,
            || (),
            |(), row, (buffer, largest)| {
                fill(row, buffer);
                for (column, value) in buffer.iter().map(|value| value.to_f64()).enumerate() {
                    if !value.is_finite() {
                        return Err(Error::NotFinite { argument, row, column, value });
                    }
                    *largest = largest.max(value.abs());
                }
                Ok(())
            },
        )?;
        let largest = largest.into_iter().fold(0.0, f64::max);
        check_symmetry(argument, &entries, size, ROUNDING * T::EPSILON * largest, job)?;

        // An even exponent, so that the root, which the Cholesky factor needs, is exact too.
        let exponent = if largest > 0.0 { largest.log2().floor() as i32 / 2 * 2 } else { 0 };
        if exponent != 0 {
            for_each_item(
                job,
                entries.chunks_exact_mut(size),
                || (),
                |(), _, row| {
                    row.iter_mut()
                        .for_each(|value| *value = T::from_f64(times_power(value.to_f64(), -exponent)));
                    Ok(())
                },
            )?;
        }
        Ok(Self { entries, size, exponent })
    }

    /// What an eigenvalue of the scaled matrix is in the matrix itself.
    pub(super) fn unscale(&self, value: T) -> T {
        T::from_f64(times_power(value.to_f64(), self.exponent))
    }

    /// The root of the factor by which entries were divided.
    pub(super) fn root_scale(&self) -> T {
        T::from_f64(2f64.powi(self.exponent / 2))
    }

    /// Number of rows.
    pub fn size(&self) -> usize {
        self.size
    }
}

/// value·2^exponent for an even exponent. In two steps: a single power may not be a number.
fn times_power(value: f64, exponent: i32) -> f64 {
    let half = 2f64.powi(exponent / 2);
    value * half * half
}

/// Compare mirrored entries, square by square so that both stay in cache.
fn check_symmetry<T: Scalar>(
    argument: &'static str,
    entries: &[T],
    size: usize,
    tolerance: f64,
    job: &Job,
) -> Result<()> {
    const SQUARE: usize = 32;
    let mut worst = (0, 0, 0f64);
    for top in (0..size).step_by(SQUARE) {
        job.check()?;
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
