//! What each layer of a compiled network does to a row with itself.

use crate::arrays::{read, unsuitable};
use crate::door::Call;
use crate::evaluate::{operations, run};
use crate::program::PyProgram;
use ntkfast_core::{KernelFloat, Result};
use numpy::ndarray::Ix1;
use pyo3::prelude::*;

/// A layer's (place, variance, χ, NTK, share).
type LayerRow = (String, f64, Option<f64>, f64, f64);

/// For rows of `features` numbers with these norms, ‖x‖/√features, the layers of the network in the order of
/// evaluation.
#[pyfunction]
pub fn trace(program: &PyProgram, norms: &Bound<'_, PyAny>, features: usize) -> PyResult<Vec<Vec<LayerRow>>> {
    let py = norms.py();
    let Some(scales) = read::<f64, Ix1>("norms", norms)? else { return Err(unsuitable("norms", 1, norms)) };
    let scales = scales.as_array().to_vec();
    let model = &program.model;
    let operations = operations(model, scales.len(), [1, 1], model.lacks_fits());
    run(Call { py, operations, progress: None }, &program.raised, |job| {
        let prepared = f64::prepare_rows(model, features, &scales, job)?;
        let trace = |(row, &scale)| {
            let layers = prepared.trace(scale, row)?.into_iter();
            Ok(layers.map(|layer| (layer.place, layer.variance, layer.chi, layer.ntk, layer.share)).collect())
        };
        let traces = scales.iter().enumerate().map(trace).collect::<Result<_>>()?;
        Ok(traces)
    })
}
