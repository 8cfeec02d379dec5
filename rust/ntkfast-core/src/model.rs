//! Compiled networks and their kernels: the entry points of the core.
//!
//! What is generic in the number type is compiled again wherever it is used. So the drivers are reached through
//! [`KernelFloat`], whose methods are compiled here, once for `f32` and once for `f64`; the extension and the tests link them.

mod derivatives;

pub use derivatives::{derivatives, image_gradients, taylor_coefficients, weighted_derivatives};

use crate::error::{Error, Result};
use crate::kernel::{self, Mirrored, Outputs, Points, Rows, Wanted, Workload};
use crate::network::Layer;
use crate::parallel::Job;
use crate::planes::{self, Images};
use crate::program::{Prepared, Program, Recipe, Register, Scales};
use crate::samples::{self, Samples};
use crate::scalar::Scalar;
use crate::simd::{Level, Strip};
use std::borrow::Cow;

/// A network, compiled for rows or, with spatial layers, for images of any size.
#[derive(Clone, Debug)]
pub struct Model {
    layer: Layer,
    program: Program,
}

impl Model {
    /// Compile a network.
    ///
    /// # Errors
    /// As [`Program::new`].
    pub fn new(layer: Layer) -> Result<Self> {
        let program = Program::new(&layer)?;
        Ok(Self { layer, program })
    }

    /// Compile a network as [`Program::distinct`] does.
    ///
    /// # Errors
    /// As there.
    pub fn distinct(layer: Layer) -> Result<Self> {
        let program = Program::distinct(&layer)?;
        Ok(Self { layer, program })
    }

    /// The networks of [`Program::by_depth`].
    ///
    /// # Errors
    /// As there.
    pub fn by_depth(layer: Layer) -> Result<Self> {
        let program = Program::by_depth(&layer)?;
        Ok(Self { layer, program })
    }

    /// The networks of [`Program::by_frozen`].
    ///
    /// # Errors
    /// As there.
    pub fn by_frozen(layer: Layer) -> Result<Self> {
        let program = Program::by_frozen(&layer)?;
        Ok(Self { layer, program })
    }

    /// Number of results.
    pub fn results(&self) -> usize {
        self.program.outputs.len()
    }

    /// Whether samples are images.
    pub fn is_spatial(&self) -> bool {
        self.program.spatial
    }

    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.program.steps.len()
    }

    /// Whether some activation has not been fitted yet, see [`Program::lacks_fits`].
    pub fn lacks_fits(&self) -> bool {
        self.program.lacks_fits()
    }

    /// Refuse a recipe for rows where samples are images, and the other way round, and ranges that are none.
    fn check_recipe(&self, recipe: &Recipe) -> Result<()> {
        if recipe.grid.is_some() != self.is_spatial() {
            let given = if recipe.grid.is_some() { "images" } else { "rows" };
            return Err(Error::Recipe(format!("it is for {given}, and this network takes others")));
        }
        if !recipe.fits.iter().chain([&recipe.input]).all(Scales::is_range) {
            return Err(Error::Recipe("it has ranges of scales that are not ranges".to_owned()));
        }
        Ok(())
    }

    /// The program for rows, or for images of this height and width.
    fn program(&self, grid: Option<[usize; 2]>) -> Result<Cow<'_, Program>> {
        match grid {
            Some(grid) if self.is_spatial() => Program::for_images(&self.layer, grid).map(Cow::Owned),
            _ => Ok(Cow::Borrowed(&self.program)),
        }
    }
}

/// A number with kernels: `f32` or `f64`.
pub trait KernelFloat: Scalar {
    /// Rows through a function, see [`Rows::new`].
    ///
    /// # Errors
    /// As there.
    fn rows(
        argument: &'static str,
        shape: [usize; 2],
        fill: &(dyn Fn(usize, &mut [Self]) + Sync),
        job: &Job,
    ) -> Result<Rows<'static, Self>>;

