//! One contract over every dual: values against quadrature of the activation itself, on every SIMD level, and
//! invariants on random pairs. A new dual inherits all of it with one entry in `for_each_dual!`.

mod common;

use common::{dual, expectation, pair};
use ntkfast_core::Scalar;
use ntkfast_core::dual::{
    AbRelu, Dual, Erf, Exp, ExpNormalized, Gabor, Gaussian, Gelu, Hermite, Polynomial, RectifiedMonomial,
    Sign, Sin,
};
use ntkfast_core::simd::Level;
use proptest::prelude::*;

/// erf by its Taylor series, or its continued fraction far out.
fn erf(x: f64) -> f64 {
    let size = x.abs();
    if size > 6.0 {
        return x.signum();
    }
    let mut term = size;
    let mut sum = size;
    let mut n = 0.0;
    // e^{-x²}·Σ 2ⁿ x^{2n+1}/(2n+1)!!, all terms positive.
    while term > sum * 1e-18 {
        n += 1.0;
        term *= 2.0 * size * size / (2.0 * n + 1.0);
        sum += term;
    }
    x.signum() * (std::f64::consts::FRAC_2_SQRT_PI * (-size * size).exp() * sum).min(1.0)
}

fn erf_slope(x: f64) -> f64 {
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp()
}

/// He_n/√n!.
fn hermite(degree: i32, x: f64) -> f64 {
    let (mut below, mut value) = (0.0, 1.0);
    for n in 0..degree {
        (below, value) = (value, (x * value - f64::from(n).sqrt() * below) / f64::from(n + 1).sqrt());
    }
    value
}

/// Calls `$body` with each dual, the activation and its derivative.
macro_rules! for_each_dual {
    (|$dual:ident, $value:ident, $slope:ident| $body:expr) => {{
        for (a, b) in [(0.0, 1.0), (0.1, 1.0), (-1.0, 1.0), (1.0, 1.0), (-0.3, 2.0), (1.0, 0.0)] {
            let $dual = dual!(AbRelu { a: a, b: b });
            let $value = |x: f64| if x < 0.0 { a * x } else { b * x };
            let $slope = |x: f64| if x < 0.0 { a } else { b };
            $body
        }
        for (a, b) in [(1.0, 1.0), (-2.0, 0.3), (0.5, 2.0)] {
            let $dual = dual!(Erf { a: a, b: b, c: 0.0 });
            let $value = |x: f64| a * erf(b * x);
            let $slope = |x: f64| a * b * erf_slope(b * x);
            $body
        }
        for (b, c, ahead) in
            [(1.0, 0.0, false), (-2.0, 0.0, true), (0.7, 0.5, false), (1.5, -0.2, true), (0.5, 10.0, false)]
        {
            let phase = c + if ahead { std::f64::consts::FRAC_PI_2 } else { 0.0 };
            let $dual = dual!(Sin { a: 1.5, b: b, c: c, quarter_ahead: ahead });
            let $value = |x: f64| 1.5 * (b * x + phase).sin();
            let $slope = |x: f64| 1.5 * b * (b * x + phase).cos();
            $body
        }
        for (a, b) in [(1.0, 0.3), (-2.0, -0.2)] {
            let $dual = dual!(Exp { a: a, b: b, wave: false });
            let $value = |x: f64| a * (b * x).exp();
            let $slope = |x: f64| a * b * (b * x).exp();
            $body
        }
        for (a, b) in [(1.0, 1.5), (2.0, -0.4)] {
            let $dual = dual!(Exp { a: a, b: b, wave: true });
            let phase = std::f64::consts::FRAC_PI_4;
            let $value = |x: f64| a * std::f64::consts::SQRT_2 * (b * x + phase).sin();
            let $slope = |x: f64| a * b * std::f64::consts::SQRT_2 * (b * x + phase).cos();
            $body
        }
        {
            let $dual = dual!(Sign {});
            let $value = |x: f64| x.signum();
            let $slope = |_: f64| 0.0;
            $body
        }
        for (a, b) in [(1.0, -1.0), (-2.0, -0.3)] {
            let $dual = dual!(Gaussian { a: a, b: b });
            let $value = |x: f64| a * (b * x * x).exp();
            let $slope = |x: f64| 2.0 * a * b * x * (b * x * x).exp();
            $body
        }
        {
            let $dual = dual!(Gabor {});
            let $value = |x: f64| (-x * x).exp() * x.sin();
            let $slope = |x: f64| (-x * x).exp() * (x.cos() - 2.0 * x * x.sin());
            $body
        }
        for coefficients in [&[0.0, 0.0, 0.0, 1.0][..], &[0.5, -1.0, 0.3, 0.2], &[1.0, 0.0, -0.4, 0.0, 0.1]] {
            let $dual = dual!(Polynomial { coef: coefficients });
            let $value = |x: f64| coefficients.iter().rev().fold(0.0, |sum, a| sum * x + a);
            let $slope = |x: f64| {
                let terms = coefficients.iter().enumerate().skip(1);
                terms.map(|(j, a)| a * j as f64 * x.powi(j as i32 - 1)).sum::<f64>()
            };
            $body
        }
        for degree in [1, 2, 5] {
            let $dual = dual!(Hermite { degree: degree });
            let $value = |x: f64| hermite(degree, x);
            let $slope = |x: f64| f64::from(degree).sqrt() * hermite(degree - 1, x);
            $body
        }
        for degree in [1, 2, 5] {
            let $dual = dual!(RectifiedMonomial { degree: degree });
            let $value = |x: f64| if x > 0.0 { x.powi(degree) } else { 0.0 };
            let $slope = |x: f64| if x > 0.0 { f64::from(degree) * x.powi(degree - 1) } else { 0.0 };
            $body
        }
        {
            let $dual = dual!(Gelu {});
            let $value = |x: f64| 0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2));
            let $slope = |x: f64| {
                let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
                0.5 * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2)) + x * density
            };
            $body
        }
    }};
}

