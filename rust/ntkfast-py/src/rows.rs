//! Kernels of rows, wherever these were read from: fit what is known by its values, then compute.

use crate::arrays::{Number, copy_row};
use ntkfast_core::Result;
use ntkfast_core::kernel::{self, Mirrored, Plain, Points, Rows, Wanted};
use ntkfast_core::parallel::Job;
use ntkfast_core::program::Program;
use numpy::ndarray::ArrayView2;

/// The rows of a borrowed array; copied where they do not follow each other, and where Python code that runs during the
/// call could change them.
pub fn read<'a, T: Number>(
    argument: &'static str,
    x: &'a ArrayView2<'_, T>,
    watched: bool,
    job: &Job,
) -> Result<Rows<'a, T>> {
    let [count, features] = [x.nrows(), x.ncols()];
    match x.as_slice().filter(|_| !watched) {
        Some(points) => Rows::borrowed(argument, count, features, points, job),
        None => Rows::new(argument, count, features, |row, buffer| copy_row(x, row, buffer), job),
    }
}

/// All pairs of one set of rows; what is to be warned of.
pub fn gram<T: Number>(
    program: &Program,
    x: Rows<'_, T>,
    out: Plain<'_, T>,
    job: &Job,
) -> Result<Vec<String>> {
    let program = program.fit::<T>(x.features(), x.scales(), job)?;
    let wanted = out.wanted();
    let points = Points::new(x, &program, wanted, job)?;
    kernel::gram(&program, &points, wanted, &mut Mirrored(out), job)?;
    Ok(warnings(&program))
}

/// All pairs of two sets.
pub fn cross<T: Number>(
    program: &Program,
    [x, x2]: [Rows<'_, T>; 2],
    mut out: Plain<'_, T>,
    job: &Job,
) -> Result<Vec<String>> {
    let program = program.fit::<T>(x.features(), &[x.scales(), x2.scales()].concat(), job)?;
    let wanted = out.wanted();
    let left = Points::new(x, &program, wanted, job)?;
    let right = Points::new(x2, &program, wanted, job)?;
    kernel::cross(&program, &left, &right, wanted, &mut out, job)?;
    Ok(warnings(&program))
}

/// Every row with itself, for [`kernel::diagonal`] to give out.
pub fn diagonal<'a, T: Number>(
    program: &Program,
    x: Rows<'a, T>,
    wanted: Wanted,
    job: &Job,
) -> Result<(Vec<String>, Points<'a, T>)> {
    let program = program.fit::<T>(x.features(), x.scales(), job)?;
    let points = Points::new(x, &program, wanted, job)?;
    Ok((warnings(&program), points))
}

/// What a call's fits leave unresolved, in words.
pub fn warnings(program: &Program) -> Vec<String> {
    program
        .unresolved()
        .map(|(name, error)| {
            format!(
                "{name} is not resolved: its kernels have an estimated relative error of {error:.0e}. \
                 Kinks away from zero, steps, and steep slopes at large variances converge slowly"
            )
        })
        .collect()
}
