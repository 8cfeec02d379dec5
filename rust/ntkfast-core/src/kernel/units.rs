//! Rows as tiles read them.

/// Rows and columns of a tile: a whole number of strips.
pub const TILE: usize = 256;

/// Some rows of one tile: v̂ of each is the product of its point and its inverse.
#[derive(Clone, Copy)]
pub struct Units<'a, T> {
    /// Row after row.
    pub points: &'a [T],
    /// Row by row.
    pub inverses: &'a [T],
}
