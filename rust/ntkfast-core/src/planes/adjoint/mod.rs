//! Gradients by images, in reverse mode: the kernel of a pair is a function of all its pixels.
//!
//! K and T of pairs of positions go backwards as themselves, not as cosines: means over windows and positions, dense
//! layers and joins are linear in them. What activations make of a pair comes from forward mode, see
//! [`activation`]. The norms of a position serve all pairs of an image: gradients by them are summed over pairs, and go
//! backwards once for each image, see [`alone`].

mod activation;
mod alone;
mod backward;
mod local;
mod mixing;
mod ops;
mod pairs;
mod sums;

pub use pairs::{ImageWeights, gradients};

use super::constants::Each;

/// K and T, or √K and √T, or gradients by them.
pub type Pair = [Each; 2];
