//! Taylor coefficients of kernels.

use crate::arrays::{outputs, read, targets, unsuitable};
use crate::door::Call;
use crate::evaluate::{operations, run};
use crate::program::PyProgram;
use ntkfast_core::model;
use ntkfast_core::smooth::{Lengths, Pairs};
use ntkfast_core::taylor::{EXPONENTS, WITHIN};
use numpy::PyUntypedArrayMethods;
use numpy::ndarray::{Ix1, Ix2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The powers of all coefficients, by ascending degree: of changes of the cosine and of both lengths.
#[pyfunction]
pub fn taylor_exponents() -> Vec<[usize; 3]> {
    EXPONENTS.to_vec()
}

/// The coefficients up to the degree that has as many as there are arrays, for all pairs: given x·x'/d, shape (n, m), and of
/// both sets ‖x‖²/d and the squares over d of coordinates that cosines and lengths have in addition.
#[pyfunction]
pub fn taylor<'py>(
    program: &PyProgram,
    features: usize,
    products: &Bound<'py, PyAny>,
    variances: [Bound<'py, PyAny>; 2],
    added: [Bound<'py, PyAny>; 2],
    ntk: bool,
    out: Vec<Bound<'py, PyAny>>,
) -> PyResult<()> {
    let py = products.py();
    let matrix =
        read::<f64, Ix2>("products", products)?.ok_or_else(|| unsuitable("products", 2, products))?;
    let vector = |name: &'static str, array: Bound<'py, PyAny>| {
        read::<f64, Ix1>(name, &array)?.ok_or_else(|| unsuitable(name, 1, &array))
    };
    let ([p, q], [a, b]) = (variances, added);
    let variances = [vector("variances", p)?, vector("variances", q)?];
    let added = [vector("added", a)?, vector("added", b)?];
    let shape = variances.each_ref().map(|side| side.len());
    let degree = WITHIN.iter().position(|&count| count == out.len());
    let Some(degree) =
        degree.filter(|_| matrix.shape() == shape && added.each_ref().map(|side| side.len()) == shape)
    else {
        return Err(PyValueError::new_err("arrays of Taylor coefficients differ in shape, or are too few"));
    };
    let mut out = outputs::<f64, Ix2>("out", Some(out), WITHIN[degree], &shape)?;
    let out = targets(&mut out);
    let side = |k: usize| -> PyResult<Lengths<'_>> {
        Ok(Lengths { variances: variances[k].as_slice()?, added: added[k].as_slice()? })
    };
    let pairs = Pairs { features, sides: [side(0)?, side(1)?], products: matrix.as_slice()? };
    let work = WITHIN[degree].saturating_mul(pairs.products.len());
    let call = Call { py, operations: operations(&program.model, work, [1, 1], false), progress: None };
    run(call, &program.raised, |job| {
        model::taylor_coefficients(&program.model, &pairs, degree, ntk, &out, job)
    })
}
