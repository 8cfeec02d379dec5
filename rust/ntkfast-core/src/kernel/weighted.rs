//! Derivatives by inputs, weighted and summed as gradients need them.

use super::differentiable::PLANES;
use super::stream::finish;
use super::units::TILE;
use super::{Finished, Sink, Target};
use crate::simd::{Level, Pack, STRIP, Strip, Vectorized, dispatch_f64};

/// Takes the results of [`super::Variables::Inputs`], and weights pairs.
pub struct Weighted<'a> {
    /// The weights of all pairs, row after row.
    pub weights: &'a [f64],
    /// How many there are in a row.
    pub columns: usize,
    /// Whether they are those of the NTK.
    pub ntk: bool,
    /// The instruction set.
    pub level: Level,
    /// Where the first derivatives go, weighted: (n, m).
    pub turned: Target<'a, f64>,
    /// Where weighted sums of the second go, for each row and each strip of columns: (n, m/[`STRIP`]).
    pub by_rows: Target<'a, f64>,
    /// Where weighted sums of the third go, for each tile of rows and each column: (n/[`TILE`], m).
    pub by_columns: Target<'a, f64>,
}

impl Sink<f64> for Weighted<'_> {
    fn accept(&self, band: &Finished<'_, f64>) {
        dispatch_f64(self.level, Weigh { to: self, band });
        finish();
    }
}

struct Weigh<'a> {
    to: &'a Weighted<'a>,
    band: &'a Finished<'a, f64>,
}

impl Vectorized<f64> for Weigh<'_> {
    type Output = ();
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = f64>>(self) {
        let Self { to, band } = self;
        let [_, turned, left, right] = &band.values[..PLANES] else { return };
        let (columns, first_row) = (&band.columns, band.rows.start);
        let mut by_columns = Strip([0.0; STRIP]);
        for row in band.rows.clone() {
            let i = row - first_row;
            let own = &to.weights[row * to.columns..][columns.clone()];
            let mut weights = Strip([0.0; STRIP]);
            weights.0[..own.len()].copy_from_slice(own);
            let [turned, left, right] =
                [turned, left, right].map(|values| if to.ntk { &values.ntk[i] } else { &values.nngp[i] });
            let mut out = Strip([0.0; STRIP]);
            let mut sum = P::splat(0.0);
            for pack in 0..P::PACKS {
                let weight = P::load(&weights, pack);
                (weight * P::load(turned, pack)).store(&mut out, pack);
                sum = weight.mul_add(P::load(left, pack), sum);
                weight.mul_add(P::load(right, pack), P::load(&by_columns, pack)).store(&mut by_columns, pack);
            }
            to.turned.band(&(row..row + 1), columns, &[out], false);
            to.by_rows.entry(row, columns.start / STRIP, sum.sum());
        }
        let tile = first_row / TILE;
        to.by_columns.band(&(tile..tile + 1), columns, &[by_columns], false);
    }
}