/// Calls `$body` with each dual, those of no activation included.
macro_rules! for_every_dual {
    (|$dual:ident| $body:expr) => {{
        for_each_dual!(|$dual, _value, _slope| $body);
        for (gamma, shift) in [(1.0, -1.0), (0.0, 2.0), (3.0, 0.5)] {
            let $dual = dual!(ExpNormalized { gamma: gamma, shift: shift });
            $body
        }
    }};
}

fn defects(angle: f64) -> [f64; 2] {
    [2.0 * (angle / 2.0).sin().powi(2), 2.0 * (angle / 2.0).cos().powi(2)]
}

fn compare<T: Scalar, D: Dual>(
    dual: &D,
    value: &dyn Fn(f64) -> f64,
    slope: &dyn Fn(f64) -> f64,
    scales: [f64; 2],
    angle: f64,
    tolerance: f64,
) {
    let kernel = expectation(value, value, scales, angle);
    let derivative = expectation(slope, slope, scales, angle);
    for level in Level::available() {
        let (rows, out) = pair::<T, D>(level, dual, scales, defects(angle));
        let size = rows[0].scale * rows[1].scale;
        let error = (size * (1.0 - out.delta) - kernel).abs() / size;
        assert!(
            error < tolerance,
            "{} {}: kernel off by {error:e} at {scales:?}, {angle}",
            dual.name(),
            level.name()
        );
        assert!((out.delta + out.epsilon - 2.0).abs() < tolerance, "δ + ε at {angle}");
        let size = rows[0].slope * rows[1].slope;
        let error = (size * out.slope - derivative).abs();
        assert!(
            error <= tolerance * size,
            "{} {}: slope off by {error:e} at {scales:?}, {angle}",
            dual.name(),
            level.name()
        );
    }
}

