//! Programs that are ready to run: functions fitted, and the way chosen on which pairs are computed.

use super::{LayerTrace, Program, Scales, Zonal};
use crate::error::{Error, Result};
use crate::parallel::Job;
use crate::scalar::Scalar;
use crate::simd::Level;
use std::borrow::Cow;

/// A program made ready for some rows. Others may use it as far as it covers them. Rows are computed in strips of
/// [`crate::simd::STRIP`]: a block of pairs that begins at multiples of it, on or above the diagonal, has the bits that it
/// has in the whole matrix.
#[derive(Clone, Debug)]
pub struct Prepared<'a, T: Clone> {
    program: Cow<'a, Program>,
    zonal: Option<Zonal<T>>,
    recipe: Recipe,
}

/// All that a [`Prepared`] depends on beside its program: the same recipe gives the same bits, here or elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Features of a row.
    pub features: usize,
    /// Scales of the rows as they come in.
    pub input: Scales,
    /// Scales of the rows before each function that is fitted.
    pub fits: Vec<Scales>,
    /// For how many pairs.
    pub pairs: usize,
    /// Height and width of images; `None` for rows.
    pub grid: Option<[usize; 2]>,
    /// The instruction set.
    pub level: Level,
}

impl Program {
    /// Make the program ready for rows of so many features with these scales, and so many pairs of them.
    ///
    /// # Errors
    /// [`Error::Function`] where a function fails; [`Error::Overflow`] where rows are too large before one;
    /// [`Error::Cancelled`].
    pub fn prepare<T: Scalar>(
        &self,
        features: usize,
        scales: &[f64],
        pairs: usize,
        job: &Job,
    ) -> Result<Prepared<'_, T>> {
        let (program, fits) = self.fit::<T>(features, scales, job)?;
        let input = Scales::of_rows(scales);
        let level = Level::current();
        Ok(Prepared::new(program, Recipe { features, input, fits, pairs, grid: None, level }))
    }

    /// Make the program ready as it was before, maybe in another process.
    ///
    /// # Errors
    /// As [`Program::prepare`], and [`Error::Recipe`] where the recipe is that of another program, or of another
    /// instruction set.
    pub fn prepare_again<T: Scalar>(&self, recipe: Recipe, job: &Job) -> Result<Prepared<'_, T>> {
        if recipe.level != Level::current() {
            let (theirs, ours) = (recipe.level.name(), Level::current().name());
            return Err(Error::Recipe(format!(
                "it was made for the instruction set {theirs}, and this process uses {ours}: \
                 set NTKFAST_SIMD={theirs} before ntkfast is imported"
            )));
        }
        let functions: Vec<_> = self.functions().collect();
        if functions.len() != recipe.fits.len() {
            return Err(Error::Recipe(format!(
                "it has the ranges of {} fitted activations, and this network has {}: it is that of another network",
                recipe.fits.len(),
                functions.len()
            )));
        }
        let mut program = Cow::Borrowed(self);
        for (&index, &scales) in functions.iter().zip(&recipe.fits) {
            program.to_mut().fit_step::<T>(index, scales, job)?;
        }
        Ok(Prepared::new(program, recipe))
    }
}

impl Program {
    /// Make the program ready with the fits of another one, which has the same functions in the same order, such as the
    /// same network with other scales of its weights. No function is called. Rows that the fits do not cover are refused
    /// when they are used.
    ///
    /// # Errors
    /// [`Error::Recipe`] where the functions differ in number or name.
    pub fn prepare_like<T: Scalar>(&self, other: &Prepared<'_, T>) -> Result<Prepared<'_, T>> {
        let functions: Vec<_> = self.functions().collect();
        let fits: Vec<_> = other.program.steps.iter().filter(|step| step.op.fit_name().is_some()).collect();
        let names = functions.iter().map(|&index| self.steps[index].op.function_name());
        if !names.eq(fits.iter().map(|step| step.op.fit_name())) {
            return Err(Error::Recipe(
                "it has fits of other activations than this network: prepare this network itself".to_owned(),
            ));
        }
        let mut program = Cow::Borrowed(self);
        if !functions.is_empty() {
            let program = program.to_mut();
            for (index, fit) in functions.into_iter().zip(fits) {
                program.steps[index].op = fit.op.clone();
            }
            program.number_slots();
        }
        Ok(Prepared::new(program, other.recipe.clone()))
    }
}

impl<'a, T: Scalar> Prepared<'a, T> {
    /// The way for the pairs of a fitted program.
    pub(crate) fn new(program: Cow<'a, Program>, recipe: Recipe) -> Self {
        debug_assert!(program.functions().next().is_none(), "every function is fitted");
        let zonal = Zonal::new(&program, recipe.features, recipe.input, recipe.pairs);
        Self { program, zonal, recipe }
    }

    /// The program, every function of which is fitted.
    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    /// What may run instead.
    pub(crate) fn zonal(&self) -> Option<&Zonal<T>> {
        self.zonal.as_ref()
    }

    /// For images of this height and width.
    pub(crate) fn on_grid(mut self, grid: Option<[usize; 2]>) -> Self {
        self.recipe.grid = grid;
        self
    }

    /// Without what it borrows.
    pub fn into_owned(self) -> Prepared<'static, T> {
        Prepared { program: Cow::Owned(self.program.into_owned()), zonal: self.zonal, recipe: self.recipe }
    }

    /// What makes the same again.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The instruction set.
    pub fn level(&self) -> Level {
        self.recipe.level
    }

    /// Every layer at a row of this scale, see [`Program::trace`].
    ///
    /// # Errors
    /// As [`Program::trace`].
    pub fn trace(&self, scale: f64, row: usize) -> Result<Vec<LayerTrace>> {
        self.program.trace(self.recipe.features, scale, row)
    }

    /// Whether rows that come in with these features and this scale are among those that this was made for, as far as
    /// the way of the pairs depends on them.
    pub(crate) fn covers(&self, features: usize, scale: f64) -> bool {
        // Norms that differ by rounding count as equal where the way is chosen, too.
        let slack = 8.0 * T::EPSILON;
        let Scales { low, high, zeros, .. } = self.recipe.input;
        self.zonal.is_none()
            || features == self.recipe.features
                && if scale == 0.0 {
                    zeros
                } else {
                    (low * (1.0 - slack)..=high * (1.0 + slack)).contains(&scale)
                }
    }
}
