//! Walks over tiles.

use super::tile::{Finished, TileSource, Workspace};
use super::units::TILE;
use super::{Outputs, Points, Sink, Wanted};
use crate::error::{Error, Result};
use crate::memory;
use crate::parallel::{Job, for_each_index};
use crate::program::Prepared;
use crate::scalar::Scalar;
use crate::simd::STRIP;
use std::ops::Range;

/// All pairs (i, j) of one set with i ≤ j, each once; where a band meets the diagonal, some with i > j,
/// too. O(n²·(d + steps)).
///
/// # Errors
/// [`Error::Memory`], [`Error::Cancelled`].
pub fn gram<T: Scalar>(
    prepared: &Prepared<'_, T>,
    points: &Points<'_, T>,
    wanted: Wanted,
    sink: &mut impl Sink<T>,
    job: &Job,
) -> Result<()> {
    let count = points.count().div_ceil(TILE);
    let mut tiles = memory::empty(count * (count + 1) / 2)?;
    tiles.extend((0..count).flat_map(|j| (0..=j).map(move |i| (i, j))));
    walk::<_, true>(prepared, [points, points], tiles, wanted, sink, job)
}

/// All pairs of two sets. O(n·m·(d + steps)).
///
/// # Errors
/// [`Error::Shape`] where the numbers of features differ; [`Error::Memory`]; [`Error::Cancelled`].
pub fn cross<T: Scalar>(
    prepared: &Prepared<'_, T>,
    left: &Points<'_, T>,
    right: &Points<'_, T>,
    wanted: Wanted,
    sink: &mut impl Sink<T>,
    job: &Job,
) -> Result<()> {
    if left.features() != right.features() {
        return Err(Error::Shape {
            argument: "x2",
            given: vec![right.count(), right.features()],
            expected: format!("{} features, as in x", left.features()),
        });
    }
    let (rows, columns) = (left.count().div_ceil(TILE), right.count().div_ceil(TILE));
    let mut tiles = memory::empty(memory::size([rows, columns])?)?;
    tiles.extend((0..columns).flat_map(|j| (0..rows).map(move |i| (i, j))));
    walk::<_, false>(prepared, [left, right], tiles, wanted, sink, job)
}

/// Tiles of one column of tiles follow each other, so that it is packed once; those of one row where its constants are
/// more than its features, so that these are gathered once. Of a set with itself, `HALF` is wanted: nothing below the
/// diagonal.
fn walk<T: Scalar, const HALF: bool>(
    prepared: &Prepared<'_, T>,
    [left, right]: [&Points<'_, T>; 2],
    mut tiles: Vec<(usize, usize)>,
    wanted: Wanted,
    sink: &mut impl Sink<T>,
    job: &Job,
) -> Result<()> {
    let program = prepared.program();
    if program.slots > left.features() {
        tiles.sort_unstable();
    }
    let pairs = TileSource { program, zonal: prepared.zonal(), left, right, wanted, level: prepared.level() };
    let sink = &*sink; // borrowed by this walk alone, shared by its threads
    let range = |index: usize, count: usize| index * TILE..count.min((index + 1) * TILE);
    job.begin(tiles.len());
    for_each_index(
        job,
        tiles.len(),
        || Workspace::new(program, left.features(), wanted, [left.count(), right.count()]),
        |workspace, index| {
            let (i, j) = tiles[index];
            let (rows, columns) = (range(i, left.count()), range(j, right.count()));
            for start in columns.clone().step_by(STRIP) {
                let columns = start..columns.end.min(start + STRIP);
                let rows = rows.start..if HALF { rows.end.min(columns.end) } else { rows.end };
                pairs.compute(&rows, &columns, job, workspace)?;
                if HALF && i == j {
                    exact_diagonal(left, &rows, &columns, wanted, workspace);
                }
                sink.accept(&Finished { rows, columns, values: &workspace.values });
            }
            Ok(())
        },
    )
}

/// Pairs of a row with itself are known from the row alone.
fn exact_diagonal<T: Scalar>(
    points: &Points<'_, T>,
    rows: &Range<usize>,
    columns: &Range<usize>,
    wanted: Wanted,
    workspace: &mut Workspace<T>,
) {
    for (lane, row) in columns.clone().enumerate() {
        for (output, values) in workspace.values.iter_mut().enumerate() {
            let (nngp, ntk) = points.diagonal(row, output);
            for (wanted, values, value) in
                [(wanted.nngp, &mut values.nngp, nngp), (wanted.ntk, &mut values.ntk, ntk)]
            {
                if wanted {
                    values[row - rows.start].0[lane] = value;
                }
            }
        }
    }
}

/// Every row with itself, result by result in one column, without any pair. O(n).
pub fn diagonal<T: Scalar>(points: &Points<'_, T>, out: &Outputs<'_, T>) {
    for row in 0..points.count() {
        for (output, target) in out.nngp.iter().enumerate() {
            target.entry(row, 0, points.diagonal(row, output).0);
        }
        for (output, target) in out.ntk.iter().enumerate() {
            target.entry(row, 0, points.diagonal(row, output).1);
        }
    }
}
