//! Layers on positions: their windows, and how they are read.

use crate::description::{Description, Value};
use crate::error::{Error, Result};

/// The largest window and stride that are accepted.
const LARGEST: usize = 1_000_000_000;

/// What lies around a plane of positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Zeros, so many that ⌈size/stride⌉ positions come out.
    Same,
    /// Nothing: windows stay inside.
    Valid,
    /// The plane again.
    Circular,
}

/// Windows along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Positions in a window.
    pub size: usize,
    /// Positions from one window to the next.
    pub stride: usize,
    /// What lies outside.
    pub padding: Padding,
}

impl Axis {
    /// One window that is everything.
    pub fn whole(size: usize) -> Self {
        Self { size, stride: 1, padding: Padding::Valid }
    }

    /// How many positions come out of `length`.
    pub fn outputs(self, length: usize) -> usize {
        match self.padding {
            Padding::Valid if length < self.size => 0,
            Padding::Valid => (length - self.size) / self.stride + 1,
            Padding::Same | Padding::Circular => length.div_ceil(self.stride),
        }
    }

    /// How many positions before the first one its window begins.
    pub fn low(self, length: usize) -> usize {
        match self.padding {
            Padding::Valid => 0,
            Padding::Same | Padding::Circular => {
                let reach = self.outputs(length).saturating_sub(1) * self.stride + self.size;
                reach.saturating_sub(length) / 2
            }
        }
    }

    /// Whether what comes out is what goes in.
    pub fn is_identity(self) -> bool {
        self.size == 1 && self.stride == 1
    }
}

/// The windows of a layer: their sizes in the field `window`, `strides` and `padding`.
pub(super) fn axes(fields: &mut Description, window: &str) -> Result<[Axis; 2]> {
    let (sizes, strides) = (sizes(fields, window)?, sizes(fields, "strides")?);
    if sizes.len() != strides.len() {
        return Err(Error::Network(format!(
            "{}: {window} is {sizes:?} and strides is {strides:?}; expected one number for each spatial dimension in both",
            fields.kind()
        )));
    }
    let padding = fields.take("padding", "'SAME', 'VALID' or 'CIRCULAR'", |value| match value.text()? {
        "SAME" => Some(Padding::Same),
        "VALID" => Some(Padding::Valid),
        "CIRCULAR" => Some(Padding::Circular),
        _ => None,
    })?;
    // A sequence is an image of width 1.
    let at = |numbers: &[usize], axis: usize| numbers.get(axis).copied().unwrap_or(1);
    Ok([0, 1].map(|axis| Axis { size: at(&sizes, axis), stride: at(&strides, axis), padding }))
}

fn sizes(fields: &mut Description, name: &str) -> Result<Vec<usize>> {
    let size = |value: &Value| value.count().filter(|size| (1..=LARGEST).contains(size));
    let read = |value: &Value| value.list(size).filter(|sizes| matches!(sizes.len(), 1 | 2));
    fields.take(name, "a list of one or two integers from 1 to 1,000,000,000", read)
}
