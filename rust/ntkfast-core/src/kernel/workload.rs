//! What a call will compute and hold: counted, before anything is computed. For rows here, for images in `planes`.

use super::Wanted;
use super::tile::Workspace;
use super::units::TILE;
use crate::parallel::threads;
use crate::program::{Prepared, Program};
use crate::scalar::Scalar;
use crate::simd::STRIP;

/// Samples and pairs in units that take the same time each under one network, and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Samples alone, with the lanes that fill up their last register.
    pub samples: usize,
    /// Pairs of samples, likewise.
    pub pairs: usize,
    /// How many threads have something to do, of samples and of pairs.
    pub threads: [usize; 2],
    /// With so many samples or more, a pair takes as long as among many: what is made of single samples is shared.
    pub least: usize,
    /// Bytes beyond the samples and the outputs, and copies of the samples that are made in any case.
    pub bytes: usize,
}

/// The work of all pairs of two sets of so many rows, or of one set with itself. O(1).
pub fn workload<T: Scalar>(
    prepared: &Prepared<'_, T>,
    [rows, columns]: [usize; 2],
    same: bool,
    wanted: Wanted,
) -> Workload {
    let program = prepared.program();
    let features = prepared.recipe().features;
    let padded = |count: usize| count.next_multiple_of(STRIP);
    let [down, across] = [rows, columns].map(|count| count.div_ceil(TILE));
    let (pairs, tiles) = if same {
        // A strip of columns goes with the rows above its end.
        let strips = rows.div_ceil(STRIP);
        let full = strips.saturating_sub(1).saturating_mul(strips) / 2 * STRIP * STRIP;
        (full.saturating_add(rows.saturating_mul(STRIP)), down.saturating_mul(down + 1) / 2)
    } else {
        (rows.saturating_mul(padded(columns)), down.saturating_mul(across))
    };
    let samples = if same { padded(rows) } else { padded(rows) + padded(columns) };
    let workers = threads().min(tiles.max(1));
    let thread = Workspace::<T>::new(program, features, wanted, [rows, columns]).bytes();
    let bytes = samples
        .saturating_mul(bytes_a_row::<T>(program))
        .saturating_add(tiles.saturating_mul(size_of::<(usize, usize)>()))
        .saturating_add(thread * workers);
    let alone = threads().min((samples / STRIP).max(1));
    Workload { samples, pairs, threads: [alone, workers], least: TILE, bytes }
}

/// The norm of a row, its constants, and the roots of its results.
fn bytes_a_row<T>(program: &Program) -> usize {
    size_of::<f64>() + size_of::<T>() * (1 + program.slots + 2 * program.outputs.len())
}
