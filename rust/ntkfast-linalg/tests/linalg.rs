//! Decompositions, judged by their residuals, and the bits they give on pools of different sizes.

use ntkfast_base::Error;
use ntkfast_base::parallel::{Job, lease, set_threads};
use ntkfast_linalg::{Eigen, Factors, Field, Matrix, Symmetric};

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

fn symmetric<T: Field>(entries: &[f64], size: usize) -> Result<Symmetric<T>, Error> {
    let entries: Vec<T> = entries.iter().map(|value| T::from_f64(*value)).collect();
    let matrix = Matrix { entries: &entries, shape: [size, size], by_rows: true };
    T::symmetric("a", matrix, None, &Job::default())
}

fn decompose<T: Field>(entries: &[f64], size: usize) -> Eigen<T> {
    let matrix = symmetric::<T>(entries, size).expect("symmetric");
    lease().expect("threads").install(|| Field::eigh(&matrix)).expect("converged")
}

fn check_eigen<T: Field>(entries: &[f64], size: usize, tolerance: f64) {
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
        set_threads(threads, 1);
        let eigen = decompose::<f64>(&entries, size);
        let factor = lease()
            .expect("threads")
            .install(|| {
                Field::cholesky(symmetric::<f64>(&entries, size).expect("symmetric"), &Job::default())
            })
            .expect("positive definite")
            .factor;
        let matrix = Matrix { entries: &entries, shape: [size, size], by_rows: true };
        let square = lease()
            .expect("threads")
            .install(|| Field::product(matrix, matrix, &Job::default()))
            .expect("memory");
        (eigen.values, eigen.vectors, factor, square)
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(3));
    set_threads(0, 1);
}

#[test]
fn a_diagonal_stands_in_place_of_the_matrix_s_own() {
    let (size, job) = (100, Job::default());
    for scale in [1e-200, 1.0, 1e150] {
        let mut entries = positive(size, 0.1, scale);
        let diagonal: Vec<f64> = (0..size).map(|i| 2.0 * entries[i * (size + 1)]).collect();
        let shape = [size, size];
        let matrix = Matrix { entries: &entries, shape, by_rows: true };
        let given = f64::symmetric("a", matrix, Some(&diagonal), &job).expect("symmetric");
        (0..size).for_each(|i| entries[i * (size + 1)] = diagonal[i]);
        let written = symmetric::<f64>(&entries, size).expect("symmetric");
        let factor =
            |matrix| lease().expect("threads").install(|| Field::cholesky(matrix, &job)).expect("definite");
        assert!(factor(given).factor == factor(written).factor);
    }
}

#[test]
fn cholesky_solves() {
    for size in [1, 5, 64, 100, 300, 520] {
        for scale in [1.0, 1e150, 1e-200] {
            let entries = positive(size, 0.1, scale);
            let matrix = symmetric::<f64>(&entries, size).expect("symmetric");
            let factor = lease()
                .expect("threads")
                .install(|| Field::cholesky(matrix, &Job::default()))
                .expect("definite");
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
                .install(|| {
                    // One factor after the other gives the bits of both together.
                    let mut apart = rhs.clone();
                    Field::cholesky_solve(l, Factors::Lower, &mut apart, 2, &Job::default())?;
                    Field::cholesky_solve(l, Factors::Upper, &mut apart, 2, &Job::default())?;
                    Field::cholesky_solve(l, Factors::Both, &mut rhs, 2, &Job::default())?;
                    assert_eq!(apart, rhs);
                    Ok::<_, Error>(())
                })
                .expect("not cancelled");
            for (a, b) in rhs.iter().zip(&x) {
                assert!((a - b).abs() < 1e-9, "size {size}: {a} {b}");
            }
        }
    }
}

#[test]
fn cholesky_in_place_gives_the_same_factor_and_the_diagonal_of_the_inverse() {
    for size in [1, 5, 64, 100, 300, 520] {
        let entries = positive(size, 0.1, 1.0);
        let (factor, own, diagonal) = lease().expect("threads").install(|| {
            let job = Job::default();
            let matrix = symmetric::<f64>(&entries, size).expect("symmetric");
            let factor = Field::cholesky(matrix, &job).expect("definite").factor;
            let mut own = entries.clone();
            f64::cholesky_in_place(&mut own, size, &job).expect("definite");
            let l = Matrix { entries: &own, shape: [size, size], by_rows: false };
            let diagonal = Field::inverse_diagonal(l, &job).expect("not cancelled");
            (factor, own, diagonal)
        });
        assert!(own == factor, "size {size}");
        // A times column i of the inverse is a unit vector; forward and back, one column at a time.
        for i in (0..size).step_by(37) {
            let mut x: Vec<f64> = (0..size).map(|row| f64::from(u8::from(row == i))).collect();
            for row in 0..size {
                let sum: f64 = (0..row).map(|k| own[k * size + row] * x[k]).sum();
                x[row] = (x[row] - sum) / own[row * size + row];
            }
            for row in (0..size).rev() {
                let sum: f64 = (row + 1..size).map(|k| own[row * size + k] * x[k]).sum();
                x[row] = (x[row] - sum) / own[row * size + row];
            }
            assert!((diagonal[i] / x[i] - 1.0).abs() < 1e-10, "size {size}: {} {}", diagonal[i], x[i]);
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
    let outcome = lease().expect("threads").install(|| Field::cholesky(matrix, &Job::default())).err();
    assert_eq!(outcome, Some(Error::NotPositiveDefinite { pivot: 300 }));
}

#[test]
fn extremes_of_the_number_range() {
    assert_eq!(decompose::<f64>(&[1e-310], 1).values, [1e-310]);
    let huge = symmetric::<f64>(&[1e308; 9], 3).expect("symmetric");
    assert!(matches!(Field::eigh(&huge).err(), Some(Error::TooLarge { what: "eigenvalues", .. })));
    let tiny = symmetric::<f64>(&[4e-310], 1).expect("symmetric");
    let factor = Field::cholesky(tiny, &Job::default()).expect("definite").factor;
    assert!((factor[0] / 2e-155 - 1.0).abs() < 1e-12);
}
