//! Fitting a program's numerical activations to the rows of a call.

use super::{Op, Program, RowTrace};
use crate::error::{Error, Result};
use crate::fitted::{Accuracy, Function};
use crate::parallel::{Job, for_each_item};
use crate::scalar::Scalar;
use std::borrow::Cow;

/// Rows at a time.
const ROWS: usize = 256;

/// Standard deviations at which functions can be sampled as far out as their Gaussian reaches.
const LARGEST: f64 = 1e300;

impl Program {
    /// Whether there are functions known by their values of which no fit has been made yet.
    pub fn lacks_fits(&self) -> bool {
        self.steps.iter().any(|step| matches!(&step.op, Op::Elementwise(function) if !function.is_fitted()))
    }

    /// The program with every function that is known by its values fitted to the scales which rows with these
    /// features and input scales have before it, as well as numbers of type `T` deserve. The program itself where
    /// there is none.
    ///
    /// # Errors
    /// [`Error::Function`] where a function fails; [`Error::Overflow`] where rows are too large before one;
    /// [`Error::Cancelled`].
    pub fn fit<T: Scalar>(&self, features: usize, scales: &[f64], job: &Job) -> Result<Cow<'_, Self>> {
        if !self.steps.iter().any(|step| matches!(step.op, Op::Elementwise(_))) {
            return Ok(Cow::Borrowed(self));
        }
        let mut program = self.clone();
        let rows: Vec<_> = scales.iter().map(|&scale| RowTrace { scale, tangent: 0.0 }).collect();
        let mut registers = vec![rows; program.registers];
        program.slots = 0;
        for step in &mut program.steps {
            let inputs = step.inputs;
            if let Op::Elementwise(function) = &step.op {
                let rows = &registers[inputs[0]];
                // Rows that no number can hold are refused later, by whoever computes with them.
                let held = rows.iter().filter(|row| row.scale.is_finite());
                let shown = held.filter(|row| row.scale > 0.0 || row.tangent > 0.0).map(|row| row.scale);
                let low = shown.clone().fold(f64::INFINITY, f64::min);
                let high = shown.fold(0.0, f64::max);
                let largest = rows.iter().position(|row| row.scale == high).unwrap_or(0);
                let zeros = rows.iter().any(|row| row.scale == 0.0);
                step.op = fitted::<T>(function, &step.place, [low, high], zeros, largest, job)?;
            }
            step.first_slot = program.slots;
            program.slots += step.op.slots();
            let mut results = vec![RowTrace::default(); scales.len()];
            let constants = || vec![0.0; step.op.slots()];
            for_each_item(job, results.chunks_mut(ROWS), constants, |constants, part, results| {
                for (i, result) in results.iter_mut().enumerate() {
                    let row = inputs.map(|register| registers[register][part * ROWS + i]);
                    *result = match &step.op {
                        // Without its constants, which only pairs need.
                        Op::Fitted(fitted) => row[0].after(fitted.row(row[0].scale)),
                        op => op.row(features, row, constants),
                    };
                }
                Ok(())
            })?;
            registers[step.output] = results;
        }
        Ok(Cow::Owned(program))
    }

    /// Fit the function of one step to scales in this range, the largest of which is that of row `largest`.
    pub(crate) fn fit_step<T: Scalar>(
        &mut self,
        index: usize,
        range: [f64; 2],
        zeros: bool,
        largest: usize,
        job: &Job,
    ) -> Result<()> {
        let step = &mut self.steps[index];
        if let Op::Elementwise(function) = &step.op {
            step.op = fitted::<T>(function, &step.place, range, zeros, largest, job)?;
        }
        self.slots = 0;
        for step in &mut self.steps {
            step.first_slot = self.slots;
            self.slots += step.op.slots();
        }
        Ok(())
    }

    /// Name and estimated error of every fit that is not resolved.
    pub fn unresolved(&self) -> impl Iterator<Item = (&str, f64)> {
        self.steps.iter().filter_map(|step| match &step.op {
            Op::Fitted(fitted) if fitted.is_unresolved() => Some((fitted.name.as_str(), fitted.error)),
            _ => None,
        })
    }
}

/// A function fitted to scales in a range; to any, where there are none.
fn fitted<T: Scalar>(
    function: &Function,
    place: &str,
    [low, high]: [f64; 2],
    zeros: bool,
    largest: usize,
    job: &Job,
) -> Result<Op> {
    if high > LARGEST {
        let log10 = 2.0 * high.log10();
        return Err(Error::Overflow { layer: place.to_owned(), row: largest, log10, dtype: T::NAME });
    }
    let range = if low <= high { [low, high] } else { [1.0, 1.0] };
    Ok(Op::Fitted(function.fit(range, zeros, Accuracy::of(T::EPSILON), job)?))
}
