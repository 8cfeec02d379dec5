//! What pairs need of the images of a group.

use super::{GROUP, Group};
use crate::error::Result;
use crate::memory;
use crate::scalar::Scalar;

/// A number for each image.
pub type Each = [f64; GROUP];

/// K and T of every position of a group of images with itself, in units of the maps that a pool reads.
pub type Variances = [Vec<Each>; 2];

/// What the planes need of a group of images.
#[derive(Clone, Debug)]
pub struct GroupConstants<T> {
    /// Which images.
    pub images: [usize; GROUP],
    /// As laid out.
    pub data: Vec<Group<T>>,
    /// For every pool that was reached: K and T of every position with itself.
    pub variances: Vec<Variances>,
    /// √K and √T of the result.
    pub result: [Each; 2],
}

impl<T: Scalar> Default for GroupConstants<T> {
    /// Those of no image, which take no room.
    fn default() -> Self {
        Self { images: [0; GROUP], data: Vec::new(), variances: Vec::new(), result: [[0.0; GROUP]; 2] }
    }
}

impl<T: Scalar> GroupConstants<T> {
    /// Make room for a layout.
    ///
    /// # Errors
    /// [`Error::Memory`].
    pub fn resize(&mut self, size: usize) -> Result<()> {
        if self.data.len() != size {
            self.data = memory::collect((0..size).map(|_| Group([T::default(); GROUP])))?;
        }
        Ok(())
    }

    /// Take the images of another group that are in these lanes.
    pub fn gather(&mut self, from: &Self, lanes: [usize; GROUP]) {
        for (to, from) in self.data.iter_mut().zip(&from.data) {
            to.0 = pick(&from.0, lanes);
        }
        self.variances.clone_from(&from.variances);
        (self.images, self.result) = (from.images, from.result);
        self.arrange_maps(lanes);
    }

    /// Bring the images that are in these lanes to the others, in order.
    pub fn arrange(&mut self, lanes: [usize; GROUP]) {
        for group in &mut self.data {
            group.0 = pick(&group.0, lanes);
        }
        self.arrange_maps(lanes);
    }

    fn arrange_maps(&mut self, lanes: [usize; GROUP]) {
        self.images = pick(&self.images, lanes);
        for values in self.variances.iter_mut().flatten().flatten().chain(&mut self.result) {
            *values = pick(values, lanes);
        }
    }
}

#[inline]
fn pick<T: Copy>(values: &[T; GROUP], lanes: [usize; GROUP]) -> [T; GROUP] {
    lanes.map(|lane| values[lane % GROUP])
}
