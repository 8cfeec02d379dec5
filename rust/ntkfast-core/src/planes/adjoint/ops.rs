//! Steps backwards that are linear, or products, in K and T.

use super::Pair;
use crate::planes::GROUP;
use crate::program::{Gradient, Op};

/// Gradients by K and T of both inputs, from those by K and T of the result; none where an input has none. `values` gives
/// K and T of an input.
pub fn back(
    op: &Op,
    channels: usize,
    [kernel, tangent]: &Pair,
    values: impl Fn(usize) -> Pair,
) -> [Option<Pair>; 2] {
    let scaled = |factor: f64| [*kernel, *tangent].map(|each| each.map(|value| factor * value));
    let each = |of: &dyn Fn(usize) -> f64| -> [f64; GROUP] { std::array::from_fn(of) };
    match op {
        Op::Dense { w_std, gradient, .. } => {
            let square = w_std * w_std;
            // K of the result, and K of the input, are part of T of the result.
            let own = match gradient {
                Gradient::Frozen => 0.0,
                Gradient::Ntk => square,
                Gradient::Standard { fan_in, .. } => fan_in.at(channels),
            };
            let kernel = each(&|lane| square * kernel[lane] + own * tangent[lane]);
            [Some([kernel, tangent.map(|value| square * value)]), None]
        }
        Op::Sum => [Some(scaled(1.0)), Some(scaled(1.0))],
        Op::Concatenate(widths) => {
            let [a, b] = widths.map(|width| width.at(channels));
            [Some(scaled(a / (a + b))), Some(scaled(b / (a + b)))]
        }
        Op::Product => {
            let sides = [values(0), values(1)];
            let by = |other: usize| {
                let [k, t] = &sides[other];
                [
                    each(&|lane| kernel[lane] * k[lane] + tangent[lane] * t[lane]),
                    each(&|lane| tangent[lane] * k[lane]),
                ]
            };
            [Some(by(1)), Some(by(0))]
        }
        Op::Tangent(_) => [Some([*kernel, [0.0; GROUP]]), None],
        Op::Chain => {
            let [own, earlier] = [values(0)[1], values(1)[1]];
            let times = |other: &[f64; GROUP]| each(&|lane| tangent[lane] * other[lane]);
            [Some([*kernel, times(&earlier)]), Some([[0.0; GROUP], times(&own)])]
        }
        Op::Carry { w_std } => {
            let carried = tangent.map(|value| w_std * w_std * value);
            [Some([*kernel, *tangent]), Some([[0.0; GROUP], carried])]
        }
        // A sum of K and a constant; others have code of their own.
        _ => [Some([*kernel, *tangent]), None],
    }
}
