//! Kernels with their derivatives.

use crate::arrays::{Arrays, outputs, targets};
use crate::door::Call;
use crate::evaluate::{operations, run};
use crate::prepared::PyPrepared;
use crate::samples::{ByDtype, sets};
use ntkfast_core::kernel::{Outputs, PLANES, Variables};
use ntkfast_core::model;
use numpy::ndarray::Ix2;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// The kernels between two sets of rows in float64: for each result the value and three derivatives, by the cosine and the
/// norms ("inputs"), or by `σ_w` and `σ_b` ("parameters").
#[pyfunction]
pub fn derivatives<'py>(
    prepared: &Bound<'py, PyPrepared>,
    x: &Bound<'py, PyAny>,
    x2: &Bound<'py, PyAny>,
    by: &str,
    nngp: Arrays<'py>,
    ntk: Arrays<'py>,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<()> {
    let py = prepared.py();
    let PyPrepared { model, prepared, raised } = prepared.get();
    let (ByDtype::Double(prepared), ByDtype::Double((x, Some(x2)))) =
        (prepared, sets(x, Some(x2), model.is_spatial())?)
    else {
        return Err(PyTypeError::new_err("derivatives are computed in float64"));
    };
    let variables = if by == "inputs" { Variables::Inputs } else { Variables::Parameters };
    let (x, x2) = (x.view(), x2.view());
    let shape = [x.count(), x2.count()];
    let planes = PLANES * model.results();
    let mut nngp = outputs::<f64, Ix2>("nngp", nngp, planes, &shape)?;
    let mut ntk = outputs::<f64, Ix2>("ntk", ntk, planes, &shape)?;
    let out = Outputs { nngp: targets(&mut nngp), ntk: targets(&mut ntk) };
    let pairs = PLANES.saturating_mul(shape[0].saturating_mul(shape[1]));
    let call = Call { py, operations: operations(model, pairs, x.size(), false), progress };
    let watched = progress.is_some();
    run(call, raised, |job| {
        let sets = [x.samples("x", watched, job)?, x2.samples("x2", watched, job)?];
        model::derivatives(prepared, sets, variables, &out, job)
    })
}
