//! The numerics of ntkfast: kernels of infinitely wide neural networks, and their training in closed form.
//!
//! # The theory on one page
//!
//! As its layers grow wide, a network with random weights becomes a Gaussian process: its outputs at x and x'
//! have covariance K(x, x'), the *NNGP kernel*, and gradient descent moves them by a fixed kernel T(x, x') =
//! ⟨∂f(x), ∂f(x')⟩, the *neural tangent kernel*. Both follow layer by layer from K = x·x'/d and T = 0:
//!
//! * a dense layer: K ← σ_w²K + σ_b², T ← K + σ_w²T;
//! * an activation φ: K ← E[φ(u)φ(v)], T ← E[φ'(u)φ'(v)]·T for (u, v) Gaussian with covariance K;
//! * a sum of independent branches: K and T add; a product: K multiply, and T follows the product rule.
//!
//! Trained by gradient flow on the squared loss, f_t = f_0 + T(1 − e^{−ηTt})T⁻¹(y − f_0): a function of the
//! spectrum of T.
//!
//! # How it is computed
//!
//! A [`network`] is data, read from its [`description`]; it compiles to a [`program`] of a few ops. The [`kernel`]
//! drivers run it once per row and then on tiles of pairs that stay in cache, each pair as the defect δ = 1 − ρ of its
//! cosine and the cosine τ of its tangents: numbers of order one that lose no digits where inputs coincide. The
//! [`dual`]s are written once against vector registers ([`simd`]); functions without a closed form are [`fitted`].
//! [`smooth`] runs programs with second derivatives by the rows. [`flow`] filters the spectrum of a Gram matrix.

#![cfg_attr(feature = "quick", allow(dead_code))] // the registers of other instruction sets

pub mod blocks;
pub mod description;
pub mod dual;
pub mod fitted;
pub mod flow;
pub mod kernel;
pub mod model;
pub mod network;
pub mod planes;
pub mod program;
pub mod real;
mod samples;
pub mod scalar;
pub mod simd;
pub mod smooth;
pub mod taylor;

pub use model::{KernelFloat, Model};
pub use ntkfast_base::{Error, Float, Result, error, memory, parallel, reserve};
pub use samples::Samples;
pub use scalar::Scalar;
