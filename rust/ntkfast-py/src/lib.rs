//! The Python extension `ntkfast._ntkfast`.
//!
//! | Python | Rust |
//! |---|---|
//! | nested dictionaries, as `to_dict` has them | [`ntkfast_core::network::Layer`] ([`description`]) |
//! | a vectorised Python function | [`ntkfast_core::fitted::Function`] ([`description`]) |
//! | float32 or float64 array of any strides | a borrowed view ([`arrays`]); copied at most once |
//! | `out` array | [`ntkfast_core::kernel::Target`], written in place by all threads |
//! | `callable(done, total)` or `None` | called on the calling thread ([`door`]) |
//! | `ValueError`, `TypeError`, `NumericalError` | [`ntkfast_core::Error`] ([`errors`]) |
//!
//! # The GIL
//!
//! Arguments are checked with the GIL held; [`door`] releases it, runs the work on the package's pool and takes
//! it back now and then to look for Ctrl-C and to report progress. No other module does any of that.

mod arrays;
mod blocks;
mod derivatives;
mod description;
mod door;
mod errors;
mod evaluate;
mod factor;
mod linalg;
mod prepared;
mod program;
mod samples;
mod taylor;
mod trace;

use ntkfast_core::simd::Level;
use ntkfast_core::{memory, parallel, reserve};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict};
use std::env::VarError;

/// Small requests for memory are met when it has run out.
#[global_allocator]
static ALLOCATOR: reserve::Allocator = reserve::Allocator;

/// More threads than any machine has are taken for a mistake.
const MOST_THREADS: usize = 4096;

#[pyfunction]
fn set_num_threads(n: &Bound<'_, PyAny>) -> PyResult<()> {
    // Integers of NumPy, and arrays that hold one without an axis, are integers by this method.
    let integer = n.call_method0("__index__").ok().filter(|_| !n.is_instance_of::<PyBool>());
    let Some(integer) = integer else {
        return Err(PyTypeError::new_err(format!(
            "n is {}; expected an integer, the number of threads",
            n.repr()?
        )));
    };
    match integer.extract::<usize>() {
        Ok(count) if (1..=MOST_THREADS).contains(&count) => {
            parallel::set_threads(count, 1);
            Ok(())
        }
        _ => Err(PyValueError::new_err(format!(
            "n, the number of threads, must be an integer from 1 to {MOST_THREADS}, not {n}"
        ))),
    }
}

/// Share `threads` among `calls` at the same time; 0 threads mean all cores of this process.
#[pyfunction]
fn share_threads(threads: usize, calls: usize) {
    parallel::set_threads(threads.min(MOST_THREADS), calls);
}

/// Cores that this process may use, and how many processes of its pool share them.
#[pyfunction]
fn cores() -> (usize, usize) {
    (parallel::cores(), parallel::processes())
}

#[pyfunction]
fn num_threads() -> usize {
    parallel::threads()
}

#[pyfunction]
fn info(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let info = PyDict::new(py);
    info.set_item("version", env!("CARGO_PKG_VERSION"))?;
    info.set_item("simd", Level::current().name())?;
    info.set_item("threads", parallel::threads())?;
    info.set_item("profile", if cfg!(debug_assertions) { "debug" } else { "release" })?;
    Ok(info)
}

/// The text of an environment variable, unless it is unset or empty.
fn setting(name: &str) -> PyResult<Option<String>> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text).filter(|text| !text.trim().is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(bytes)) => Err(PyValueError::new_err(format!(
            "the environment variable {name} is {bytes:?}, which is not UTF-8; set it to other text, or unset it"
        ))),
    }
}

/// Settings from the environment, read once when the module is imported.
fn read_environment() -> PyResult<()> {
    if let Some(text) = setting("NTKFAST_NUM_THREADS")? {
        let threads = text.trim().parse().ok().filter(|count| (1..=MOST_THREADS).contains(count));
        let threads = threads.ok_or_else(|| {
            PyValueError::new_err(format!(
                "the environment variable NTKFAST_NUM_THREADS is {text:?}; \
                 expected an integer from 1 to {MOST_THREADS}, or unset it"
            ))
        })?;
        parallel::set_threads(threads, 1);
    }
    if let Some(text) = setting("NTKFAST_SIMD")?
        && !Level::force(&text.trim().to_lowercase())
    {
        let names: Vec<_> = Level::available().into_iter().map(Level::name).collect();
        return Err(PyValueError::new_err(format!(
            "the environment variable NTKFAST_SIMD is {text:?}; this build of ntkfast has, on this processor, {}",
            names.join(", ")
        )));
    }
    Ok(())
}

/// The bytes that are free, as the package finds out.
fn free() -> usize {
    let found =
        Python::attach(|py| py.import("ntkfast._memory")?.call_method0("available")?.extract::<f64>());
    found.map_or(usize::MAX, |bytes| bytes as usize)
}

#[pymodule]
fn _ntkfast(module: &Bound<'_, PyModule>) -> PyResult<()> {
    errors::record_panics();
    parallel::watch_forks();
    parallel::prepare_threads(ntkfast_linalg::prepare_thread);
    // Otherwise the first call will tell.
    let _ = reserve::hold();
    memory::watch(free);
    read_environment()?;
    module.add("NumericalError", module.py().get_type::<errors::NumericalError>())?;
    module.add_class::<prepared::PyPrepared>()?;
    module.add_class::<program::PyProgram>()?;
    module.add_function(wrap_pyfunction!(program::check, module)?)?;
    module.add_function(wrap_pyfunction!(trace::trace, module)?)?;
    module.add_function(wrap_pyfunction!(derivatives::derivatives, module)?)?;
    module.add_function(wrap_pyfunction!(derivatives::weighted_derivatives, module)?)?;
    module.add_function(wrap_pyfunction!(derivatives::image_gradients, module)?)?;
    module.add_function(wrap_pyfunction!(taylor::taylor, module)?)?;
    module.add_function(wrap_pyfunction!(taylor::taylor_exponents, module)?)?;
    module.add_function(wrap_pyfunction!(linalg::eigh, module)?)?;
    module.add_function(wrap_pyfunction!(factor::cholesky, module)?)?;
    module.add_function(wrap_pyfunction!(factor::cholesky_solve, module)?)?;
    module.add_function(wrap_pyfunction!(factor::cholesky_in_place, module)?)?;
    module.add_function(wrap_pyfunction!(factor::inverse_diagonal, module)?)?;
    module.add_function(wrap_pyfunction!(linalg::solve_refined, module)?)?;
    module.add_function(wrap_pyfunction!(linalg::matmul, module)?)?;
    module.add_function(wrap_pyfunction!(door::before_next_call, module)?)?;
    module.add_function(wrap_pyfunction!(blocks::multiply_blocks, module)?)?;
    module.add_function(wrap_pyfunction!(linalg::flow_filter, module)?)?;
    module.add_function(wrap_pyfunction!(linalg::descent_filter, module)?)?;
    module.add_function(wrap_pyfunction!(door::panic_for_test, module)?)?;
    module.add_function(wrap_pyfunction!(set_num_threads, module)?)?;
    module.add_function(wrap_pyfunction!(share_threads, module)?)?;
    module.add_function(wrap_pyfunction!(cores, module)?)?;
    module.add_function(wrap_pyfunction!(num_threads, module)?)?;
    module.add_function(wrap_pyfunction!(info, module)?)?;
    Ok(())
}
