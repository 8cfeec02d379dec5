//! Kernels of a compiled network, prepared for a call or before it.

use crate::arrays::{ArrayFloat, Arrays, outputs, targets};
use crate::description::Raised;
use crate::door::Call;
use crate::samples::View;
use ntkfast_core::kernel::{OPERATIONS, Outputs, Wanted, Workload};
use ntkfast_core::parallel::Job;
use ntkfast_core::program::{Prepared, Recipe};
use ntkfast_core::{Model, Result};
use numpy::ndarray::{Ix1, Ix2};
use pyo3::prelude::*;

/// Operations of making the first fits: however few the points, so many that threads may share them and Ctrl-C has to end
/// them.
const FITS: usize = 100_000_000;

/// A network to evaluate.
pub struct Evaluation<'a, T: ArrayFloat> {
    pub model: &'a Model,
    /// As it was prepared before; otherwise it is prepared for the samples of each call.
    pub prepared: Option<&'a Prepared<'static, T>>,
    pub raised: &'a Raised,
}

/// Where the GIL and the progress callback of a call come from.
#[derive(Clone, Copy)]
pub struct Caller<'a, 'py> {
    pub py: Python<'py>,
    pub progress: Option<&'a Bound<'py, PyAny>>,
}

/// What the caller calls the outputs: `out` is one array for one kernel, and has a field for each of two.
fn names(nngp: &Arrays<'_>, ntk: &Arrays<'_>) -> [&'static str; 2] {
    if nngp.is_some() && ntk.is_some() { ["out.nngp", "out.ntk"] } else { ["out"; 2] }
}

