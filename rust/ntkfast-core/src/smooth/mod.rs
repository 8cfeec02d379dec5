//! Kernels with their derivatives by two rows, up to the second by each.
//!
//! A program runs on the covariances of a pair as Taylor series ([`crate::taylor`]) by the rows' cosine and lengths: the
//! kernels of smooth activations are smooth in these, also where rows coincide. The variance of a row behind each step,
//! as a function of the row's length, is what the step makes of the row with itself ([`rows`]). Then pairs are computed
//! in strips ([`pairs`]); [`ops`] has what each step does to either.

mod lengths;
mod ops;
mod pairs;
mod rows;

pub use lengths::Lengths;
pub use pairs::{Pairs, taylor};
