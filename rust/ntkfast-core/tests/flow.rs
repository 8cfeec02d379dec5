//! Filters of the spectrum: momentum against its recurrence, one step at a time, and bounds of gradient flow.

use ntkfast_core::flow;
use proptest::prelude::*;

/// (1 − ρ_k)/x = A_1 + … + A_k and ρ_k, literally.
fn literal(x: f64, momentum: f64, steps: usize) -> (f64, f64) {
    let (mut gathered, mut gathered_before, mut left, mut left_before) = (0.0, 0.0, 1.0, 1.0);
    for _ in 0..steps {
        let next = left + momentum * (left - left_before) - x * left;
        (left, left_before) = (next, left);
        let next = gathered + momentum * (gathered - gathered_before) + 1.0 - x * gathered;
        (gathered, gathered_before) = (next, gathered);
    }
    (gathered, left)
}

/// Rates in every regime: far below and beside both double roots, between them, and up to the limit of stability.
fn rate() -> impl Strategy<Value = (f64, f64)> {
    let momentum = prop_oneof![Just(0.0), 0.0..0.999, 1e-40..1e-6];
    (momentum, 0..5usize, 0.0..1.0, -15.0..0.0).prop_map(|(m, place, part, log): (f64, usize, f64, f64)| {
        let limit = 2.0 * (1.0 + m);
        let near = 1.0 + (part - 0.5).signum() * 10f64.powf(log);
        let x = match place {
            0 => 10f64.powf(20.0 * log),
            1 => (1.0 - f64::sqrt(m)).powi(2) * near,
            2 => (1.0 + f64::sqrt(m)).powi(2) / near,
            3 => limit * (1.0 - 10f64.powf(log)),
            _ => limit * part,
        };
        (m, x.min(limit * (1.0 - 1e-15)))
    })
}

proptest! {
    #[test]
    fn closed_form_is_the_recurrence((momentum, x) in rate(), steps in 0..300usize) {
        let (gathered, left) = flow::heavy_ball(&[x], &[steps as f64], momentum);
        let (expected, expected_left) = literal(x, momentum, steps);
        // The loop makes an error of a rounding a step, and transients of some k² carry it on.
        let rounding = 4.0 * f64::EPSILON * (1 + steps * steps) as f64;
        prop_assert!((left[0] - expected_left).abs() <= rounding * expected_left.abs().max(1.0));
        prop_assert!((gathered[0] - expected).abs() <= rounding * expected.abs().max(1.0));
    }

    #[test]
    fn nothing_is_lost_of_few_or_tiny_steps(momentum in 0.0..1.0f64, log in -300.0..-20.0) {
        // x → 0: the sum of (1 − m^j)/(1 − m), all terms positive.
        let gathered = flow::heavy_ball(&[10f64.powf(log), 0.0], &[1.0, 2.0, 7.0], momentum).0;
        for (row, steps) in [1, 2, 7].into_iter().enumerate() {
            let sum: f64 = (1..=steps).map(|j| (0..j).map(|i| momentum.powi(i)).sum::<f64>()).sum();
            for value in &gathered[2 * row..2 * row + 2] {
                prop_assert!((value / sum - 1.0).abs() < 1e-13);
            }
        }
    }
}

#[test]
fn a_rate_that_overflows_moves_nothing_at_first() {
    assert_eq!(flow::gradient_flow(&[1e10], &[0.0], 1e300, 0.0, 0.0), [0.0]);
}

proptest! {
    /// 0 ≤ φ_t ≤ min(ηt, 1/(λ+r)), growing in t, and continuous in λ down to 0.
    #[test]
    fn filters_are_bounded(log in -300.0..150.0f64, t in 0.0..1e6f64, rate in 1e-6..10.0f64, ridge in 0.0..1.0f64) {
        let value = 10f64.powf(log);
        let times = [t, 2.0 * t, f64::INFINITY];
        let filter = flow::gradient_flow(&[value], &times, rate, ridge, 0.0);
        prop_assert!(filter.windows(2).all(|pair| pair[0] <= pair[1] * (1.0 + 1e-15)));
        let bound = (rate * t).min(1.0 / (value + ridge));
        prop_assert!((0.0..=bound * (1.0 + 1e-15)).contains(&filter[0]), "{} {bound}", filter[0]);
        prop_assert!(filter[0] >= 0.63 * bound);
    }
}

#[test]
fn negligible_modes_are_dropped_at_infinity() {
    let values = [-1e-17, 1e-17, 0.5, 2.0];
    assert_eq!(flow::gradient_flow(&values, &[f64::INFINITY], 1.0, 0.0, 1e-15), [0.0, 0.0, 2.0, 0.5]);
    assert_eq!(flow::gradient_flow(&values, &[3.0], 2.0, 0.0, 0.0)[0], 6.0);
    assert_eq!(flow::gradient_flow(&[0.0], &[f64::INFINITY], 1.0, 0.25, 0.0), [4.0]);
}
