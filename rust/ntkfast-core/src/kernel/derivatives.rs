//! Kernels of pairs with their derivatives.
//!
//! The kernel of a pair is a function of the logarithms a and b of both norms, of the angle θ between the rows, and of the
//! network's parameters. Derivatives are taken along θ, not along the cosine c: behind a kink, those along c are infinite
//! where rows coincide.

use super::band::{Band, TangentWorkspace, Walk};
use super::differentiable::{Differentiable, Variables};
use super::tile::{Finished, Sink, TileSource};
use super::units::TILE;
use super::{Rows, Wanted};
use crate::error::{Error, Result};
use crate::memory;
use crate::parallel::{Job, for_each_index};
use crate::program::Prepared;
use crate::simd::{STRIP, dispatch_f64};

/// All pairs of two sets: [`super::PLANES`] results for each output of the program. O(n·m·(d + steps)). If the rows on the left are
/// those on the right from `first` on, pairs of a row with itself are exact.
///
/// A row with itself is a function of the row alone: half of its derivatives is along a, and half along b.
///
/// # Errors
/// [`Error::Network`] where the program has functions that are integrated; as [`super::cross`].
pub fn derivatives(
    prepared: &Prepared<'_, f64>,
    [left, right]: [Rows<'_, f64>; 2],
    variables: Variables,
    first: Option<usize>,
    wanted: Wanted,
    sink: &impl Sink<f64>,
    job: &Job,
) -> Result<()> {
    let program = prepared.program();
    program.check_differentiable()?;
    if left.features() != right.features() {
        return Err(Error::Shape {
            argument: "x2",
            given: vec![right.scales().len(), right.features()],
            expected: format!("{} features, as in x", left.features()),
        });
    }
    let [own, other] = [true, false].map(|side| variables.directions(side));
    let whole = first == Some(0) && left.scales().len() == right.scales().len();
    let left = Differentiable::new(left, prepared, &own, wanted, job)?;
    let other = if whole && own == other {
        None
    } else {
        Some(Differentiable::new(right, prepared, &other, wanted, job)?)
    };
    let right = other.as_ref().unwrap_or(&left);
    let (rows, columns) = (left.points.count(), right.points.count());
    let tiles = [rows.div_ceil(TILE), columns.div_ceil(TILE)];
    let all = Wanted { ntk: true, ..wanted };
    let source = TileSource {
        program,
        zonal: None,
        left: &left.points,
        right: &right.points,
        wanted: all,
        level: prepared.level(),
    };
    let walk = Walk { source: &source, left: &left, right, variables, wanted };
    let range = |index: usize, count: usize| index * TILE..count.min((index + 1) * TILE);
    let count = memory::size(tiles)?;
    job.begin(count);
    for_each_index(
        job,
        count,
        || TangentWorkspace::new(&walk, [rows, columns]),
        |workspace, index| {
            // Tiles of one column of tiles follow each other, so that it is packed once.
            let (rows, columns) = (range(index % tiles[0], rows), range(index / tiles[0], columns));
            for start in columns.clone().step_by(STRIP) {
                job.check()?;
                let columns = start..columns.end.min(start + STRIP);
                walk.source.multiply(&rows, &columns, job, &mut workspace.pairs)?;
                let band = Band { walk: &walk, rows: rows.clone(), columns: columns.clone(), workspace };
                dispatch_f64(walk.source.level, band);
                if let Some(first) = first {
                    walk.exact_diagonal(first, &rows, &columns, &mut workspace.values);
                }
                sink.accept(&Finished { rows: rows.clone(), columns, values: &workspace.values });
            }
            Ok(())
        },
    )
}
