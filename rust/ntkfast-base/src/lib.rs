//! What the crates of ntkfast share: the one error, the number types, large buffers, and work on a pool of threads.

pub mod error;
pub mod float;
pub mod memory;
pub mod parallel;
pub mod reserve;

pub use error::{Error, Result};
pub use float::Float;
