//! What a network is evaluated on: rows, or images.

use crate::error::{Error, Result};
use crate::kernel::Rows;
use crate::planes::Images;
use crate::scalar::Scalar;

/// The samples of a call.
pub struct Samples<'a, T: 'static> {
    /// Height and width of images.
    grid: Option<[usize; 2]>,
    /// Axes of the array that they came in: messages show its shape, not that of the images.
    axes: usize,
    pub(crate) points: Form<'a, T>,
}

/// How they are computed with.
pub(crate) enum Form<'a, T: 'static> {
    Rows(Rows<'a, T>),
    Images(Images<T>),
}

impl<'a, T: Scalar> From<Rows<'a, T>> for Samples<'a, T> {
    fn from(rows: Rows<'a, T>) -> Self {
        Self { grid: None, axes: 2, points: Form::Rows(rows) }
    }
}

impl<T: Scalar> From<Images<T>> for Samples<'_, T> {
    fn from(images: Images<T>) -> Self {
        let grid = Some(images.grid());
        // Images of one position are rows of channels.
        let points = if images.are_rows() { Form::Rows(images.into_rows()) } else { Form::Images(images) };
        Self { grid, axes: 4, points }
    }
}

impl<T: Scalar> Samples<'_, T> {
    /// The same samples out of an array with so many axes: 3 for sequences, which are images of width 1, and 2 for rows,
    /// which are images of one position.
    #[must_use]
    pub fn with_axes(self, axes: usize) -> Self {
        Self { axes, ..self }
    }

    /// Number of samples.
    pub fn count(&self) -> usize {
        match &self.points {
            Form::Rows(rows) => rows.scales().len(),
            Form::Images(images) => images.count(),
        }
    }

    /// Features of a row, or channels of an image.
    pub fn features(&self) -> usize {
        match &self.points {
            Form::Rows(rows) => rows.features(),
            Form::Images(images) => images.channels(),
        }
    }

    /// Height and width of images; `None` for rows.
    pub fn grid(&self) -> Option<[usize; 2]> {
        self.grid
    }

    /// Refuse samples of another size of images than a network was prepared for.
    ///
    /// # Errors
    /// [`Error::Shape`], which names `x`.
    pub(crate) fn check_grid(&self, prepared: Option<[usize; 2]>) -> Result<()> {
        if self.grid == prepared {
            return Ok(());
        }
        let size = |grid: Option<[usize; 2]>| {
            grid.map_or("rows".to_owned(), |[height, width]| format!("images of size {height} × {width}"))
        };
        let expected = format!("{}, for which the network was prepared", size(prepared));
        Err(Error::Shape { argument: "x", given: self.shape(), expected })
    }

    /// The shape of the array that they came in.
    fn shape(&self) -> Vec<usize> {
        let sizes = self.grid.into_iter().flatten().take(self.axes - 2);
        std::iter::once(self.count()).chain(sizes).chain([self.features()]).collect()
    }

    /// What to do if these are images with their channels first, which their sizes suggest; empty if they do not.
    pub(crate) fn advice(&self, argument: &str) -> String {
        match self.grid {
            Some([1 | 3, width]) if self.axes == 4 && width >= 8 && self.features() >= 8 => {
                format!(
                    ". Channels are the last axis: if they are the first axis of these images, use \
                     {argument}.transpose(0, 2, 3, 1)"
                )
            }
            _ => String::new(),
        }
    }

    /// Refuse a second set whose samples have another shape than these.
    ///
    /// # Errors
    /// [`Error::Shape`], which names `x2`.
    pub fn check_alike(&self, other: &Self) -> Result<()> {
        if (self.grid, self.features()) == (other.grid, other.features()) {
            return Ok(());
        }
        let expected = match self.grid {
            None => format!("{} features, as in x", self.features()),
            Some(_) => {
                let sizes: Vec<_> = self.shape().iter().skip(1).map(ToString::to_string).collect();
                let advice = [self.advice("x"), other.advice("x2")].concat();
                format!("(n, {}), as in x{advice}", sizes.join(", "))
            }
        };
        Err(Error::Shape { argument: "x2", given: other.shape(), expected })
    }
}
