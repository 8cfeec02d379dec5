//! What each layer of a compiled network does to a row with itself.

use crate::arrays::{read, unsuitable};
use crate::door::Call;
use crate::program::{PyProgram, rows, warnings};
use ntkfast_core::Result;
use numpy::ndarray::Ix2;
use pyo3::prelude::*;

/// A layer's (place, variance, χ, NTK, share).
type Row = (String, f64, Option<f64>, f64, f64);

/// For every row of `x`, the layers of the network in the order of evaluation.
#[pyfunction]
pub fn trace(program: &PyProgram, x: &Bound<'_, PyAny>) -> PyResult<Vec<Vec<Row>>> {
    let py = x.py();
    let Some(x) = read::<f64, Ix2>("x", x)? else { return Err(unsuitable("x", 2, x)) };
    let x = x.as_array();
    let operations = program.operations(x.nrows(), x.ncols());
    program.run(Call { py, operations, progress: None }, |job| {
        let rows = rows("x", &x, job)?;
        let fitted = program.program.fit::<f64>(x.ncols(), rows.scales(), job)?;
        let trace = |(row, &scale)| {
            let layers = fitted.trace(x.ncols(), scale, row)?.into_iter();
            Ok(layers.map(|layer| (layer.place, layer.variance, layer.chi, layer.ntk, layer.share)).collect())
        };
        let traces = rows.scales().iter().enumerate().map(trace).collect::<Result<_>>()?;
        Ok((warnings(&fitted), traces))
    })
}
