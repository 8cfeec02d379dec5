//! Symmetric matrices, checked and scaled.

use super::Field;
use super::Matrix;
use super::triangle::{Triangle, triangle};
use ntkfast_base::error::Result;
use ntkfast_base::parallel::{Job, for_each_item};

/// Exponents up to this one are left as they are: nothing a decomposition multiplies leaves the range.
const HARMLESS: i32 = 16;

/// A finite symmetric matrix, divided by a power of two where its largest entry is far from one.
pub struct Symmetric<T> {
    /// Its lower triangle, column by column; zero above the diagonal.
    pub(super) entries: Vec<T>,
    /// Number of rows.
    pub(super) size: usize,
    /// Twice the exponent of the root of that power of two.
    exponent: i32,
}

/// See [`Field::symmetric`].
pub(super) fn symmetric<T: Field>(
    argument: &'static str,
    matrix: Matrix<'_, T>,
    diagonal: Option<&[T]>,
    job: &Job,
) -> Result<Symmetric<T>> {
    let size = matrix.shape[0];
    let Triangle { mut entries, mut largest } = triangle(argument, matrix, |value, _, _| value, job)?;
    for (i, value) in diagonal.into_iter().flatten().enumerate() {
        entries[i * size + i] = *value;
        largest = largest.max(value.to_f64().abs());
    }
    // An even exponent, so that the root, which the Cholesky factor needs, is exact too.
    let exponent = if largest > 0.0 { largest.log2().floor() as i32 / 2 * 2 } else { 0 };
    let exponent = if exponent.abs() <= HARMLESS { 0 } else { exponent };
    if exponent != 0 {
        for_each_item(
            job,
            entries.chunks_exact_mut(size),
            || (),
            |(), _, row| {
                row.iter_mut().for_each(|value| *value = T::from_f64(times_power(value.to_f64(), -exponent)));
                Ok(())
            },
        )?;
    }
    Ok(Symmetric { entries, size, exponent })
}

impl<T: Field> Symmetric<T> {
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
