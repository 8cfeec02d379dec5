//! One triangle of a symmetric matrix, looked at as it is copied.

use super::Field;
use super::Matrix;
use ntkfast_base::error::{Error, Result};
use ntkfast_base::memory;
use ntkfast_base::parallel::{Job, for_each_item};

/// Largest difference between mirrored entries, in units of ε times the largest entry, that passes for rounding.
const ROUNDING: f64 = 1e3;

/// Rows and columns of a tile; with its mirror image it stays in cache.
const TILE: usize = 32;

/// The lower triangle of a finite symmetric matrix.
pub(super) struct Triangle<U> {
    /// Column by column, zero above the diagonal.
    pub entries: Vec<U>,
    /// The largest absolute value.
    pub largest: f64,
}

/// What a band of rows showed.
#[derive(Clone, Copy)]
struct Band {
    finite: bool,
    largest: f64,
    /// The largest difference between mirrored entries, and where it is: row < column.
    difference: f64,
    place: [usize; 2],
}

/// Copy a triangle of a matrix, each entry through `convert(entry, row, column)`. Reads the matrix once.
///
/// # Errors
/// [`Error::NotFinite`], [`Error::NotSymmetric`], naming `argument`; [`Error::Memory`]; [`Error::Cancelled`].
pub(super) fn triangle<T: Field, U: Field>(
    argument: &'static str,
    matrix: Matrix<'_, T>,
    convert: impl Fn(T, usize, usize) -> U + Sync,
    job: &Job,
) -> Result<Triangle<U>> {
    // Rows above the diagonal are, in a symmetric matrix, columns below it.
    let (from, size) = (matrix.entries, matrix.shape[0]);
    let mut entries = memory::buffer(memory::size([size, size])?)?;
    let start = Band { finite: true, largest: 0.0, difference: 0.0, place: [0, 0] };
    let mut bands = vec![start; size.div_ceil(TILE)];
    for_each_item(
        job,
        entries.chunks_mut(TILE * size.max(1)).zip(&mut bands),
        || [[T::default(); TILE]; TILE],
        |mirror, index, (rows, band)| {
            let top = index * TILE;
            for left in (top..size).step_by(TILE) {
                let columns = left..size.min(left + TILE);
                // Turned first, so that both are read along memory.
                for column in columns.clone() {
                    let below = &from[column * size + top..][..rows.len() / size];
                    below.iter().enumerate().for_each(|(row, value)| mirror[row][column - left] = *value);
                }
                for (offset, out) in rows.chunks_exact_mut(size).enumerate() {
                    let row = top + offset;
                    let first = columns.start.max(row);
                    let given = &from[row * size..][first..columns.end];
                    let mirrored = &mirror[offset][first - left..];
                    for ((out, value), column) in out[first..columns.end].iter_mut().zip(given).zip(first..) {
                        *out = convert(*value, row, column);
                    }
                    band.add(given, mirrored, [row, first]);
                }
            }
            Ok(())
        },
    )?;

    let name = |[row, column]: [usize; 2]| if matrix.by_rows { [row, column] } else { [column, row] };
    if bands.iter().any(|band| !band.finite) {
        return Err(not_finite(argument, matrix));
    }
    let largest = bands.iter().map(|band| band.largest).fold(0.0, f64::max);
    let worst = bands
        .iter()
        .fold(start, |worst, band| if band.difference > worst.difference { *band } else { worst });
    if worst.difference > ROUNDING * T::EPSILON * largest {
        let [row, column] = worst.place;
        let at = |i: usize, j: usize| from[i * size + j].to_f64();
        let (value, mirrored) = (at(column, row), at(row, column));
        let [row, column] = name([column, row]);
        return Err(Error::NotSymmetric { argument, row, column, value, mirrored });
    }
    Ok(Triangle { entries, largest })
}

impl Band {
    /// Look at a piece of a row and its mirror image, whose first entry is at `place`.
    fn add<T: Field>(&mut self, given: &[T], mirrored: &[T], place: [usize; 2]) {
        let (mut largest, mut difference, mut finite) = (T::default(), T::default(), true);
        for (&value, &other) in given.iter().zip(mirrored) {
            let (gap, size) = (value - other, if value < T::default() { -value } else { value });
            // Zero times anything that is not finite is not a number.
            finite &= value * T::default() == T::default() && other * T::default() == T::default();
            let gap = if gap < T::default() { -gap } else { gap };
            largest = if size > largest { size } else { largest };
            difference = if gap > difference { gap } else { difference };
        }
        self.finite &= finite;
        self.largest = self.largest.max(largest.to_f64());
        if difference.to_f64() > self.difference {
            self.difference = difference.to_f64();
            let gaps = given.iter().zip(mirrored).map(|(&value, &other)| value - other);
            let at = gaps.into_iter().position(|gap| gap == difference || -gap == difference);
            self.place = [place[0], place[1] + at.unwrap_or(0)];
        }
    }
}

/// The error that names the first entry which is no number.
fn not_finite<T: Field>(argument: &'static str, matrix: Matrix<'_, T>) -> Error {
    let [rows, columns] = matrix.shape;
    let at = |row: usize, column: usize| {
        matrix.entries[if matrix.by_rows { row * columns + column } else { column * rows + row }].to_f64()
    };
    let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let first =
        places.map(|(row, column)| (row, column, at(row, column))).find(|(.., value)| !value.is_finite());
    let (row, column, value) = first.unwrap_or((0, 0, f64::NAN));
    Error::NotFinite { argument, row, column, value }
}
