//! Borrowed arrays as samples of the core.

use crate::arrays::{ArrayFloat, copy_row, read, unsuitable};
use ntkfast_core::parallel::Job;
use ntkfast_core::planes::Images;
use ntkfast_core::{Result, Samples};
use numpy::ndarray::{ArrayView2, ArrayView4, Axis, Ix2, Ix4, IxDyn};
use numpy::{PyReadonlyArray2, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

/// A borrowed array of samples.
pub enum Input<'py, T: ArrayFloat> {
    Rows(PyReadonlyArray2<'py, T>),
    /// Images; sequences, without a width; or rows of channels, without positions.
    Images(PyReadonlyArrayDyn<'py, T>),
}

/// What of it can be used without the GIL.
pub enum View<'a, T> {
    Rows(ArrayView2<'a, T>),
    /// Images, and the axes of the array.
    Images(ArrayView4<'a, T>, usize),
}

impl<'py, T: ArrayFloat> Input<'py, T> {
    /// Borrow an array of rows, or of images; `None` where it holds another type.
    pub fn read(argument: &str, x: &Bound<'py, PyAny>, spatial: bool) -> PyResult<Option<Self>> {
        if spatial {
            let array = read::<T, IxDyn>(argument, x)?;
            return Ok(array.filter(|array| (2..=4).contains(&array.ndim())).map(Self::Images));
        }
        Ok(read::<T, Ix2>(argument, x)?.map(Self::Rows))
    }

    /// Its view.
    pub fn view(&self) -> View<'_, T> {
        match self {
            Self::Rows(x) => View::Rows(x.as_array()),
            Self::Images(x) => {
                let (axes, mut images) = (x.ndim(), x.as_array());
                for channels in axes - 1..3 {
                    images = images.insert_axis(Axis(channels));
                }
                View::Images(images.into_dimensionality::<Ix4>().expect("four axes"), axes)
            }
        }
    }
}

/// Something for either number type.
pub enum ByDtype<D, S> {
    Double(D),
    Single(S),
}

/// Run an expression with what is in a [`ByDtype`].
macro_rules! by_dtype {
    ($value:expr, $inside:pat => $body:expr) => {
        match $value {
            $crate::samples::ByDtype::Double($inside) => $body,
            $crate::samples::ByDtype::Single($inside) => $body,
        }
    };
}
pub(crate) use by_dtype;

/// One set of samples, and maybe a second one.
type Sets<'py, T> = (Input<'py, T>, Option<Input<'py, T>>);

/// Borrow one set of samples, or two of one type.
pub fn sets<'py>(
    x: &Bound<'py, PyAny>,
    x2: Option<&Bound<'py, PyAny>>,
    spatial: bool,
) -> PyResult<ByDtype<Sets<'py, f64>, Sets<'py, f32>>> {
    if let Some(sets) = typed(x, x2, spatial)? {
        return Ok(ByDtype::Double(sets));
    }
    if let Some(sets) = typed(x, x2, spatial)? {
        return Ok(ByDtype::Single(sets));
    }
    let known =
        Input::<f64>::read("x", x, spatial)?.is_some() || Input::<f32>::read("x", x, spatial)?.is_some();
    let dimensions = if spatial { 4 } else { 2 };
    match x2.filter(|_| known) {
        Some(x2) => Err(unsuitable("x2", dimensions, x2)),
        None => Err(unsuitable("x", dimensions, x)),
    }
}

fn typed<'py, T: ArrayFloat>(
    x: &Bound<'py, PyAny>,
    x2: Option<&Bound<'py, PyAny>>,
    spatial: bool,
) -> PyResult<Option<Sets<'py, T>>> {
    let Some(x) = Input::read("x", x, spatial)? else { return Ok(None) };
    let Some(x2) = x2 else { return Ok(Some((x, None))) };
    Ok(Input::read("x2", x2, spatial)?.map(|x2| (x, Some(x2))))
}

impl<T: ArrayFloat> View<'_, T> {
    /// Number of samples.
    pub fn count(&self) -> usize {
        match self {
            Self::Rows(x) => x.nrows(),
            Self::Images(x, _) => x.dim().0,
        }
    }

    /// Features, or channels, and positions of a sample.
    pub fn size(&self) -> [usize; 2] {
        match self {
            Self::Rows(x) => [x.ncols(), 1],
            Self::Images(x, _) => {
                let (_, height, width, channels) = x.dim();
                [channels, height.saturating_mul(width)]
            }
        }
    }

    /// The samples; rows are copied where they do not follow each other, and where Python code that runs during the
    /// call could change them.
    pub fn samples(&self, argument: &'static str, watched: bool, job: &Job) -> Result<Samples<'_, T>> {
        match self {
            Self::Rows(x) => {
                let shape = [x.nrows(), x.ncols()];
                match x.as_slice().filter(|_| !watched) {
                    Some(points) => T::borrowed_rows(argument, shape, points, job).map(Into::into),
                    None => {
                        T::rows(argument, shape, &|row, buffer| copy_row(x, row, buffer), job).map(Into::into)
                    }
                }
            }
            Self::Images(_, axes) => {
                let images = self.images(argument, job);
                images
                    .map(|images| Samples::from(images).with_axes(*axes))
                    .map_err(|error| error.with_axes(*axes))
            }
        }
    }

    /// The samples as images, those of one position also; rows are such images.
    pub fn images(&self, argument: &'static str, job: &Job) -> Result<Images<T>> {
        match self {
            Self::Rows(x) => {
                let fill = |row: usize, _: usize, buffer: &mut [T]| copy_row(x, row, buffer);
                T::images(argument, [x.nrows(), 1, 1, x.ncols()], &fill, job)
            }
            Self::Images(x, _) => {
                let (count, height, width, channels) = x.dim();
                let fill = |image: usize, position: usize, buffer: &mut [T]| {
                    for (channel, value) in buffer.iter_mut().enumerate() {
                        *value = x[[image, position / width, position % width, channel]];
                    }
                };
                T::images(argument, [count, height, width, channels], &fill, job)
            }
        }
    }
}