impl<T: ArrayFloat> Evaluation<'_, T> {
    /// The kernels of all pairs of one set.
    pub fn gram(
        &self,
        caller: Caller<'_, '_>,
        x: &View<'_, T>,
        nngp: Arrays<'_>,
        ntk: Arrays<'_>,
    ) -> PyResult<()> {
        let count = x.count();
        let names = names(&nngp, &ntk);
        let mut nngp = outputs::<T, Ix2>(names[0], nngp, self.model.results(), &[count, count])?;
        let mut ntk = outputs::<T, Ix2>(names[1], ntk, self.model.results(), &[count, count])?;
        let out = Outputs { nngp: targets(&mut nngp), ntk: targets(&mut ntk) };
        let watched = caller.progress.is_some();
        self.run(caller, self.operations(count.saturating_mul(count) / 2, x), |job| {
            let mut x = x.samples("x", watched, job)?;
            if let Some(prepared) = self.prepared {
                return T::gram(prepared, x, out, job);
            }
            let prepared = T::prepare(self.model, &mut [&mut x], count.saturating_mul(count), job)?;
            T::gram(&prepared, x, out, job)?;
            Ok(())
        })
    }

    /// The kernels of all pairs of two sets.
    pub fn cross(
        &self,
        caller: Caller<'_, '_>,
        [x, x2]: [&View<'_, T>; 2],
        nngp: Arrays<'_>,
        ntk: Arrays<'_>,
    ) -> PyResult<()> {
        let shape = [x.count(), x2.count()];
        let names = names(&nngp, &ntk);
        let mut nngp = outputs::<T, Ix2>(names[0], nngp, self.model.results(), &shape)?;
        let mut ntk = outputs::<T, Ix2>(names[1], ntk, self.model.results(), &shape)?;
        let out = Outputs { nngp: targets(&mut nngp), ntk: targets(&mut ntk) };
        let watched = caller.progress.is_some();
        let pairs = shape[0].saturating_mul(shape[1]);
        self.run(caller, self.operations(pairs, x), |job| {
            let [mut x, mut x2] = [x.samples("x", watched, job)?, x2.samples("x2", watched, job)?];
            if let Some(prepared) = self.prepared {
                return T::cross(prepared, [x, x2], out, job);
            }
            let prepared = T::prepare(self.model, &mut [&mut x, &mut x2], pairs, job)?;
            T::cross(&prepared, [x, x2], out, job)?;
            Ok(())
        })
    }

    /// The kernel of every sample with itself.
    pub fn diagonal(
        &self,
        py: Python<'_>,
        x: &View<'_, T>,
        nngp: Arrays<'_>,
        ntk: Arrays<'_>,
    ) -> PyResult<()> {
        let count = x.count();
        let names = names(&nngp, &ntk);
        let mut nngp = outputs::<T, Ix1>(names[0], nngp, self.model.results(), &[count])?;
        let mut ntk = outputs::<T, Ix1>(names[1], ntk, self.model.results(), &[count])?;
        let out = Outputs { nngp: targets(&mut nngp), ntk: targets(&mut ntk) };
        self.run(Caller { py, progress: None }, self.operations(count, x), |job| {
            let mut x = x.samples("x", false, job)?;
            if let Some(prepared) = self.prepared {
                return T::diagonal(prepared, x, &out, job);
            }
            // No pair is computed.
            let prepared = T::prepare(self.model, &mut [&mut x], 0, job)?;
            T::diagonal(&prepared, x, &out, job)?;
            Ok(())
        })
    }

    /// Prepare the network for these samples, and so many pairs: otherwise all of one set or of two.
    pub fn prepare(
        &self,
        py: Python<'_>,
        x: &View<'_, T>,
        x2: Option<&View<'_, T>>,
        pairs: Option<usize>,
    ) -> PyResult<Prepared<'static, T>> {
        let pairs = pairs.unwrap_or(x.count().saturating_mul(x2.map_or(x.count(), View::count)));
        let call = Call { py, operations: self.operations(x.count(), x), progress: None };
        run(call, self.raised, |job| {
            let mut x = x.samples("x", false, job)?;
            let mut x2 = x2.map(|x2| x2.samples("x2", false, job)).transpose()?;
            let mut sets: Vec<_> = std::iter::once(&mut x).chain(&mut x2).collect();
            let prepared = T::prepare(self.model, &mut sets, pairs, job)?.into_owned();
            Ok(prepared)
        })
    }

    /// Prepare the network by a recipe.
    pub fn prepare_again(&self, py: Python<'_>, recipe: Recipe) -> PyResult<Prepared<'static, T>> {
        let call = Call { py, operations: FITS, progress: None };
        run(call, self.raised, |job| {
            let prepared = T::prepare_again(self.model, recipe, job)?.into_owned();
            Ok(prepared)
        })
    }

    /// The work of all pairs of two sets of so many samples, or of one set with itself.
    pub fn workload(
        &self,
        py: Python<'_>,
        prepared: &Prepared<'static, T>,
        [count, others]: [usize; 2],
        same: bool,
        wanted: Wanted,
    ) -> PyResult<Workload> {
        // Planning the planes of large images may take a while.
        let call = Call { py, operations: FITS, progress: None };
        run(call, self.raised, |job| T::workload(prepared, [count, others], same, wanted, job))
    }

    fn run(
        &self,
        Caller { py, progress }: Caller<'_, '_>,
        operations: usize,
        work: impl FnOnce(&Job) -> Result<()> + Send,
    ) -> PyResult<()> {
        run(Call { py, operations, progress }, self.raised, work)
    }

    /// Rough number of operations for so many pairs of samples like these.
    fn operations(&self, pairs: usize, x: &View<'_, T>) -> usize {
        let fits = self.prepared.is_none() && self.model.lacks_fits();
        operations(self.model, pairs, x.size(), fits)
    }
}

/// Rough number of operations for so many pairs of samples of so many features, and positions of images; with fits.
pub fn operations(model: &Model, pairs: usize, [features, positions]: [usize; 2], fits: bool) -> usize {
    // Images are computed in whole groups, and have at least the planes of displacement 0.
    let (pairs, features) =
        if model.is_spatial() { (pairs.max(16).saturating_mul(positions), 0) } else { (pairs, features) };
    pairs.saturating_mul(features + OPERATIONS * model.steps()).saturating_add(if fits { FITS } else { 0 })
}

/// Run work that may call Python functions: their exceptions propagate.
pub fn run<R: Send>(
    call: Call<'_, '_>,
    raised: &Raised,
    work: impl FnOnce(&Job) -> Result<R> + Send,
) -> PyResult<R> {
    call.run(work).map_err(|error| raised.take().unwrap_or(error))
}
