//! Compiled networks.

use crate::arrays::{Number, Output, copy_row, read, unsuitable};
use crate::door::{Call, refuse};
use ntkfast_core::Result;
use ntkfast_core::kernel::{self, Mirrored, OPERATIONS, Plain, Points, Wanted};
use ntkfast_core::network::Layer;
use ntkfast_core::parallel::Job;
use ntkfast_core::program::Program;
use numpy::PyReadonlyArray2;
use numpy::ndarray::{ArrayView2, Ix1, Ix2};
use pyo3::prelude::*;

/// (kind, parameters, children).
type Spec<'py> = (String, Vec<Option<f64>>, Vec<Bound<'py, PyAny>>);

fn layer(spec: &Bound<'_, PyAny>) -> PyResult<Layer> {
    let (kind, parameters, children): Spec<'_> = spec.extract()?;
    let children = children.iter().map(layer).collect::<PyResult<_>>()?;
    Layer::new(&kind, &parameters, children).or_else(|error| refuse(&error))
}

/// Refuse layers that cannot be composed, whatever comes before them.
#[pyfunction]
pub fn check(spec: &Bound<'_, PyAny>) -> PyResult<()> {
    Program::check(&layer(spec)?).or_else(|error| refuse(&error))
}

/// A network compiled to a program.
#[pyclass(frozen, name = "Program", module = "ntkfast._ntkfast")]
pub struct PyProgram(Program);

type Any<'a, 'py> = &'a Bound<'py, PyAny>;

#[pymethods]
impl PyProgram {
    #[new]
    fn new(spec: &Bound<'_, PyAny>) -> PyResult<Self> {
        Program::new(&layer(spec)?).map(Self).or_else(|error| refuse(&error))
    }

    fn gram(
        &self,
        x: Any<'_, '_>,
        nngp: Option<Any<'_, '_>>,
        ntk: Option<Any<'_, '_>>,
        progress: Option<Any<'_, '_>>,
    ) -> PyResult<()> {
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
        nngp: Option<Any<'_, '_>>,
        ntk: Option<Any<'_, '_>>,
        progress: Option<Any<'_, '_>>,
    ) -> PyResult<()> {
        if let (Some(x), Some(x2)) = (read::<f64, Ix2>("x", x)?, read::<f64, Ix2>("x2", x2)?) {
            return self.run_cross(&x, &x2, nngp, ntk, progress);
        }
        match (read::<f32, Ix2>("x", x)?, read::<f32, Ix2>("x2", x2)?) {
            (Some(x), Some(x2)) => self.run_cross(&x, &x2, nngp, ntk, progress),
            (None, _) => Err(unsuitable("x", 2, x)),
            _ => Err(unsuitable("x2", 2, x2)),
        }
    }

    fn diagonal(&self, x: Any<'_, '_>, nngp: Option<Any<'_, '_>>, ntk: Option<Any<'_, '_>>) -> PyResult<()> {
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
    fn run_gram<T: Number>(
        &self,
        x: &PyReadonlyArray2<'_, T>,
        nngp: Option<Any<'_, '_>>,
        ntk: Option<Any<'_, '_>>,
        progress: Option<Any<'_, '_>>,
    ) -> PyResult<()> {
        let py = x.py();
        let x = x.as_array();
        let shape = [x.nrows(), x.nrows()];
        let wanted = Wanted { nngp: nngp.is_some(), ntk: ntk.is_some() };
        let mut nngp = Output::<T, Ix2>::new("out.nngp", nngp, &shape)?;
        let mut ntk = Output::<T, Ix2>::new("out.ntk", ntk, &shape)?;
        let mut sink = Mirrored(Plain {
            nngp: nngp.as_mut().map(Output::target),
            ntk: ntk.as_mut().map(Output::target),
        });
        let operations = self.operations(x.nrows() * x.nrows() / 2, x.ncols());
        Call { py, operations, progress }.run(|job| {
            let points = self.points("x", &x, wanted, job)?;
            kernel::gram(&self.0, &points, wanted, &mut sink, job)
        })
    }

    fn run_cross<T: Number>(
        &self,
        x: &PyReadonlyArray2<'_, T>,
        x2: &PyReadonlyArray2<'_, T>,
        nngp: Option<Any<'_, '_>>,
        ntk: Option<Any<'_, '_>>,
        progress: Option<Any<'_, '_>>,
    ) -> PyResult<()> {
        let py = x.py();
        let (x, x2) = (x.as_array(), x2.as_array());
        let shape = [x.nrows(), x2.nrows()];
        let wanted = Wanted { nngp: nngp.is_some(), ntk: ntk.is_some() };
        let mut nngp = Output::<T, Ix2>::new("out.nngp", nngp, &shape)?;
        let mut ntk = Output::<T, Ix2>::new("out.ntk", ntk, &shape)?;
        let mut sink =
            Plain { nngp: nngp.as_mut().map(Output::target), ntk: ntk.as_mut().map(Output::target) };
        let operations = self.operations(x.nrows() * x2.nrows(), x.ncols());
        Call { py, operations, progress }.run(|job| {
            let left = self.points("x", &x, wanted, job)?;
            let right = self.points("x2", &x2, wanted, job)?;
            kernel::cross(&self.0, &left, &right, wanted, &mut sink, job)
        })
    }

    fn run_diagonal<T: Number>(
        &self,
        x: &PyReadonlyArray2<'_, T>,
        nngp: Option<Any<'_, '_>>,
        ntk: Option<Any<'_, '_>>,
    ) -> PyResult<()> {
        let py = x.py();
        let x = x.as_array();
        let wanted = Wanted { nngp: nngp.is_some(), ntk: ntk.is_some() };
        let nngp = Output::<T, Ix1>::new("out.nngp", nngp, &[x.nrows()])?;
        let ntk = Output::<T, Ix1>::new("out.ntk", ntk, &[x.nrows()])?;
        let operations = self.operations(x.nrows(), x.ncols());
        let points = Call { py, operations, progress: None }.run(|job| self.points("x", &x, wanted, job))?;
        if let Some(mut out) = nngp {
            out.fill(kernel::diagonal(&points).map(|(nngp, _)| nngp));
        }
        if let Some(mut out) = ntk {
            out.fill(kernel::diagonal(&points).map(|(_, ntk)| ntk));
        }
        Ok(())
    }

    fn points<T: Number>(
        &self,
        argument: &'static str,
        x: &ArrayView2<'_, T>,
        wanted: Wanted,
        job: &Job,
    ) -> Result<Points<T>> {
        let fill = |row: usize, buffer: &mut [T]| copy_row(x, row, buffer);
        Points::new(argument, x.nrows(), x.ncols(), fill, &self.0, wanted, job)
    }

    fn operations(&self, pairs: usize, features: usize) -> usize {
        pairs.saturating_mul(features + OPERATIONS * self.0.steps.len())
    }
}
