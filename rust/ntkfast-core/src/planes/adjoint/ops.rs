//! Steps backwards that are linear, or products, in K and T.

use super::Pair;
use crate::planes::GROUP;
use crate::planes::constants::Each;
use crate::program::{Gradient, Op};

/// Gradients by K and T of an input, from those by K and T of the result: K ← a·K + b·T, T ← c·T.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Linear {
    pub a: f64,
    pub b: f64,
    pub c: f64,
}

impl Linear {
    fn times(factor: f64) -> Self {
        Self { a: factor, b: 0.0, c: factor }
    }

    /// Of both inputs of a step, where it is linear in them. Ops with one input have no second.
    pub fn of(op: &Op, channels: usize) -> Option<[Option<Self>; 2]> {
        match op {
            Op::Dense { w_std, gradient, .. } => {
                let square = w_std * w_std;
                // K of the result, or K of the input, is part of T of the result.
                let b = match gradient {
                    Gradient::Frozen => 0.0,
                    Gradient::Ntk => square,
                    Gradient::Standard { fan_in, .. } => fan_in.at(channels),
                };
                Some([Some(Self { a: square, b, c: square }), None])
            }
            Op::Offset(_) => Some([Some(Self::times(1.0)), None]),
            Op::Sum => Some([Some(Self::times(1.0)); 2]),
            Op::Concatenate(widths) => {
                let [a, b] = widths.map(|width| width.at(channels));
                Some([a, b].map(|width| Some(Self::times(width / (a + b)))))
            }
            Op::Tangent(_) => Some([Some(Self { a: 1.0, b: 0.0, c: 0.0 }), None]),
            Op::Carry { w_std } => {
                Some([Some(Self::times(1.0)), Some(Self { a: 0.0, b: 0.0, c: w_std * w_std })])
            }
            _ => None,
        }
    }

    /// Add the gradients by the input of a plane.
    #[inline(always)]
    pub fn add(self, to: &mut [Pair], from: &[Pair]) {
        let Self { a, b, c } = self;
        for (to, [kernel, tangent]) in to.iter_mut().zip(from) {
            for lane in 0..GROUP {
                to[0][lane] += a * kernel[lane] + b * tangent[lane];
                to[1][lane] += c * tangent[lane];
            }
        }
    }
}

/// Gradients by K and T of both factors of a product, or of an earlier tangent that goes through an activation, whose
/// values are these.
pub fn product(op: &Op, [kernel, tangent]: &Pair, values: [Pair; 2]) -> [Pair; 2] {
    let times = |a: &Each, b: &Each| -> Each { std::array::from_fn(|lane| a[lane] * b[lane]) };
    let [[k1, t1], [k2, t2]] = &values;
    if matches!(op, Op::Chain) {
        return [[*kernel, times(tangent, t2)], [[0.0; GROUP], times(tangent, t1)]];
    }
    let by = |k: &Each, t: &Each| {
        let both = std::array::from_fn(|lane| kernel[lane] * k[lane] + tangent[lane] * t[lane]);
        [both, times(tangent, k)]
    };
    [by(k2, t2), by(k1, t1)]
}
