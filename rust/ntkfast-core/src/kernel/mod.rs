//! Kernels of point sets: rows once, then tiles of pairs.
//!
//! [`Rows`] are read once and normalised; [`Points`] adds the per-row constants of a program.
//! A [`tile`] of pairs starts from cosines v̂·v̂', runs the program strip by strip in cache, and hands the
//! finished values to a [`Sink`], band by band; [`gram`], [`cross`] and [`diagonal`] are the drivers.

mod band;
mod cosine;
mod derivatives;
mod differentiable;
mod drivers;
mod points;
mod product;
mod rows;
pub mod stream;
mod tile;
mod units;
mod weighted;
mod workload;
mod writer;

pub use derivatives::derivatives;
pub use differentiable::{PLANES, Variables};
pub use drivers::{cross, diagonal, gram};
pub use points::Points;
pub use rows::Rows;
pub use tile::{BandValues, Finished, OPERATIONS, Sink};
pub use units::TILE;
pub use weighted::Weighted;
pub use workload::{Workload, workload};
pub use writer::{Mirrored, Outputs, Target};

/// Which kernels are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The NNGP kernel K.
    pub nngp: bool,
    /// The neural tangent kernel T.
    pub ntk: bool,
}
