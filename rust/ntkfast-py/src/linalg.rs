//! Decompositions, products and filters.

use crate::arrays::{ArrayFloat, read, unsuitable, with_matrix};
use crate::door::{Call, refuse};
use ntkfast_core::{Error, flow, memory};
use ntkfast_linalg::{ONE_THREAD, Symmetric, solve_refined as refined};
use numpy::ndarray::{Ix1, Ix2};
use numpy::npyffi::NPY_ORDER;
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray2};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

pub(crate) type Any<'a, 'py> = &'a Bound<'py, PyAny>;
type Filter<'py> = Bound<'py, PyArray2<f64>>;

/// Run a generic function on float64 or float32 arrays of the same type.
macro_rules! by_dtype {
    ($function:ident($py:expr, $($name:literal => $array:ident : $dimension:ty),+ $(; $extra:expr)*)) => {{
        if let ($(Some($array),)+) = ($(read::<f64, $dimension>($name, $array)?,)+) {
            return $function::<f64>($py, $(&$array,)+ $($extra,)*);
        }
        if let ($(Some($array),)+) = ($(read::<f32, $dimension>($name, $array)?,)+) {
            return $function::<f32>($py, $(&$array,)+ $($extra,)*);
        }
        $(if read::<f64, $dimension>($name, $array)?.is_none() && read::<f32, $dimension>($name, $array)?.is_none() {
            return Err(unsuitable($name, <$dimension as numpy::ndarray::Dimension>::NDIM.unwrap_or(0), $array));
        })+
        Err(PyTypeError::new_err(concat!("arrays must have one dtype:", $(" ", $name),+)))
    }};
}

pub(crate) use by_dtype;

#[pyfunction]
pub fn eigh<'py>(py: Python<'py>, theta: Any<'_, 'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    by_dtype!(eigh_typed(py, "theta" => theta: Ix2))
}

fn eigh_typed<'py, T: ArrayFloat>(
    py: Python<'py>,
    theta: &PyReadonlyArray2<'py, T>,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let matrix = symmetric("theta", theta, None)?;
    let size = matrix.size();
    let operations = by_size(size);
    let eigen = Call { py, operations, progress: None }.run_or_abandon(move |_| T::eigh(&matrix))?;
    let vectors = PyArray1::from_vec(py, eigen.vectors)
        .reshape_with_order([size, size], NPY_ORDER::NPY_FORTRANORDER)?;
    Ok((PyArray1::from_vec(py, eigen.values).into_any(), vectors.into_any()))
}

/// The solution, and the diagonal of the factor it took.
type Refined<'py> = (Bound<'py, PyArray2<f64>>, Bound<'py, PyArray1<f64>>);

#[pyfunction]
pub fn solve_refined<'py>(
    py: Python<'py>,
    theta: Any<'_, 'py>,
    diagonal: Any<'_, 'py>,
    b: Any<'_, 'py>,
) -> PyResult<Option<Refined<'py>>> {
    let diagonal = vector("diagonal", diagonal)?;
    let double = |name, array| read::<f64, Ix2>(name, array)?.ok_or_else(|| unsuitable(name, 2, array));
    let (theta, b) = (double("theta", theta)?, double("b", b)?);
    let (theta, b) = (theta.as_array(), b.as_array());
    let (size, columns) = (diagonal.len(), b.ncols());
    if theta.shape() != [size, size] || b.nrows() != size || columns == 0 {
        let expected = format!("({size}, {size}), and {size} rows of b");
        return refuse(&shape_error("theta", theta.shape(), expected));
    }
    let refined = Call { py, operations: by_size(size), progress: None }.run(|job| {
        let rhs = memory::collect(b.iter().copied())?;
        with_matrix(&theta, |theta| refined("theta", theta, &diagonal, &rhs, columns, job))
    })?;
    let Some(refined) = refined else { return Ok(None) };
    let solution = PyArray1::from_vec(py, refined.solution).reshape([size, columns])?;
    Ok(Some((solution, PyArray1::from_vec(py, refined.pivots))))
}

