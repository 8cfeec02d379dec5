//! Rows as they come in, with their norms.

use super::units::{TILE, Units};
use crate::error::{Error, Result};
use crate::memory;
use crate::parallel::{Job, for_each_item};
use crate::scalar::Scalar;
use crate::simd::{Level, Pack, Vectorized};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Points, and what makes unit vectors v̂ = x/‖x‖ of them.
pub struct Rows<'a, T> {
    pub(super) features: usize,
    points: Storage<'a, T>,
    /// 1/‖x‖; 0 for a row of zeros, and 1 for one that was divided already.
    inverses: Vec<T>,
    /// ‖x‖/√d.
    scales: Vec<f64>,
}

/// Row after row.
enum Storage<'a, T> {
    /// As the caller holds them.
    Borrowed(&'a [T]),
    /// Copies, [`TILE`] rows in each part. Rows whose norms are too large or too small to compute with are divided by them.
    Kept(Vec<Vec<T>>),
}

impl<T: Scalar> Rows<'static, T> {
    /// Read `count` rows of `features` numbers through `fill(row, buffer)`. O(count · features).
    ///
    /// # Errors
    /// [`Error::Shape`] without features and [`Error::NotFinite`], naming `argument`; [`Error::Memory`];
    /// [`Error::Cancelled`].
    pub fn new(
        argument: &'static str,
        count: usize,
        features: usize,
        fill: impl Fn(usize, &mut [T]) + Sync,
        job: &Job,
    ) -> Result<Self> {
        check_features(argument, count, features)?;
        let level = Level::current();
        let mut kept = memory::collect((0..count.div_ceil(TILE)).map(|_| Vec::new()))?;
        let (mut inverses, mut scales) = (memory::buffer(count)?, memory::buffer(count)?);
        // Every thread asks for the memory that it fills, which is also where the system does its part of the work.
        let parts = kept.iter_mut().zip(inverses.chunks_mut(TILE).zip(scales.chunks_mut(TILE)));
        for_each_item(job, parts, Vec::new, |point, part, (points, (inverses, scales))| {
            *points = memory::empty(memory::size([scales.len(), features])?)?;
            if point.is_empty() {
                *point = memory::buffer(features)?;
            }
            for (lane, (inverse, scale)) in inverses.iter_mut().zip(scales).enumerate() {
                job.check()?;
                let row = part * TILE + lane;
                fill(row, point);
                let norm = Norm::of(point, argument, row, level)?;
                *scale = norm.scale(features);
                *inverse = norm.inverse().unwrap_or_else(|| {
                    norm.divide(point);
                    T::from_f64(1.0)
                });
                points.extend_from_slice(point);
            }
            Ok(())
        })?;
        Ok(Self { features, points: Storage::Kept(kept), inverses, scales })
    }
}

impl<'a, T: Scalar> Rows<'a, T> {
    /// Rows of `features` numbers each, one after the other, without a copy where all their norms can be computed with.
    /// O(count · features).
    ///
    /// # Errors
    /// As [`Rows::new`].
    pub fn borrowed(
        argument: &'static str,
        count: usize,
        features: usize,
        points: &'a [T],
        job: &Job,
    ) -> Result<Self> {
        check_features(argument, count, features)?;
        let level = Level::current();
        let (mut inverses, mut scales) = (memory::buffer(count)?, memory::buffer(count)?);
        let parts = points
            .chunks(TILE.saturating_mul(features))
            .zip(inverses.chunks_mut(TILE).zip(scales.chunks_mut(TILE)));
        let extreme = AtomicBool::new(false);
        for_each_item(
            job,
            parts,
            || (),
            |(), part, (points, (inverses, scales))| {
                let rows = points.chunks_exact(features).zip(inverses.iter_mut().zip(scales));
                for (lane, (point, (inverse, scale))) in rows.enumerate() {
                    job.check()?;
                    let norm = Norm::of(point, argument, part * TILE + lane, level)?;
                    *scale = norm.scale(features);
                    match norm.inverse() {
                        Some(value) => *inverse = value,
                        None => extreme.store(true, Ordering::Relaxed),
                    }
                }
                Ok(())
            },
        )?;
        if extreme.into_inner() {
            let fill =
                |row: usize, buffer: &mut [T]| buffer.copy_from_slice(&points[row * features..][..features]);
            return Rows::new(argument, count, features, fill, job);
        }
        Ok(Self { features, points: Storage::Borrowed(points), inverses, scales })
    }