#[test]
fn kernels_equal_quadrature() {
    for_each_dual!(|dual, value, slope| {
        for angle in [1e-3, 0.3, 1.2, std::f64::consts::FRAC_PI_2, 2.0, 3.1] {
            for scales in [[1.0, 1.0], [0.2, 1.5], [1.3, 1.2], [0.05, 0.06]] {
                compare::<f64, _>(&dual, &value, &slope, scales, angle, 2e-13);
                compare::<f32, _>(&dual, &value, &slope, scales, angle, 2e-6);
            }
        }
    });
}

#[test]
fn rows_equal_quadrature() {
    for_each_dual!(|dual, value, slope| {
        for scale in [0.01, 0.7, 2.5] {
            let mut constants = vec![0.0; dual.slots()];
            let row = dual.row(scale, &mut constants);
            let size = expectation(&value, &value, [scale, scale], 0.0).sqrt();
            assert!((row.scale - size).abs() < 1e-13 * size, "{}: {} {size}", dual.name(), row.scale);
            let size = expectation(&slope, &slope, [scale, scale], 0.0).sqrt();
            assert!((row.slope - size).abs() <= 1e-13 * size, "{}: {} {size}", dual.name(), row.slope);
        }
    });
}

fn check_invariants<T: Scalar, D: Dual>(dual: &D, scales: [f64; 2], cosine: [f64; 2]) {
    let slack = 16.0 * T::EPSILON;
    for level in Level::available() {
        let (_, out) = pair::<T, D>(level, dual, scales, cosine);
        let (_, swapped) = pair::<T, D>(level, dual, [scales[1], scales[0]], cosine);
        for value in [out.delta, out.epsilon] {
            assert!(
                (-slack..=2.0 + slack).contains(&value),
                "{} {scales:?} {cosine:?}: {value}",
                dual.name()
            );
        }
        assert!(out.slope.abs() <= 1.0 + slack, "{} {scales:?} {cosine:?}: {}", dual.name(), out.slope);
        assert!((out.delta - swapped.delta).abs() <= slack, "{}: not symmetric", dual.name());
        assert!((out.slope - swapped.slope).abs() <= slack, "{}: not symmetric", dual.name());
        if dual.is_nonnegative(cosine[0] <= 1.0) {
            assert!(out.delta <= 1.0 + slack, "{}: negative cosine", dual.name());
        }
    }
}

proptest! {
    /// Finite and in range for any scales and angles, also tiny, huge and zero ones.
    #[test]
    fn cosines_stay_cosines(
        exponents in (-14.0..14.0f64, -14.0..14.0f64),
        log_defect in -30.0..0.0f64,
        mirrored: bool,
        zero in 0..4,
    ) {
        let small = 10f64.powf(log_defect);
        let mut cosine = if mirrored { [2.0 - small, small] } else { [small, 2.0 - small] };
        let mut scales = [10f64.powf(exponents.0), 10f64.powf(exponents.1)];
        match zero {
            0 => { scales[0] = 0.0; cosine = [1.0, 1.0]; }
            1 => cosine = if mirrored { [2.0, 0.0] } else { [0.0, 2.0] },
            _ => {}
        }
        for_every_dual!(|dual| {
            check_invariants::<f64, _>(&dual, scales, cosine);
            check_invariants::<f32, _>(&dual, scales, cosine);
        });
    }

    /// The same where squares of the scales leave the range of the type.
    #[test]
    fn cosines_stay_cosines_at_the_ends_of_the_range(
        exponents in (-300.0..300.0f64, -300.0..300.0f64),
        equal: bool,
        log_defect in -30.0..0.0f64,
        mirrored: bool,
    ) {
        let small = 10f64.powf(log_defect);
        let cosine = if mirrored { [2.0 - small, small] } else { [small, 2.0 - small] };
        let exponents = [exponents.0, if equal { exponents.0 } else { exponents.1 }];
        for_every_dual!(|dual| {
            check_invariants::<f64, _>(&dual, exponents.map(|e| 10f64.powf(e)), cosine);
            check_invariants::<f32, _>(&dual, exponents.map(|e| 10f64.powf(e)), cosine);
        });
    }

    /// A row with itself: δ = 0 and slope 1, and the defect of a close pair keeps its relative precision.
    #[test]
    fn coincidence_is_exact(exponent in -6.0..6.0f64, log_defect in -26.0..-3.0f64) {
        let scale = 10f64.powf(exponent);
        for_every_dual!(|dual| {
            for level in Level::available() {
                let (_, same) = pair::<f64, _>(level, &dual, [scale, scale], [0.0, 2.0]);
                prop_assert_eq!(same.delta, 0.0);
                let small = 10f64.powf(log_defect);
                let (rows, out) = pair::<f64, _>(level, &dual, [scale, scale], [small, 2.0 - small]);
                // No derivative, or a row that is too large.
                if rows[0].slope == 0.0 || rows[0].slope.is_infinite() {
                    continue;
                }
                prop_assert!((same.slope - 1.0).abs() < 1e-14);
                // δ' / δ tends to a constant: p·E[φ'²]/E[φ²].
                // The quotient first: a slope near the largest number must not overflow here.
                let limit = (scale * (rows[0].slope / rows[0].scale)).powi(2);
                let ratio = out.delta / (small * limit);
                // The next term is of order √δ for a kink; for a saturated erf of order √(δ·variance).
                let next = 2.0 * (small * (1.0 + scale * scale * 16.0)).sqrt() + 1e-9;
                prop_assert!((ratio - 1.0).abs() < next, "{} {}: {ratio}", dual.name(), scale);
            }
        });
    }
}

