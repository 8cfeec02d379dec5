//! Fitting a network's numerical activations to the positions of a call's images.

use super::drivers::ImageNetwork;
use super::images::Images;
use crate::error::Result;
use crate::kernel::Wanted;
use crate::parallel::Job;
use crate::program::{Prepared, Program, Recipe, Scales};
use crate::scalar::Scalar;
use crate::simd::Level;
use std::borrow::Cow;

/// Make a program ready for these images: every function that is known by its values is fitted to the scales which
/// positions have before it.
///
/// # Errors
/// [`crate::Error::Function`] where a function fails; [`crate::Error::Overflow`] where images are too large before
/// one; [`crate::Error::PlaneMemory`]; [`crate::Error::Cancelled`].
pub fn prepare<'a, T: Scalar>(
    program: &'a Program,
    images: &mut [&mut Images<T>],
    job: &Job,
) -> Result<Prepared<'a, T>> {
    let mut fitted = Cow::Borrowed(program);
    let mut fits = Vec::new();
    for index in program.functions() {
        let mut scales = Scales::default();
        for images in images.iter_mut() {
            let network = ImageNetwork::new(&fitted, images, Wanted { nngp: true, ntk: true });
            network.prepare(images, index, job)?;
            scales = scales.with(network.scales(images, index, job)?);
        }
        fitted.to_mut().fit_step::<T>(index, scales, job)?;
        fits.push(scales);
    }
    let features = images.first().map_or(0, |images| images.channels());
    // Pairs of images are computed layer by layer, however many they are.
    let recipe =
        Recipe { features, input: Scales::default(), fits, pairs: 0, grid: None, level: Level::current() };
    Ok(Prepared::new(fitted, recipe))
}
