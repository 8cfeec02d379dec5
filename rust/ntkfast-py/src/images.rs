//! Compiled networks on images.

use crate::arrays::{Arrays, Number, outputs, targets};
use crate::door::Call;
use crate::program::{PyProgram, give_diagonal};
use crate::rows::{self, warnings};
use ntkfast_core::kernel::Plain;
use ntkfast_core::parallel::Job;
use ntkfast_core::planes::{self, Images};
use ntkfast_core::program::Program;
use ntkfast_core::{Error, Result};
use numpy::PyReadonlyArray4;
use numpy::ndarray::{ArrayView4, Ix1, Ix2};
use pyo3::prelude::*;

type Progress<'a, 'py> = Option<&'a Bound<'py, PyAny>>;

impl PyProgram {
    pub fn gram_of_images<T: Number>(
        &self,
        x: &PyReadonlyArray4<'_, T>,
        nngp: Arrays<'_>,
        ntk: Arrays<'_>,
        progress: Progress<'_, '_>,
    ) -> PyResult<()> {
        let (py, x) = (x.py(), x.as_array());
        let count = x.dim().0;
        let mut nngp = outputs::<T, Ix2>("out.nngp", nngp, 1, &[count, count])?;
        let mut ntk = outputs::<T, Ix2>("out.ntk", ntk, 1, &[count, count])?;
        let out = Plain { nngp: targets(&mut nngp), ntk: targets(&mut ntk) };
        let operations = self.image_operations(count * count / 2, &x);
        self.run(Call { py, operations, progress }, |job| {
            let mut images = images("x", &x, job)?;
            let program = self.program_for(&x)?;
            if images.are_rows() {
                return Ok((rows::gram(&program, images.into_rows(), out, job)?, ()));
            }
            let program = planes::fit(&program, &mut [&mut images], job)?;
            planes::gram(&program, &mut images, &out, job)?;
            Ok((warnings(&program), ()))
        })
    }

    pub fn cross_of_images<T: Number>(
        &self,
        x: &PyReadonlyArray4<'_, T>,
        x2: &PyReadonlyArray4<'_, T>,
        nngp: Arrays<'_>,
        ntk: Arrays<'_>,
        progress: Progress<'_, '_>,
    ) -> PyResult<()> {
        let py = x.py();
        let (x, x2) = (x.as_array(), x2.as_array());
        let shape = [x.dim().0, x2.dim().0];
        let mut nngp = outputs::<T, Ix2>("out.nngp", nngp, 1, &shape)?;
        let mut ntk = outputs::<T, Ix2>("out.ntk", ntk, 1, &shape)?;
        let out = Plain { nngp: targets(&mut nngp), ntk: targets(&mut ntk) };
        let operations = self.image_operations(shape[0] * shape[1], &x);
        self.run(Call { py, operations, progress }, |job| {
            check_alike(&x, &x2)?;
            let (mut left, mut right) = (images("x", &x, job)?, images("x2", &x2, job)?);
            let program = self.program_for(&x)?;
            if left.are_rows() {
                let sets = [left, right].map(Images::into_rows);
                return Ok((rows::cross(&program, sets, out, job)?, ()));
            }
            let program = planes::fit(&program, &mut [&mut left, &mut right], job)?;
            planes::cross(&program, &mut left, &mut right, &out, job)?;
            Ok((warnings(&program), ()))
        })
    }

    pub fn diagonal_of_images<T: Number>(
        &self,
        x: &PyReadonlyArray4<'_, T>,
        nngp: Arrays<'_>,
        ntk: Arrays<'_>,
    ) -> PyResult<()> {
        let (py, x) = (x.py(), x.as_array());
        let count = x.dim().0;
        let mut nngp = outputs::<T, Ix1>("out.nngp", nngp, 1, &[count])?;
        let mut ntk = outputs::<T, Ix1>("out.ntk", ntk, 1, &[count])?;
        let out = Plain { nngp: targets(&mut nngp), ntk: targets(&mut ntk) };
        let operations = self.image_operations(count, &x);
        let points = self.run(Call { py, operations, progress: None }, |job| {
            let mut images = images("x", &x, job)?;
            let program = self.program_for(&x)?;
            if images.are_rows() {
                let (warnings, points) = rows::diagonal(&program, images.into_rows(), out.wanted(), job)?;
                return Ok((warnings, Some(points)));
            }
            let program = planes::fit(&program, &mut [&mut images], job)?;
            planes::diagonal(&program, &mut images, &out, job)?;
            Ok((warnings(&program), None))
        })?;
        if let Some(points) = points {
            give_diagonal(&points, &mut nngp, &mut ntk);
        }
        Ok(())
    }

    /// The program for images of this height and width.
    fn program_for<T>(&self, x: &ArrayView4<'_, T>) -> Result<Program> {
        let (_, height, width, _) = x.dim();
        Program::for_images(&self.layer, [height, width])
    }

    fn image_operations<T>(&self, pairs: usize, x: &ArrayView4<'_, T>) -> usize {
        let (_, height, width, _) = x.dim();
        let positions = height.saturating_mul(width);
        // Whole groups, and at least the planes of displacement 0.
        self.operations(pairs.max(16).saturating_mul(positions), 0)
    }
}

fn images<T: Number>(argument: &'static str, x: &ArrayView4<'_, T>, job: &Job) -> Result<Images<T>> {
    let (count, height, width, channels) = x.dim();
    let fill = |image: usize, position: usize, buffer: &mut [T]| {
        for (channel, value) in buffer.iter_mut().enumerate() {
            *value = x[[image, position / width, position % width, channel]];
        }
    };
    Images::new(argument, count, [height, width, channels], fill, job)
}

fn check_alike<T>(x: &ArrayView4<'_, T>, x2: &ArrayView4<'_, T>) -> Result<()> {
    let (_, height, width, channels) = x.dim();
    let (count, height2, width2, channels2) = x2.dim();
    if (height, width, channels) == (height2, width2, channels2) {
        return Ok(());
    }
    Err(Error::Shape {
        argument: "x2",
        given: vec![count, height2, width2, channels2],
        expected: format!("(n, {height}, {width}, {channels}), as in x"),
    })
}
