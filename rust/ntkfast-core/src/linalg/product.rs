//! Matrix products.

use super::parallelism;
use crate::scalar::Scalar;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

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

impl<'a, T: Scalar> Matrix<'a, T> {
    pub(super) fn view(self) -> MatRef<'a, T> {
        let [rows, columns] = self.shape;
        if self.by_rows {
            MatRef::from_row_major_slice(self.entries, rows, columns)
        } else {
            MatRef::from_column_major_slice(self.entries, rows, columns)
        }
    }
}

/// The product A·B, row after row; to be called from the pool. The same bits for any number of threads.
pub fn product<T: Scalar>(a: Matrix<'_, T>, b: Matrix<'_, T>) -> Vec<T> {
    let [rows, inner] = a.shape;
    let columns = b.shape[1];
    let mut out = vec![T::default(); rows * columns];
    let target = MatMut::from_row_major_slice_mut(&mut out, rows, columns);
    let par = parallelism(rows.max(inner).max(columns));
    matmul(target, Accum::Replace, a.view(), b.view(), T::from_f64(1.0), par);
    out
}

/// Inner products of all rows of `left` with all rows of `right`: entry (i, j) goes to `out[i·stride + j]`. On
/// the calling thread.
pub fn row_products<T: Scalar>(out: &mut [T], stride: usize, left: &[T], right: &[T], features: usize) {
    let (rows, columns) = (left.len() / features, right.len() / features);
    // Row-major (rows × columns) is column-major (columns × rows), which faer likes better.
    let target = MatMut::from_column_major_slice_with_stride_mut(out, columns, rows, stride);
    matmul(
        target,
        Accum::Replace,
        MatRef::from_row_major_slice(right, columns, features),
        MatRef::from_column_major_slice(left, features, rows),
        T::from_f64(1.0),
        Par::Seq,
    );
}
