//! What is kept of every row.

use super::units::Units;
use super::{Rows, Wanted};
use crate::error::{Error, Result};
use crate::memory;
use crate::parallel::{Job, for_each_item};
use crate::program::{Prepared, Program, RowTrace};
use crate::scalar::Scalar;
use crate::simd::{STRIP, Strip};
use std::ops::Range;

/// A set of points as one program sees them. Rows are padded to whole strips with zero rows.
pub struct Points<'a, T> {
    rows: Rows<'a, T>,
    strips: Vec<StripConstants<T>>,
}

/// What a program knows of 64 rows.
struct StripConstants<T> {
    /// The program's constants, slot by slot.
    slots: Vec<Strip<T>>,
    /// Output by output.
    roots: Vec<Roots<T>>,
}

/// Square roots of the kernels of 64 rows with themselves.
#[derive(Clone)]
pub struct Roots<T> {
    /// √K.
    pub scale: Strip<T>,
    /// √T.
    pub tangent: Strip<T>,
}

impl<'a, T: Scalar> Points<'a, T> {
    /// Run the program's row pass. O(count · steps).
    ///
    /// # Errors
    /// [`Error::Overflow`] where a wanted kernel of a row with itself is too large for `T`, or one on the way to it for
    /// any number; [`Error::Unprepared`] for rows that the program was not prepared for; [`Error::Memory`]; [`Error::Cancelled`].
    pub fn new(rows: Rows<'a, T>, prepared: &Prepared<'_, T>, wanted: Wanted, job: &Job) -> Result<Self> {
        let program = prepared.program();
        let mut strips = memory::empty(rows.scales().len().div_ceil(STRIP))?;
        for _ in rows.scales().chunks(STRIP) {
            job.check()?;
            strips.push(StripConstants::zero(program.slots, program.outputs.len()));
        }
        let state = || (vec![RowTrace::default(); program.registers], vec![0.0; program.slots]);
        let blocks = rows.scales().chunks(STRIP).zip(&mut strips);
        for_each_item(job, blocks, state, |(registers, constants), block, (scales, strip)| {
            for (lane, &scale) in scales.iter().enumerate() {
                let row = InputRow { features: rows.features, scale, index: block * STRIP + lane };
                // Of what no number can hold nothing tells the size, on which all that follows depends.
                let mut held = true;
                let mut outside = (!prepared.covers(row.features, scale)).then_some(("the input", scale));
                program.run_row(row.features, scale, registers, constants, |step, input, trace| {
                    if input.scale.is_finite() && !program.steps[step].op.covers(input.scale) {
                        outside.get_or_insert((&program.steps[step].place, input.scale));
                    }
                    held &= trace.scale.is_finite() && (trace.tangent.is_finite() || !wanted.ntk);
                });
                if let Some((layer, scale)) = outside {
                    return Err(Error::Unprepared { layer: layer.to_owned(), row: row.index, scale });
                }
                if !held {
                    let all = Wanted { nngp: true, ..wanted };
                    return Err(overflow::<f64>(program, row, registers, constants, all));
                }
                for (roots, &register) in strip.roots.iter_mut().zip(&program.outputs) {
                    let trace = registers[register];
                    if !fits::<T>(trace, wanted) {
                        return Err(overflow::<T>(program, row, registers, constants, wanted));
                    }
                    roots.scale.0[lane] = T::from_f64(trace.scale);
                    roots.tangent.0[lane] = T::from_f64(trace.tangent);
                }
                for (slot, value) in strip.slots.iter_mut().zip(&*constants) {
                    slot.0[lane] = T::from_f64(*value);
                }
            }
            Ok(())
        })?;
        Ok(Self { rows, strips })
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.rows.scales().len()
    }

    /// Number of features.
    pub fn features(&self) -> usize {
        self.rows.features
    }

    /// ‖x‖/√d of every row.
    pub fn scales(&self) -> &[f64] {
        self.rows.scales()
    }

    /// Some rows of one tile.
    #[inline(always)]
    pub(super) fn units(&self, rows: &Range<usize>) -> Units<'_, T> {
        self.rows.units(rows)
    }

    /// Constants of the rows of a strip.
    #[inline(always)]
    pub fn constants(&self, strip: usize) -> &[Strip<T>] {
        &self.strips[strip].slots
    }

    /// K and T of a row with itself, at one of the program's outputs.
    pub fn diagonal(&self, row: usize, output: usize) -> (T, T) {
        let roots = self.roots(row / STRIP, output);
        let [scale, tangent] = [&roots.scale, &roots.tangent].map(|strip| strip.0[row % STRIP]);
        (scale * scale, tangent * tangent)
    }

    /// √K and √T of the rows of a strip, at one of the program's outputs.
    #[inline(always)]
    pub fn roots(&self, strip: usize, output: usize) -> &Roots<T> {
        &self.strips[strip].roots[output]
    }
}

impl<T: Scalar> StripConstants<T> {
    fn zero(slots: usize, outputs: usize) -> Self {
        let zero = Strip([T::default(); STRIP]);
        Self { slots: vec![zero; slots], roots: vec![Roots { scale: zero, tangent: zero }; outputs] }
    }
}

/// The larger of the wanted scales.
fn size(trace: RowTrace, wanted: Wanted) -> f64 {
    let scale = if wanted.nngp { trace.scale } else { 0.0 };
    let tangent = if wanted.ntk { trace.tangent } else { 0.0 };
    scale.max(tangent)
}

/// Whether `T` can hold the wanted kernels of a row with itself, which bound all others.
fn fits<T: Scalar>(trace: RowTrace, wanted: Wanted) -> bool {
    size(trace, wanted) <= T::MAX.sqrt() * (1.0 - T::EPSILON)
}

/// A row as it comes in.
#[derive(Clone, Copy)]
struct InputRow {
    features: usize,
    scale: f64,
    index: usize,
}

/// The error that says at which step a row became too large.
fn overflow<T: Scalar>(
    program: &Program,
    row: InputRow,
    registers: &mut [RowTrace],
    constants: &mut [f64],
    wanted: Wanted,
) -> Error {
    let mut culprit = ("the input", size(RowTrace { scale: row.scale, tangent: 0.0 }, wanted));
    let mut found = false;
    program.run_row(row.features, row.scale, registers, constants, |step, _, trace| {
        if !found {
            culprit = (&program.steps[step].place, size(trace, wanted));
            found = !fits::<T>(trace, wanted);
        }
    });
    let (layer, size) = culprit;
    if let Some(name) = program.steep().filter(|_| size.is_infinite()) {
        return Error::Steep { name: name.to_owned() };
    }
    Error::Overflow { layer: layer.to_owned(), row: row.index, log10: 2.0 * size.log10(), dtype: T::NAME }
}
