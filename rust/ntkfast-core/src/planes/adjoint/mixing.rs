//! Steps backwards that mix positions: K and T are linear in those before.

use super::Pair;
use crate::planes::GROUP;
use crate::simd::{Pack, Vectorized};

/// Gradients by K and T at pairs of positions, row after row.
pub type Cells = Vec<Pair>;

/// The places along one axis that each row, or column, is made from.
pub type Places<'a> = &'a [Vec<usize>];

/// Add the gradients of a plane, times a factor, to those it was made from: result (r, c) was a sum over the places of r
/// and of c.
pub struct Spread<'a> {
    pub from: &'a [Pair],
    pub places: [Places<'a>; 2],
    pub factor: f64,
    pub to: &'a mut [Pair],
    /// Pairs in a row of `to`.
    pub row: usize,
    pub line: &'a mut Cells,
}

impl Vectorized<f64> for Spread<'_> {
    type Output = ();
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = f64>>(self) {
        let Self { from, places: [down, across], factor, to, row, line } = self;
        for (results, places) in from.chunks_exact(across.len()).zip(down) {
            if places.is_empty() {
                continue;
            }
            line.clear();
            line.resize(row, [[0.0; GROUP]; 2]);
            for (result, columns) in results.iter().zip(across) {
                for &column in columns {
                    add(&mut line[column], result, factor);
                }
            }
            for &place in places {
                for (to, from) in to[place * row..][..row].iter_mut().zip(&*line) {
                    add(to, from, 1.0);
                }
            }
        }
    }
}

/// Sums of the gradients of results, times a factor: place (r, c) was read by the results of r and of c.
pub struct Collect<'a> {
    pub from: &'a [Pair],
    /// Pairs in a row of `from`.
    pub row: usize,
    pub places: [Places<'a>; 2],
    pub factor: f64,
    pub to: &'a mut [Pair],
    pub line: &'a mut Cells,
}

impl Vectorized<f64> for Collect<'_> {
    type Output = ();
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = f64>>(self) {
        let Self { from, row, places: [down, across], factor, to, line } = self;
        for (places, to) in down.iter().zip(to.chunks_exact_mut(across.len())) {
            line.clear();
            line.resize(row, [[0.0; GROUP]; 2]);
            for &place in places {
                for (sum, from) in line.iter_mut().zip(&from[place * row..][..row]) {
                    add(sum, from, factor);
                }
            }
            for (to, columns) in to.iter_mut().zip(across) {
                for &column in columns {
                    add(to, &line[column], 1.0);
                }
            }
        }
    }
}

#[inline(always)]
pub fn add(to: &mut Pair, from: &Pair, factor: f64) {
    for (to, from) in to.iter_mut().zip(from) {
        for lane in 0..GROUP {
            to[lane] += factor * from[lane];
        }
    }
}
