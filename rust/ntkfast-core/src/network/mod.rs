//! Networks as plain data, as the user wrote them.
//!
//! A network arrives as nested [`crate::description`]s and becomes a [`Layer`]. Whether layers fit together is decided
//! where they are lowered to a program ([`crate::program`]).

use crate::dual::Activation;
use crate::fitted::Function;
use std::collections::HashSet;
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;

mod read;
mod spatial;

pub use spatial::{Axis, Padding};

/// What training moves of a layer with weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Training {
    /// Nothing.
    Frozen,
    /// W and b in z = (σ_w/√fan-in)·W h + σ_b·b, which start with variance 1.
    Ntk,
    /// W and b in z = W h + b, which start with variances σ_w²/fan-in and σ_b².
    Standard,
}

/// The layers of a composition. The same in two places stands for layers of the same kind with weights of their own; what
/// walks a network does so once for both, as the paths through it can be exponentially many.
pub type Layers = Arc<[Layer]>;

/// See [`Layer::identity`].
pub(crate) type Identity = (Discriminant<Layer>, *const Layer);

/// A layer or a composition of layers.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// One after the other.
    Serial(Layers),
    /// z = (σ_w/√fan-in)·W h + σ_b·b.
    Dense {
        /// Number of neurons, where it is known.
        width: Option<usize>,
        /// σ_w.
        w_std: f64,
        /// σ_b; none without a bias.
        b_std: Option<f64>,
        /// What is trained.
        training: Training,
    },
    /// Nothing.
    Identity,
    /// Pointwise φ.
    Activation(Activation),
    /// Pointwise φ, known by its values.
    Elementwise(Function),
    /// The input plus these layers, one after the other.
    Residual(Layers),
    /// Branches on one input, added.
    Sum(Layers),
    /// Branches on one input, multiplied neuron by neuron.
    Product(Layers),
    /// Branches on one input, side by side.
    Concatenate(Layers),
    /// (h − mean)/√(variance + ε₀) over the neurons of a sample.
    LayerNorm {
        /// ε₀.
        eps: f64,
    },
    /// Each neuron of each sample is kept with this probability, and divided by it, or else set to zero.
    Dropout {
        /// The probability.
        keep: f64,
    },
    /// A dense layer on the window around every position, the same everywhere.
    Conv {
        /// The windows along height and width.
        axes: [Axis; 2],
        /// Number of channels, where it is known.
        width: Option<usize>,
        /// σ_w.
        w_std: f64,
        /// σ_b; none without a bias.
        b_std: Option<f64>,
        /// What is trained.
        training: Training,
    },
    /// Means over windows of positions, or sums.
    Pool {
        /// The windows along height and width.
        axes: [Axis; 2],
        /// Whether sums.
        sum: bool,
    },
    /// The mean over all positions, or the sum.
    GlobalPool {
        /// Whether the sum.
        sum: bool,
    },
    /// All positions side by side as neurons of one.
    Flatten,
}

impl Layer {
    /// The name that users know.
    pub fn name(&self) -> &str {
        use crate::dual::{Dual, with_dual};
        match self {
            Self::Serial(_) => "Serial",
            Self::Dense { .. } => "Dense",
            Self::Identity => "Identity",
            Self::Activation(activation) => with_dual!(activation, dual => dual.name()),
            Self::Elementwise(function) => &function.name,
            Self::Residual(_) => "Residual",
            Self::Sum(_) => "Sum",
            Self::Product(_) => "Product",
            Self::Concatenate(_) => "Concatenate",
            Self::LayerNorm { .. } => "LayerNorm",
            Self::Dropout { .. } => "Dropout",
            Self::Conv { .. } => "Conv",
            Self::Pool { sum, .. } => {
                if *sum {
                    "SumPool"
                } else {
                    "AvgPool"
                }
            }
            Self::GlobalPool { sum } => {
                if *sum {
                    "GlobalSumPool"
                } else {
                    "GlobalAvgPool"
                }
            }
            Self::Flatten => "Flatten",
        }
    }

    /// The layers of a composition.
    fn layers(&self) -> Option<&Layers> {
        match self {
            Self::Serial(layers)
            | Self::Residual(layers)
            | Self::Sum(layers)
            | Self::Product(layers)
            | Self::Concatenate(layers) => Some(layers),
            _ => None,
        }
    }

    /// What tells compositions of the same layers in the same way from others, as long as they live.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.layers().map(|layers| (discriminant(self), layers.as_ptr()))
    }

    /// Whether it takes positions, or one of its layers does.
    pub fn is_spatial(&self) -> bool {
        self.has_positions(&mut HashSet::new())
    }

    fn has_positions(&self, seen: &mut HashSet<*const Self>) -> bool {
        match self {
            Self::Conv { .. } | Self::Pool { .. } | Self::GlobalPool { .. } | Self::Flatten => true,
            _ => self.layers().is_some_and(|layers| {
                seen.insert(layers.as_ptr()) && layers.iter().any(|layer| layer.has_positions(seen))
            }),
        }
    }
}
