//! Decompositions, judged by their residuals, and the bits they give on pools of different sizes.

use ntkfast_core::linalg::{Eigen, Matrix, Symmetric, cholesky, cholesky_solve, eigh, product};
use ntkfast_core::parallel::{Job, for_each_index, lease, set_threads};
use ntkfast_core::{Error, Scalar, flow};
use proptest::prelude::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Numbers that look random, by a linear congruential generator.
fn noise(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        })
        .collect()
}

/// B Bᵀ + `shift`, times `scale`.
fn positive(size: usize, shift: f64, scale: f64) -> Vec<f64> {
    let b = noise(size * size, 7);
    let mut out = vec![0.0; size * size];
    for i in 0..size {
        for j in 0..size {
            let sum: f64 = (0..size).map(|k| b[i * size + k] * b[j * size + k]).sum();
            out[i * size + j] = scale * (sum + if i == j { shift } else { 0.0 });
        }
    }
    out
}

fn symmetric<T: Scalar>(entries: &[f64], size: usize) -> Result<Symmetric<T>, Error> {
    let entries: Vec<T> = entries.iter().map(|value| T::from_f64(*value)).collect();
    let matrix = Matrix { entries: &entries, shape: [size, size], by_rows: true };
    Symmetric::new("a", matrix, None, &Job::default())
}

fn decompose<T: Scalar>(entries: &[f64], size: usize) -> Eigen<T> {
    let matrix = symmetric::<T>(entries, size).expect("symmetric");
    lease().expect("threads").install(|| eigh(&matrix)).expect("converged")
}

fn check_eigen<T: Scalar>(entries: &[f64], size: usize, tolerance: f64) {
    let Eigen { values, vectors } = decompose::<T>(entries, size);
    let largest = values.iter().map(|value| value.to_f64().abs()).fold(0.0, f64::max);
    assert!(values.windows(2).all(|pair| pair[0] <= pair[1]), "ascending");
    for column in 0..size {
        let u = &vectors[column * size..][..size];
        for row in 0..size {
            let product: f64 = (0..size).map(|k| entries[row * size + k] / largest * u[k].to_f64()).sum();
            let error = (product - values[column].to_f64() / largest * u[row].to_f64()).abs();
            assert!(error < tolerance, "residual {error:e} of size {size}");
        }
    }
}

#[test]
fn eigenpairs_leave_no_residual() {
    for size in [1, 2, 3, 17, 64, 65, 130] {
        for scale in [1.0, 1e150, 1e-200, 1e-305] {
            check_eigen::<f64>(&positive(size, 0.0, scale), size, 1e-14 * (size as f64).sqrt());
        }
        check_eigen::<f32>(&positive(size, 0.0, 1.0), size, 3e-6 * (size as f64).sqrt());
    }
    assert!(decompose::<f64>(&[], 0).values.is_empty());
}

#[test]
fn bits_do_not_depend_on_threads() {
    let size = 300;
    let entries = positive(size, 1.0, 1.0);
    let run = |threads| {
        set_threads(threads);
        let eigen = decompose::<f64>(&entries, size);
        let factor = lease()
            .expect("threads")
            .install(|| cholesky(symmetric::<f64>(&entries, size).expect("symmetric"), &Job::default()))
            .expect("positive definite")
            .factor;
        let matrix = Matrix { entries: &entries, shape: [size, size], by_rows: true };
        let square =
            lease().expect("threads").install(|| product(matrix, matrix, &Job::default())).expect("memory");
        (eigen.values, eigen.vectors, factor, square)
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(3));
    set_threads(0);
}

#[test]
fn a_diagonal_stands_in_place_of_the_matrix_s_own() {
    let (size, job) = (100, Job::default());
    for scale in [1e-200, 1.0, 1e150] {
        let mut entries = positive(size, 0.1, scale);
        let diagonal: Vec<f64> = (0..size).map(|i| 2.0 * entries[i * (size + 1)]).collect();
        let shape = [size, size];
        let matrix = Matrix { entries: &entries, shape, by_rows: true };
        let given = Symmetric::new("a", matrix, Some(&diagonal), &job).expect("symmetric");
        (0..size).for_each(|i| entries[i * (size + 1)] = diagonal[i]);
        let written = symmetric::<f64>(&entries, size).expect("symmetric");
        let factor = |matrix| lease().expect("threads").install(|| cholesky(matrix, &job)).expect("definite");
        assert!(factor(given).factor == factor(written).factor);
    }
}