#[pyfunction]
pub fn matmul<'py>(py: Python<'py>, a: Any<'_, 'py>, b: Any<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
    by_dtype!(matmul_typed(py, "a" => a: Ix2, "b" => b: Ix2))
}

fn matmul_typed<'py, T: ArrayFloat>(
    py: Python<'py>,
    a: &PyReadonlyArray2<'py, T>,
    b: &PyReadonlyArray2<'py, T>,
) -> PyResult<Bound<'py, PyAny>> {
    let (a, b) = (a.as_array(), b.as_array());
    let shape = [a.nrows(), b.ncols()];
    if a.ncols() != b.nrows() {
        return refuse(&shape_error("b", b.shape(), format!("{} rows, as many as a has columns", a.ncols())));
    }
    let operations = by_size(a.nrows().max(a.ncols()).max(b.ncols()));
    let product = Call { py, operations, progress: None }
        .run(|job| with_matrix(&a, |a| with_matrix(&b, |b| T::product(a, b, job))))?;
    Ok(PyArray1::from_vec(py, product).reshape(shape)?.into_any())
}

#[pyfunction]
pub fn flow_filter<'py>(
    py: Python<'py>,
    eigenvalues: Any<'_, 'py>,
    t: Any<'_, 'py>,
    learning_rate: f64,
    ridge: f64,
    negligible: f64,
) -> PyResult<Filter<'py>> {
    let (eigenvalues, times) = (vector("eigenvalues", eigenvalues)?, vector("t", t)?);
    let filter = flow::gradient_flow(&eigenvalues, &times, learning_rate, ridge, negligible);
    PyArray1::from_vec(py, filter).reshape([times.len(), eigenvalues.len()])
}

#[pyfunction]
pub fn descent_filter<'py>(
    py: Python<'py>,
    rates: Any<'_, 'py>,
    steps: Any<'_, 'py>,
    momentum: f64,
) -> PyResult<(Filter<'py>, Filter<'py>)> {
    let (rates, steps) = (vector("rates", rates)?, vector("steps", steps)?);
    let (gathered, left) = flow::heavy_ball(&rates, &steps, momentum);
    let matrix = |values| PyArray1::from_vec(py, values).reshape([steps.len(), rates.len()]);
    Ok((matrix(gathered)?, matrix(left)?))
}

fn vector(name: &str, array: Any<'_, '_>) -> PyResult<Vec<f64>> {
    Ok(read::<f64, Ix1>(name, array)?.ok_or_else(|| unsuitable(name, 1, array))?.as_array().to_vec())
}

pub(crate) fn symmetric<T: ArrayFloat>(
    argument: &'static str,
    array: &PyReadonlyArray2<'_, T>,
    diagonal: Option<&[T]>,
) -> PyResult<Symmetric<T>> {
    let view = array.as_array();
    square(argument, view.shape())?;
    if let Some(given) = diagonal.filter(|given| given.len() != view.nrows()) {
        return refuse(&shape_error("diagonal", &[given.len()], format!("({},)", view.nrows())));
    }
    let operations = view.len();
    Call { py: array.py(), operations, progress: None }
        .run(|job| with_matrix(&view, |matrix| T::symmetric(argument, matrix, diagonal, job)))
}

pub(crate) fn square(argument: &'static str, shape: &[usize]) -> PyResult<()> {
    if shape[0] == shape[1] {
        return Ok(());
    }
    refuse(&shape_error(argument, shape, "a square matrix".to_owned()))
}

pub(crate) fn shape_error(argument: &'static str, given: &[usize], expected: String) -> Error {
    Error::Shape { argument, given: given.to_vec(), expected }
}

/// Operations to tell the door: beyond `ONE_THREAD` faer runs on rayon's threads, which must be the pool's.
pub(crate) fn by_size(size: usize) -> usize {
    if size > ONE_THREAD { usize::MAX } else { 0 }
}
