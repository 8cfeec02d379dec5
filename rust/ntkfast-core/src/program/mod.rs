//! Networks compiled to straight-line programs.
//!
//! A [`Program`] is a list of [`Step`]s on registers. It runs twice: once a row, in double precision, on the
//! row's standard deviation √K and tangent scale √T ([`rows`]), which leaves the per-row constants; and once
//! a strip of pairs ([`strip`]), on the cosine of K and the cosine of T, where these constants are all it
//! needs. Scales multiply back at the very end, so nothing overflows in between.

mod compile;
mod family;
mod fit;
mod frame;
mod integrate;
mod pointwise;
mod positions;
mod prepared;
mod rectify;
mod registers;
mod rows;
mod scales;
mod spatial;
mod strip;
mod tangents;
mod trace;
mod value;
mod width;
mod zonal;

pub(crate) use frame::Frame;
pub use frame::Register;
pub use prepared::{Prepared, Recipe};
pub use rows::{Direction, RowTrace};
pub use scales::Scales;
pub(crate) use tangents::{DIRECTIONS, TangentRegister};
pub use trace::LayerTrace;
pub use width::Width;
pub use zonal::Zonal;

use crate::dual::{Activation, Dual, blend, with_dual};
use crate::error::Result;
use crate::fitted::{Fitted, Function, Integrated};
use crate::network::{Axis, Layer};
use std::sync::Arc;

/// What a dense layer's own parameters add to T.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gradient {
    /// Nothing.
    Frozen,
    /// K_new.
    Ntk,
    /// N·K_old, and 1 for a bias.
    Standard {
        /// N.
        fan_in: Width,
        /// Whether there is a bias, be it one that starts at zero.
        bias: bool,
    },
}

impl Gradient {
    /// How many per-row constants it uses: shares of T.
    fn slots(self) -> usize {
        match self {
            Self::Frozen => 0,
            Self::Ntk | Self::Standard { bias: false, .. } => 2,
            Self::Standard { bias: true, .. } => 3,
        }
    }

    /// Whether a bias is trained whose variance may be zero.
    fn trains_any_bias(self) -> bool {
        matches!(self, Self::Standard { bias: true, .. })
    }
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// K ← σ_w²K + σ_b², T ← σ_w²T and what its gradient adds.
    Dense {
        /// σ_w.
        w_std: f64,
        /// σ_b, 0 without a bias.
        b_std: f64,
        /// What is trained.
        gradient: Gradient,
    },
    /// K ← E[φφ], T ← E[φ'φ']·T.
    Activation(Activation),
    /// The same for a function known by its values, before it is fitted to a call's rows.
    Elementwise(Function),
    /// The same, fitted.
    Fitted(Arc<Fitted>),
    /// The same, integrated.
    Integrated(Arc<Integrated>),
    /// K ← K + c².
    Offset(f64),
    /// K ← K₁ + K₂, T ← T₁ + T₂.
    Sum,
    /// Means of K and T, weighted by the widths of both.
    Concatenate([Width; 2]),
    /// K ← K₁K₂, T ← T₁K₂ + K₁T₂.
    Product,
    /// K and T divided by √((p + ε₀)(q + ε₀)), with p and q the variances of the two rows.
    LayerNorm {
        /// ε₀.
        eps: f64,
    },
    /// K and T of a row with itself divided by this probability.
    Dropout {
        /// The probability.
        keep: f64,
    },
    /// T ← this constant, whatever it was.
    Tangent(f64),
    /// K ← K₁, T ← T₁·T₂: an earlier tangent through an activation, whose slope is T₁.
    Chain,
    /// K[p, p'] and T[p, p'] ← their means over a window that moves p and p' together; see [`crate::planes`].
    Window([Axis; 2]),
    /// Their means, or sums, over a window for p and another one for p'.
    Pool {
        /// The windows.
        axes: [Axis; 2],
        /// Whether sums.
        sum: bool,
    },
    /// K ← K₁, T ← T₁ + σ_w²T₂: an earlier tangent through a dense layer, whose own is T₁.
    Carry {
        /// σ_w.
        w_std: f64,
    },
}

