//! Where a strip of pairs begins: the defects of the cosines of its rows.
//!
//! 1 − v̂·v̂' loses half the digits of the angle where two rows nearly coincide. There (and, mirrored, where
//! they are nearly antipodal) δ = ½‖v̂ − v̂'‖² is used instead, pair by pair; with few features, for all.

use crate::program::Register;
use crate::scalar::Scalar;
use crate::simd::{Pack, Strip};

/// Up to this many features differences cost about as little as products.
pub const FEW_FEATURES: usize = 32;

/// δ = ½‖v̂ − v̂'‖² and ε = ½‖v̂ + v̂'‖² of one row against a packed strip.
#[inline(always)]
pub fn from_differences<P: Pack>(
    unit: &[P::Scalar],
    panel: &[Strip<P::Scalar>],
    register: &mut Register<P::Scalar>,
) {
    // Several sums at a time hide the latency of each.
    const TOGETHER: usize = 4;
    for group in 0..P::PACKS / TOGETHER {
        let mut near = [P::splat(0.0); TOGETHER];
        let mut far = [P::splat(0.0); TOGETHER];
        for (value, column) in unit.iter().zip(panel) {
            let value = P::broadcast(*value);
            for i in 0..TOGETHER {
                let other = P::load(column, group * TOGETHER + i);
                let (difference, sum) = (value - other, value + other);
                near[i] = difference.mul_add(difference, near[i]);
                far[i] = sum.mul_add(sum, far[i]);
            }
        }
        let half = P::splat(0.5);
        for i in 0..TOGETHER {
            (half * near[i]).store(&mut register.delta, group * TOGETHER + i);
            (half * far[i]).store(&mut register.epsilon, group * TOGETHER + i);
        }
    }
}

/// δ = 1 − v̂·v̂' and ε = 1 + v̂·v̂' of one row against a strip, from their products; pairs for which that is
/// not accurate are recomputed from `unit` and the strip's rows, in `others` one after the other.
#[inline(always)]
pub fn from_products<P: Pack>(
    products: &Strip<P::Scalar>,
    unit: &[P::Scalar],
    others: &[P::Scalar],
    register: &mut Register<P::Scalar>,
) {
    let one = P::splat(1.0);
    let close = P::splat(P::Scalar::CLOSE);
    let mut any = false;
    for pack in 0..P::PACKS {
        let product = P::load(products, pack);
        let (delta, epsilon) = (one - product, one + product);
        delta.store(&mut register.delta, pack);
        epsilon.store(&mut register.epsilon, pack);
        any |= P::any(delta.min(epsilon).less(close));
    }
    if any {
        repair::<P>(unit, others, register);
    }
}

#[inline(always)]
fn repair<P: Pack>(unit: &[P::Scalar], others: &[P::Scalar], register: &mut Register<P::Scalar>) {
    let close = P::Scalar::from_f64(P::Scalar::CLOSE);
    for (lane, other) in others.chunks_exact(unit.len()).enumerate() {
        if register.delta.0[lane] < close {
            register.delta.0[lane] = half_square::<P, false>(unit, other);
        } else if register.epsilon.0[lane] < close {
            register.epsilon.0[lane] = half_square::<P, true>(unit, other);
        }
    }
}

/// ½‖v̂ − v̂'‖², or ½‖v̂ + v̂'‖² with `SUM`.
#[inline(always)]
fn half_square<P: Pack, const SUM: bool>(unit: &[P::Scalar], other: &[P::Scalar]) -> P::Scalar {
    let mut sums = [P::splat(0.0); 2];
    let (packs, rest) = (unit.chunks_exact(P::LANES), unit.len() / P::LANES * P::LANES);
    for (i, (a, b)) in packs.zip(other.chunks_exact(P::LANES)).enumerate() {
        let (a, b) = (P::read(a), P::read(b));
        let difference = if SUM { a + b } else { a - b };
        sums[i % 2] = difference.mul_add(difference, sums[i % 2]);
    }
    let mut total = (sums[0] + sums[1]).sum();
    for (&a, &b) in unit[rest..].iter().zip(&other[rest..]) {
        let difference = if SUM { a + b } else { a - b };
        total += difference * difference;
    }
    total * P::Scalar::from_f64(0.5)
}
