//! Core errors as Python exceptions.

use ntkfast_core::Error;
use pyo3::exceptions::{
    PyArithmeticError, PyKeyboardInterrupt, PyMemoryError, PyRecursionError, PyRuntimeError, PyValueError,
};
use pyo3::prelude::*;
use std::any::Any;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

pyo3::create_exception!(
    ntkfast,
    NumericalError,
    PyArithmeticError,
    "A failed computation: a value too large for its type, a matrix that is not positive definite, or an iteration \
     that did not converge. The message suggests a remedy."
);

/// The exception for an error of the core.
pub fn to_python(error: &Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::Network(_)
        | Error::Function { .. }
        | Error::Shape { .. }
        | Error::NotFinite { .. }
        | Error::NotFiniteAt { .. }
        | Error::NotSymmetric { .. }
        | Error::Unprepared { .. }
        | Error::NoDerivative { .. }
        | Error::Recipe(_) => PyValueError::new_err(text),
        Error::NotPositiveDefinite { .. }
        | Error::NoConvergence { .. }
        | Error::Overflow { .. }
        | Error::Steep { .. }
        | Error::Unresolved { .. }
        | Error::TooLarge { .. } => NumericalError::new_err(text),
        Error::Memory { .. } | Error::PlaneMemory { .. } | Error::ThreadMemory { .. } => {
            PyMemoryError::new_err(text)
        }
        Error::Recursion { .. } => PyRecursionError::new_err(text),
        Error::Threads { .. } => PyRuntimeError::new_err(text),
        Error::Cancelled => PyKeyboardInterrupt::new_err(()),
    }
}

/// Message and place of the latest panic.
static PANICKED: Mutex<Option<[String; 2]>> = Mutex::new(None);

/// Keep message and place of panics, which become exceptions at the door; their text on stderr would only confuse.
pub fn record_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(|| "an unknown place".to_owned(), place);
        *PANICKED.lock().unwrap_or_else(PoisonError::into_inner) = Some([text(info.payload()), place]);
    }));
}

/// Source file and line, without the folders of the machine that compiled it.
fn place(location: &Location<'_>) -> String {
    let file = location.file().replace('\\', "/");
    let file = file
        .split_once("/registry/src/")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map_or(&*file, |(_, rest)| rest);
    format!("{file}:{}", location.line())
}

/// What a panic said.
fn text(payload: &(dyn Any + Send)) -> String {
    let known = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    known.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

/// The exception for a panic, which is always a defect of this package.
pub fn from_panic(payload: &(dyn Any + Send)) -> PyErr {
    let message = text(payload);
    let panicked = PANICKED.lock().unwrap_or_else(PoisonError::into_inner);
    // Another call may have panicked since.
    let place = panicked
        .as_ref()
        .filter(|[latest, _]| *latest == message)
        .map_or("an unknown place", |[_, place]| place);
    PyRuntimeError::new_err(format!(
        "internal error in ntkfast {}: {message} (at {place}). This is a bug in ntkfast, not in your call: please \
         report this message, with the call that caused it and the output of ntkfast.info()",
        env!("CARGO_PKG_VERSION")
    ))
}
