//! Cholesky factorisation, panel by panel so that it can be stopped.

use super::{Matrix, Symmetric, parallelism};
use crate::error::{Error, Result};
use crate::parallel::Job;
use crate::scalar::Scalar;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{
    LltError, LltParams, LltRegularization, cholesky_in_place, cholesky_in_place_scratch,
};
use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Accum, MatMut, Spec};

/// Columns of a panel.
const PANEL: usize = 256;

/// A = L Lᵀ.
pub struct Cholesky<T> {
    /// L, column by column, zero above the diagonal.
    pub factor: Vec<T>,
    /// Number of rows.
    pub size: usize,
}

/// Factor a positive definite matrix, in place. n³/3 operations; to be called from the pool for matrices larger
/// than [`super::SMALL`].
///
/// # Errors
/// [`Error::NotPositiveDefinite`] with the first pivot that is not positive; [`Error::Cancelled`].
pub fn cholesky<T: Scalar>(matrix: Symmetric<T>, job: &Job) -> Result<Cholesky<T>> {
    let Symmetric { mut entries, size, scale } = matrix;
    let par = parallelism(size);
    let params: Spec<LltParams, T> = Spec::default();
    let mut memory = MemBuffer::new(cholesky_in_place_scratch::<T>(PANEL.min(size), par, params));
    job.begin(size.div_ceil(PANEL));
    for start in (0..size).step_by(PANEL) {
        job.check()?;
        let width = PANEL.min(size - start);
        let all = MatMut::from_column_major_slice_mut(&mut entries, size, size);
        let rest = all.submatrix_mut(start, start, size - start, size - start);
        let (mut corner, _, mut below, trailing) = rest.split_at_mut(width, width);
        let stack = MemStack::new(&mut memory);
        cholesky_in_place(corner.as_mut(), LltRegularization::default(), par, stack, params).map_err(
            |error| {
                let LltError::NonPositivePivot { index } = error;
                Error::NotPositiveDefinite { pivot: start + index }
            },
        )?;
        // L₂₁ ← A₂₁ L₁₁⁻ᵀ, then A₂₂ ← A₂₂ − L₂₁ L₂₁ᵀ.
        solve_lower_triangular_in_place(corner.as_ref(), below.as_mut().transpose_mut(), par);
        matmul(
            trailing,
            BlockStructure::TriangularLower,
            Accum::Add,
            below.as_ref(),
            BlockStructure::Rectangular,
            below.as_ref().transpose(),
            BlockStructure::Rectangular,
            T::from_f64(-1.0),
            par,
        );
        job.advance();
    }
    let root = T::from_f64(scale.sqrt());
    for (column, entries) in entries.chunks_exact_mut(size.max(1)).enumerate() {
        let (above, below) = entries.split_at_mut(column);
        above.fill(T::default());
        for value in below {
            *value *= root;
        }
    }
    Ok(Cholesky { factor: entries, size })
}

/// Solve L Lᵀ X = B; `rhs` holds B with `columns` columns, row after row, and becomes X. 2n² operations a column.
pub fn cholesky_solve<T: Scalar>(factor: Matrix<'_, T>, rhs: &mut [T], columns: usize) {
    let factor = factor.view();
    let par = parallelism(factor.nrows());
    let mut rhs = MatMut::from_row_major_slice_mut(rhs, factor.nrows(), columns);
    solve_lower_triangular_in_place(factor, rhs.as_mut(), par);
    solve_upper_triangular_in_place(factor.transpose(), rhs, par);
}
