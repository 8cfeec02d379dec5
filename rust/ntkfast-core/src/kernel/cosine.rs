//! Where a strip of pairs begins: the defects of the cosines of its rows.
//!
//! 1 − v̂·v̂' loses half the digits of the angle where two rows nearly coincide. There (and, mirrored, where
//! they are nearly antipodal) δ = ½‖v̂ − v̂'‖² is used instead, pair by pair; with few features, for all.

use super::units::Units;
use crate::Float;
use crate::program::Register;
use crate::scalar::Scalar;
use crate::simd::{Pack, Strip};

/// Up to this many features differences cost about as little as products.
pub const FEW_FEATURES: usize = 32;

/// δ = ½‖v̂ − v̂'‖² and ε = ½‖v̂ + v̂'‖² of one row against a packed strip.
#[inline(always)]
pub fn from_differences<P: Pack>(
    row: Units<'_, P::Scalar>,
    panel: &[Strip<P::Scalar>],
    register: &mut Register<P::Scalar>,
) {
    // Several sums at a time hide the latency of each.
    const TOGETHER: usize = 4;
    let inverse = row.inverses[0];
    for group in 0..P::PACKS / TOGETHER {
        let mut near = [P::splat(0.0); TOGETHER];
        let mut far = [P::splat(0.0); TOGETHER];
        for (&value, column) in row.points.iter().zip(panel) {
            let value = P::broadcast(value * inverse);
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

/// δ = 1 − v̂·v̂' and ε = 1 + v̂·v̂' of one row against a strip, from the products x·v̂'; pairs for which that is not
/// accurate are recomputed from `row` and the rows of the strip.
#[inline(always)]
pub fn from_products<P: Pack>(
    products: &Strip<P::Scalar>,
    row: Units<'_, P::Scalar>,
    others: Units<'_, P::Scalar>,
    register: &mut Register<P::Scalar>,
) {
    let (one, inverse) = (P::splat(1.0), P::broadcast(row.inverses[0]));
    let close = P::splat(P::Scalar::CLOSE);
    let mut any = false;
    for pack in 0..P::PACKS {
        let product = P::load(products, pack);
        let (delta, epsilon) = (product.neg_mul_add(inverse, one), product.mul_add(inverse, one));
        delta.store(&mut register.delta, pack);
        epsilon.store(&mut register.epsilon, pack);
        any |= P::any(delta.min(epsilon).less(close));
    }
    if any {
        repair::<P>(row, others, register);
    }
}

#[inline(always)]
fn repair<P: Pack>(
    row: Units<'_, P::Scalar>,
    others: Units<'_, P::Scalar>,
    register: &mut Register<P::Scalar>,
) {
    let close = P::Scalar::from_f64(P::Scalar::CLOSE);
    let factor = row.inverses[0];
    let others = others.points.chunks_exact(row.points.len()).zip(others.inverses);
    for (lane, (other, &inverse)) in others.enumerate() {
        if register.delta.0[lane] < close {
            register.delta.0[lane] = half_square::<P>([row.points, other], [factor, inverse]);
        } else if register.epsilon.0[lane] < close {
            register.epsilon.0[lane] = half_square::<P>([row.points, other], [factor, -inverse]);
        }
    }
}

/// ½‖ax − bx'‖².
#[inline(always)]
fn half_square<P: Pack>(rows: [&[P::Scalar]; 2], [a, b]: [P::Scalar; 2]) -> P::Scalar {
    let [row, other] = rows;
    let mut sums = [P::splat(0.0); 2];
    let (left, right) = (P::broadcast(a), P::broadcast(b));
    let (packs, rest) = (row.chunks_exact(P::LANES), row.len() / P::LANES * P::LANES);
    for (i, (x, y)) in packs.zip(other.chunks_exact(P::LANES)).enumerate() {
        // Two roundings, so that equal rows leave nothing.
        let difference = left * P::read(x) - right * P::read(y);
        sums[i % 2] = difference.mul_add(difference, sums[i % 2]);
    }
    let mut total = (sums[0] + sums[1]).sum();
    for (&x, &y) in row[rest..].iter().zip(&other[rest..]) {
        let difference = a * x - b * y;
        total += difference * difference;
    }
    total * P::Scalar::from_f64(0.5)
}
