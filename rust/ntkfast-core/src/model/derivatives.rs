//! The entry points for derivatives, in double precision.

use super::Model;
use crate::error::{Error, Result};
use crate::kernel::{self, Outputs, Rows, Target, Variables, Wanted, Weighted};
use crate::parallel::Job;
use crate::planes::{self, ImageWeights, Images};
use crate::program::Prepared;
use crate::samples::{self, Samples};
use crate::smooth::{self, Pairs};

/// The kernels of all pairs of two sets of rows with their derivatives, see [`kernel::derivatives`].
///
/// # Errors
/// As there, and [`Error::Network`] for images.
pub fn derivatives(
    prepared: &Prepared<'_, f64>,
    sets: [Samples<'_, f64>; 2],
    variables: Variables,
    first: Option<usize>,
    out: &Outputs<'_, f64>,
    job: &Job,
) -> Result<()> {
    kernel::derivatives(prepared, both_rows(sets)?, variables, first, out.wanted(), out, job)
}

/// Their derivatives by inputs, weighted and summed.
///
/// # Errors
/// As for [`derivatives`].
pub fn weighted_derivatives(
    prepared: &Prepared<'_, f64>,
    sets: [Samples<'_, f64>; 2],
    first: Option<usize>,
    out: &Weighted<'_>,
    job: &Job,
) -> Result<()> {
    let wanted = Wanted { nngp: !out.ntk, ntk: out.ntk };
    kernel::derivatives(prepared, both_rows(sets)?, Variables::Inputs, first, wanted, out, job)
}

/// The gradient of weighted kernels by images, of one set or of two; see [`planes::gradients`].
///
/// # Errors
/// As there.
pub fn image_gradients(
    prepared: &Prepared<'_, f64>,
    sets: &mut [Images<f64>],
    weights: ImageWeights<'_>,
    job: &Job,
) -> Result<Vec<Vec<f64>>> {
    planes::gradients(prepared, sets, weights, job)
}

/// The Taylor coefficients of kernels of all pairs, see [`smooth::taylor`].
///
/// # Errors
/// As there.
pub fn taylor_coefficients(
    model: &Model,
    pairs: &Pairs<'_>,
    degree: usize,
    ntk: bool,
    out: &[Target<'_, f64>],
    job: &Job,
) -> Result<()> {
    smooth::taylor(&model.program, pairs, degree, ntk, out, job)
}

fn both_rows([left, right]: [Samples<'_, f64>; 2]) -> Result<[Rows<'_, f64>; 2]> {
    left.check_alike(&right)?;
    match (left.points, right.points) {
        (samples::Form::Rows(left), samples::Form::Rows(right)) => Ok([left, right]),
        _ => Err(Error::Network("kernels of images are not differentiated".to_owned())),
    }
}
