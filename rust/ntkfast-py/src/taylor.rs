//! Taylor coefficients of kernels.

use crate::arrays::{Arrays, outputs, read, targets, unsuitable};
use crate::door::Call;
use crate::evaluate::{operations, run};
use crate::program::PyProgram;
use ntkfast_core::model;
use ntkfast_core::taylor::{EXPONENTS, Pairs, WITHIN};
use numpy::PyUntypedArrayMethods;
use numpy::ndarray::{Ix1, Ix2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The powers of s = x·x'/d, p = ‖x‖²/d and q = ‖x'‖²/d of all coefficients, by ascending degree.
#[pyfunction]
pub fn taylor_exponents() -> Vec<[usize; 3]> {
    EXPONENTS.to_vec()
}

/// The coefficients up to a degree for all pairs, given s, p and q, of shapes (n, m), (n,) and (m,).
#[pyfunction]
pub fn taylor<'py>(
    program: &PyProgram,
    features: usize,
    numbers: [Bound<'py, PyAny>; 3],
    degree: usize,
    ntk: bool,
    out: Arrays<'py>,
) -> PyResult<()> {
    let [s, p, q] = numbers;
    let py = s.py();
    let Some(products) = read::<f64, Ix2>("s", &s)? else { return Err(unsuitable("s", 2, &s)) };
    let Some(left) = read::<f64, Ix1>("p", &p)? else { return Err(unsuitable("p", 1, &p)) };
    let Some(right) = read::<f64, Ix1>("q", &q)? else { return Err(unsuitable("q", 1, &q)) };
    let shape = [left.len(), right.len()];
    if products.shape() != shape || degree >= WITHIN.len() {
        return Err(PyValueError::new_err("s has another shape than p and q, or the degree exceeds 4"));
    }
    let mut out = outputs::<f64, Ix2>("out", out, WITHIN[degree], &shape)?;
    let out = targets(&mut out);
    if out.is_empty() {
        return Ok(());
    }
    let pairs =
        Pairs { features, variances: [left.as_slice()?, right.as_slice()?], products: products.as_slice()? };
    let work = WITHIN[degree].saturating_mul(pairs.products.len());
    let call = Call { py, operations: operations(&program.model, work, [1, 1], false), progress: None };
    run(call, &program.raised, |job| {
        model::taylor_coefficients(&program.model, &pairs, degree, ntk, &out, job)
    })
}
