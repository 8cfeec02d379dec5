//! Training in closed form, as functions of the spectrum.
//!
//! Under gradient flow on the squared loss the residual of an infinitely wide network decays mode by mode
//! (Jacot et al. 2018; Lee et al. 2019): predictions are Θ·U φ_t(Λ) Uᵀ applied to the first residual,
//! with a scalar filter φ_t. Θ⁻¹ never appears. Gradient descent does the same in steps ([`heavy_ball`]).

mod heavy_ball;

pub use heavy_ball::heavy_ball;

/// φ_t(λ) = (1 − e^{−η(λ+r)t})/(λ+r) of gradient flow with learning rate η and ridge r, with its limit ηt where
/// λ + r vanishes. Eigenvalues below zero, which rounding makes, count as zero. At t = ∞ it is 1/(λ+r), and 0
/// for modes with λ + r ≤ `negligible`: the solution of least norm.
///
/// The result is one row a time, one column a mode.
pub fn gradient_flow(
    eigenvalues: &[f64],
    times: &[f64],
    learning_rate: f64,
    ridge: f64,
    negligible: f64,
) -> Vec<f64> {
    let mode = |value: &f64, time: f64| {
        let decay = value.max(0.0) + ridge;
        if time == 0.0 {
            return 0.0;
        }
        if time == f64::INFINITY {
            return if decay <= negligible { 0.0 } else { 1.0 / decay };
        }
        let exponent = learning_rate * decay * time;
        if exponent == 0.0 {
            learning_rate * time
        } else if exponent < 1.0 {
            learning_rate * time * (-(-exponent).exp_m1() / exponent)
        } else {
            -(-exponent).exp_m1() / decay
        }
    };
    times.iter().flat_map(|&time| eigenvalues.iter().map(move |value| mode(value, time))).collect()
}
