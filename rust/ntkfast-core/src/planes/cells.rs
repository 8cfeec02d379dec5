//! Constants of pointwise steps, at the positions of a strip.

use super::layout::Slot;
use super::sums::read;
use super::window::CELLS;
use super::{GROUP, Group};
use crate::scalar::Scalar;
use crate::simd::{Pack, RowConstants};

/// Constants at the positions of a strip.
pub struct Cells<'a, T> {
    pub data: &'a [Group<T>],
    /// The lane that all pairs have in common, if there is one.
    pub one: Option<usize>,
    pub slots: &'a [Slot],
    pub places: [usize; CELLS],
}

impl<T> Clone for Cells<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Cells<'_, T> {}

impl<T: Scalar> RowConstants<T> for Cells<'_, T> {
    #[inline(always)]
    fn get<P: Pack<Scalar = T>>(self, slot: usize, pack: usize) -> P {
        let parts = GROUP / P::LANES;
        let Slot { base, pitch } = self.slots[slot];
        let group = &self.data[base + self.places[pack / parts] * pitch];
        match self.one {
            Some(lane) => P::broadcast(group.0[lane % GROUP]),
            None => read(group, pack % parts),
        }
    }
    #[inline(always)]
    fn part(self, first: usize, count: usize) -> Self {
        Self { slots: &self.slots[first..first + count], ..self }
    }
}
