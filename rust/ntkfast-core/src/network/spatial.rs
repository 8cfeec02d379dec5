//! Layers on positions: their windows, and how they are read.

use super::{Layer, Training};

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

/// A convolution from (filter, filter, stride, stride, padding, σ_w, σ_b, width).
pub(super) fn conv(training: Training, parameters: &[Option<f64>]) -> Option<Layer> {
    let (windows, rest) = parameters.split_at_checked(5)?;
    let Layer::Dense { width, w_std, b_std, training } = Layer::dense(training, rest)? else { return None };
    Some(Layer::Conv { axes: axes(windows)?, width, w_std, b_std, training })
}

/// A pool from (window, window, stride, stride, padding).
pub(super) fn pool(sum: bool, parameters: &[Option<f64>]) -> Option<Layer> {
    Some(Layer::Pool { axes: axes(parameters)?, sum })
}

fn axes(parameters: &[Option<f64>]) -> Option<[Axis; 2]> {
    let &[Some(height), Some(width), Some(down), Some(right), Some(padding)] = parameters else {
        return None;
    };
    let padding = match padding {
        0.0 => Padding::Same,
        1.0 => Padding::Valid,
        2.0 => Padding::Circular,
        _ => return None,
    };
    let count = |value: f64| (1.0..1e9).contains(&value).then_some(value as usize);
    let axis = |size, stride| Some(Axis { size: count(size)?, stride: count(stride)?, padding });
    Some([axis(height, down)?, axis(width, right)?])
}
