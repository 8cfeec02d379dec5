//! Networks from nested tuples (kind, parameters, children).

use crate::door::refuse;
use ntkfast_core::fitted::Function;
use ntkfast_core::network::Layer;
use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use std::sync::{Arc, Mutex, PoisonError};

/// The exception that a user's function raised while the core called it.
#[derive(Clone, Default)]
pub struct Raised(Arc<Mutex<Option<PyErr>>>);

impl Raised {
    /// The exception, once.
    pub fn take(&self) -> Option<PyErr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, error: PyErr) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// The layer that a tuple describes. Exceptions of Python functions in it go to `raised`.
pub fn layer(spec: &Bound<'_, PyAny>, raised: &Raised) -> PyResult<Layer> {
    Reader { raised, functions: Vec::new() }.layer(spec)
}

struct Reader<'a, 'py> {
    raised: &'a Raised,
    /// The Python functions so far: equal ones are one function of the core, so that it sees equal layers.
    functions: Vec<(Bound<'py, PyAny>, Function)>,
}

impl<'py> Reader<'_, 'py> {
    fn layer(&mut self, spec: &Bound<'py, PyAny>) -> PyResult<Layer> {
        let (kind, parameters, children): (String, Bound<'_, PyAny>, Vec<Bound<'_, PyAny>>) =
            spec.extract()?;
        if kind == "elementwise" {
            return Ok(Layer::Elementwise(self.function(&parameters)?));
        }
        let parameters: Vec<Option<f64>> = parameters.extract()?;
        let children = children.iter().map(|child| self.layer(child)).collect::<PyResult<_>>()?;
        Layer::new(&kind, &parameters, children).or_else(|error| refuse(&error))
    }

    /// A Python function, called with a float64 array and returning one, as a function of the core.
    fn function(&mut self, parameters: &Bound<'py, PyAny>) -> PyResult<Function> {
        let (callable, name, kinks): (Bound<'_, PyAny>, String, Vec<f64>) = parameters.extract()?;
        let same = |(known, function): &&(Bound<'_, PyAny>, Function)| {
            function.kinks == kinks && callable.eq(known).unwrap_or(false)
        };
        if let Some((_, function)) = self.functions.iter().find(same) {
            return Ok(function.clone());
        }
        let (raised, called) = (self.raised.clone(), callable.clone().unbind());
        let call = move |inputs: &[f64]| {
            Python::attach(|py| {
                let values = called.call1(py, (PyArray1::from_slice(py, inputs),))?;
                let values: PyReadonlyArray1<'_, f64> = values.extract(py)?;
                Ok(values.as_array().to_vec())
            })
            .map_err(|error: PyErr| raised.set(error))
            .ok()
        };
        let function = Function::new(name, kinks, Arc::new(call));
        self.functions.push((callable, function.clone()));
        Ok(function)
    }
}
