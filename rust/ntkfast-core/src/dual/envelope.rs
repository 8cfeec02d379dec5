//! Activations under an envelope e^{−βx²}, β > 0.
//!
//! With P = 2βp, Q = 2βq, l = √(1 + 2P) and r = √(1 + 2Q), all kernels of such activations are functions of
//! D = (1 + P)(1 + Q) − PQρ². Here it is D/(lr) = 1 + e, with e a sum of positive terms that vanishes where
//! rows coincide:
//!
//! e = ½(√(l/r) − √(r/l))² + (P/l)(Q/r)·μ,  μ = 1 − ρ² = m(2 − m),  m = 1 − |ρ|.

use super::DualConstants;
use crate::real::Real;
use crate::scalar::Scalar;
use crate::simd::Number;
use std::f64::consts::SQRT_2;

/// Per-row constants of an envelope.
pub const SLOTS: usize = 3;

/// Constants of a row whose standard deviation is `x` in units of 1/√β: √l, 1/√l and √P/l.
pub fn constants<R: Real>(x: R) -> [R; SLOTS] {
    let x = x.min(R::from(1e300)); // so that 2x is finite
    let norm = x.hypot(R::from(0.5)) * 2.0;
    [norm.sqrt(), norm.sqrt().recip(), x * SQRT_2 / norm]
}

/// The constants as a pair sees them.
pub struct EnvelopeRow<N> {
    /// √l, of which 1/√l is the inverse also where the type cannot hold them.
    pub root: N,
    /// 1/√l.
    pub inverse: N,
    /// √P/l, at most 1/√2.
    pub share: N,
}

impl<N: Number> EnvelopeRow<N> {
    /// Read the constants.
    #[inline(always)]
    pub fn new(constants: impl DualConstants<N>) -> Self {
        let tiny = N::Scalar::TINY;
        Self {
            root: constants.get(0).min(N::splat(1.0 / tiny)),
            inverse: constants.get(1).max(N::splat(tiny)),
            share: constants.get(2),
        }
    }
}

/// What an envelope knows of a pair.
pub struct Overlap<N> {
    /// √(l/r) and √(r/l).
    pub ratios: [N; 2],
    /// ½(√(l/r) − √(r/l))², the part of e that unequal norms cost.
    pub apart: N,
    /// (P/l)(Q/r)·μ; may be infinite.
    pub turned: N,
}

/// The overlap of two rows with ρ = ±(1 − m).
#[inline(always)]
pub fn overlap<N: Number>(l: &EnvelopeRow<N>, r: &EnvelopeRow<N>, m: N) -> Overlap<N> {
    let ratios = [l.root * r.inverse, r.root * l.inverse];
    let gap = ratios[0] - ratios[1];
    let size = (l.share * l.root) * (r.share * r.root);
    // From the left: the square of the size alone may leave the range.
    let turned = size * (m * (N::splat(2.0) - m)) * size;
    Overlap { ratios, apart: N::splat(0.5) * gap * gap, turned }
}

/// A number beyond which e and infinity are the same.
#[inline(always)]
pub fn vast<N: Number>() -> N {
    N::splat(1.0 / N::Scalar::TINY)
}
