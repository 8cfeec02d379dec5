//! Products of matrices in blocks with vectors.

use crate::arrays::{ArrayFloat, Output, read, unsuitable};
use crate::door::Call;
use ntkfast_core::blocks::{Block, Form};
use numpy::ndarray::Ix2;
use numpy::{PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

type Any<'a, 'py> = &'a Bound<'py, PyAny>;

/// Add the product of blocks of a matrix, or of their transposes, or of both, with vectors in float64 to `out`.
#[pyfunction]
pub fn multiply_blocks<'py>(
    blocks: Vec<Bound<'py, PyAny>>,
    places: Vec<[usize; 2]>,
    form: &str,
    vectors: Any<'_, 'py>,
    out: Any<'_, 'py>,
    progress: Option<Any<'_, 'py>>,
) -> PyResult<()> {
    let form = match form {
        "given" => Form::Given,
        "transposed" => Form::Transposed,
        "symmetric" => Form::Symmetric,
        _ => {
            return Err(PyValueError::new_err(format!(
                "form is {form:?}; expected given, transposed or symmetric"
            )));
        }
    };
    if blocks.len() != places.len() {
        let (given, expected) = (places.len(), blocks.len());
        return Err(PyValueError::new_err(format!(
            "places has {given} entries; expected {expected}, one for each block"
        )));
    }
    let vectors = read::<f64, Ix2>("vectors", vectors)?.ok_or_else(|| unsuitable("vectors", 2, vectors))?;
    let parts: Vec<_> = blocks.into_iter().zip(places).collect();
    match parts.first().map(|(block, _)| read::<f32, Ix2>("blocks", block)).transpose()?.flatten() {
        Some(_) => multiply::<f32>(&parts, form, &vectors, out, progress),
        None => multiply::<f64>(&parts, form, &vectors, out, progress),
    }
}

fn multiply<'py, T: ArrayFloat>(
    parts: &[(Bound<'py, PyAny>, [usize; 2])],
    form: Form,
    vectors: &PyReadonlyArray2<'py, f64>,
    out: Any<'_, 'py>,
    progress: Option<Any<'_, 'py>>,
) -> PyResult<()> {
    let width = vectors.shape()[1];
    let rows = out.len()?;
    let mut result = Output::<f64, Ix2>::new("out", out, &[rows, width])?;
    let arrays = parts
        .iter()
        .map(|(block, _)| {
            let expected = || format!("each block, like the first ({})", T::NAME);
            read::<T, Ix2>("blocks", block)?.ok_or_else(|| unsuitable(&expected(), 2, block))
        })
        .collect::<PyResult<Vec<_>>>()?;
    let places = || parts.iter().map(|(_, place)| *place);
    let views: Vec<_> = arrays.iter().map(PyReadonlyArray2::as_array).collect();
    for (view, place) in views.iter().zip(places()) {
        if !fits(view.dim().into(), place, form, [vectors.shape()[0], rows]) {
            return Err(PyValueError::new_err(format!(
                "a block of shape {:?} at {place:?} does not fit into the vectors or out",
                view.dim()
            )));
        }
        if view.nrows() > 0 && view.row(0).to_slice().is_none() {
            return Err(PyValueError::new_err("each block must have contiguous rows; pass a copy"));
        }
    }
    let by_row: Vec<_> =
        views.iter().map(|view| move |row: usize| view.row(row).to_slice().unwrap_or(&[])).collect();
    let blocks: Vec<_> = by_row
        .iter()
        .zip(&views)
        .zip(places())
        .map(|((row, view), place)| Block { row, shape: view.dim().into(), place })
        .collect();
    let vectors = vectors.as_slice()?;
    let Some(sums) = result.entries() else {
        return Err(PyValueError::new_err("out must be contiguous, row after row"));
    };
    let entries: usize = views.iter().map(|view| view.len()).sum();
    let operations = entries.saturating_mul(width.max(1));
    Call { py: out.py(), operations, progress }
        .run(|job| T::multiply(&blocks, form, vectors, width, sums, job))
}

/// Whether a block has its place in a product from vectors of so many entries to results of so many.
fn fits(shape: [usize; 2], place: [usize; 2], form: Form, [from, to]: [usize; 2]) -> bool {
    let [bottom, right] = [0, 1].map(|axis| place[axis].saturating_add(shape[axis]));
    let (given, transposed) = (right <= from && bottom <= to, bottom <= from && right <= to);
    match form {
        Form::Given => given,
        Form::Transposed => transposed,
        Form::Symmetric => given && transposed && (place[0] != place[1] || shape[0] == shape[1]),
    }
}
