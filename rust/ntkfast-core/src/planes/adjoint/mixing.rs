//! Steps backwards that mix positions: K and T are linear in those before.

use super::Pair;
use crate::planes::GROUP;

/// Planes, or tensors, as rows of pairs.
pub type Cells = Vec<Pair>;

/// To which places each result along one axis hands its gradient on.
pub type Places<'a> = &'a [Vec<usize>];

/// Add the gradients of a plane, times a factor, to those it was made from: result (r, c) was a sum over the places of r and
/// of c. `row` and `width` are the pairs in a row before and after.
pub fn spread(
    from: &[Pair],
    [down, across]: [Places<'_>; 2],
    factor: f64,
    to: &mut [Pair],
    row: usize,
    line: &mut Cells,
) {
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

/// Sums of the gradients of results: place (r, c) was read by the results of r and of c.
pub fn collect(
    from: &[Pair],
    row: usize,
    [down, across]: [Places<'_>; 2],
    factor: f64,
    to: &mut [Pair],
    line: &mut Cells,
) {
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

fn add(to: &mut Pair, from: &Pair, factor: f64) {
    for (to, from) in to.iter_mut().zip(from) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
    }
}
