//! Per-row constants as the two sides of a strip of pairs.

use super::{Number, Pack, Strip};

/// Per-row constants of one side of a strip of pairs.
pub trait RowConstants<T>: Copy {
    /// Constant `slot` of the rows in register `pack`.
    fn get<P: Pack<Scalar = T>>(self, slot: usize, pack: usize) -> P;
    /// Only `count` constants from `first` on.
    fn part(self, first: usize, count: usize) -> Self;
}

/// The same as numbers that may carry derivatives.
pub trait GroupConstants<N>: Copy {
    /// Constant `slot` of the rows in register `pack`.
    fn at(self, slot: usize, pack: usize) -> N;
    /// Only `count` constants from `first` on.
    fn range(self, first: usize, count: usize) -> Self;
}

impl<P: Pack, S: RowConstants<P::Scalar>> GroupConstants<P> for S {
    #[inline(always)]
    fn at(self, slot: usize, pack: usize) -> P {
        self.get(slot, pack)
    }
    #[inline(always)]
    fn range(self, first: usize, count: usize) -> Self {
        self.part(first, count)
    }
}

/// One row against the strip: its constants, slot by slot.
#[derive(Clone, Copy)]
pub struct Single<'a, T>(pub &'a [T]);

impl<T: Copy> RowConstants<T> for Single<'_, T> {
    #[inline(always)]
    fn get<P: Pack<Scalar = T>>(self, slot: usize, _pack: usize) -> P {
        P::broadcast(self.0[slot])
    }
    #[inline(always)]
    fn part(self, first: usize, count: usize) -> Self {
        Self(&self.0[first..first + count])
    }
}

/// A row for each lane: a strip for each slot.
#[derive(Clone, Copy)]
pub struct Lanes<'a, T>(pub &'a [Strip<T>]);

impl<T: Copy> RowConstants<T> for Lanes<'_, T> {
    #[inline(always)]
    fn get<P: Pack<Scalar = T>>(self, slot: usize, pack: usize) -> P {
        P::load(&self.0[slot], pack)
    }
    #[inline(always)]
    fn part(self, first: usize, count: usize) -> Self {
        Self(&self.0[first..first + count])
    }
}

/// Product of both sides' constant.
#[inline(always)]
pub fn weight<N: Number>(
    left: impl GroupConstants<N>,
    right: impl GroupConstants<N>,
    slot: usize,
    pack: usize,
) -> N {
    left.at(slot, pack) * right.at(slot, pack)
}
