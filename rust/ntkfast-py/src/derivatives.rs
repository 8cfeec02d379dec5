//! Kernels with their derivatives.

use crate::arrays::{Arrays, outputs, read, targets};
use crate::door::Call;
use crate::evaluate::{operations, run};
use crate::prepared::PyPrepared;
use crate::samples::{ByDtype, sets};
use ntkfast_core::kernel::{Outputs, PLANES, TILE, Variables, Weighted};
use ntkfast_core::model;
use ntkfast_core::planes::ImageWeights;
use ntkfast_core::program::Direction;
use ntkfast_core::simd::STRIP;
use numpy::ndarray::Ix2;
use numpy::{IntoPyArray, PyArray1, PyUntypedArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

/// A scale, "w_std" or "b_std", of one dense layer, or of all; or the logarithm of "w_factor" or "b_factor", of all.
type Parameter = (String, Option<usize>);

/// The kernels between two sets of rows in float64: for each result the value and three derivatives, by up to three
/// parameters, or else by the cosine and the norms. With `first`, x is x2 from there on.
#[pyfunction]
pub fn derivatives<'py>(
    prepared: &Bound<'py, PyPrepared>,
    x: &Bound<'py, PyAny>,
    x2: &Bound<'py, PyAny>,
    first: Option<usize>,
    parameters: Option<Vec<Parameter>>,
    nngp: Arrays<'py>,
    ntk: Arrays<'py>,
) -> PyResult<()> {
    let py = prepared.py();
    let PyPrepared { model, prepared, raised } = prepared.get();
    let (ByDtype::Double(prepared), ByDtype::Double((x, Some(x2)))) =
        (prepared, sets(x, Some(x2), model.is_spatial())?)
    else {
        return Err(PyTypeError::new_err("derivatives are computed in float64"));
    };
    let variables = parameters.map_or(Variables::Inputs, |parameters| {
        let direction = |(name, layer): &Parameter| match &**name {
            "w_std" => Direction::WStd(*layer),
            "b_std" => Direction::BStd(*layer),
            "w_factor" => Direction::WFactor,
            _ => Direction::BFactor,
        };
        let of = |k: usize| parameters.get(k).map_or(Direction::Still, direction);
        Variables::Parameters(std::array::from_fn(of))
    });
    let (x, x2) = (x.view(), x2.view());
    let shape = [x.count(), x2.count()];
    let planes = PLANES * model.results();
    let mut nngp = outputs::<f64, Ix2>("nngp", nngp, planes, &shape)?;
    let mut ntk = outputs::<f64, Ix2>("ntk", ntk, planes, &shape)?;
    let out = Outputs { nngp: targets(&mut nngp), ntk: targets(&mut ntk) };
    let pairs = PLANES.saturating_mul(shape[0].saturating_mul(shape[1]));
    let call = Call { py, operations: operations(model, pairs, x.size(), false), progress: None };
    run(call, raised, |job| {
        let sets = [x.samples("x", false, job)?, x2.samples("x2", false, job)?];
        model::derivatives(prepared, sets, variables, first, &out, job)
    })
}

/// Derivatives by inputs between two sets of rows, times weights `g`: those by the cosine, shape (n, m); and sums of those
/// by the norms, shapes (n, m/64) and (n/256, m), both rounded up. With `first`, x is x2 from there on.
#[pyfunction]
pub fn weighted_derivatives<'py>(
    prepared: &Bound<'py, PyPrepared>,
    samples: [Bound<'py, PyAny>; 2],
    first: Option<usize>,
    g: &Bound<'py, PyAny>,
    ntk: bool,
    out: [Bound<'py, PyAny>; 3],
) -> PyResult<()> {
    let py = prepared.py();
    let PyPrepared { model, prepared, raised } = prepared.get();
    let [x, x2] = samples;
    let (ByDtype::Double(prepared), ByDtype::Double((x, Some(x2)))) =
        (prepared, sets(&x, Some(&x2), model.is_spatial())?)
    else {
        return Err(PyTypeError::new_err("derivatives are computed in float64"));
    };
    let (x, x2) = (x.view(), x2.view());
    let [n, m] = [x.count(), x2.count()];
    let g = read::<f64, Ix2>("g", g)?.filter(|g| model.results() == 1 && g.shape() == [n, m]);
    let Some(g) = g else {
        return Err(PyValueError::new_err("g has another type or shape than the kernel"));
    };
    let weights = g.as_slice()?;
    let shapes = [[n, m], [n, m.div_ceil(STRIP)], [n.div_ceil(TILE), m]];
    let [turned, by_rows, by_columns] = out.map(|array| Some(vec![array]));
    let mut turned = outputs::<f64, Ix2>("turned", turned, 1, &shapes[0])?;
    let mut by_rows = outputs::<f64, Ix2>("by_rows", by_rows, 1, &shapes[1])?;
    let mut by_columns = outputs::<f64, Ix2>("by_columns", by_columns, 1, &shapes[2])?;
    let out = Weighted {
        weights,
        columns: m,
        ntk,
        level: prepared.level(),
        turned: turned[0].target(),
        by_rows: by_rows[0].target(),
        by_columns: by_columns[0].target(),
    };
    let pairs = PLANES.saturating_mul(n.saturating_mul(m));
    let call = Call { py, operations: operations(model, pairs, x.size(), false), progress: None };
    run(call, raised, |job| {
        let sets = [x.samples("x", false, job)?, x2.samples("x2", false, job)?];
        model::weighted_derivatives(prepared, sets, first, &out, job)
    })
}

/// Gradients of Σ g∘K by one set of images, or by two: flat, image after image.
#[pyfunction]
pub fn image_gradients<'py>(
    prepared: &Bound<'py, PyPrepared>,
    x: &Bound<'py, PyAny>,
    x2: Option<&Bound<'py, PyAny>>,
    g: &Bound<'py, PyAny>,
    ntk: bool,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Vec<Bound<'py, PyArray1<f64>>>> {
    let py = prepared.py();
    let PyPrepared { model, prepared, raised } = prepared.get();
    let (ByDtype::Double(prepared), ByDtype::Double((x, x2))) = (prepared, sets(x, x2, model.is_spatial())?)
    else {
        return Err(PyTypeError::new_err("derivatives are computed in float64"));
    };
    let (x, x2) = (x.view(), x2.as_ref().map(|x2| x2.view()));
    let [n, m] = [x.count(), x2.as_ref().unwrap_or(&x).count()];
    let g = read::<f64, Ix2>("g", g)?.filter(|g| model.results() == 1 && g.shape() == [n, m]);
    let Some(g) = g else {
        return Err(PyValueError::new_err("g has another type or shape than the kernel"));
    };
    let weights = ImageWeights { values: g.as_slice()?, columns: m, ntk };
    let pairs = PLANES.saturating_mul(n.saturating_mul(m));
    let call = Call { py, operations: operations(model, pairs, x.size(), false), progress };
    let found = run(call, raised, |job| {
        let mut sets = vec![x.images("x", job)?];
        if let Some(x2) = &x2 {
            sets.push(x2.images("x2", job)?);
        }
        model::image_gradients(prepared, &mut sets, weights, job)
    })?;
    Ok(found.into_iter().map(|gradient| gradient.into_pyarray(py)).collect())
}
