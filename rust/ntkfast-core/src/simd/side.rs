//! Per-row constants as the two sides of a strip of pairs.

use super::{Pack, Strip};

/// Per-row constants of one side of a strip of pairs.
pub trait Side<P: Pack>: Copy {
    /// Constant `slot` of the rows in register `pack`.
    fn get(self, slot: usize, pack: usize) -> P;
}

/// One row against the strip: its constants, slot by slot.
#[derive(Clone, Copy)]
pub struct Single<'a, T>(pub &'a [T]);

impl<P: Pack> Side<P> for Single<'_, P::Scalar> {
    #[inline(always)]
    fn get(self, slot: usize, _pack: usize) -> P {
        P::broadcast(self.0[slot])
    }
}

/// A row for each lane: a strip for each slot.
#[derive(Clone, Copy)]
pub struct Lanes<'a, T>(pub &'a [Strip<T>]);

impl<P: Pack> Side<P> for Lanes<'_, P::Scalar> {
    #[inline(always)]
    fn get(self, slot: usize, pack: usize) -> P {
        P::load(&self.0[slot], pack)
    }
}
