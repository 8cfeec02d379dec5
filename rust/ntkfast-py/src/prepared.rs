//! Compiled networks prepared for some samples, to be used for parts of these.

use crate::arrays::{ArrayFloat, Arrays};
use crate::description::Raised;
use crate::evaluate::{Caller, Evaluation};
use crate::samples::{ByDtype, by_dtype, sets};
use ntkfast_core::kernel::{Wanted, Workload};
use ntkfast_core::program::{Prepared, Recipe, Scales};
use ntkfast_core::simd::Level;
use ntkfast_core::{Float, Model};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::Arc;

/// A compiled network prepared for some samples.
#[pyclass(frozen, name = "Prepared", module = "ntkfast._ntkfast")]
pub struct PyPrepared {
    pub model: Arc<Model>,
    pub prepared: ByDtype<Prepared<'static, f64>, Prepared<'static, f32>>,
    pub raised: Raised,
}

type Any<'a, 'py> = &'a Bound<'py, PyAny>;

/// Run an expression with the evaluation and sets of samples, where both are of one type.
macro_rules! evaluate {
    ($self:ident, $sets:expr, $evaluation:ident, $inside:pat => $body:expr) => {
        match (&$self.prepared, $sets) {
            (ByDtype::Double(prepared), ByDtype::Double($inside)) => {
                let $evaluation = $self.evaluation(prepared);
                $body
            }
            (ByDtype::Single(prepared), ByDtype::Single($inside)) => {
                let $evaluation = $self.evaluation(prepared);
                $body
            }
            (ByDtype::Double(_), _) => Err(other_dtype("float64", "float32")),
            (ByDtype::Single(_), _) => Err(other_dtype("float32", "float64")),
        }
    };
}

fn other_dtype(prepared: &str, given: &str) -> PyErr {
    PyTypeError::new_err(format!("the network was prepared for {prepared}, and these samples are {given}"))
}

#[pymethods]
impl PyPrepared {
    #[getter]
    fn results(&self) -> usize {
        self.model.results()
    }

    #[getter]
    fn spatial(&self) -> bool {
        self.model.is_spatial()
    }

    fn gram<'py>(
        &self,
        x: Any<'_, 'py>,
        nngp: Arrays<'py>,
        ntk: Arrays<'py>,
        progress: Option<Any<'_, 'py>>,
    ) -> PyResult<()> {
        let caller = Caller { py: x.py(), progress };
        evaluate!(self, sets(x, None, self.spatial())?, evaluation, (x, _) => {
            evaluation.gram(caller, &x.view(), nngp, ntk)
        })
    }

    fn cross<'py>(
        &self,
        x: Any<'_, 'py>,
        x2: Any<'_, 'py>,
        nngp: Arrays<'py>,
        ntk: Arrays<'py>,
        progress: Option<Any<'_, 'py>>,
    ) -> PyResult<()> {
        let caller = Caller { py: x.py(), progress };
        evaluate!(self, sets(x, Some(x2), self.spatial())?, evaluation, (x, x2) => {
            let x2 = x2.as_ref().unwrap_or(&x).view();
            evaluation.cross(caller, [&x.view(), &x2], nngp, ntk)
        })
    }

    fn diagonal<'py>(&self, x: Any<'_, 'py>, nngp: Arrays<'py>, ntk: Arrays<'py>) -> PyResult<()> {
        let py = x.py();
        evaluate!(self, sets(x, None, self.spatial())?, evaluation, (x, _) => {
            evaluation.diagonal(py, &x.view(), nngp, ntk)
        })
    }

    /// The work of all pairs of `n` samples, or of `n` and `m`: samples and pairs, in units of equal cost; the threads that
    /// have such to compute; how many samples show the cost of a pair; and bytes beyond samples and outputs.
    #[pyo3(signature = (n, m=None, *, nngp, ntk))]
    fn workload(
        &self,
        py: Python<'_>,
        n: usize,
        m: Option<usize>,
        nngp: bool,
        ntk: bool,
    ) -> PyResult<[usize; 6]> {
        let (counts, wanted) = ([n, m.unwrap_or(n)], Wanted { nngp, ntk });
        let Workload { samples, pairs, threads, least, bytes } = by_dtype!(&self.prepared, prepared => {
            self.evaluation(prepared).workload(py, prepared, counts, m.is_none(), wanted)?
        });
        Ok([samples, pairs, threads[0], threads[1], least, bytes])
    }

    /// All that it depends on beside the network, as plain numbers: `Program.prepare_again` makes the same of it.
    #[getter]
    fn recipe<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        let (recipe, dtype) = by_dtype!(&self.prepared, prepared => (prepared.recipe(), name(prepared)));
        dict.set_item("dtype", dtype)?;
        dict.set_item("simd", recipe.level.name())?;
        dict.set_item("features", recipe.features)?;
        dict.set_item("pairs", recipe.pairs)?;
        dict.set_item("input", range(py, &recipe.input)?)?;
        let fits = recipe.fits.iter().map(|scales| range(py, scales)).collect::<PyResult<Vec<_>>>()?;
        dict.set_item("fits", fits)?;
        dict.set_item("grid", recipe.grid)?;
        Ok(dict)
    }
}

impl PyPrepared {
    fn evaluation<'a, T: ArrayFloat>(&'a self, prepared: &'a Prepared<'static, T>) -> Evaluation<'a, T> {
        Evaluation { model: &self.model, prepared: Some(prepared), raised: &self.raised }
    }
}

fn name<T: Float>(_: &Prepared<'_, T>) -> &'static str {
    T::NAME
}

/// A range of scales as a dictionary.
fn range<'py>(py: Python<'py>, scales: &Scales) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("low", scales.low)?;
    dict.set_item("high", scales.high)?;
    dict.set_item("zeros", scales.zeros)?;
    Ok(dict)
}

fn read_range(dict: &Bound<'_, PyAny>) -> PyResult<Scales> {
    Ok(Scales {
        low: dict.get_item("low")?.extract()?,
        high: dict.get_item("high")?.extract()?,
        zeros: dict.get_item("zeros")?.extract()?,
        largest: 0,
    })
}

/// The recipe in a dictionary, and the name of the type.
pub fn read_recipe(dict: Any<'_, '_>) -> PyResult<(Recipe, String)> {
    let level: String = dict.get_item("simd")?.extract()?;
    let Some(level) = Level::named(&level) else {
        return Err(PyValueError::new_err(format!(
            "the recipe does not fit: it was made for the instruction set {level}, which this processor does not have"
        )));
    };
    let fits: Vec<Bound<'_, PyAny>> = dict.get_item("fits")?.extract()?;
    let recipe = Recipe {
        features: dict.get_item("features")?.extract()?,
        input: read_range(&dict.get_item("input")?)?,
        fits: fits.iter().map(read_range).collect::<PyResult<_>>()?,
        pairs: dict.get_item("pairs")?.extract()?,
        grid: dict.get_item("grid")?.extract()?,
        level,
    };
    Ok((recipe, dict.get_item("dtype")?.extract()?))
}
