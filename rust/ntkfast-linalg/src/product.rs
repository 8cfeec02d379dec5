//! Matrix products.

use super::Field;
use super::{PIECE, packing, parallelism};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ntkfast_base::error::Result;
use ntkfast_base::memory;
use ntkfast_base::parallel::Job;

/// A borrowed matrix with contiguous rows, or contiguous columns.
#[derive(Clone, Copy)]
pub struct Matrix<'a, T> {
    /// The entries.
    pub entries: &'a [T],
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Whether entries follow each other row by row.
    pub by_rows: bool,
}

impl<'a, T: Field> Matrix<'a, T> {
    pub(super) fn view(self) -> MatRef<'a, T> {
        let [rows, columns] = self.shape;
        if self.by_rows {
            MatRef::from_row_major_slice(self.entries, rows, columns)
        } else {
            MatRef::from_column_major_slice(self.entries, rows, columns)
        }
    }
}

/// See [`Field::product`].
pub(super) fn product<T: Field>(a: Matrix<'_, T>, b: Matrix<'_, T>, job: &Job) -> Result<Vec<T>> {
    let [rows, inner] = a.shape;
    let columns = b.shape[1];
    let mut out = memory::buffer(memory::size([rows, columns])?)?;
    let par = parallelism(rows.max(inner).max(columns));
    packing::<T>(rows.max(columns))?;
    // Some rows at a time, so that it can be stopped in between.
    let height = (PIECE / (inner * columns).max(1)).max(256);
    for start in (0..rows).step_by(height) {
        job.check()?;
        let count = height.min(rows - start);
        let part = &mut out[start * columns..][..count * columns];
        let target = MatMut::from_row_major_slice_mut(part, count, columns);
        matmul(target, Accum::Replace, a.view().subrows(start, count), b.view(), T::from_f64(1.0), par);
    }
    Ok(out)
}

/// Inner products of all rows of `left` with all rows of `right`: entry (i, j) goes to `out[i·stride + j]`. On
/// the calling thread.
pub fn row_products(out: &mut [f64], stride: usize, left: &[f64], right: &[f64], features: usize) {
    let (rows, columns) = (left.len() / features, right.len() / features);
    // Row-major (rows × columns) is column-major (columns × rows), which faer likes better.
    let target = MatMut::from_column_major_slice_with_stride_mut(out, columns, rows, stride);
    matmul(
        target,
        Accum::Replace,
        MatRef::from_row_major_slice(right, columns, features),
        MatRef::from_column_major_slice(left, features, rows),
        1.0,
        Par::Seq,
    );
}
