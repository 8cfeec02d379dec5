//! Rows as they come in: normalised, with their scales.

use crate::error::{Error, Result};
use crate::memory;
use crate::parallel::{Job, for_each_item};
use crate::scalar::Scalar;
use crate::simd::STRIP;

/// Points whose rows are divided by their norms.
pub struct Rows<T> {
    pub(super) features: usize,
    /// v̂ = x/‖x‖, row after row; zero rows stay zero.
    pub(super) units: Vec<T>,
    /// ‖x‖/√d.
    scales: Vec<f64>,
}

impl<T: Scalar> Rows<T> {
    /// Read `count` rows of `features` numbers through `fill(row, buffer)`. O(count · features).
    ///
    /// # Errors
    /// [`Error::Shape`] without features and [`Error::NotFinite`], naming `argument`; [`Error::Cancelled`].
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
        let mut units = memory::buffer(memory::size([count, features])?)?;
        let mut scales = vec![0.0; count];
        let blocks = units.chunks_mut(STRIP * features).zip(scales.chunks_mut(STRIP));
        for_each_item(
            job,
            blocks,
            || (),
            |(), block, (units, scales)| {
                for (lane, (unit, scale)) in units.chunks_mut(features).zip(scales).enumerate() {
                    let row = block * STRIP + lane;
                    fill(row, unit);
                    *scale = normalise(unit).map_err(|(column, value)| Error::NotFinite {
                        argument,
                        row,
                        column,
                        value,
                    })?;
                }
                Ok(())
            },
        )?;
        Ok(Self { features, units, scales })
    }

    /// ‖x‖/√d of every row: the scales a program starts from.
    pub fn scales(&self) -> &[f64] {
        &self.scales
    }
}

/// Divide a row by its norm, in place; returns ‖x‖/√d. Accurate for every finite row, also where ‖x‖² would
/// overflow or underflow.
///
/// # Errors
/// Column and value of the first entry that is not finite.
fn normalise<T: Scalar>(row: &mut [T]) -> std::result::Result<f64, (usize, f64)> {
    const LARGE: f64 = 1e140;
    let mut largest = 0f64;
    let mut finite = true;
    for value in row.iter() {
        let size = value.to_f64().abs();
        finite &= size.is_finite();
        largest = largest.max(size);
    }
    if !finite {
        let column = row.iter().position(|value| !value.to_f64().is_finite()).unwrap_or(0);
        return Err((column, row[column].to_f64()));
    }
    if largest == 0.0 {
        return Ok(0.0);
    }
    // Powers of two change no digit.
    let shift = if largest > LARGE {
        2f64.powi(-600)
    } else if largest < 1.0 / LARGE {
        2f64.powi(600)
    } else {
        1.0
    };
    let mut square = [0f64; 8];
    for chunk in row.chunks(8) {
        for (sum, value) in square.iter_mut().zip(chunk) {
            let value = value.to_f64() * shift;
            *sum += value * value;
        }
    }
    let norm = square.iter().sum::<f64>().sqrt();
    for value in row.iter_mut() {
        *value = T::from_f64(value.to_f64() * shift / norm);
    }
    Ok(norm / (row.len() as f64).sqrt() / shift)
}
