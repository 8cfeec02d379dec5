//! Copies past the caches, at every place in a line.

use ntkfast_core::Scalar;
use ntkfast_core::kernel::stream::{copy, finish};

/// Every length at every place in a line, between guards.
fn check<T: Scalar>() {
    let guard = T::from_f64(-1.0);
    for streamed in [false, true] {
        for offset in 0..20 {
            for length in 0..90 {
                let values: Vec<T> = (0..length).map(|i| T::from_f64(i as f64)).collect();
                let mut out = vec![guard; 128];
                // SAFETY: offset + length ≤ 128.
                unsafe { copy(&values, out.as_mut_ptr().add(offset), streamed) };
                finish();
                let inside = offset..offset + length;
                assert_eq!(out[inside.clone()], values);
                assert!((0..128).filter(|i| !inside.contains(i)).all(|i| out[i] == guard));
            }
        }
    }
}

#[test]
fn all_of_it_and_nothing_else() {
    check::<f64>();
    check::<f32>();
}
