//! Compiled networks.

use crate::arrays::{Arrays, Number, Output, outputs, read, targets, unsuitable};
use crate::door::{Call, refuse};
use crate::rows;
use crate::spec::{Raised, layer};
use ntkfast_core::Result;
use ntkfast_core::kernel::{self, OPERATIONS, Plain, Points, Wanted};
use ntkfast_core::network::Layer;
use ntkfast_core::parallel::Job;
use ntkfast_core::program::Program;
use numpy::PyReadonlyArray2;
use numpy::ndarray::{Ix1, Ix2, Ix4};
use pyo3::exceptions::PyRuntimeWarning;
use pyo3::prelude::*;
use std::ffi::CString;

/// A network compiled to a program.
#[pyclass(frozen, name = "Program", module = "ntkfast._ntkfast")]
pub struct PyProgram {
    pub program: Program,
    /// What it was compiled from: images of another size make another program of it.
    pub layer: Layer,
    raised: Raised,
}

/// Refuse layers that cannot be composed, whatever comes before them.
#[pyfunction]
pub fn check(spec: &Bound<'_, PyAny>) -> PyResult<()> {
    Program::check(&layer(spec, &Raised::default())?).or_else(|error| refuse(&error))
}

/// Operations of making the first fits: however few the points, so many that threads may share them and Ctrl-C has to end
/// them.
const FITS: usize = 100_000_000;

type Any<'a, 'py> = &'a Bound<'py, PyAny>;

#[pymethods]
impl PyProgram {
    #[new]
    fn new(spec: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::compile(spec, Program::new)
    }

    #[staticmethod]
    fn by_depth(spec: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::compile(spec, Program::by_depth)
    }

    #[staticmethod]
    fn by_frozen(spec: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::compile(spec, Program::by_frozen)
    }

    /// How many results a call has.
    #[getter]
    fn results(&self) -> usize {
        self.program.outputs.len()
    }

    /// Whether x is images, with four axes.
    #[getter]
    fn spatial(&self) -> bool {
        self.program.spatial
    }

    fn gram(
        &self,
        x: Any<'_, '_>,
        nngp: Arrays<'_>,
        ntk: Arrays<'_>,
        progress: Option<Any<'_, '_>>,
    ) -> PyResult<()> {
        if self.program.spatial {
            return match (read::<f64, Ix4>("x", x)?, read::<f32, Ix4>("x", x)?) {
                (Some(x), _) => self.gram_of_images(&x, nngp, ntk, progress),
                (_, Some(x)) => self.gram_of_images(&x, nngp, ntk, progress),
                _ => Err(unsuitable("x", 4, x)),
            };
        }
        if let Some(x) = read::<f64, Ix2>("x", x)? {
            return self.run_gram(&x, nngp, ntk, progress);
        }
        match read::<f32, Ix2>("x", x)? {
            Some(x) => self.run_gram(&x, nngp, ntk, progress),
            None => Err(unsuitable("x", 2, x)),
        }
    }

    fn cross(
        &self,
        x: Any<'_, '_>,
        x2: Any<'_, '_>,
        nngp: Arrays<'_>,
        ntk: Arrays<'_>,
        progress: Option<Any<'_, '_>>,
    ) -> PyResult<()> {
        if self.program.spatial {
            if let (Some(x), Some(x2)) = (read::<f64, Ix4>("x", x)?, read::<f64, Ix4>("x2", x2)?) {
                return self.cross_of_images(&x, &x2, nngp, ntk, progress);
            }
            return match (read::<f32, Ix4>("x", x)?, read::<f32, Ix4>("x2", x2)?) {
                (Some(x), Some(x2)) => self.cross_of_images(&x, &x2, nngp, ntk, progress),
                (None, _) => Err(unsuitable("x", 4, x)),
                _ => Err(unsuitable("x2", 4, x2)),
            };
        }
        if let (Some(x), Some(x2)) = (read::<f64, Ix2>("x", x)?, read::<f64, Ix2>("x2", x2)?) {
            return self.run_cross(&x, &x2, nngp, ntk, progress);
        }
        match (read::<f32, Ix2>("x", x)?, read::<f32, Ix2>("x2", x2)?) {
            (Some(x), Some(x2)) => self.run_cross(&x, &x2, nngp, ntk, progress),
            (None, _) => Err(unsuitable("x", 2, x)),
            _ => Err(unsuitable("x2", 2, x2)),
        }
    }

    fn diagonal(&self, x: Any<'_, '_>, nngp: Arrays<'_>, ntk: Arrays<'_>) -> PyResult<()> {
        if self.program.spatial {
            return match (read::<f64, Ix4>("x", x)?, read::<f32, Ix4>("x", x)?) {
                (Some(x), _) => self.diagonal_of_images(&x, nngp, ntk),
                (_, Some(x)) => self.diagonal_of_images(&x, nngp, ntk),
                _ => Err(unsuitable("x", 4, x)),
            };
        }
        if let Some(x) = read::<f64, Ix2>("x", x)? {
            return self.run_diagonal(&x, nngp, ntk);
        }
        match read::<f32, Ix2>("x", x)? {
            Some(x) => self.run_diagonal(&x, nngp, ntk),
            None => Err(unsuitable("x", 2, x)),
        }
    }
}

