//! The tile writer: finished tiles into an output array that several threads fill at once.

use super::{Finished, Sink, TileValues, Wanted};
use crate::kernel::tile::TILE_STRIPS;
use crate::simd::{STRIP, Strip};
use std::marker::PhantomData;
use std::ops::Range;

/// A matrix of any strides, to be written by several threads at disjoint places.
pub struct Target<'a, T> {
    start: *mut T,
    shape: [usize; 2],
    strides: [isize; 2],
    lifetime: PhantomData<&'a mut T>,
}

// SAFETY: a target is a unique borrow of its memory; threads write to disjoint entries (see `Sink::accept`).
unsafe impl<T: Send> Send for Target<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Target<'_, T> {}

impl<T: Copy> Target<'_, T> {
    /// The matrix whose entry (i, j) is at `start + i·strides[0] + j·strides[1]`, strides in entries.
    ///
    /// # Safety
    /// Every entry of the shape must be valid for writes, no two entries may share memory, and nothing else may
    /// access them during the target's lifetime.
    pub unsafe fn new(start: *mut T, shape: [usize; 2], strides: [isize; 2]) -> Self {
        Self { start, shape, strides, lifetime: PhantomData }
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
            unsafe { self.at(row, column).copy_from_nonoverlapping(values.as_ptr(), values.len()) };
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
        // SAFETY: within the shape, and drivers hand over every pair of it exactly once.
        unsafe { *self.at(row, column) = value };
    }

    /// Write a tile at its place; of a tile on the diagonal that is to be mirrored, the upper half.
    fn tile(&self, rows: &Range<usize>, columns: &Range<usize>, values: &[Strip<T>], upper: bool) {
        self.check(rows, columns);
        for (i, row) in rows.clone().enumerate() {
            let first = if upper { i } else { 0 };
            for block in first / STRIP..columns.len().div_ceil(STRIP) {
                let lanes = first.max(block * STRIP) % STRIP..STRIP.min(columns.len() - block * STRIP);
                let column = columns.start + block * STRIP + lanes.start;
                let values = &values[i * TILE_STRIPS + block].0[lanes];
                // SAFETY: within the shape, and drivers hand over every pair of it exactly once.
                unsafe { self.write_row(row, column, values) };
            }
        }
    }

    /// Write a tile at the transposed place; of a tile on the diagonal, its strictly upper half.
    fn mirror(&self, rows: &Range<usize>, columns: &Range<usize>, values: &[Strip<T>], upper: bool) {
        // In small squares, so that the lines read stay in the first-level cache while they are gathered.
        const SQUARE: usize = 16;
        self.check(columns, rows);
        for left in (0..columns.len()).step_by(SQUARE) {
            for top in (0..rows.len()).step_by(SQUARE) {
                for j in left..columns.len().min(left + SQUARE) {
                    let end = rows.len().min(top + SQUARE).min(if upper { j } else { usize::MAX });
                    let mut column = [values[0].0[0]; SQUARE];
                    let gathered = top..end.max(top);
                    for (value, i) in column.iter_mut().zip(gathered.clone()) {
                        *value = values[i * TILE_STRIPS + j / STRIP].0[j % STRIP];
                    }
                    // SAFETY: as above; (j, i) with i < j belongs to no tile but this.
                    unsafe {
                        self.write_row(columns.start + j, rows.start + top, &column[..gathered.len()]);
                    }
                }
            }
        }
    }
}

/// Writes tiles where they belong.
pub struct Plain<'a, T> {
    /// Where the NNGP of each output goes; empty where it is not wanted.
    pub nngp: Vec<Target<'a, T>>,
    /// Where the NTK of each output goes; empty where it is not wanted.
    pub ntk: Vec<Target<'a, T>>,
}

/// Writes tiles where they belong and, transposed, across the diagonal.
pub struct Mirrored<'a, T>(pub Plain<'a, T>);

impl<T: Copy> Plain<'_, T> {
    /// What has a place to go.
    pub fn wanted(&self) -> Wanted {
        Wanted { nngp: !self.nngp.is_empty(), ntk: !self.ntk.is_empty() }
    }

    fn targets<'a>(
        &'a self,
        values: &'a [TileValues<T>],
    ) -> impl Iterator<Item = (&'a Target<'a, T>, &'a [Strip<T>])> {
        let nngp = self.nngp.iter().zip(values.iter().map(|values| values.nngp.as_slice()));
        nngp.chain(self.ntk.iter().zip(values.iter().map(|values| values.ntk.as_slice())))
    }
}

impl<T: Copy + Send + Sync> Sink<T> for Plain<'_, T> {
    fn accept(&self, tile: &Finished<'_, T>) {
        for (target, values) in self.targets(tile.values) {
            target.tile(&tile.rows, &tile.columns, values, false);
        }
    }
}

impl<T: Copy + Send + Sync> Sink<T> for Mirrored<'_, T> {
    fn accept(&self, tile: &Finished<'_, T>) {
        let upper = tile.rows.start == tile.columns.start;
        for (target, values) in self.0.targets(tile.values) {
            target.tile(&tile.rows, &tile.columns, values, upper);
            target.mirror(&tile.rows, &tile.columns, values, upper);
        }
    }
}