    /// Rows where they are, see [`Rows::borrowed`].
    ///
    /// # Errors
    /// As there.
    fn borrowed_rows<'a>(
        argument: &'static str,
        shape: [usize; 2],
        points: &'a [Self],
        job: &Job,
    ) -> Result<Rows<'a, Self>>;

    /// Images through a function, see [`Images::new`].
    ///
    /// # Errors
    /// As there.
    fn images(
        argument: &'static str,
        shape: [usize; 4],
        fill: &(dyn Fn(usize, usize, &mut [Self]) + Sync),
        job: &Job,
    ) -> Result<Images<Self>>;

    /// Make a model ready for these samples, all of one shape, and so many pairs of them.
    ///
    /// # Errors
    /// As [`Program::prepare`] and [`planes::prepare`], and where the network does not take images of this size.
    fn prepare<'a>(
        model: &'a Model,
        sets: &mut [&mut Samples<'_, Self>],
        pairs: usize,
        job: &Job,
    ) -> Result<Prepared<'a, Self>>;

    /// Make a model ready for rows of so many features with these scales, and no pairs.
    ///
    /// # Errors
    /// As [`Program::prepare`].
    fn prepare_rows<'a>(
        model: &'a Model,
        features: usize,
        scales: &[f64],
        job: &Job,
    ) -> Result<Prepared<'a, Self>>;

    /// Make a model ready for samples as it was before, see [`Program::prepare_again`].
    ///
    /// # Errors
    /// As there.
    fn prepare_again<'a>(model: &'a Model, recipe: Recipe, job: &Job) -> Result<Prepared<'a, Self>>;

    /// Make a model ready with the fits of another one, see [`Program::prepare_like`].
    ///
    /// # Errors
    /// As there.
    fn prepare_like<'a>(model: &'a Model, other: &Prepared<'_, Self>) -> Result<Prepared<'a, Self>>;

    /// All pairs of one set, exactly symmetric. O(n²·(d + steps)) for rows.
    ///
    /// # Errors
    /// [`crate::Error::Overflow`], [`crate::Error::Unprepared`], [`crate::Error::PlaneMemory`],
    /// [`crate::Error::Cancelled`].
    fn gram(
        prepared: &Prepared<'_, Self>,
        x: Samples<'_, Self>,
        out: Outputs<'_, Self>,
        job: &Job,
    ) -> Result<()>;

    /// All pairs of two sets. O(n·m·(d + steps)) for rows.
    ///
    /// # Errors
    /// As [`KernelFloat::gram`], and [`crate::Error::Shape`] where samples differ in shape.
    fn cross(
        prepared: &Prepared<'_, Self>,
        sets: [Samples<'_, Self>; 2],
        out: Outputs<'_, Self>,
        job: &Job,
    ) -> Result<()>;

    /// Every sample with itself, result by result in one column. O(n·steps) for rows.
    ///
    /// # Errors
    /// As [`KernelFloat::gram`].
    fn diagonal(
        prepared: &Prepared<'_, Self>,
        x: Samples<'_, Self>,
        out: &Outputs<'_, Self>,
        job: &Job,
    ) -> Result<()>;

    /// The work of all pairs of two sets of so many samples, or of one set with itself.
    ///
    /// # Errors
    /// As [`planes::workload`].
    fn workload(
        prepared: &Prepared<'_, Self>,
        counts: [usize; 2],
        same: bool,
        wanted: Wanted,
        job: &Job,
    ) -> Result<Workload>;

    /// A program without functions to be fitted on one strip of pairs, for an instruction set: from register 0 to the
    /// output registers, with the constants of one row and of the rows in the strip.
    fn run_strip(
        program: &Program,
        level: Level,
        registers: &mut [Register<Self>],
        left: &[Self],
        right: &[Strip<Self>],
    );
}

macro_rules! number {
    ($scalar:ty) => {
        impl KernelFloat for $scalar {
            fn rows(
                argument: &'static str,
                [count, features]: [usize; 2],
                fill: &(dyn Fn(usize, &mut [Self]) + Sync),
                job: &Job,
            ) -> Result<Rows<'static, Self>> {
                Rows::new(argument, count, features, fill, job)
            }

            fn borrowed_rows<'a>(
                argument: &'static str,
                [count, features]: [usize; 2],
                points: &'a [Self],
                job: &Job,
            ) -> Result<Rows<'a, Self>> {
                Rows::borrowed(argument, count, features, points, job)
            }

            fn images(
                argument: &'static str,
                [count, height, width, channels]: [usize; 4],
                fill: &(dyn Fn(usize, usize, &mut [Self]) + Sync),
                job: &Job,
            ) -> Result<Images<Self>> {
                Images::new(argument, count, [height, width, channels], fill, job)
            }

            fn prepare<'a>(
                model: &'a Model,
                sets: &mut [&mut Samples<'_, Self>],
                pairs: usize,
                job: &Job,
            ) -> Result<Prepared<'a, Self>> {
                prepare(model, sets, pairs, job)
            }

            fn prepare_rows<'a>(
                model: &'a Model,
                features: usize,
                scales: &[f64],
                job: &Job,
            ) -> Result<Prepared<'a, Self>> {
                model.program.prepare(features, scales, 0, job)
            }

            fn prepare_again<'a>(model: &'a Model, recipe: Recipe, job: &Job) -> Result<Prepared<'a, Self>> {
                model.check_recipe(&recipe)?;
                match model.program(recipe.grid)? {
                    Cow::Borrowed(program) => program.prepare_again(recipe, job),
                    Cow::Owned(program) => Ok(program.prepare_again(recipe, job)?.into_owned()),
                }
            }

            fn prepare_like<'a>(model: &'a Model, other: &Prepared<'_, Self>) -> Result<Prepared<'a, Self>> {
                let recipe = other.recipe();
                model.check_recipe(recipe)?;
                match model.program(recipe.grid)? {
                    Cow::Borrowed(program) => program.prepare_like(other),
                    Cow::Owned(program) => Ok(program.prepare_like(other)?.into_owned()),
                }
            }

            fn gram(
                prepared: &Prepared<'_, Self>,
                x: Samples<'_, Self>,
                out: Outputs<'_, Self>,
                job: &Job,
            ) -> Result<()> {
                gram(prepared, x, out, job)
            }

            fn cross(
                prepared: &Prepared<'_, Self>,
                sets: [Samples<'_, Self>; 2],
                out: Outputs<'_, Self>,
                job: &Job,
            ) -> Result<()> {
                cross(prepared, sets, out, job)
            }

            fn diagonal(
                prepared: &Prepared<'_, Self>,
                x: Samples<'_, Self>,
                out: &Outputs<'_, Self>,
                job: &Job,
            ) -> Result<()> {
                diagonal(prepared, x, out, job)
            }

            fn workload(
                prepared: &Prepared<'_, Self>,
                counts: [usize; 2],
                same: bool,
                wanted: Wanted,
                job: &Job,
            ) -> Result<Workload> {
                match prepared.recipe().grid {
                    // Images of one position are rows.
                    Some(grid) if grid != [1, 1] => {
                        planes::workload(prepared, grid, counts, same, wanted, job)
                    }
                    _ => Ok(kernel::workload(prepared, counts, same, wanted)),
                }
            }

            fn run_strip(
                program: &Program,
                level: Level,
                registers: &mut [Register<Self>],
                left: &[Self],
                right: &[Strip<Self>],
            ) {
                program.run_strip::<_, true>(level, registers, left, right);
            }
        }
    };
}

