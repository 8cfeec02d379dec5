//! Compiled networks.

use crate::arrays::{ArrayFloat, Arrays};
use crate::description::{Raised, layer};
use crate::door::refuse;
use crate::evaluate::{Caller, Evaluation};
use crate::prepared::{self, PyPrepared};
use crate::samples::{ByDtype, Input, by_dtype, sets};
use ntkfast_core::network::Layer;
use ntkfast_core::program::{Prepared, Program};
use ntkfast_core::{Model, Result};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::sync::Arc;

/// A compiled network.
#[pyclass(frozen, name = "Program", module = "ntkfast._ntkfast")]
pub struct PyProgram {
    pub model: Arc<Model>,
    pub raised: Raised,
}

/// Refuse layers that cannot be composed, whatever comes before them.
#[pyfunction]
pub fn check(description: &Bound<'_, PyAny>) -> PyResult<()> {
    Program::check(&layer(description, &Raised::default())?).or_else(|error| refuse(&error))
}

type Any<'a, 'py> = &'a Bound<'py, PyAny>;

#[pymethods]
impl PyProgram {
    #[new]
    fn new(description: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::compile(description, Model::new)
    }

    #[staticmethod]
    fn distinct(description: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::compile(description, Model::distinct)
    }

    #[staticmethod]
    fn by_depth(description: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::compile(description, Model::by_depth)
    }

    #[staticmethod]
    fn by_frozen(description: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::compile(description, Model::by_frozen)
    }

    /// How many results a call has.
    #[getter]
    fn results(&self) -> usize {
        self.model.results()
    }

    /// Whether x is images, with four axes.
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
        by_dtype!(sets(x, None, self.spatial())?, (x, _) => self.evaluation().gram(caller, &x.view(), nngp, ntk))
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
        by_dtype!(sets(x, Some(x2), self.spatial())?, (x, x2) => {
            let x2 = x2.as_ref().unwrap_or(&x).view();
            self.evaluation().cross(caller, [&x.view(), &x2], nngp, ntk)
        })
    }

    fn diagonal<'py>(&self, x: Any<'_, 'py>, nngp: Arrays<'py>, ntk: Arrays<'py>) -> PyResult<()> {
        let py = x.py();
        by_dtype!(sets(x, None, self.spatial())?, (x, _) => self.evaluation().diagonal(py, &x.view(), nngp, ntk))
    }

    /// The network prepared for all pairs of one set of samples, or of two: blocks that begin at multiples of 64 samples,
    /// on or above the diagonal, have the bits that they have in the whole matrix. With `pairs`, for so many of samples
    /// like these.
    #[pyo3(signature = (x, x2=None, pairs=None))]
    fn prepare(&self, x: Any<'_, '_>, x2: Option<Any<'_, '_>>, pairs: Option<usize>) -> PyResult<PyPrepared> {
        let py = x.py();
        let prepared = match sets(x, x2, self.spatial())? {
            ByDtype::Double((x, x2)) => {
                let x2 = x2.as_ref().map(Input::view);
                ByDtype::Double(self.evaluation().prepare(py, &x.view(), x2.as_ref(), pairs)?)
            }
            ByDtype::Single((x, x2)) => {
                let x2 = x2.as_ref().map(Input::view);
                ByDtype::Single(self.evaluation().prepare(py, &x.view(), x2.as_ref(), pairs)?)
            }
        };
        Ok(PyPrepared { model: Arc::clone(&self.model), prepared, raised: self.raised.clone() })
    }

    /// The network prepared as it was before, by its recipe, maybe in another process.
    fn prepare_again(&self, py: Python<'_>, recipe: &Bound<'_, PyAny>) -> PyResult<PyPrepared> {
        let (recipe, dtype) = prepared::read_recipe(recipe)?;
        let prepared = match dtype.as_str() {
            "float32" => ByDtype::Single(self.evaluation().prepare_again(py, recipe)?),
            "float64" => ByDtype::Double(self.evaluation().prepare_again(py, recipe)?),
            _ => {
                let text = format!("the recipe has dtype {dtype:?}; expected \"float32\" or \"float64\"");
                return Err(PyValueError::new_err(text));
            }
        };
        Ok(PyPrepared { model: Arc::clone(&self.model), prepared, raised: self.raised.clone() })
    }

    /// The network prepared with the fits of another one, which differs from it in the scales of weights alone.
    fn prepare_like(&self, other: &PyPrepared) -> PyResult<PyPrepared> {
        let prepared = match &other.prepared {
            ByDtype::Double(other) => like(&self.model, other).map(ByDtype::Double),
            ByDtype::Single(other) => like(&self.model, other).map(ByDtype::Single),
        };
        let prepared = prepared.or_else(|error| refuse(&error))?;
        Ok(PyPrepared { model: Arc::clone(&self.model), prepared, raised: self.raised.clone() })
    }
}

fn like<T: ArrayFloat>(model: &Model, other: &Prepared<'static, T>) -> Result<Prepared<'static, T>> {
    Ok(T::prepare_like(model, other)?.into_owned())
}

impl PyProgram {
    fn compile(description: &Bound<'_, PyAny>, compiler: impl Fn(Layer) -> Result<Model>) -> PyResult<Self> {
        let raised = Raised::default();
        let model = compiler(layer(description, &raised)?).or_else(|error| refuse(&error))?;
        Ok(Self { model: Arc::new(model), raised })
    }

    fn evaluation<T: ArrayFloat>(&self) -> Evaluation<'_, T> {
        Evaluation { model: &self.model, prepared: None, raised: &self.raised }
    }
}
