//! Fitting a network's numerical activations to the positions of a call's images.

use super::drivers::Network;
use super::images::Images;
use super::scales::Scales;
use crate::error::Result;
use crate::kernel::Wanted;
use crate::parallel::Job;
use crate::program::{Op, Program};
use crate::scalar::Scalar;
use std::borrow::Cow;

/// The program with every function that is known by its values fitted to the scales which positions of these images
/// have before it. The program itself where there is none.
///
/// # Errors
/// [`crate::Error::Function`] where a function fails; [`crate::Error::Overflow`] where images are too large before
/// one; [`crate::Error::PlaneMemory`]; [`crate::Error::Cancelled`].
pub fn fit<'a, T: Scalar>(
    program: &'a Program,
    images: &mut [&mut Images<T>],
    job: &Job,
) -> Result<Cow<'a, Program>> {
    let mut fitted = Cow::Borrowed(program);
    for index in 0..program.steps.len() {
        if !matches!(program.steps[index].op, Op::Elementwise(_)) {
            continue;
        }
        let mut scales = Scales::default();
        for images in images.iter_mut() {
            let network = Network::new(&fitted, images, Wanted { nngp: true, ntk: true });
            network.prepare(images, index, job)?;
            scales = scales.with(network.scales(images, index, job)?);
        }
        let Scales { low, high, zeros, largest } = scales;
        fitted.to_mut().fit_step::<T>(index, [low, high], zeros, largest, job)?;
    }
    Ok(fitted)
}
