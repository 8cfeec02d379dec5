//! Core errors as Python exceptions.

use ntkfast_core::Error;
use pyo3::exceptions::{PyArithmeticError, PyKeyboardInterrupt, PyMemoryError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

pyo3::create_exception!(
    ntkfast,
    NumericalError,
    PyArithmeticError,
    "What the numbers did: a value too large for its type, a matrix that is not positive definite, an iteration \
     that did not converge. The message says what to do."
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
        | Error::NotSymmetric { .. } => PyValueError::new_err(text),
        Error::NotPositiveDefinite { .. }
        | Error::NoConvergence { .. }
        | Error::Overflow { .. }
        | Error::TooLarge { .. } => NumericalError::new_err(text),
        Error::Memory { .. } | Error::PlaneMemory { .. } => PyMemoryError::new_err(text),
        Error::Threads { .. } => PyRuntimeError::new_err(text),
        Error::Cancelled => PyKeyboardInterrupt::new_err(()),
    }
}

/// The exception for a panic, which is always a defect of this package.
pub fn from_panic() -> PyErr {
    PyRuntimeError::new_err("internal error in ntkfast: please report the call that led here")
}

/// Panics become exceptions at the door; their text on stderr would only confuse.
pub fn silence_panics() {
    std::panic::set_hook(Box::new(|_| ()));
}
