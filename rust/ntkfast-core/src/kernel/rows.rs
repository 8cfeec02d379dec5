//! Rows as they come in: normalised, with their scales.

use super::tile::TILE;
use crate::error::{Error, Result};
use crate::memory;
use crate::parallel::{Job, for_each_item};
use crate::scalar::Scalar;
use crate::simd::{Kernel, Level, Pack};
use std::ops::Range;

/// Points whose rows are divided by their norms.
pub struct Rows<T> {
    pub(super) features: usize,
    /// v̂ = x/‖x‖, row after row, [`TILE`] rows in each part; zero rows stay zero.
    units: Vec<Vec<T>>,
    /// ‖x‖/√d.
    scales: Vec<f64>,
}

impl<T: Scalar> Rows<T> {
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
        if features == 0 {
            let expected = "at least one feature".to_owned();
            return Err(Error::Shape { argument, given: vec![count, 0], expected });
        }
        let level = Level::current();
        let mut units = vec![Vec::new(); count.div_ceil(TILE)];
        let mut scales = vec![0.0; count];
        // Every thread asks for the memory that it fills, which is also where the system does its part of the work.
        let parts = units.iter_mut().zip(scales.chunks_mut(TILE));
        for_each_item(job, parts, Vec::new, |unit, part, (units, scales)| {
            if unit.is_empty() {
                *unit = memory::buffer(features)?;
            }
            *units = memory::empty(memory::size([scales.len(), features])?)?;
            for (lane, scale) in scales.iter_mut().enumerate() {
                job.check()?;
                let row = part * TILE + lane;
                fill(row, unit);
                *scale = T::dispatch(level, Normalise(unit)).map_err(|(column, value)| Error::NotFinite {
                    argument,
                    row,
                    column,
                    value,
                })?;
                units.extend_from_slice(unit);
            }
            Ok(())
        })?;
        Ok(Self { features, units, scales })
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
    pub fn unit(&self, row: usize) -> &[T] {
        self.units(&(row..row + 1))
    }

    /// v̂ of some rows of one tile, row after row.
    #[inline(always)]
    pub(super) fn units(&self, rows: &Range<usize>) -> &[T] {
        let (part, start) = (rows.start / TILE, rows.start % TILE);
        &self.units[part][start * self.features..(start + rows.len()) * self.features]
    }
}

/// Divides a row by its norm, in place; returns ‖x‖/√d. Accurate for every finite row, also where ‖x‖² would
/// overflow or underflow. Fails with column and value of the first entry that is not finite.
struct Normalise<'a, T>(&'a mut [T]);

impl<T: Scalar> Kernel<T> for Normalise<'_, T> {
    type Output = std::result::Result<f64, (usize, f64)>;

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
            // Powers of two change no digit.
            shift = 2f64.powi(if square > 1.0 { -600 } else { 600 });
            square = sum_of_squares(row, shift);
            if square == 0.0 {
                return Ok(0.0);
            }
        }
        let norm = square.sqrt();
        let inverse = 1.0 / norm;
        for value in row.iter_mut() {
            *value = T::from_f64(value.to_f64() * shift * inverse);
        }
        Ok(norm / (row.len() as f64).sqrt() / shift)
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
