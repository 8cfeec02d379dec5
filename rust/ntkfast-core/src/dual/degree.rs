//! Degrees of polynomials, as they arrive from outside.

use crate::description::{Description, Value};
use crate::error::Result;

/// The highest that is accepted: beyond it, at hardly any variance can a number hold the kernel of a power.
pub const HIGHEST: usize = 1000;

/// The field `degree`.
pub fn degree(fields: &mut Description) -> Result<usize> {
    let read = |value: &Value| value.count().filter(|degree| *degree <= HIGHEST);
    fields.take("degree", "an integer from 0 to 1000", read)
}
