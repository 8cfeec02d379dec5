//! Inner products of a tile: some rows against packed others.
//!
//! Sums of six rows with a group of others, a lane for each, stay in registers while the features go by: the loop
//! order of Goto and van de Geijn (2008). The others are packed once for all tiles that have them as columns; a
//! library's product would do so for every tile.

use super::units::{TILE, Units};
use crate::scalar::Scalar;
use crate::simd::{Pack, STRIP, Strip, Vectorized};
use std::ops::Range;

/// Features at a time: so many of the tile's rows and of the band's columns stay in the second-level cache.
const DEPTH: usize = 512;

/// Rows at a time, and those that are left of a tile: 256 = 42 · 6 + 4.
const ROWS: usize = 6;
const REST: usize = TILE % ROWS;

/// Rows that are packed at a time: what they write is a cache line, or half of one.
const ROWS_AT_A_TIME: usize = 8;

/// How many features share a strip, if it holds `lanes` rows of each.
const fn shared(lanes: usize) -> usize {
    STRIP / lanes
}

/// Strips enough for so many features of 64 rows, at four lanes or more.
pub const fn packed_strips(features: usize) -> usize {
    features.next_multiple_of(shared(4))
}

/// Writes some features of v̂ of some rows into strips.
pub struct Packing<'a, T> {
    /// Which rows.
    pub rows: Units<'a, T>,
    /// Numbers in a row.
    pub features: usize,
    /// Those that are packed.
    pub some: &'a Range<usize>,
    /// For every 64 rows [`packed_strips`]. Places without a row or feature keep what they had.
    pub panel: &'a mut [Strip<T>],
    /// Whether a strip holds one feature of 64 rows, or as [`Products`] wants it.
    pub whole: bool,
}

impl<T: Scalar> Vectorized<T> for Packing<'_, T> {
    type Output = ();
    type Unit = Self;

    fn run<P: Pack<Scalar = T>>(self) {
        let lanes = if self.whole { STRIP } else { P::SUMS * P::LANES };
        let (shared, depth) = (shared(lanes), self.some.len());
        let Units { points, inverses } = self.rows;
        let blocks = points.chunks(STRIP * self.features).zip(inverses.chunks(STRIP));
        for ((rows, inverses), strips) in blocks.zip(self.panel.chunks_mut(packed_strips(depth))) {
            let groups = rows.chunks(lanes * self.features).zip(inverses.chunks(lanes));
            for ((rows, inverses), strips) in groups.zip(strips.chunks_mut(depth.div_ceil(shared))) {
                let parts = rows.chunks(ROWS_AT_A_TIME * self.features).zip(inverses.chunks(ROWS_AT_A_TIME));
                for (first, (rows, inverses)) in (0..lanes).step_by(ROWS_AT_A_TIME).zip(parts) {
                    for (i, feature) in self.some.clone().enumerate() {
                        let lanes = &mut strips[i / shared].0[i % shared * lanes + first..];
                        for (lane, (value, inverse)) in lanes.iter_mut().zip(inverses).enumerate() {
                            *value = rows[lane * self.features + feature] * *inverse;
                        }
                    }
                }
            }
        }
    }
}

/// Inner products over some features of rows with a strip of packed others.
pub struct Products<'a, T> {
    /// Row after row.
    pub rows: &'a [T],
    /// Numbers in a row.
    pub features: usize,
    /// Those that the panel holds.
    pub some: &'a Range<usize>,
    /// As [`Packing`] leaves it.
    pub panel: &'a [Strip<T>],
    /// How many others there are; what belongs to no other is left undefined.
    pub columns: usize,
    /// A strip for each row.
    pub out: &'a mut [Strip<T>],
    /// Whether products replace what stands there, or are added to it.
    pub fresh: bool,
}