number!(f32);
number!(f64);

fn prepare<'a, T: Scalar>(
    model: &'a Model,
    sets: &mut [&mut Samples<'_, T>],
    pairs: usize,
    job: &Job,
) -> Result<Prepared<'a, T>> {
    if let [first, rest @ ..] = &*sets {
        rest.iter().try_for_each(|set| first.check_alike(set))?;
    }
    let grid = sets.first().and_then(|set| set.grid());
    let advice = sets.first().map_or(String::new(), |set| set.advice("x"));
    let program = model.program(grid).map_err(|error| error.advising(&advice))?;
    let features = sets.first().map_or(0, |set| set.features());
    let (mut images, mut scales) = (Vec::new(), Vec::new());
    for set in sets {
        match &mut set.points {
            samples::Form::Images(set) => images.push(set),
            samples::Form::Rows(rows) => scales.push(rows.scales()),
        }
    }
    if !images.is_empty() {
        return Ok(planes::prepare(&program, &mut images, job)?.into_owned().on_grid(grid));
    }
    let scales = if let [one] = scales[..] { Cow::Borrowed(one) } else { Cow::Owned(scales.concat()) };
    match program {
        Cow::Borrowed(program) => program.prepare(features, &scales, pairs, job),
        Cow::Owned(program) => Ok(program.prepare(features, &scales, pairs, job)?.into_owned().on_grid(grid)),
    }
}

fn gram<T: Scalar>(
    prepared: &Prepared<'_, T>,
    x: Samples<'_, T>,
    out: Outputs<'_, T>,
    job: &Job,
) -> Result<()> {
    x.check_grid(prepared.recipe().grid)?;
    match x.points {
        samples::Form::Images(mut images) => planes::gram(prepared, &mut images, &out, job),
        samples::Form::Rows(rows) => {
            let wanted = out.wanted();
            let points = Points::new(rows, prepared, wanted, job)?;
            kernel::gram(prepared, &points, wanted, &mut Mirrored(out), job)
        }
    }
}

fn cross<T: Scalar>(
    prepared: &Prepared<'_, T>,
    [left, right]: [Samples<'_, T>; 2],
    mut out: Outputs<'_, T>,
    job: &Job,
) -> Result<()> {
    left.check_grid(prepared.recipe().grid)?;
    left.check_alike(&right)?;
    match (left.points, right.points) {
        (samples::Form::Images(mut left), samples::Form::Images(mut right)) => {
            planes::cross(prepared, &mut left, &mut right, &out, job)
        }
        (samples::Form::Rows(left), samples::Form::Rows(right)) => {
            let wanted = out.wanted();
            let left = Points::new(left, prepared, wanted, job)?;
            let right = Points::new(right, prepared, wanted, job)?;
            kernel::cross(prepared, &left, &right, wanted, &mut out, job)
        }
        _ => unreachable!("samples of one shape are computed with in one way"),
    }
}

fn diagonal<T: Scalar>(
    prepared: &Prepared<'_, T>,
    x: Samples<'_, T>,
    out: &Outputs<'_, T>,
    job: &Job,
) -> Result<()> {
    x.check_grid(prepared.recipe().grid)?;
    match x.points {
        samples::Form::Images(mut images) => planes::diagonal(prepared, &mut images, out, job),
        samples::Form::Rows(rows) => {
            kernel::diagonal(&Points::new(rows, prepared, out.wanted(), job)?, out);
            Ok(())
        }
    }
}
