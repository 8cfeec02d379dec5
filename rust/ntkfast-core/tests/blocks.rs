//! Products of blocks against literal sums, and the same bits however the work is shared out.

use ntkfast_core::blocks::{Block, BlockFloat, Form};
use ntkfast_core::parallel::Job;
use proptest::prelude::*;
use std::ops::Range;

/// Numbers that a short formula gives, exact in float32.
fn number(i: usize, j: usize) -> f64 {
    f64::from(((i * 7919 + j * 104_729) % 2001) as u32) / 1024.0 - 1.0
}

/// A matrix that is kept row after row.
struct Matrix<T> {
    rows: Vec<Vec<T>>,
}

impl<T: BlockFloat> Matrix<T> {
    fn new(shape: [usize; 2], entry: impl Fn(usize, usize) -> f64) -> Self {
        let row = |i| (0..shape[1]).map(|j| T::from_f64(entry(i, j))).collect();
        Self { rows: (0..shape[0]).map(row).collect() }
    }

    /// The product of a part of the matrix, or some calls for strips of it, added to `out`.
    fn multiply(
        &self,
        parts: &[(Range<usize>, Range<usize>)],
        form: Form,
        v: &[f64],
        c: usize,
        out: &mut [f64],
    ) {
        let rows: Vec<_> = parts
            .iter()
            .map(|(down, across)| {
                let (start, across) = (down.start, across.clone());
                move |i: usize| &self.rows[start + i][across.clone()]
            })
            .collect();
        let blocks: Vec<_> = rows
            .iter()
            .zip(parts)
            .map(|(row, (down, across))| Block {
                row,
                shape: [down.len(), across.len()],
                place: [down.start, across.start],
            })
            .collect();
        T::multiply(&blocks, form, v, c, out, &Job::default()).expect("memory");
    }
}

fn check<T: BlockFloat>(n: usize, m: usize, c: usize) {
    let matrix = Matrix::<T>::new([n, m], number);
    let (across, down) = (vectors(m, c), vectors(n, c));
    let mut out = vec![0.5; n * c];
    matrix.multiply(&[(0..n, 0..m)], Form::Given, &across, c, &mut out);
    compare(&out, c, |i, k| 0.5 + (0..m).map(|j| number(i, j) * across[j * c + k]).sum::<f64>());
    let mut out = vec![0.5; m * c];
    matrix.multiply(&[(0..n, 0..m)], Form::Transposed, &down, c, &mut out);
    compare(&out, c, |j, k| 0.5 + (0..n).map(|i| number(i, j) * down[i * c + k]).sum::<f64>());
}

fn vectors(n: usize, c: usize) -> Vec<f64> {
    (0..n * c).map(|i| number(i, 3)).collect()
}

fn compare(out: &[f64], c: usize, expected: impl Fn(usize, usize) -> f64) {
    for (index, value) in out.iter().enumerate() {
        let expected = expected(index / c, index % c);
        assert!((value - expected).abs() < 1e-11, "entry {index}: {value} for {expected}");
    }
}

/// The blocks on and above the diagonal of n points, of so many rows.
fn triangle(n: usize, step: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let starts = || (0..n).step_by(step);
    let range = |start: usize| start..n.min(start + step);
    starts().flat_map(|i| starts().filter(move |j| *j >= i).map(move |j| (range(i), range(j)))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn products_are_literal_sums(n in 1usize..600, m in 1usize..700, c in 1usize..9) {
        check::<f64>(n, m, c);
        check::<f32>(n, m, c);
    }

    /// Each block above the diagonal serves both sides; calls for one block after the other give the same bits.
    #[test]
    fn symmetric_products_are_literal_sums(n in 1usize..700, step in 1usize..400, c in 1usize..4) {
        let entry = |i: usize, j: usize| number(i.min(j), i.max(j));
        let matrix = Matrix::<f32>::new([n, n], entry);
        let (v, parts) = (vectors(n, c), triangle(n, step));
        let mut out = vec![0.0; n * c];
        matrix.multiply(&parts, Form::Symmetric, &v, c, &mut out);
        compare(&out, c, |i, k| (0..n).map(|j| entry(i, j) * v[j * c + k]).sum());
        let mut one_by_one = vec![0.0; n * c];
        for part in &parts {
            matrix.multiply(std::slice::from_ref(part), Form::Symmetric, &v, c, &mut one_by_one);
        }
        prop_assert!(out.iter().zip(&one_by_one).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
}
