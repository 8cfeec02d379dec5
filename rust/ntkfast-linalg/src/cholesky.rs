//! Cholesky factorisation, panel by panel so that it can be stopped.

use super::Field;
use super::{Matrix, PIECE, Symmetric, packing, parallelism, reserve};
use faer::dyn_stack::MemStack;
use faer::linalg::cholesky::llt::factor::{
    LltError, LltParams, LltRegularization, cholesky_in_place, cholesky_in_place_scratch,
};
use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Accum, MatMut, Spec};
use ntkfast_base::error::{Error, Result};
use ntkfast_base::memory;
use ntkfast_base::parallel::Job;

/// Columns of a panel.
const PANEL: usize = 256;

/// A = L Lᵀ.
pub struct Cholesky<T> {
    /// L, column by column, zero above the diagonal.
    pub factor: Vec<T>,
    /// Number of rows.
    pub size: usize,
}

/// What to solve with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factors {
    /// L Lᵀ.
    Both,
    /// L.
    Lower,
    /// Lᵀ.
    Upper,
}

/// See [`Field::cholesky`].
pub(super) fn cholesky<T: Field>(matrix: Symmetric<T>, job: &Job) -> Result<Cholesky<T>> {
    let (size, root) = (matrix.size, matrix.root_scale());
    let mut entries = matrix.entries;
    factorise(&mut entries, size, job)?;
    if root != T::from_f64(1.0) {
        entries.iter_mut().for_each(|value| *value *= root);
    }
    Ok(Cholesky { factor: entries, size })
}

/// Turn a lower triangle, column by column, into its Cholesky factor. What is above the diagonal becomes zero.
pub(super) fn factorise<T: Field>(entries: &mut [T], size: usize, job: &Job) -> Result<()> {
    let par = parallelism(size);
    let params: Spec<LltParams, T> = Spec::default();
    let mut scratch = reserve(cholesky_in_place_scratch::<T>(PANEL.min(size), par, params))?;
    packing::<T>(size)?;
    job.begin(size.div_ceil(PANEL));
    for start in (0..size).step_by(PANEL) {
        job.check()?;
        let width = PANEL.min(size - start);
        let all = MatMut::from_column_major_slice_mut(entries, size, size);
        let rest = all.submatrix_mut(start, start, size - start, size - start);
        let (mut corner, _, mut below, trailing) = rest.split_at_mut(width, width);
        let stack = MemStack::new(&mut scratch);
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
        for column in start..start + width {
            entries[column * size..][..column].fill(T::default());
        }
        job.advance();
    }
    Ok(())
}

/// See [`Field::cholesky_solve`].
pub(super) fn cholesky_solve<T: Field>(
    factor: Matrix<'_, T>,
    factors: Factors,
    rhs: &mut [T],
    columns: usize,
    job: &Job,
) -> Result<()> {
    let factor = factor.view();
    let size = factor.nrows();
    let par = parallelism(size.max(columns));
    packing::<T>(size.max(columns))?;
    // Some columns at a time, so that it can be stopped in between.
    let width = (PIECE / (2 * size * size).max(1)).max(32);
    for start in (0..columns).step_by(width) {
        job.check()?;
        let all = MatMut::from_row_major_slice_mut(rhs, size, columns);
        let mut part = all.subcols_mut(start, width.min(columns - start));
        if factors != Factors::Upper {
            solve_lower_triangular_in_place(factor, part.as_mut(), par);
        }
        if factors != Factors::Lower {
            solve_upper_triangular_in_place(factor.transpose(), part, par);
        }
    }
    Ok(())
}

/// See [`Field::inverse_diagonal`].
pub(super) fn inverse_diagonal<T: Field>(factor: Matrix<'_, T>, job: &Job) -> Result<Vec<f64>> {
    let factor = factor.view();
    let size = factor.nrows();
    let par = parallelism(size);
    packing::<T>(size)?;
    let mut diagonal = memory::buffer(size)?;
    let mut columns = memory::buffer(memory::size([size, PANEL.min(size)])?)?;
    job.begin(size.div_ceil(PANEL));
    for start in (0..size).step_by(PANEL) {
        job.check()?;
        let (width, rows) = (PANEL.min(size - start), size - start);
        // Columns of the inverse of L begin on the diagonal: what is above is neither stored nor solved for.
        let units = &mut columns[..rows * width];
        units.fill(T::default());
        (0..width).for_each(|i| units[i * rows + i] = T::from_f64(1.0));
        let part = MatMut::from_column_major_slice_mut(units, rows, width);
        let rest = factor.submatrix(start, start, rows, rows);
        solve_lower_triangular_in_place(rest, part, par);
        for (value, column) in diagonal[start..].iter_mut().zip(units.chunks_exact(rows)) {
            *value = column.iter().map(|entry| entry.to_f64().powi(2)).sum();
        }
        job.advance();
    }
    Ok(diagonal)
}
