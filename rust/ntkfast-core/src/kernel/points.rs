//! What is kept of every row.

use super::Wanted;
use crate::error::{Error, Result};
use crate::memory;
use crate::parallel::{Job, for_each_index};
use crate::program::{Program, RowTrace};
use crate::scalar::Scalar;
use crate::simd::{STRIP, Strip};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// A set of points as one program sees them. Rows are padded to whole strips with zero rows.
pub struct Points<T> {
    count: usize,
    features: usize,
    slots: usize,
    /// v̂ = x/‖x‖, row after row; zero rows stay zero.
    units: Vec<T>,
    strips: Vec<Constants<T>>,
}

/// What a program knows of 64 rows.
struct Constants<T> {
    /// The program's constants, slot by slot.
    slots: Vec<Strip<T>>,
    /// √K at the output.
    scale: Strip<T>,
    /// √T at the output.
    tangent: Strip<T>,
}

impl<T: Scalar> Points<T> {
    /// Read `count` rows of `features` numbers through `fill(row, buffer)` and run the program's row pass.
    /// O(count · (features + steps)).
    ///
    /// # Errors
    /// [`Error::NotFinite`] naming `argument`; [`Error::Overflow`] where a wanted kernel of a row with itself
    /// is too large for `T`; [`Error::Cancelled`].
    pub fn new(
        argument: &'static str,
        count: usize,
        features: usize,
        fill: impl Fn(usize, &mut [T]) + Sync,
        program: &Program,
        wanted: Wanted,
        job: &Job,
    ) -> Result<Self> {
        if features == 0 {
            let expected = "at least one feature".to_owned();
            return Err(Error::Shape { argument, given: vec![count, 0], expected });
        }
        let mut units = memory::buffer(memory::size([count, features])?)?;
        let mut strips: Vec<_> = (0..count.div_ceil(STRIP)).map(|_| Constants::zero(program.slots)).collect();
        // Each block is taken by one thread; the locks only tell the compiler so.
        let blocks: Vec<_> = units.chunks_mut(STRIP * features).zip(&mut strips).map(Mutex::new).collect();
        for_each_index(
            &Job::default(),
            blocks.len(),
            || (vec![RowTrace::default(); program.registers], vec![0.0; program.slots]),
            |(registers, constants), block| {
                job.check()?;
                let mut block_guard = blocks[block].lock().unwrap_or_else(PoisonError::into_inner);
                let (units, strip) = &mut *block_guard;
                for (lane, unit) in units.chunks_mut(features).enumerate() {
                    let row = block * STRIP + lane;
                    fill(row, unit);
                    let scale = normalise(unit).map_err(|(column, value)| Error::NotFinite {
                        argument,
                        row,
                        column,
                        value,
                    })?;
                    let trace = program.run_row(scale, registers, constants, |_, _| ());
                    if !fits::<T>(trace, wanted) {
                        return Err(overflow::<T>(program, scale, registers, constants, wanted, row));
                    }
                    for (slot, value) in strip.slots.iter_mut().zip(&*constants) {
                        slot.0[lane] = T::from_f64(*value);
                    }
                    strip.scale.0[lane] = T::from_f64(trace.scale);
                    strip.tangent.0[lane] = T::from_f64(trace.tangent);
                }
                Ok(())
            },
        )?;
        drop(blocks);
        Ok(Self { count, features, slots: program.slots, units, strips })
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Number of per-row constants.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// v̂ of some rows, row after row.
    #[inline(always)]
    pub fn units(&self, rows: Range<usize>) -> &[T] {
        &self.units[rows.start * self.features..rows.end * self.features]
    }

    /// Constants of the rows of a strip.
    #[inline(always)]
    pub fn constants(&self, strip: usize) -> &[Strip<T>] {
        &self.strips[strip].slots
    }

    /// K and T of a row with itself.
    pub fn diagonal(&self, row: usize) -> (T, T) {
        let strip = &self.strips[row / STRIP];
        let (scale, tangent) = (strip.scale.0[row % STRIP], strip.tangent.0[row % STRIP]);
        (scale * scale, tangent * tangent)
    }

    /// √K of the rows of a strip.
    #[inline(always)]
    pub fn scales(&self, strip: usize) -> &Strip<T> {
        &self.strips[strip].scale
    }

    /// √T of the rows of a strip.
    #[inline(always)]
    pub fn tangents(&self, strip: usize) -> &Strip<T> {
        &self.strips[strip].tangent
    }
}

impl<T: Scalar> Constants<T> {
    fn zero(slots: usize) -> Self {
        let zero = Strip([T::default(); STRIP]);
        Self { slots: vec![zero; slots], scale: zero, tangent: zero }
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

/// The larger of the wanted scales; NaN where ∞ in between has left one.
fn size(trace: RowTrace, wanted: Wanted) -> f64 {
    let scale = if wanted.nngp { trace.scale } else { 0.0 };
    let tangent = if wanted.ntk { trace.tangent } else { 0.0 };
    if scale >= tangent || scale.is_nan() { scale } else { tangent }
}

/// Whether `T` can hold the wanted kernels of a row with itself, which bound all others.
fn fits<T: Scalar>(trace: RowTrace, wanted: Wanted) -> bool {
    size(trace, wanted) <= T::MAX.sqrt() * (1.0 - T::EPSILON)
}

/// The error that says at which step a row became too large.
fn overflow<T: Scalar>(
    program: &Program,
    scale: f64,
    registers: &mut [RowTrace],
    constants: &mut [f64],
    wanted: Wanted,
    row: usize,
) -> Error {
    let mut culprit = ("the input", size(RowTrace { scale, tangent: 0.0 }, wanted));
    let mut found = false;
    program.run_row(scale, registers, constants, |step, trace| {
        if !found {
            culprit = (&program.steps[step].place, size(trace, wanted));
            found = !fits::<T>(trace, wanted);
        }
    });
    let (layer, size) = culprit;
    Error::Overflow { layer: layer.to_owned(), row, log10: 2.0 * size.log10(), dtype: T::NAME }
}
