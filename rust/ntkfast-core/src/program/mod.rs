//! Networks compiled to straight-line programs.
//!
//! A [`Program`] is a list of [`Step`]s on registers. It runs twice: once a row, in double precision, on the
//! row's standard deviation √K and tangent scale √T ([`rows`]), which leaves the per-row constants; and once
//! a strip of pairs ([`strip`]), on the cosine of K and the cosine of T, where these constants are all it
//! needs. Scales multiply back at the very end, so nothing overflows in between.

mod compile;
mod family;
mod fit;
mod rows;
mod strip;
mod trace;

pub use rows::RowTrace;
pub use strip::{Register, execute};
pub use trace::LayerTrace;

use crate::dual::{Activation, Dual, with_dual};
use crate::error::Result;
use crate::fitted::{Elementwise, Fitted};
use crate::network::Layer;
use std::sync::Arc;

/// What a step does.
#[derive(Clone, Debug)]
pub enum Op {
    /// K ← σ_w²K + σ_b², T ← K_new + σ_w²T.
    Dense {
        /// σ_w.
        w_std: f64,
        /// σ_b, 0 without a bias.
        b_std: f64,
    },
    /// K ← E[φφ], T ← E[φ'φ']·T.
    Activation(Activation),
    /// The same for a function known by its values, before it is fitted to a call's rows.
    Elementwise(Elementwise),
    /// The same, fitted.
    Fitted(Arc<Fitted>),
    /// K ← K + c².
    Offset(f64),
    /// K ← K₁ + K₂, T ← T₁ + T₂.
    Sum,
    /// T ← this constant, whatever it was.
    Tangent(f64),
    /// K ← K₁, T ← T₁·T₂: an earlier tangent through an activation, whose slope is T₁.
    Chain,
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
            Self::Dense { b_std, .. } => 2 + if *b_std > 0.0 { 4 } else { 0 },
            Self::Activation(activation) => with_dual!(activation, dual => dual.slots()),
            Self::Elementwise(_) | Self::Tangent(_) | Self::Chain => 0,
            Self::Fitted(fitted) => fitted.slots(),
            Self::Carry { .. } => 2,
            Self::Offset(_) => 4,
            Self::Sum => 6,
        }
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
}

impl Program {
    /// Compile a whole network.
    ///
    /// # Errors
    /// [`crate::error::Error::Network`] where layers do not fit together.
    pub fn new(network: &Layer) -> Result<Self> {
        compile::compile(network, false)
    }

    /// Whether layers could fit together, given a suitable input: the check for a part of a network.
    ///
    /// # Errors
    /// As [`Program::new`].
    pub fn check(part: &Layer) -> Result<()> {
        compile::compile(part, true).map(drop)
    }
}
