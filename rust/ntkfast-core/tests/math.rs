//! Vector functions against the standard library, on every SIMD level.

use ntkfast_core::Scalar;
use ntkfast_core::scalar::REACHES;
use ntkfast_core::simd::math::{Angle, angle, angle_within, atan2, decay};
use ntkfast_core::simd::{Level, Pack, STRIP, Strip, Vectorized};
use proptest::prelude::*;

#[derive(Clone, Copy)]
enum Function {
    Theta,
    Lag,
    /// By the polynomial for this reach.
    ThetaWithin(usize),
    LagWithin(usize),
    Atan2,
    Decay,
    DecayMean,
}

struct Apply {
    function: Function,
    x: f64,
    y: f64,
}

impl<T: Scalar> Vectorized<T> for Apply {
    type Output = f64;
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = T>>(self) -> f64 {
        let (x, y) = (P::splat(self.x), P::splat(self.y));
        let value = match self.function {
            Function::Theta => angle(x).theta,
            Function::Lag => angle(x).lag,
            Function::ThetaWithin(reach) => within(x, reach).theta,
            Function::LagWithin(reach) => within(x, reach).lag,
            Function::Atan2 => atan2(y, x),
            Function::Decay => decay(x).end,
            Function::DecayMean => decay(x).mean,
        };
        let mut strip = Strip([T::default(); STRIP]);
        value.store(&mut strip, 1);
        strip.0[P::LANES].to_f64()
    }
}

#[inline(always)]
fn within<P: Pack>(x: P, reach: usize) -> Angle<P> {
    match reach {
        1 => angle_within::<P, 1>(x),
        2 => angle_within::<P, 2>(x),
        _ => angle_within::<P, 3>(x),
    }
}

/// sin θ − θ cos θ by its series Σ_{k≥1} (−1)^{k+1}·2k·θ^{2k+1}/(2k+1)!, since the difference cancels.
fn lag(theta: f64) -> f64 {
    let mut power = theta;
    let terms = (1..=16).map(|k| {
        let k = f64::from(k);
        power *= -theta * theta / ((2.0 * k) * (2.0 * k + 1.0));
        -2.0 * k * power
    });
    terms.sum()
}

fn check<T: Scalar>(function: Function, x: f64, y: f64, expected: impl Fn(f64, f64) -> f64) {
    // The function is judged at the numbers that the type can hold.
    let (x, y) = (T::from_f64(x).to_f64(), T::from_f64(y).to_f64());
    let expected = expected(x, y);
    for level in Level::available() {
        let value = T::dispatch(level, Apply { function, x, y });
        let error = (value - expected).abs();
        assert!(error <= 6.0 * T::EPSILON * expected.abs(), "{} {x} {y}: {value} {expected}", level.name());
    }
}

proptest! {
    #[test]
    fn angles(log in -30.0..0.0f64) {
        let m = 10f64.powf(log);
        check::<f64>(Function::Theta, m, 0.0, |m, _| 2.0 * (m / 2.0).sqrt().asin());
        check::<f32>(Function::Theta, m, 0.0, |m, _| 2.0 * (m / 2.0).sqrt().asin());
    }

    #[test]
    fn lags(log in -20.0..0.0f64) {
        let m = 10f64.powf(log);
        check::<f64>(Function::Lag, m, 0.0, |m, _| lag(2.0 * (m / 2.0).sqrt().asin()));
        check::<f32>(Function::Lag, m, 0.0, |m, _| lag(2.0 * (m / 2.0).sqrt().asin()));
    }

    #[test]
    fn shorter_polynomials_agree(log in -30.0..0.0f64, share in 0.0..=1.0f64, reach in 1usize..4) {
        for m in [10f64.powf(log), share, 1.0].map(|share| REACHES[reach] * share) {
            let theta = |m: f64| 2.0 * (m / 2.0).sqrt().asin();
            check::<f64>(Function::ThetaWithin(reach), m, 0.0, |m, _| theta(m));
            check::<f32>(Function::ThetaWithin(reach), m, 0.0, |m, _| theta(m));
            let m = m.max(1e-20);
            check::<f64>(Function::LagWithin(reach), m, 0.0, |m, _| lag(theta(m)));
            check::<f32>(Function::LagWithin(reach), m, 0.0, |m, _| lag(theta(m)));
        }
    }

    #[test]
    fn arctangents(angle in 0.0..std::f64::consts::FRAC_PI_2, log in -10.0..10.0f64) {
        let radius = 10f64.powf(log);
        let (y, x) = angle.sin_cos();
        check::<f64>(Function::Atan2, radius * x, radius * y, |x, y| y.atan2(x));
        check::<f32>(Function::Atan2, radius * x, radius * y, |x, y| y.atan2(x));
    }

    #[test]
    fn decays(log in -40.0..2.84f64) {
        let z = 10f64.powf(log);
        check::<f64>(Function::Decay, z, 0.0, |z, _| (-z).exp());
        check::<f32>(Function::Decay, z.min(87.0), 0.0, |z, _| (-z).exp());
    }

    #[test]
    fn mean_decays(log in -37.0..37.0f64) {
        let z = 10f64.powf(log);
        check::<f64>(Function::DecayMean, z, 0.0, mean_decay);
        check::<f32>(Function::DecayMean, z, 0.0, mean_decay);
    }
}

fn mean_decay(z: f64, _: f64) -> f64 {
    if z == 0.0 { 1.0 } else { -(-z).exp_m1() / z }
}

#[test]
fn ends() {
    for (x, y) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1e-30, 1.0), (1.0, 1e-30)] {
        check::<f64>(Function::Atan2, x, y, |x, y| y.atan2(x));
        check::<f32>(Function::Atan2, x, y, |x, y| y.atan2(x));
    }
    for m in [0.0, 1.0] {
        check::<f64>(Function::Theta, m, 0.0, |m, _| (1.0 - m).acos());
        check::<f64>(Function::Lag, m, 0.0, |m, _| lag((1.0 - m).acos()));
    }
    check::<f64>(Function::Decay, 0.0, 0.0, |_, _| 1.0);
    check::<f32>(Function::Decay, 0.0, 0.0, |_, _| 1.0);
    for z in [0.0, 1e-300, 0.3465, 0.3466, 1.0397, 1e36, 1e300] {
        check::<f64>(Function::DecayMean, z, 0.0, mean_decay);
        check::<f32>(Function::DecayMean, z.min(1e36), 0.0, mean_decay);
    }
}
