//! The array edge: NumPy arrays as borrowed views and as targets of the tile writer.

use ntkfast_core::blocks::BlockFloat;
use ntkfast_core::kernel::Target;
use ntkfast_core::{Result, memory};
use ntkfast_linalg::{Field, Matrix};
use numpy::ndarray::{ArrayView2, Dimension};
use numpy::{
    BorrowError, Element, PyArray, PyArrayMethods, PyReadonlyArray, PyReadwriteArray, PyUntypedArray,
    PyUntypedArrayMethods,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

/// A number that both the core and NumPy know.
pub trait ArrayFloat: ntkfast_core::KernelFloat + BlockFloat + Field + Element {}
impl ArrayFloat for f32 {}
impl ArrayFloat for f64 {}

/// A borrowed array of `T`, or `None` where it holds something else.
pub fn read<'py, T: ArrayFloat, D: Dimension>(
    argument: &str,
    array: &Bound<'py, PyAny>,
) -> PyResult<Option<PyReadonlyArray<'py, T, D>>> {
    let Ok(array) = array.cast::<PyArray<T, D>>() else { return Ok(None) };
    array.try_readonly().map(Some).map_err(|_| {
        PyValueError::new_err(format!(
            "{argument} is being written to by another call; wait for it, or pass a copy"
        ))
    })
}

/// The error for an array that is neither float32 nor float64 of the right dimension.
pub fn unsuitable(argument: &str, dimensions: usize, value: &Bound<'_, PyAny>) -> PyErr {
    wrong_type(argument, dimensions, "float32 or float64", value)
}

fn wrong_type(argument: &str, dimensions: usize, expected: &str, value: &Bound<'_, PyAny>) -> PyErr {
    let given = match value.cast::<PyUntypedArray>() {
        Ok(array) => format!("a {}-D array of {}", array.ndim(), array.dtype()),
        Err(_) => value.get_type().to_string(),
    };
    PyTypeError::new_err(format!("{argument} must be a {dimensions}-D array of {expected}, not {given}"))
}

/// Copy row `row` of a view of any strides.
pub fn copy_row<T: ArrayFloat>(view: &ArrayView2<'_, T>, row: usize, buffer: &mut [T]) {
    let source = view.row(row);
    match source.as_slice() {
        Some(contiguous) => buffer.copy_from_slice(contiguous),
        None => buffer.iter_mut().zip(source).for_each(|(to, from)| *to = *from),
    }
}

/// Use an array as a matrix of the core; copies it where neither rows nor columns are contiguous.
pub fn with_matrix<T: ArrayFloat, R>(
    view: &ArrayView2<'_, T>,
    body: impl FnOnce(Matrix<'_, T>) -> Result<R>,
) -> Result<R> {
    let shape = [view.nrows(), view.ncols()];
    if let Some(entries) = view.as_slice() {
        return body(Matrix { entries, shape, by_rows: true });
    }
    if let Some(entries) = view.t().as_slice() {
        return body(Matrix { entries, shape, by_rows: false });
    }
    body(Matrix { entries: &memory::collect(view.iter().copied())?, shape, by_rows: true })
}

/// A borrowed output array.
pub struct Output<'py, T: Element, D: Dimension>(PyReadwriteArray<'py, T, D>);

impl<'py, T: ArrayFloat, D: Dimension> Output<'py, T, D> {
    /// Borrow `array`, which must have this shape.
    pub fn new(argument: &str, array: &Bound<'py, PyAny>, shape: &[usize]) -> PyResult<Self> {
        let typed =
            array.cast::<PyArray<T, D>>().map_err(|_| wrong_type(argument, shape.len(), T::NAME, array))?;
        if typed.shape() != shape {
            return Err(PyValueError::new_err(format!(
                "{argument} has shape {:?}; expected {shape:?}",
                typed.shape()
            )));
        }
        if overlaps_itself(typed.shape(), typed.strides()) {
            return Err(PyValueError::new_err(format!(
                "{argument} has entries that share memory; pass a copy"
            )));
        }
        match typed.try_readwrite() {
            Ok(array) => Ok(Self(array)),
            Err(BorrowError::NotWriteable) => {
                Err(PyValueError::new_err(format!("{argument} is read-only; pass a writeable array")))
            }
            Err(_) => Err(PyValueError::new_err(format!(
                "{argument} overlaps an input or another output; pass an array with memory of its own"
            ))),
        }
    }

    /// The entries, row after row, where they are contiguous.
    pub fn entries(&mut self) -> Option<&mut [T]> {
        self.0.as_slice_mut().ok()
    }

    /// The array as a target of the tile writer.
    pub fn target(&mut self) -> Target<'_, T> {
        let mut view = self.0.as_array_mut();
        let stride = |axis: usize| view.strides().get(axis).copied().unwrap_or(0);
        let strides = [stride(0), stride(1)];
        let length = |axis: usize| view.shape().get(axis).copied().unwrap_or(1);
        let shape = [length(0), length(1)];
        // SAFETY: the array is borrowed exclusively for the target's lifetime (and refused in Python where it
        // shares memory with another by a way that borrowing cannot see), and its entries do not overlap.
        unsafe { Target::new(view.as_mut_ptr(), shape, strides) }
    }
}

/// One array for each of a program's results, or nothing where they are not wanted.
pub type Arrays<'py> = Option<Vec<Bound<'py, PyAny>>>;

/// Borrow an array for each of `count` results.
pub fn outputs<'py, T: ArrayFloat, D: Dimension>(
    argument: &str,
    arrays: Arrays<'py>,
    count: usize,
    shape: &[usize],
) -> PyResult<Vec<Output<'py, T, D>>> {
    let Some(arrays) = arrays else { return Ok(Vec::new()) };
    if arrays.len() != count {
        let given = arrays.len();
        return Err(PyValueError::new_err(format!("{argument} has {given} arrays; expected {count}")));
    }
    arrays.iter().map(|array| Output::new(argument, array, shape)).collect()
}

/// The arrays as targets of the tile writer.
pub fn targets<'a, T: ArrayFloat, D: Dimension>(outputs: &'a mut [Output<'_, T, D>]) -> Vec<Target<'a, T>> {
    outputs.iter_mut().map(Output::target).collect()
}

/// Whether two entries may share memory: judged by strides in bytes, shortest first.
fn overlaps_itself(shape: &[usize], strides: &[isize]) -> bool {
    if shape.contains(&0) {
        return false;
    }
    let mut axes: Vec<_> = shape.iter().zip(strides).filter(|(length, _)| **length > 1).collect();
    axes.sort_by_key(|(_, stride)| stride.unsigned_abs());
    let mut reach = 0;
    axes.into_iter().any(|(length, stride)| {
        let stride = stride.unsigned_abs();
        let overlaps = stride <= reach;
        reach += stride * (length - 1);
        overlaps
    })
}
