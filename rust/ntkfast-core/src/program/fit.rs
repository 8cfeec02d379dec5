//! Fitting a program's numerical activations to the rows of a call.

use super::{Op, Program, RowTrace, Scales};
use crate::error::{Error, Result};
use crate::fitted::{Accuracy, Function, Numerical};
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

    /// Where functions known by their values stand that have to be fitted.
    pub(crate) fn functions(&self) -> impl Iterator<Item = usize> {
        let steps = self.steps.iter().enumerate();
        steps.filter(|(_, step)| matches!(step.op, Op::Elementwise(_))).map(|(index, _)| index)
    }

    /// The program with every function that is known by its values fitted to the scales which rows with these
    /// features and input scales have before it, as well as numbers of type `T` deserve, and these scales. The program
    /// itself where there is no function.
    ///
    /// # Errors
    /// [`Error::Function`] where a function fails; [`Error::Overflow`] where rows are too large before one;
    /// [`Error::Cancelled`].
    pub(super) fn fit<T: Scalar>(
        &self,
        features: usize,
        scales: &[f64],
        job: &Job,
    ) -> Result<(Cow<'_, Self>, Vec<Scales>)> {
        if self.functions().next().is_none() {
            return Ok((Cow::Borrowed(self), Vec::new()));
        }
        let mut program = self.clone();
        let mut fits = Vec::new();
        let rows: Vec<_> = scales.iter().map(|&scale| RowTrace { scale, tangent: 0.0 }).collect();
        let mut registers = vec![rows; program.registers];
        for index in 0..program.steps.len() {
            let inputs = program.steps[index].inputs;
            if let Op::Elementwise(_) = program.steps[index].op {
                let mut scales = Scales::default();
                registers[inputs[0]].iter().enumerate().for_each(|(row, trace)| scales.add(row, *trace));
                program.fit_step::<T>(index, scales, job)?;
                fits.push(scales);
            }
            let step = &program.steps[index];
            let mut results = vec![RowTrace::default(); scales.len()];
            let constants = || vec![0.0; step.op.slots()];
            for_each_item(job, results.chunks_mut(ROWS), constants, |constants, part, results| {
                for (i, result) in results.iter_mut().enumerate() {
                    let row = inputs.map(|register| registers[register][part * ROWS + i]);
                    *result = match &step.op {
                        // Without its constants, which only pairs need.
                        Op::Fitted(fitted) => row[0].after(fitted.row(row[0].scale)),
                        Op::Integrated(integrated) => row[0].after(integrated.row(row[0].scale)),
                        op => op.row(features, row, constants),
                    };
                }
                Ok(())
            })?;
            registers[step.output] = results;
        }
        Ok((Cow::Owned(program), fits))
    }

    /// Fit the function of one step to scales in this range.
    pub(crate) fn fit_step<T: Scalar>(&mut self, index: usize, scales: Scales, job: &Job) -> Result<()> {
        let step = &mut self.steps[index];
        if let Op::Elementwise(function) = &step.op {
            step.op = fitted::<T>(function, &step.place, scales, job)?;
        }
        self.number_slots();
        Ok(())
    }

    /// Give every step the per-row constants that it uses now.
    pub(super) fn number_slots(&mut self) {
        self.slots = 0;
        for step in &mut self.steps {
            step.first_slot = self.slots;
            self.slots += step.op.slots();
        }
    }
}

/// A function fitted to scales in a range; to any, where there are none.
fn fitted<T: Scalar>(function: &Function, place: &str, scales: Scales, job: &Job) -> Result<Op> {
    let Scales { low, high, zeros, largest } = scales;
    if high > LARGEST {
        let log10 = 2.0 * high.log10();
        return Err(Error::Overflow { layer: place.to_owned(), row: largest, log10, dtype: T::NAME });
    }
    let range = if low <= high { [low, high] } else { [1.0, 1.0] };
    Ok(match function.fit(range, zeros, Accuracy::of(T::EPSILON), job)? {
        Numerical::Fitted(fitted) => Op::Fitted(fitted),
        Numerical::Integrated(integrated) => Op::Integrated(integrated),
    })
}
