//! The images of a group of pairs.

use super::constants::GroupConstants;
use super::window::Both;

/// A group of pairs of images.
#[derive(Debug)]
pub struct Sides<'a, T> {
    pub left: &'a GroupConstants<T>,
    pub right: &'a GroupConstants<T>,
    /// The lane of the left images that all pairs have in common, if there is one; otherwise each has its own.
    pub one: Option<usize>,
}

impl<T> Clone for Sides<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Sides<'_, T> {}

impl<'a, T> Sides<'a, T> {
    /// The lane of the left images that a pair has.
    pub fn left_lane(&self, lane: usize) -> usize {
        self.one.unwrap_or(lane)
    }

    pub fn both(&self) -> Both<'a, T> {
        Both { left: &self.left.data, right: &self.right.data, one: self.one }
    }
}