impl PyProgram {
    fn compile(spec: &Bound<'_, PyAny>, compiler: impl Fn(&Layer) -> Result<Program>) -> PyResult<Self> {
        let raised = Raised::default();
        let layer = layer(spec, &raised)?;
        let program = compiler(&layer).or_else(|error| refuse(&error))?;
        Ok(Self { program, layer, raised })
    }

    fn run_gram<T: Number>(
        &self,
        x: &PyReadonlyArray2<'_, T>,
        nngp: Arrays<'_>,
        ntk: Arrays<'_>,
        progress: Option<Any<'_, '_>>,
    ) -> PyResult<()> {
        let py = x.py();
        let x = x.as_array();
        let shape = [x.nrows(), x.nrows()];
        let mut nngp = outputs::<T, Ix2>("out.nngp", nngp, self.results(), &shape)?;
        let mut ntk = outputs::<T, Ix2>("out.ntk", ntk, self.results(), &shape)?;
        let out = Plain { nngp: targets(&mut nngp), ntk: targets(&mut ntk) };
        let operations = self.operations(x.nrows() * x.nrows() / 2, x.ncols());
        let watched = progress.is_some();
        self.run(Call { py, operations, progress }, |job| {
            Ok((rows::gram(&self.program, rows::read("x", &x, watched, job)?, out, job)?, ()))
        })
    }

    fn run_cross<T: Number>(
        &self,
        x: &PyReadonlyArray2<'_, T>,
        x2: &PyReadonlyArray2<'_, T>,
        nngp: Arrays<'_>,
        ntk: Arrays<'_>,
        progress: Option<Any<'_, '_>>,
    ) -> PyResult<()> {
        let py = x.py();
        let (x, x2) = (x.as_array(), x2.as_array());
        let shape = [x.nrows(), x2.nrows()];
        let mut nngp = outputs::<T, Ix2>("out.nngp", nngp, self.results(), &shape)?;
        let mut ntk = outputs::<T, Ix2>("out.ntk", ntk, self.results(), &shape)?;
        let out = Plain { nngp: targets(&mut nngp), ntk: targets(&mut ntk) };
        let operations = self.operations(x.nrows() * x2.nrows(), x.ncols());
        let watched = progress.is_some();
        self.run(Call { py, operations, progress }, |job| {
            let sets = [rows::read("x", &x, watched, job)?, rows::read("x2", &x2, watched, job)?];
            Ok((rows::cross(&self.program, sets, out, job)?, ()))
        })
    }

    fn run_diagonal<T: Number>(
        &self,
        x: &PyReadonlyArray2<'_, T>,
        nngp: Arrays<'_>,
        ntk: Arrays<'_>,
    ) -> PyResult<()> {
        let py = x.py();
        let x = x.as_array();
        let wanted = Wanted { nngp: nngp.is_some(), ntk: ntk.is_some() };
        let mut nngp = outputs::<T, Ix1>("out.nngp", nngp, self.results(), &[x.nrows()])?;
        let mut ntk = outputs::<T, Ix1>("out.ntk", ntk, self.results(), &[x.nrows()])?;
        let operations = self.operations(x.nrows(), x.ncols());
        let points = self.run(Call { py, operations, progress: None }, |job| {
            rows::diagonal(&self.program, rows::read("x", &x, false, job)?, wanted, job)
        })?;
        give_diagonal(&points, &mut nngp, &mut ntk);
        Ok(())
    }

    /// Run work that may call Python functions: their exceptions propagate, and what they left unresolved is
    /// a warning.
    pub fn run<R: Send>(
        &self,
        call: Call<'_, '_>,
        work: impl FnOnce(&Job) -> Result<(Vec<String>, R)> + Send,
    ) -> PyResult<R> {
        let py = call.py;
        let (warnings, result) = call.run(work).map_err(|error| self.raised.take().unwrap_or(error))?;
        for text in warnings {
            let text = CString::new(text).unwrap_or_default();
            PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &text, 3)?;
        }
        Ok(result)
    }

    /// Rough number of operations of a call.
    pub fn operations(&self, pairs: usize, features: usize) -> usize {
        let fits = if self.program.lacks_fits() { FITS } else { 0 };
        pairs.saturating_mul(features + OPERATIONS * self.program.steps.len()).saturating_add(fits)
    }
}

/// Write every row with itself.
pub fn give_diagonal<T: Number>(
    points: &Points<'_, T>,
    nngp: &mut [Output<'_, T, Ix1>],
    ntk: &mut [Output<'_, T, Ix1>],
) {
    for (output, out) in nngp.iter_mut().enumerate() {
        out.fill(kernel::diagonal(points, output).map(|(nngp, _)| nngp));
    }
    for (output, out) in ntk.iter_mut().enumerate() {
        out.fill(kernel::diagonal(points, output).map(|(_, ntk)| ntk));
    }
}
