//! Images as they come in, and their variances behind pools.

use super::GROUP;
use super::constants::Variances;
use crate::error::{Error, Result};
use crate::kernel::Rows;
use crate::memory;
use crate::parallel::Job;
use crate::scalar::Scalar;

/// Images whose every position is a row.
pub struct Images<T: 'static> {
    pub(super) rows: Rows<'static, T>,
    pub(super) count: usize,
    pub(super) grid: [usize; 2],
    /// For every block of images: pool by pool, where they are known.
    pub(super) pools: Vec<Vec<Variances>>,
}

impl<T: Scalar> Images<T> {
    /// Read `count` images of a height, a width and so many channels through `fill(image, position, buffer)`.
    ///
    /// # Errors
    /// [`Error::Shape`] without positions or channels, [`Error::NotFiniteAt`], [`Error::Memory`], [`Error::Cancelled`].
    pub fn new(
        argument: &'static str,
        count: usize,
        [height, width, channels]: [usize; 3],
        fill: impl Fn(usize, usize, &mut [T]) + Sync,
        job: &Job,
    ) -> Result<Self> {
        if height == 0 || width == 0 || channels == 0 {
            let expected = "images with at least one position and one channel".to_owned();
            return Err(Error::Shape { argument, given: vec![count, height, width, channels], expected });
        }
        let positions = memory::size([height, width])?;
        let rows = memory::size([count, positions])?;
        let read = |row: usize, buffer: &mut [T]| fill(row / positions, row % positions, buffer);
        let rows = Rows::new(argument, rows, channels, read, job).map_err(|error| match error {
            Error::NotFinite { argument, row, column, value } => {
                let (image, position) = (row / positions, row % positions);
                let index = vec![image, position / width, position % width, column];
                Error::NotFiniteAt { argument, index, value }
            }
            other => other,
        })?;
        let pools = vec![Vec::new(); count.div_ceil(GROUP)];
        Ok(Self { rows, count, grid: [height, width], pools })
    }

    /// Whether they have one position each, so that they are rows of channels.
    pub fn are_rows(&self) -> bool {
        self.positions() == 1
    }

    /// Their positions, image by image.
    pub fn into_rows(self) -> Rows<'static, T> {
        self.rows
    }

    /// Number of images.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Height and width.
    pub fn grid(&self) -> [usize; 2] {
        self.grid
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.rows.features()
    }

    pub(super) fn positions(&self) -> usize {
        self.grid[0] * self.grid[1]
    }
}
