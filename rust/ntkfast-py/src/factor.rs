//! Cholesky factors.

use crate::arrays::{ArrayFloat, Output, read, unsuitable, with_matrix};
use crate::door::{Call, refuse};
use crate::linalg::{Any, by_dtype, by_size, shape_error, square, symmetric};
use ntkfast_core::memory;
use ntkfast_linalg::Factors;
use numpy::ndarray::{Ix1, Ix2};
use numpy::npyffi::NPY_ORDER;
use numpy::{PyArray1, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

#[pyfunction]
pub fn cholesky<'py>(
    py: Python<'py>,
    a: Any<'_, 'py>,
    diagonal: Any<'_, 'py>,
) -> PyResult<Bound<'py, PyAny>> {
    by_dtype!(cholesky_typed(py, "a" => a: Ix2, "diagonal" => diagonal: Ix1))
}

fn cholesky_typed<'py, T: ArrayFloat>(
    py: Python<'py>,
    a: &PyReadonlyArray2<'py, T>,
    diagonal: &PyReadonlyArray1<'py, T>,
) -> PyResult<Bound<'py, PyAny>> {
    let diagonal = diagonal.as_array().to_vec();
    let matrix = symmetric("a", a, Some(&diagonal))?;
    let operations = by_size(matrix.size());
    let cholesky = Call { py, operations, progress: None }.run(|job| T::cholesky(matrix, job))?;
    let shape = [cholesky.size, cholesky.size];
    let factor =
        PyArray1::from_vec(py, cholesky.factor).reshape_with_order(shape, NPY_ORDER::NPY_FORTRANORDER)?;
    Ok(factor.into_any())
}

#[pyfunction]
pub fn cholesky_solve<'py>(
    py: Python<'py>,
    l: Any<'_, 'py>,
    b: Any<'_, 'py>,
    factors: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let factors = match factors {
        "both" => Factors::Both,
        "lower" => Factors::Lower,
        "upper" => Factors::Upper,
        _ => {
            let text = format!("factors is {factors:?}; expected \"both\", \"lower\" or \"upper\"");
            return Err(PyValueError::new_err(text));
        }
    };
    by_dtype!(cholesky_solve_typed(py, "l" => l: Ix2, "b" => b: Ix2; factors))
}

fn cholesky_solve_typed<'py, T: ArrayFloat>(
    py: Python<'py>,
    l: &PyReadonlyArray2<'py, T>,
    b: &PyReadonlyArray2<'py, T>,
    factors: Factors,
) -> PyResult<Bound<'py, PyAny>> {
    let (l, b) = (l.as_array(), b.as_array());
    let (size, columns) = (l.nrows(), b.ncols());
    square("l", l.shape())?;
    if b.nrows() != size {
        return refuse(&shape_error("b", b.shape(), format!("({size}, k), as many rows as the factor")));
    }
    let operations = by_size(size.max(columns));
    let solution = Call { py, operations, progress: None }.run(|job| {
        let mut solution = memory::collect(b.iter().copied())?;
        with_matrix(&l, |factor| T::cholesky_solve(factor, factors, &mut solution, columns, job))?;
        Ok(solution)
    })?;
    Ok(PyArray1::from_vec(py, solution).reshape([size, columns])?.into_any())
}

/// Turn a symmetric matrix, which is not checked, into its factor, column by column: `a.T` is L.
#[pyfunction]
pub fn cholesky_in_place<'py>(a: Any<'_, 'py>, progress: Option<Any<'_, 'py>>) -> PyResult<()> {
    let single = read::<f32, Ix2>("a", a)?.map(|view| view.as_array().shape().to_vec());
    match single {
        Some(shape) => in_place::<f32>(a, &shape, progress),
        None => {
            let double = read::<f64, Ix2>("a", a)?.map(|view| view.as_array().shape().to_vec());
            in_place::<f64>(a, &double.ok_or_else(|| unsuitable("a", 2, a))?, progress)
        }
    }
}

fn in_place<'py, T: ArrayFloat>(
    a: Any<'_, 'py>,
    shape: &[usize],
    progress: Option<Any<'_, 'py>>,
) -> PyResult<()> {
    square("a", shape)?;
    let mut matrix = Output::<T, Ix2>::new("a", a, shape)?;
    let Some(entries) = matrix.entries() else {
        return Err(PyValueError::new_err("a must be contiguous, row after row"));
    };
    let size = shape[0];
    Call { py: a.py(), operations: by_size(size), progress }
        .run(|job| T::cholesky_in_place(entries, size, job))
}

#[pyfunction]
pub fn inverse_diagonal<'py>(l: Any<'_, 'py>, progress: Option<Any<'_, 'py>>) -> PyResult<Bound<'py, PyAny>> {
    by_dtype!(inverse_diagonal_typed(l.py(), "l" => l: Ix2; progress))
}

fn inverse_diagonal_typed<'py, T: ArrayFloat>(
    py: Python<'py>,
    l: &PyReadonlyArray2<'py, T>,
    progress: Option<Any<'_, 'py>>,
) -> PyResult<Bound<'py, PyAny>> {
    let l = l.as_array();
    square("l", l.shape())?;
    let operations = by_size(l.nrows());
    let diagonal = Call { py, operations, progress }
        .run(|job| with_matrix(&l, |factor| T::inverse_diagonal(factor, job)))?;
    Ok(PyArray1::from_vec(py, diagonal).into_any())
}
