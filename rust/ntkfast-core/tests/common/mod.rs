//! What several tests share.
#![allow(dead_code)] // each test binary uses a part

use ntkfast_core::Scalar;
use ntkfast_core::dual::{Cosine, Dual, RowResponse};
use ntkfast_core::simd::{Level, Pack, STRIP, Strip, Vectorized};

/// A dual from its fields by their names.
macro_rules! dual {
    ($dual:ident { $($field:ident: $value:expr),* }) => {{
        let fields = ntkfast_core::description::Description::new(stringify!($dual));
        let mut fields = fields$(.with(stringify!($field), $value))*;
        $dual::new(&mut fields).expect("valid fields")
    }};
}
pub(crate) use dual;

/// Every lane of a strip of results of [`pair`].
pub struct PairOut {
    pub delta: f64,
    pub epsilon: f64,
    pub slope: f64,
}

struct PairKernel<'a, D, T> {
    dual: &'a D,
    cosine: [f64; 2],
    constants: [Vec<T>; 2],
}

impl<D: Dual, T: Scalar> Vectorized<T> for PairKernel<'_, D, T> {
    type Output = PairOut;
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = T>>(self) -> PairOut {
        let cosine = Cosine { delta: P::splat(self.cosine[0]), epsilon: P::splat(self.cosine[1]) };
        let [left, right] = &self.constants;
        let out = self.dual.pair::<P, true>(cosine, |i| P::broadcast(left[i]), |i| P::broadcast(right[i]));
        let lane = |value: P| {
            let mut strip = Strip([T::default(); STRIP]);
            value.store(&mut strip, 0);
            strip.0[0].to_f64()
        };
        PairOut { delta: lane(out.cosine.delta), epsilon: lane(out.cosine.epsilon), slope: lane(out.slope) }
    }
}

/// One pair through a dual: standard deviations of both rows, and (δ, ε).
pub fn pair<T: Scalar, D: Dual>(
    level: Level,
    dual: &D,
    scales: [f64; 2],
    cosine: [f64; 2],
) -> ([RowResponse; 2], PairOut) {
    let sides = scales.map(|scale| {
        let mut constants = vec![0.0; dual.slots()];
        let row = dual.row(scale, &mut constants);
        (row, constants.into_iter().map(T::from_f64).collect())
    });
    let [(left, left_constants), (right, right_constants)] = sides;
    let constants = [left_constants, right_constants];
    ([left, right], T::dispatch(level, PairKernel { dual, cosine, constants }))
}

/// Nodes and weights of Gauss–Legendre quadrature on [-1, 1], by Newton's method on the Legendre recurrence.
pub fn gauss_legendre(count: usize) -> Vec<(f64, f64)> {
    let n = count as f64;
    (0..count)
        .map(|i| {
            let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n + 0.5)).cos();
            let mut derivative = 0.0;
            for _ in 0..100 {
                let (mut below, mut value) = (1.0, x);
                for k in 2..=count {
                    let k = k as f64;
                    (below, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * below) / k);
                }
                derivative = n * (x * value - below) / (x * x - 1.0);
                let step = value / derivative;
                x -= step;
                if step.abs() < 1e-16 {
                    break;
                }
            }
            (x, 2.0 / ((1.0 - x * x) * derivative * derivative))
        })
        .collect()
}

/// E[f(u) g(v)] for standard deviations `scales` and correlation cos(`angle`), in polar coordinates: the
/// plane is cut where u or v changes sign, so that kinks and steps at zero lie on the borders of smooth pieces.
pub fn expectation(f: &dyn Fn(f64) -> f64, g: &dyn Fn(f64) -> f64, scales: [f64; 2], angle: f64) -> f64 {
    use std::f64::consts::{FRAC_PI_2, PI, TAU};
    const PIECES: usize = 3;
    let rule = gauss_legendre(24);
    let integrate = |from: f64, to: f64, body: &dyn Fn(f64) -> f64| -> f64 {
        let (middle, half) = ((from + to) / 2.0, (to - from) / 2.0);
        rule.iter().map(|(x, w)| w * half * body(middle + half * x)).sum()
    };
    let mut cuts =
        [FRAC_PI_2, 3.0 * FRAC_PI_2, angle + FRAC_PI_2, (angle + 3.0 * FRAC_PI_2) % TAU, angle, 0.0, PI];
    cuts.sort_by(f64::total_cmp);
    let mut total = 0.0;
    for (i, from) in cuts.iter().enumerate() {
        let to = if i + 1 < cuts.len() { cuts[i + 1] } else { cuts[0] + TAU };
        for piece in 0..PIECES {
            let at = |k: usize| from + (to - from) * k as f64 / PIECES as f64;
            total += integrate(at(piece), at(piece + 1), &|theta| {
                (0..10)
                    .map(|shell| {
                        integrate(shell as f64, shell as f64 + 1.0, &|r| {
                            let (u, v) = (r * theta.cos(), r * (theta - angle).cos());
                            r * (-r * r / 2.0).exp() * f(scales[0] * u) * g(scales[1] * v)
                        })
                    })
                    .sum()
            });
        }
    }
    total / TAU
}
