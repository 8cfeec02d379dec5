//! Positive definite systems in mixed precision: factorised in float32, solved to float64.

use super::cholesky::{Factors, cholesky_solve, factorise};
use super::triangle::triangle;
use super::{Field, Matrix};
use ntkfast_base::Float;
use ntkfast_base::error::{Error, Result};
use ntkfast_base::memory;
use ntkfast_base::parallel::Job;

/// Steps of refinement at most. Each gains as many digits as float32 has beyond the condition number.
const STEPS: usize = 8;

/// By how much a step has to lessen the residual, or the factor is no good.
const GAIN: f64 = 0.25;

/// The solution of A X = B.
pub struct Refined {
    /// X, row after row.
    pub solution: Vec<f64>,
    /// The diagonal of A's Cholesky factor, to the digits of float32.
    pub pivots: Vec<f64>,
}

/// Solve A X = B for a positive definite A, given as a symmetric matrix and what stands on A's diagonal instead
/// of its own; `rhs` is B with `columns` columns, row after row. `None` where A is too ill-conditioned for
/// float32, or not positive definite. To be called from the pool.
///
/// Half the time of a factorisation in float64, and a residual of the same size: with D A D of unit diagonal, each
/// column of D R comes down to ε ‖D A D‖ ‖D⁻¹ X‖, and is corrected once more. The criterion of LAPACK's dsposv has
/// √n on the right.
///
/// # Errors
/// [`Error::NotFinite`], [`Error::NotSymmetric`], naming `argument`; [`Error::Memory`]; [`Error::Cancelled`].
pub fn solve_refined(
    argument: &'static str,
    matrix: Matrix<'_, f64>,
    diagonal: &[f64],
    rhs: &[f64],
    columns: usize,
    job: &Job,
) -> Result<Option<Refined>> {
    let size = diagonal.len();
    if !diagonal.iter().all(|value| *value > 0.0 && value.is_finite()) {
        return Ok(None);
    }
    // Powers of two, so that scaling to a diagonal between ½ and 2 rounds nothing.
    let scales =
        memory::collect(diagonal.iter().map(|value| 2f64.powi(-(value.log2() / 2.0).round() as i32)))?;
    let scaled = |value: f64, row: usize, column: usize| {
        let value = if row == column { diagonal[row] } else { value };
        f32::from_f64(value * scales[row] * scales[column])
    };
    let mut factor = triangle(argument, matrix, scaled, job)?.entries;
    let norm = frobenius(&factor, size);
    match factorise(&mut factor, size, job) {
        Err(Error::NotPositiveDefinite { .. }) => return Ok(None),
        outcome => outcome?,
    }
    let factor = Matrix { entries: &factor, shape: [size, size], by_rows: false };
    let mut pivots = memory::collect((0..size).map(|i| f64::from(factor.entries[i * size + i])))?;
    // What rounding may take from a pivot of a unit diagonal: below that, the factor says nothing.
    let rounding = size as f64 * f64::from(f32::EPSILON);
    if !pivots.iter().all(|pivot| pivot * pivot > rounding) {
        return Ok(None);
    }

    let mut solution = memory::buffer(rhs.len())?;
    let mut residual = memory::collect(rhs.iter().copied())?;
    let mut before = vec![f64::INFINITY; columns];
    for _ in 0..STEPS {
        correct(factor, &scales, &residual, &mut solution, columns, job)?;
        let shape = [size, columns];
        let image = f64::product(matrix, Matrix { entries: &solution, shape, by_rows: true }, job)?;
        for (i, (residual, image)) in residual.iter_mut().zip(&image).enumerate() {
            let row = i / columns;
            let raised = (diagonal[row] - matrix.entries[row * size + row]) * solution[i];
            *residual = (rhs[i] - image) - raised;
        }
        let sizes = column_norms(&solution, columns, |row| 1.0 / scales[row]);
        let left = column_norms(&residual, columns, |row| scales[row]);
        if left.iter().zip(&sizes).all(|(left, size)| *left <= f64::EPSILON * norm * size) {
            // Once more, for what the criterion leaves: now only x is rounded.
            correct(factor, &scales, &residual, &mut solution, columns, job)?;
            pivots.iter_mut().zip(&scales).for_each(|(pivot, scale)| *pivot /= scale);
            return Ok(Some(Refined { solution, pivots }));
        }
        if !left.iter().zip(&before).all(|(left, before)| *left <= GAIN * before) {
            return Ok(None);
        }
        before = left;
    }
    Ok(None)
}

/// X ← X + D (L Lᵀ)⁻¹ D R, with each column of R brought to unit size on its way through float32.
fn correct(
    factor: Matrix<'_, f32>,
    scales: &[f64],
    residual: &[f64],
    solution: &mut [f64],
    columns: usize,
    job: &Job,
) -> Result<()> {
    let mut units = vec![0f64; columns];
    for (row, scale) in residual.chunks_exact(columns.max(1)).zip(scales) {
        row.iter().zip(&mut units).for_each(|(value, unit)| *unit = unit.max((value * scale).abs()));
    }
    units.iter_mut().filter(|unit| **unit == 0.0).for_each(|unit| *unit = 1.0);
    let each = |i: usize| (scales[i / columns], units[i % columns]);
    let mut step = memory::collect((0..residual.len()).map(|i| {
        let (scale, unit) = each(i);
        f32::from_f64(residual[i] * scale / unit)
    }))?;
    cholesky_solve(factor, Factors::Both, &mut step, columns, job)?;
    for (i, (value, step)) in solution.iter_mut().zip(step).enumerate() {
        let (scale, unit) = each(i);
        *value += f64::from(step) * unit * scale;
    }
    Ok(())
}

/// ‖S‖ of a symmetric matrix given by its lower triangle, column by column.
fn frobenius(triangle: &[f32], size: usize) -> f64 {
    let square = |value: &f32| f64::from(*value) * f64::from(*value);
    let columns = triangle.chunks_exact(size.max(1)).enumerate();
    let sum = |(i, column): (usize, &[f32])| {
        square(&column[i]) + 2.0 * column[i + 1..].iter().map(square).sum::<f64>()
    };
    columns.map(sum).sum::<f64>().sqrt()
}

/// The norms of the columns of a matrix whose rows are multiplied by `scale(row)`.
fn column_norms(matrix: &[f64], columns: usize, scale: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut squares = vec![0.0; columns];
    for (row, values) in matrix.chunks_exact(columns.max(1)).enumerate() {
        let scale = scale(row);
        squares.iter_mut().zip(values).for_each(|(square, value)| *square += (value * scale).powi(2));
    }
    squares.into_iter().map(f64::sqrt).collect()
}
