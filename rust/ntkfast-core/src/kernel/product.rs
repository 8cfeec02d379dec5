//! Inner products of a tile: some rows against packed others.
//!
//! Sums of six rows with a group of others, a lane for each, stay in registers while the features go by: the loop
//! order of Goto and van de Geijn (2008). The others are packed once for all tiles that have them as columns; a
//! library's product would do so for every tile.

use super::tile::{TILE, TILE_STRIPS};
use crate::scalar::Scalar;
use crate::simd::{Kernel, Pack, STRIP, Strip};
use std::array::from_fn;
use std::ops::Range;

/// Features at a time: so many of the tile's rows and columns stay in the second-level cache.
const DEPTH: usize = 512;

/// Rows at a time, and those that are left of a tile: 256 = 42 · 6 + 4.
const ROWS: usize = 6;
const REST: usize = TILE % ROWS;

/// How many features share a strip, if it holds `lanes` rows of each.
const fn shared(lanes: usize) -> usize {
    STRIP / lanes
}

/// Strips enough for so many features of 64 rows, at eight lanes or more.
pub const fn packed_strips(features: usize) -> usize {
    features.next_multiple_of(shared(8))
}

/// Writes some features of some rows into strips.
pub struct Packing<'a, T> {
    /// Row after row.
    pub rows: &'a [T],
    /// Numbers in a row.
    pub features: usize,
    /// Those that are packed.
    pub some: &'a Range<usize>,
    /// For every 64 rows [`packed_strips`]. Places without a row or feature keep what they had.
    pub panel: &'a mut [Strip<T>],
    /// Whether a strip holds one feature of 64 rows, or as [`Products`] wants it.
    pub whole: bool,
}

impl<T: Scalar> Kernel<T> for Packing<'_, T> {
    type Output = ();

    fn run<P: Pack<Scalar = T>>(self) {
        let lanes = if self.whole { STRIP } else { P::SUMS * P::LANES };
        let (shared, depth) = (shared(lanes), self.some.len());
        let blocks = self.rows.chunks(STRIP * self.features).zip(self.panel.chunks_mut(packed_strips(depth)));
        for (rows, strips) in blocks {
            let groups = rows.chunks(lanes * self.features).zip(strips.chunks_mut(depth.div_ceil(shared)));
            for (rows, strips) in groups {
                for (lane, row) in rows.chunks_exact(self.features).enumerate() {
                    for (strip, values) in strips.iter_mut().zip(row[self.some.clone()].chunks(shared)) {
                        for (i, value) in values.iter().enumerate() {
                            strip.0[i * lanes + lane] = *value;
                        }
                    }
                }
            }
        }
    }
}

/// Inner products over some features of rows with packed others.
pub struct Products<'a, T> {
    /// Row after row.
    pub rows: &'a [T],
    /// Numbers in a row.
    pub features: usize,
    /// Those that the panel holds.
    pub some: &'a Range<usize>,
    /// As [`Packing`] leaves it.
    pub panel: &'a [Strip<T>],
    /// Products of row i with the j-th 64 others go to entry i · [`TILE_STRIPS`] + j.
    pub out: &'a mut [Strip<T>],
    /// Whether they replace what stands there, or are added to it.
    pub fresh: bool,
}

impl<T: Scalar> Kernel<T> for Products<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<P: Pack<Scalar = T>>(self) {
        match P::SUMS {
            4 => self.sums::<P, 4>(),
            2 => self.sums::<P, 2>(),
            _ => self.sums::<P, 1>(),
        }
    }
}

impl<T: Scalar> Products<'_, T> {
    #[inline(always)]
    fn sums<P: Pack<Scalar = T>, const SUMS: usize>(self) {
        let Self { rows, features, some, panel, out, fresh } = self;
        let shared = const { shared(SUMS * P::LANES) };
        for start in some.clone().step_by(DEPTH) {
            let part = start..some.end.min(start + DEPTH);
            let fresh = fresh && start == some.start;
            for (block, strips) in panel.chunks(packed_strips(some.len())).enumerate() {
                for (group, strips) in
                    strips.chunks_exact(some.len().div_ceil(shared)).take(shared).enumerate()
                {
                    let strips = &strips[(start - some.start) / shared..];
                    for (rows, out) in rows.chunks(ROWS * features).zip(out.chunks_mut(ROWS * TILE_STRIPS)) {
                        let out = &mut out[block..];
                        let row = |i: usize| &rows[i * features..][part.clone()];
                        match rows.len() / features {
                            ROWS => add::<P, ROWS, SUMS>(from_fn(row), strips, group, out, fresh),
                            REST => add::<P, REST, SUMS>(from_fn(row), strips, group, out, fresh),
                            few => {
                                for i in 0..few {
                                    let out = &mut out[i * TILE_STRIPS..];
                                    add::<P, 1, SUMS>([row(i)], strips, group, out, fresh);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Products of a few rows with a group of others.
#[inline(always)]
fn add<P: Pack, const ROWS: usize, const SUMS: usize>(
    rows: [&[P::Scalar]; ROWS],
    strips: &[Strip<P::Scalar>],
    group: usize,
    out: &mut [Strip<P::Scalar>],
    fresh: bool,
) {
    let shared = const { shared(SUMS * P::LANES) };
    let depth = rows[0].len();
    let mut sums = [[P::splat(0.0); SUMS]; ROWS];
    let whole = depth / shared;
    for (first, strip) in (0..whole * shared).step_by(shared).zip(strips) {
        for i in 0..shared {
            step(&mut sums, rows.map(|row| row[first + i]), strip, i);
        }
    }
    for feature in whole * shared..depth {
        step(&mut sums, rows.map(|row| row[feature]), &strips[whole], feature % shared);
    }
    // Sums of these features come first: one sum over all of them would lose digits where there are many.
    for (row, sums) in sums.iter().enumerate() {
        let out = &mut out[row * TILE_STRIPS];
        for (i, sum) in sums.iter().enumerate() {
            let pack = group * SUMS + i;
            let before = if fresh { P::splat(0.0) } else { P::load(out, pack) };
            (before + *sum).store(out, pack);
        }
    }
}

/// Products of one feature.
#[inline(always)]
fn step<P: Pack, const ROWS: usize, const SUMS: usize>(
    sums: &mut [[P; SUMS]; ROWS],
    values: [P::Scalar; ROWS],
    strip: &Strip<P::Scalar>,
    place: usize,
) {
    let mut others = [P::splat(0.0); SUMS];
    for (i, other) in others.iter_mut().enumerate() {
        *other = P::load(strip, place * SUMS + i);
    }
    for (sums, value) in sums.iter_mut().zip(values) {
        let value = P::broadcast(value);
        for (sum, other) in sums.iter_mut().zip(others) {
            *sum = value.mul_add(other, *sum);
        }
    }
}
