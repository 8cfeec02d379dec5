//! Networks from nested dictionaries: the form of `to_dict`, with all fields given and functions among them.

use crate::door::refuse;
use ntkfast_core::description::{Description, Value, Values};
use ntkfast_core::network::Layer;
use ntkfast_core::reserve;
use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Lists inside one another; networks are nested less.
const DEEPEST: usize = 200;

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

/// The layer that a dictionary describes. Exceptions of Python functions in it go to `raised`.
pub fn layer(description: &Bound<'_, PyAny>, raised: &Raised) -> PyResult<Layer> {
    reserve::hold().or_else(|error| refuse(&error))?;
    let description =
        Reader { raised, functions: Vec::new(), layers: HashMap::new() }.description(description, 0)?;
    Layer::new(description).or_else(|error| refuse(&error))
}

struct Reader<'a, 'py> {
    raised: &'a Raised,
    /// The Python functions so far: equal ones are one function of the core, so that it sees equal layers.
    functions: Vec<(Bound<'py, PyAny>, Arc<Values>)>,
    /// The dictionaries so far, by their addresses: networks share layers.
    layers: HashMap<usize, (Bound<'py, PyAny>, Description)>,
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    kind: &'a str,
    field: &'a str,
    nesting: usize,
}

impl<'py> Reader<'_, 'py> {
    fn description(&mut self, layer: &Bound<'py, PyAny>, nesting: usize) -> PyResult<Description> {
        let address = layer.as_ptr().addr();
        if let Some((_, known)) = self.layers.get(&address) {
            return Ok(known.clone());
        }
        let description = self.description_anew(layer, nesting)?;
        self.layers.insert(address, (layer.clone(), description.clone()));
        Ok(description)
    }

    fn description_anew(&mut self, layer: &Bound<'py, PyAny>, nesting: usize) -> PyResult<Description> {
        let Ok(fields) = layer.cast::<PyDict>() else {
            let given = layer.get_type().name()?;
            return Err(PyTypeError::new_err(format!("a layer is of type {given}; expected a dictionary")));
        };
        let kind =
            fields.get_item(intern!(layer.py(), "type"))?.and_then(|kind| kind.extract::<String>().ok());
        let kind = kind.ok_or_else(|| PyTypeError::new_err("a layer has no text for its 'type'"))?;
        let mut description = Description::new(kind.as_str());
        // Copied: comparing functions runs Python code, which could change the dictionary.
        for (name, value) in &fields.copy()? {
            let name: String = name.extract()?;
            if name != "type" {
                let value = self.value(&value, Place { kind: &kind, field: &name, nesting })?;
                description = description.with(name, value);
            }
        }
        Ok(description)
    }

    fn value(&mut self, value: &Bound<'py, PyAny>, place: Place<'_>) -> PyResult<Value> {
        let Place { kind, field, .. } = place;
        Ok(if let Ok(real) = value.cast::<PyFloat>() {
            Value::Real(real.value())
        } else if value.is_none() {
            Value::None
        } else if let Ok(flag) = value.cast::<PyBool>() {
            Value::Flag(flag.is_true())
        } else if let Ok(integer) = value.cast::<PyInt>() {
            Value::Integer(integer.extract().map_err(|_| {
                PyValueError::new_err(format!(
                    "{kind}: {field} is beyond integers of 64 bits; expected a smaller one"
                ))
            })?)
        } else if let Ok(text) = value.cast::<PyString>() {
            Value::Text(text.extract()?)
        } else if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
            self.list(value, place)?
        } else if value.is_callable() {
            Value::Function(self.function(value)?)
        } else {
            let given = value.get_type().name()?;
            return Err(PyTypeError::new_err(format!(
                "{kind}: {field} is of type {given}; expected plain data or a function"
            )));
        })
    }

    /// A list of layers, where the first item is one, or of values.
    fn list(&mut self, list: &Bound<'py, PyAny>, place: Place<'_>) -> PyResult<Value> {
        let place = Place { nesting: place.nesting + 1, ..place };
        if place.nesting > DEEPEST {
            return Err(PyValueError::new_err(format!("the network is nested more than {DEEPEST} deep")));
        }
        let items: Vec<Bound<'py, PyAny>> = list.extract()?;
        Ok(if items.first().is_some_and(|first| first.is_instance_of::<PyDict>()) {
            Value::Layers(
                items.iter().map(|item| self.description(item, place.nesting)).collect::<PyResult<_>>()?,
            )
        } else {
            Value::List(items.iter().map(|item| self.value(item, place)).collect::<PyResult<_>>()?)
        })
    }

    /// A Python function, called with a float64 array and returning one, as a function of the core.
    fn function(&mut self, callable: &Bound<'py, PyAny>) -> PyResult<Arc<Values>> {
        for (known, function) in &self.functions {
            if callable.eq(known)? {
                return Ok(Arc::clone(function));
            }
        }
        let (raised, called) = (self.raised.clone(), callable.clone().unbind());
        let function: Arc<Values> = Arc::new(move |inputs: &[f64]| {
            Python::attach(|py| {
                let call = || called.call1(py, (PyArray1::from_slice(py, inputs),));
                let values = reserve::lend(call).or_else(|error| refuse(&error))??;
                let values: PyReadonlyArray1<'_, f64> = values.extract(py)?;
                Ok(values.as_array().to_vec())
            })
            .map_err(|error: PyErr| raised.set(error))
            .ok()
        });
        self.functions.push((callable.clone(), Arc::clone(&function)));
        Ok(function)
    }
}
