//! Truncated Taylor series by the cosine of a pair and both lengths ([`Taylor`]), and by the length of a row ([`Series`]).

mod number;
mod series;
mod tables;

pub(crate) use number::{HIGHEST, OneSided, Taylor};
pub(crate) use series::Series;
pub(crate) use tables::{COUNT, place};
pub use tables::{EXPONENTS, WITHIN};