impl Op {
    /// How many per-row constants the step uses.
    pub fn slots(&self) -> usize {
        match self {
            Self::Dense { gradient, .. } => gradient.slots() + if self.blends() { blend::SLOTS } else { 0 },
            Self::Activation(activation) => with_dual!(activation, dual => dual.slots()),
            Self::Elementwise(_) | Self::Tangent(_) | Self::Chain => 0,
            Self::Fitted(fitted) => fitted.slots(),
            Self::Integrated(integrated) => integrated.slots(),
            Self::Offset(_) => blend::SLOTS,
            Self::Sum | Self::Concatenate(_) => blend::SLOTS + 2,
            Self::Product => 2,
            Self::LayerNorm { .. } | Self::Dropout { .. } | Self::Window(_) | Self::Pool { .. } => 0,
            Self::Carry { .. } => 2,
        }
    }

    /// Whether rows of this scale may come before the step: a fit serves those that it was made for.
    pub(crate) fn covers(&self, scale: f64) -> bool {
        match self {
            Self::Fitted(fitted) => fitted.covers(scale),
            Self::Integrated(integrated) => integrated.covers(scale),
            _ => true,
        }
    }

    /// The name of the function that is fitted here.
    fn fit_name(&self) -> Option<&str> {
        match self {
            Self::Fitted(fitted) => Some(&fitted.name),
            Self::Integrated(integrated) => Some(&integrated.name),
            _ => None,
        }
    }

    /// The name of the function that has to be fitted here.
    fn function_name(&self) -> Option<&str> {
        match self {
            Self::Elementwise(function) => Some(&function.name),
            _ => None,
        }
    }

    /// Whether the step mixes positions.
    pub(crate) fn is_spatial(&self) -> bool {
        matches!(self, Self::Window(_) | Self::Pool { .. })
    }

    /// Whether the step changes nothing but the scales of rows, with T or without.
    fn keeps_pairs(&self, ntk: bool) -> bool {
        match self {
            Self::Dense { gradient, .. } => !self.blends() && (!ntk || gradient.slots() == 0),
            Self::LayerNorm { .. } => true,
            _ => false,
        }
    }

    /// Whether a dense layer changes the cosine of K. A trained bias that starts at zero does not, but for rows of
    /// zeros: their cosines are the limit of a small bias, so that T, which it makes positive there, has a kernel's
    /// values behind a kink.
    pub(crate) fn blends(&self) -> bool {
        matches!(self, Self::Dense { b_std, gradient, .. } if *b_std > 0.0 || gradient.trains_any_bias())
    }
}

/// One op with its registers and constants.
#[derive(Clone, Debug)]
pub struct Step {
    /// What to do.
    pub op: Op,
    /// Registers read; ops with one input repeat it.
    pub inputs: [usize; 2],
    /// Register written; may be one of the inputs.
    pub output: usize,
    /// First of its per-row constants.
    pub first_slot: usize,
    /// Whether the cosine of each input may be negative.
    pub signed: [bool; 2],
    /// Whether the cosine of the result may be negative.
    pub signed_output: bool,
    /// Where in the network the step comes from, in the user's words.
    pub place: String,
}

/// A compiled network. The input is in register 0.
#[derive(Clone, Debug)]
pub struct Program {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Number of registers.
    pub registers: usize,
    /// Number of per-row constants.
    pub slots: usize,
    /// Registers that hold the results, one for each network.
    pub outputs: Vec<usize>,
    /// Whether its points are images.
    pub spatial: bool,
}

impl Program {
    /// Compile a whole network.
    ///
    /// # Errors
    /// [`crate::error::Error::Network`] where layers do not fit together.
    pub fn new(network: &Layer) -> Result<Self> {
        compile::compile(network, compile::Input::whole(network), false)
    }

    /// Compile a whole network with a step for each of its dense layers, in their order: two that are alike are not one.
    ///
    /// # Errors
    /// As [`Program::new`].
    pub fn distinct(network: &Layer) -> Result<Self> {
        compile::compile(network, compile::Input::whole(network), true)
    }

    /// Compile a whole network with spatial layers for images of this height and width.
    ///
    /// # Errors
    /// As [`Program::new`], and where images are too small for a layer.
    pub fn for_images(network: &Layer, grid: [usize; 2]) -> Result<Self> {
        compile::compile(network, compile::Input::Images(grid), false)
    }

    /// The first integrated function whose derivative has no finite mean square.
    pub(crate) fn steep(&self) -> Option<&str> {
        self.steps.iter().find_map(|step| match &step.op {
            Op::Integrated(integrated) if integrated.is_steep() => Some(integrated.name.as_str()),
            _ => None,
        })
    }

    /// Whether layers could fit together, given a suitable input: the check for a part of a network.
    ///
    /// # Errors
    /// As [`Program::new`].
    pub fn check(part: &Layer) -> Result<()> {
        compile::compile(part, compile::Input::Part, false).map(drop)
    }
}
