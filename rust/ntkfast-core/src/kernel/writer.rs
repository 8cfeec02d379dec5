//! The tile writer: finished bands into an output array that several threads fill at once.

use super::stream::{copy, finish};
use super::units::TILE;
use super::{BandValues, Finished, Sink, Wanted};
use crate::scalar::Scalar;
use crate::simd::Strip;
use std::marker::PhantomData;
use std::ops::Range;

/// A matrix of any strides, to be written by several threads at disjoint places.
pub struct Target<'a, T> {
    start: *mut T,
    shape: [usize; 2],
    strides: [isize; 2],
    /// Whether rows go to memory past the caches.
    streamed: bool,
    lifetime: PhantomData<&'a mut T>,
}

/// From so many bytes on, an output is written past the caches: as much as most processors' last cache holds, which
/// would have to give up everything else.
const LARGE: usize = 1 << 25;

// SAFETY: a target is a unique borrow of its memory; threads write to disjoint entries (see `Sink::accept`).
unsafe impl<T: Send> Send for Target<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Target<'_, T> {}

impl<T: Scalar> Target<'_, T> {
    /// The matrix whose entry (i, j) is at `start + i·strides[0] + j·strides[1]`, strides in entries.
    ///
    /// # Safety
    /// Every entry of the shape must be valid for writes, no two entries may share memory, and nothing else may
    /// access them during the target's lifetime.
    pub unsafe fn new(start: *mut T, shape: [usize; 2], strides: [isize; 2]) -> Self {
        let bytes = shape[0].saturating_mul(shape[1]).saturating_mul(size_of::<T>());
        Self { start, shape, strides, streamed: bytes >= LARGE, lifetime: PhantomData }
    }

    fn check(&self, rows: &Range<usize>, columns: &Range<usize>) {
        assert!(
            rows.end <= self.shape[0] && columns.end <= self.shape[1],
            "the target is too small for this walk"
        );
    }

    fn at(&self, row: usize, column: usize) -> *mut T {
        self.start.wrapping_offset(row as isize * self.strides[0] + column as isize * self.strides[1])
    }

    /// Write `values` to consecutive columns.
    ///
    /// # Safety
    /// They are within the shape promised to [`Target::new`], and no other thread writes there.
    unsafe fn write_row(&self, row: usize, column: usize, values: &[T]) {
        if self.strides[1] == 1 {
            // SAFETY: the caller's promise; `values` is not part of the output.
            unsafe { copy(values, self.at(row, column), self.streamed) };
        } else {
            for (lane, value) in values.iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe { *self.at(row, column + lane) = *value };
            }
        }
    }

    /// Write one entry, which no other thread does.
    pub(crate) fn entry(&self, row: usize, column: usize, value: T) {
        assert!(row < self.shape[0] && column < self.shape[1], "the target is too small for this walk");
        // SAFETY: within the shape, and drivers hand over every pair of it once at most.
        unsafe { *self.at(row, column) = value };
    }

    /// Write a band at its place; where it is to be mirrored, without what is below the diagonal.
    pub(crate) fn band(
        &self,
        rows: &Range<usize>,
        columns: &Range<usize>,
        values: &[Strip<T>],
        mirrored: bool,
    ) {
        self.check(rows, columns);
        for (row, values) in rows.clone().zip(values) {
            let first = if mirrored { row.saturating_sub(columns.start) } else { 0 };
            let values = &values.0[first..columns.len()];
            // SAFETY: within the shape, and drivers hand over every pair of it once at most.
            unsafe { self.write_row(row, columns.start + first, values) };
        }
    }

    /// Write what is above the diagonal of a band at the transposed place.
    fn mirror(&self, rows: &Range<usize>, columns: &Range<usize>, values: &[Strip<T>]) {
        // So many columns are a cache line of a row, or two; what is gathered stays in the first-level cache.
        const SOME: usize = 8;
        // Not a power of two: entries of one row would meet in the same few places of the cache.
        let mut gathered = [[T::default(); TILE + 2 * SOME]; SOME];
        self.check(columns, rows);
        for first in (0..columns.len()).step_by(SOME) {
            for (i, values) in values[..rows.len()].iter().enumerate() {
                for (gathered, value) in gathered.iter_mut().zip(&values.0[first..first + SOME]) {
                    gathered[i] = *value;
                }
            }
            let columns = (columns.start + first..columns.end).take(SOME);
            for (column, gathered) in columns.zip(&gathered) {
                let above = column.min(rows.end).saturating_sub(rows.start);
                // SAFETY: as above; (j, i) with i < j belongs to no band but this.
                unsafe { self.write_row(column, rows.start, &gathered[..above]) };
            }
        }
    }
}

/// Writes bands where they belong.
pub struct Outputs<'a, T> {
    /// Where the NNGP of each output goes; empty where it is not wanted.
    pub nngp: Vec<Target<'a, T>>,
    /// Where the NTK of each output goes; empty where it is not wanted.
    pub ntk: Vec<Target<'a, T>>,
}

/// Writes bands where they belong and, transposed, across the diagonal.
pub struct Mirrored<'a, T>(pub Outputs<'a, T>);

impl<T: Scalar> Outputs<'_, T> {
    /// What has a place to go.
    pub fn wanted(&self) -> Wanted {
        Wanted { nngp: !self.nngp.is_empty(), ntk: !self.ntk.is_empty() }
    }

    fn targets<'a>(
        &'a self,
        values: &'a [BandValues<T>],
    ) -> impl Iterator<Item = (&'a Target<'a, T>, &'a [Strip<T>])> {
        let nngp = self.nngp.iter().zip(values.iter().map(|values| values.nngp.as_slice()));
        nngp.chain(self.ntk.iter().zip(values.iter().map(|values| values.ntk.as_slice())))
    }
}

impl<T: Scalar> Sink<T> for Outputs<'_, T> {
    fn accept(&self, band: &Finished<'_, T>) {
        for (target, values) in self.targets(band.values) {
            target.band(&band.rows, &band.columns, values, false);
        }
        finish();
    }
}

impl<T: Scalar> Sink<T> for Mirrored<'_, T> {
    fn accept(&self, band: &Finished<'_, T>) {
        for (target, values) in self.0.targets(band.values) {
            target.band(&band.rows, &band.columns, values, true);
            target.mirror(&band.rows, &band.columns, values);
        }
        finish();
    }
}
