//! Networks as plain data, as the user wrote them.
//!
//! A network arrives as nested (kind, parameters, children) and becomes a [`Layer`]. Whether layers fit
//! together is decided where they are lowered to a program ([`crate::program`]).

use crate::dual::Activation;
use crate::error::{Error, Result};
use crate::fitted::Function;

/// A layer or a composition of layers.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// One after the other.
    Serial(Vec<Layer>),
    /// z = (σ_w/√fan-in)·W h + σ_b·b.
    Dense {
        /// σ_w.
        w_std: f64,
        /// σ_b; none without a bias.
        b_std: Option<f64>,
    },
    /// Nothing.
    Identity,
    /// Pointwise φ.
    Activation(Activation),
    /// Pointwise φ, known by its values.
    Elementwise(Function),
    /// The input plus these layers, one after the other.
    Residual(Vec<Layer>),
    /// Branches on one input, added.
    Sum(Vec<Layer>),
}

impl Layer {
    /// A layer of this kind; parameters are finite numbers, or absent.
    ///
    /// # Errors
    /// [`Error::Network`] for an unknown kind, or parameters or children that the kind does not take.
    pub fn new(kind: &str, parameters: &[Option<f64>], children: Vec<Self>) -> Result<Self> {
        let wrong = || Error::Network(format!("{kind} does not take the parameters {parameters:?}"));
        let composed = matches!(kind, "serial" | "residual" | "sum");
        if composed == children.is_empty() {
            let problem = if composed { "needs at least one layer" } else { "takes no layers" };
            return Err(Error::Network(format!("{kind} {problem}")));
        }
        if parameters.iter().flatten().any(|value| !value.is_finite()) {
            return Err(wrong());
        }
        match (kind, parameters) {
            ("serial", []) => Ok(Self::Serial(children)),
            ("residual", []) => Ok(Self::Residual(children)),
            ("sum", []) => Ok(Self::Sum(children)),
            ("identity", []) => Ok(Self::Identity),
            ("dense", &[Some(w_std), b_std]) if w_std >= 0.0 && b_std.is_none_or(|b| b >= 0.0) => {
                Ok(Self::Dense { w_std, b_std })
            }
            _ => {
                let numbers: Option<Vec<f64>> = parameters.iter().copied().collect();
                match Activation::parse(kind, &numbers.ok_or_else(wrong)?) {
                    Some(activation) => Ok(Self::Activation(activation?)),
                    None => Err(wrong()),
                }
            }
        }
    }

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
        }
    }
}