impl<T: Scalar> Vectorized<T> for Products<'_, T> {
    type Output = ();
    type Unit = Self;

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
    fn sums<P: Pack<Scalar = T>, const SUMS: usize>(mut self) {
        let shared = const { shared(SUMS * P::LANES) };
        let packs = self.columns.div_ceil(P::LANES);
        for start in self.some.clone().step_by(DEPTH) {
            let part = start..self.some.end.min(start + DEPTH);
            let first = (start - self.some.start) / shared;
            let groups = self.panel.chunks_exact(self.some.len().div_ceil(shared)).take(shared);
            for (group, strips) in groups.enumerate() {
                let strips = &strips[first..];
                let begin = group * SUMS;
                if packs >= begin + SUMS {
                    self.group::<P, SUMS, SUMS>(&part, strips, begin);
                } else {
                    for pack in begin..packs {
                        self.group::<P, SUMS, 1>(&part, strips, pack);
                    }
                }
            }
        }
    }

    /// Products of all rows with a few registers of others, `TOGETHER` of the `SUMS` in a group.
    #[inline(always)]
    fn group<P: Pack<Scalar = T>, const SUMS: usize, const TOGETHER: usize>(
        &mut self,
        part: &Range<usize>,
        strips: &[Strip<T>],
        pack: usize,
    ) {
        let fresh = self.fresh && part.start == self.some.start;
        let features = self.features;
        for (rows, out) in self.rows.chunks(ROWS * features).zip(self.out.chunks_mut(ROWS)) {
            match rows.len() / features {
                ROWS => add::<P, ROWS, SUMS, TOGETHER>(parts(rows, features, part), strips, pack, out, fresh),
                REST => add::<P, REST, SUMS, TOGETHER>(parts(rows, features, part), strips, pack, out, fresh),
                _ => {
                    for (row, out) in rows.chunks_exact(features).zip(out.chunks_mut(1)) {
                        add::<P, 1, SUMS, TOGETHER>([&row[part.clone()]], strips, pack, out, fresh);
                    }
                }
            }
        }
    }
}

/// Some features of every row. A loop: closures are not inlined for certain.
#[inline(always)]
fn parts<'a, T, const ROWS: usize>(rows: &'a [T], features: usize, some: &Range<usize>) -> [&'a [T]; ROWS] {
    let mut parts = [&rows[..0]; ROWS];
    for (i, part) in parts.iter_mut().enumerate() {
        *part = &rows[i * features..][some.clone()];
    }
    parts
}

/// Products of a few rows with a few registers of others, from `pack` on.
#[inline(always)]
fn add<P: Pack, const ROWS: usize, const SUMS: usize, const TOGETHER: usize>(
    rows: [&[P::Scalar]; ROWS],
    strips: &[Strip<P::Scalar>],
    pack: usize,
    out: &mut [Strip<P::Scalar>],
    fresh: bool,
) {
    let (depth, lanes) = (rows[0].len(), const { SUMS * P::LANES });
    // A whole group begins at 0, which the compiler cannot know of `pack`.
    let place = if TOGETHER == SUMS { 0 } else { pack % SUMS * P::LANES };
    let others = &Strip::flat(strips)[..depth * lanes];
    let mut sums = [[P::splat(0.0); TOGETHER]; ROWS];
    for (feature, others) in others.chunks_exact(lanes).enumerate() {
        step(&mut sums, rows, feature, &others[place..]);
    }
    // Sums of these features come first: one sum over all of them would lose digits where there are many.
    for (row, sums) in sums.iter().enumerate() {
        let out = &mut out[row];
        for (i, sum) in sums.iter().enumerate() {
            let before = if fresh { P::splat(0.0) } else { P::load(out, pack + i) };
            (before + *sum).store(out, pack + i);
        }
    }
}

/// Products of one feature.
#[inline(always)]
fn step<P: Pack, const ROWS: usize, const TOGETHER: usize>(
    sums: &mut [[P; TOGETHER]; ROWS],
    rows: [&[P::Scalar]; ROWS],
    feature: usize,
    others: &[P::Scalar],
) {
    let mut registers = [P::splat(0.0); TOGETHER];
    for (i, register) in registers.iter_mut().enumerate() {
        *register = P::read(&others[i * P::LANES..]);
    }
    for (sums, row) in sums.iter_mut().zip(rows) {
        let value = P::broadcast(row[feature]);
        for (sum, other) in sums.iter_mut().zip(registers) {
            *sum = value.mul_add(other, *sum);
        }
    }
}