    /// ‖x‖/√d of every row: the scales a program starts from.
    pub fn scales(&self) -> &[f64] {
        &self.scales
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        self.features
    }

    /// v̂ of one row.
    pub fn unit(&self, row: usize) -> impl Iterator<Item = T> + '_ {
        let Units { points, inverses } = self.units(&(row..row + 1));
        points.iter().map(|&value| value * inverses[0])
    }

    /// Some rows of one tile.
    #[inline(always)]
    pub(super) fn units(&self, rows: &Range<usize>) -> Units<'_, T> {
        let (points, start) = match &self.points {
            Storage::Borrowed(points) => (*points, rows.start),
            Storage::Kept(parts) => (&parts[rows.start / TILE][..], rows.start % TILE),
        };
        let points = &points[start * self.features..(start + rows.len()) * self.features];
        Units { points, inverses: &self.inverses[rows.clone()] }
    }
}

fn check_features(argument: &'static str, count: usize, features: usize) -> Result<()> {
    if features > 0 {
        return Ok(());
    }
    Err(Error::Shape { argument, given: vec![count, 0], expected: "at least one feature".to_owned() })
}

/// ‖x‖ = `root`/`shift`, accurate for every finite row, also where ‖x‖² would overflow or underflow.
#[derive(Clone, Copy)]
struct Norm {
    root: f64,
    /// A power of two, which changes no digit.
    shift: f64,
}

impl Norm {
    /// That of a row; the first of its entries that is not finite is an error.
    fn of<T: Scalar>(point: &[T], argument: &'static str, row: usize, level: Level) -> Result<Self> {
        T::dispatch(level, Measure(point)).map_err(|(column, value)| Error::NotFinite {
            argument,
            row,
            column,
            value,
        })
    }

    /// ‖x‖/√d.
    fn scale(self, features: usize) -> f64 {
        self.root / (features as f64).sqrt() / self.shift
    }

    /// 1/‖x‖, or 0 for zeros; `None` where products of such points would not be accurate.
    fn inverse<T: Scalar>(self) -> Option<T> {
        let norm = self.root / self.shift;
        if norm == 0.0 {
            return Some(T::default());
        }
        (T::TINY..1.0 / T::TINY).contains(&norm).then(|| T::from_f64(1.0 / norm))
    }

    /// Make v̂ of x.
    fn divide<T: Scalar>(self, point: &mut [T]) {
        for value in point {
            *value = T::from_f64(value.to_f64() * self.shift / self.root);
        }
    }
}

/// Finds the norm of a row. Fails with column and value of the first entry that is not finite.
struct Measure<'a, T>(&'a [T]);

impl<T: Scalar> Vectorized<T> for Measure<'_, T> {
    type Output = std::result::Result<Norm, (usize, f64)>;
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = T>>(self) -> Self::Output {
        let Self(row) = self;
        // Within these bounds no square has overflowed, and those that vanished are too small to matter.
        let ordinary = 1e-250..1e250;
        let mut shift = 1.0;
        let mut square = sum_of_squares(row, shift);
        if !ordinary.contains(&square) {
            if let Some(column) = row.iter().position(|value| !value.to_f64().is_finite()) {
                return Err((column, row[column].to_f64()));
            }
            shift = 2f64.powi(if square > 1.0 { -600 } else { 600 });
            square = sum_of_squares(row, shift);
        }
        Ok(Norm { root: square.sqrt(), shift })
    }
}

/// Σ(shift·x)², in double precision.
#[inline(always)]
fn sum_of_squares<T: Scalar>(row: &[T], shift: f64) -> f64 {
    let mut sums = [0f64; 32];
    for chunk in row.chunks(sums.len()) {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            let value = value.to_f64() * shift;
            *sum += value * value;
        }
    }
    sums.iter().sum()
}