#[test]
fn cholesky_solves() {
    for size in [1, 5, 64, 100, 300, 520] {
        for scale in [1.0, 1e150, 1e-200] {
            let entries = positive(size, 0.1, scale);
            let matrix = symmetric::<f64>(&entries, size).expect("symmetric");
            let factor =
                lease().expect("threads").install(|| cholesky(matrix, &Job::default())).expect("definite");
            let x = noise(2 * size, 3);
            let mut rhs = vec![0.0; 2 * size];
            for row in 0..size {
                for column in 0..2 {
                    rhs[2 * row + column] =
                        (0..size).map(|k| entries[row * size + k] * x[2 * k + column]).sum();
                }
            }
            let l = Matrix { entries: &factor.factor, shape: [size, size], by_rows: false };
            lease()
                .expect("threads")
                .install(|| cholesky_solve(l, &mut rhs, 2, &Job::default()))
                .expect("not cancelled");
            for (a, b) in rhs.iter().zip(&x) {
                assert!((a - b).abs() < 1e-9, "size {size}: {a} {b}");
            }
        }
    }
}

#[test]
fn unsuitable_matrices_are_refused() {
    let nan = symmetric::<f64>(&[1.0, f64::NAN, 0.0, 1.0], 2).err();
    assert!(matches!(nan, Some(Error::NotFinite { argument: "a", row: 0, column: 1, .. })));
    let skew = symmetric::<f64>(&[1.0, 0.5, 0.4, 1.0], 2).err();
    assert!(matches!(skew, Some(Error::NotSymmetric { row: 1, column: 0, .. })));
    assert!(symmetric::<f64>(&[1.0, 0.5, 0.5 + 1e-15, 1.0], 2).is_ok());
    let mut entries = positive(400, 1.0, 1.0);
    entries[300 * 400 + 300] = -1.0;
    let matrix = symmetric::<f64>(&entries, 400).expect("symmetric");
    let outcome = lease().expect("threads").install(|| cholesky(matrix, &Job::default())).err();
    assert_eq!(outcome, Some(Error::NotPositiveDefinite { pivot: 300 }));
}

#[test]
fn every_index_is_done_once() {
    for threads in [1, 3] {
        let counts: Vec<AtomicUsize> = (0..1000).map(|_| AtomicUsize::new(0)).collect();
        let job = Job::default();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let outcome = pool.install(|| {
            for_each_index(
                &job,
                counts.len(),
                || (),
                |(), index| {
                    counts[index].fetch_add(1, Ordering::Relaxed);
                    Ok(())
                },
            )
        });
        assert!(outcome.is_ok() && counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
        assert_eq!(job.progress().0, 1000);
    }
}

#[test]
fn cancelled_jobs_stop() {
    let (job, seen) = (Job::default(), Mutex::new(0));
    let outcome = for_each_index(
        &job,
        100,
        || (),
        |(), index| {
            *seen.lock().expect("not poisoned") += 1;
            if index == 4 {
                job.cancel();
            }
            Ok(())
        },
    );
    assert_eq!(outcome, Err(Error::Cancelled));
    assert_eq!(seen.into_inner().expect("not poisoned"), 5);
}

#[test]
fn extremes_of_the_number_range() {
    assert_eq!(decompose::<f64>(&[1e-310], 1).values, [1e-310]);
    let huge = symmetric::<f64>(&[1e308; 9], 3).expect("symmetric");
    assert!(matches!(eigh(&huge).err(), Some(Error::TooLarge { what: "eigenvalues", .. })));
    let tiny = symmetric::<f64>(&[4e-310], 1).expect("symmetric");
    let factor = cholesky(tiny, &Job::default()).expect("definite").factor;
    assert!((factor[0] / 2e-155 - 1.0).abs() < 1e-12);
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
