//! Where the values of a network have positions.

use crate::error::{Error, Result};

/// Where a value has neurons.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Positions {
    /// As the unknown input of a part of a network.
    Any,
    /// At every position of an image: height and width, where they are known.
    Grid(Option<[usize; 2]>),
    /// Nowhere in particular.
    None,
}

impl Positions {
    /// Refuse a network that ends with positions.
    pub fn check_end(self) -> Result<()> {
        match self {
            Self::Grid(_) => Err(Error::Network(
                "a network with spatial layers has to end without positions: put Flatten(), GlobalAvgPool() or \
                 GlobalSumPool() before its last Dense"
                    .into(),
            )),
            Self::Any | Self::None => Ok(()),
        }
    }
}
