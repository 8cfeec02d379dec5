//! What a network is evaluated on: rows, or images.

use crate::error::{Error, Result};
use crate::kernel::Rows;
use crate::planes::Images;
use crate::scalar::Scalar;

/// The samples of a call.
pub struct Samples<'a, T: 'static> {
    /// Height and width of images.
    grid: Option<[usize; 2]>,
    pub(crate) points: Form<'a, T>,
}

/// How they are computed with.
pub(crate) enum Form<'a, T: 'static> {
    Rows(Rows<'a, T>),
    Images(Images<T>),
}

impl<'a, T: Scalar> From<Rows<'a, T>> for Samples<'a, T> {
    fn from(rows: Rows<'a, T>) -> Self {
        Self { grid: None, points: Form::Rows(rows) }
    }
}

impl<T: Scalar> From<Images<T>> for Samples<'_, T> {
    fn from(images: Images<T>) -> Self {
        let grid = Some(images.grid());
        // Images of one position are rows of channels.
        let points = if images.are_rows() { Form::Rows(images.into_rows()) } else { Form::Images(images) };
        Self { grid, points }
    }
}

impl<T: Scalar> Samples<'_, T> {
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
        let mut given = vec![self.count()];
        given.extend(self.grid.into_iter().flatten());
        given.push(self.features());
        let expected = format!("{}, for which the network was prepared", size(prepared));
        Err(Error::Shape { argument: "x", given, expected })
    }

    /// Refuse a second set whose samples have another shape than these.
    ///
    /// # Errors
    /// [`Error::Shape`], which names `x2`.
    pub fn check_alike(&self, other: &Self) -> Result<()> {
        if (self.grid, self.features()) == (other.grid, other.features()) {
            return Ok(());
        }
        let (mut given, features) = (vec![other.count()], self.features());
        given.extend(other.grid.into_iter().flatten());
        given.push(other.features());
        let expected = match self.grid {
            None => format!("{features} features, as in x"),
            Some([height, width]) => format!("(n, {height}, {width}, {features}), as in x"),
        };
        Err(Error::Shape { argument: "x2", given, expected })
    }
}
