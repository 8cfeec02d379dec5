//! Kernels of images under convolutional networks, exactly.
//!
//! Of two images K and T are tensors over pairs of positions (p, p'). A convolution moves p and p' together, so that
//! they split into planes of one displacement p' − p, which do not see each other until a pool: a [`plan`] says which
//! planes there are, and a [`run`] takes each through the layers while it is in cache. The lanes of a register are
//! [`GROUP`] pairs of images, so that windows are sums of whole registers; everything that does not mix positions is
//! what it is for rows, a row for every position.

mod adjoint;
mod axis;
mod cells;
mod constants;
mod drivers;
mod fit;
mod images;
mod layout;
mod machine;
mod maps;
mod pairs;
mod plan;
mod pool;
mod run;
mod sides;
mod steps;
mod sums;
mod walk;
mod window;
mod workload;

pub use adjoint::{ImageWeights, gradients};
pub use drivers::{cross, diagonal, gram};
pub use fit::prepare;
pub use images::Images;
pub use pairs::{Tiles, groups, tiles};
pub use workload::workload;

/// Pairs of images that are computed together.
pub const GROUP: usize = 16;

/// A number for each pair of a group, or for one image of each.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Group<T>(pub [T; GROUP]);