#[test]
fn a_jump_makes_roots_of_defects() {
    let dual = dual!(Sign {});
    for level in Level::available() {
        for exponent in 3..60 {
            let small = 10f64.powi(-exponent);
            for cosine in [[small, 2.0 - small], [2.0 - small, small]] {
                let (_, out) = pair::<f64, _>(level, &dual, [0.3, 1e9], cosine);
                // 2θ/π, with θ = 2·asin √(δ/2).
                let expected = 4.0 * (small / 2.0).sqrt().asin() * std::f64::consts::FRAC_1_PI;
                assert!((out.delta.min(out.epsilon) / expected - 1.0).abs() < 1e-14, "{cosine:?}");
                assert_eq!(out.delta < out.epsilon, cosine[0] < cosine[1]);
            }
        }
    }
}

#[test]
fn the_normalised_exponential_is_its_formula() {
    for (gamma, shift) in [(1.0, -1.0), (2.5, 0.5), (0.3, -2.0)] {
        let dual = dual!(ExpNormalized { gamma: gamma, shift: shift });
        for level in Level::available() {
            for angle in [0.0, 1e-3, 1.2, 2.9, std::f64::consts::PI] {
                let (rows, out) = pair::<f64, _>(level, &dual, [0.2, 1.5], defects(angle));
                let expected = (gamma * (angle.cos() + shift)).exp();
                let kernel = rows[0].scale * rows[1].scale * (1.0 - out.delta);
                assert!((kernel - 0.2 * 1.5 * expected).abs() < 1e-15 * rows[0].scale * rows[1].scale * 4.0);
                let slope = rows[0].slope * rows[1].slope * out.slope;
                assert!((slope - gamma * expected).abs() < 4e-15 * rows[0].slope * rows[1].slope);
            }
        }
    }
}

#[test]
fn an_exponent_beyond_float32_keeps_equal_rows_equal() {
    let dual = dual!(ExpNormalized { gamma: 1e300, shift: -1.0 });
    for level in Level::available() {
        for (cosine, expected) in [([0.0, 2.0], 0.0), ([1e-3, 2.0 - 1e-3], 1.0), ([2.0, 0.0], 1.0)] {
            let double = pair::<f64, _>(level, &dual, [1.0, 2.0], cosine).1.delta;
            let single = pair::<f32, _>(level, &dual, [1.0, 2.0], cosine).1.delta;
            // Exact where it is 0.
            assert!((double - expected).abs() <= expected * f64::EPSILON);
            assert!((single - expected).abs() <= expected * f64::from(f32::EPSILON));
        }
    }
}
