//! Evaluating expansions on pairs.

use super::super::pair::{Grouped, PACKS_AT_ONCE};
use super::near::{Close, Side};
use super::{FIXED_SLOTS, Integrated, MEAN, SHARE, STEEP, joined};
use crate::dual::{Cosine, Response};
use crate::parallel::is_cancelled;
use crate::simd::{Pack, RowConstants, STRIP, Strip, weight};

impl Grouped for Integrated {
    /// Pairs that are nearly parallel are wrong: see [`Integrated::near`].
    #[inline(always)]
    fn pairs<P: Pack, const SIGNED: bool>(
        &self,
        cosines: [Cosine<P>; PACKS_AT_ONCE],
        left: impl RowConstants<P::Scalar>,
        right: impl RowConstants<P::Scalar>,
        slot: usize,
        first_pack: usize,
    ) -> [Response<P>; PACKS_AT_ONCE] {
        let (zero, half, one, two) = (P::splat(0.0), P::splat(0.5), P::splat(1.0), P::splat(2.0));
        let rho = cosines.map(
            |Cosine { delta, epsilon }| {
                if SIGNED { half * (epsilon - delta) } else { one - delta }
            },
        );
        let first = slot + FIXED_SLOTS;
        let (lefts, rights) = (left.part(first, self.terms), right.part(first, self.terms));
        // Σ p_{n+1}·ρⁿ and its derivative, by Horner's rule.
        let (mut sums, mut slopes) = ([zero; PACKS_AT_ONCE], [zero; PACKS_AT_ONCE]);
        for n in (0..self.terms).rev() {
            for i in 0..PACKS_AT_ONCE {
                let pack = first_pack + i;
                slopes[i] = slopes[i].mul_add(rho[i], sums[i]);
                let product = lefts.get::<P>(n, pack) * rights.get::<P>(n, pack);
                sums[i] = sums[i].mul_add(rho[i], product);
            }
        }
        let mut steep = [zero; PACKS_AT_ONCE];
        let count = self.slope_terms();
        let (lefts, rights) = (left.part(first + self.terms, count), right.part(first + self.terms, count));
        for n in (0..count).rev() {
            for i in 0..PACKS_AT_ONCE {
                let pack = first_pack + i;
                let product = lefts.get::<P>(n, pack) * rights.get::<P>(n, pack);
                steep[i] = steep[i].mul_add(rho[i], product);
            }
        }
        let mut responses = [Response { cosine: cosines[0], slope: zero }; PACKS_AT_ONCE];
        for (i, response) in responses.iter_mut().enumerate() {
            let pack = first_pack + i;
            let mean = left.get::<P>(slot + MEAN, pack) - right.get::<P>(slot + MEAN, pack);
            let share = left.get::<P>(slot + SHARE, pack) - right.get::<P>(slot + SHARE, pack);
            let shares = weight::<P>(left, right, slot + SHARE, pack);
            let apart = half * mean.mul_add(mean, share * share);
            let delta = shares.mul_add(one - rho[i] * sums[i], apart).max(zero).min(two);
            let slope = if count > 0 {
                steep[i]
            } else {
                weight::<P>(left, right, slot + STEEP, pack) * rho[i].mul_add(slopes[i], sums[i])
            };
            *response = Response { cosine: Cosine { delta, epsilon: two - delta }, slope };
        }
        responses
    }
}

impl Integrated {
    /// Whether a pair is too close for the expansion.
    pub fn is_near(&self, least: f64) -> bool {
        least < self.threshold
    }

    /// A pair that is nearly parallel, by its 1 − ρ and 1 + ρ: theirs after the activation, and the cosine of slopes.
    /// Not computed once the job is cancelled.
    pub fn near(&self, sides: [[f64; MEAN]; 2], defects: [f64; 2]) -> Close {
        if is_cancelled() {
            return Close::default();
        }
        let sides = sides.map(|[a, b, c, d, e, f, g, h, i]| Side {
            scale: joined([a, b, c]),
            norm: joined([d, e, f]),
            slope: joined([g, h, i]),
        });
        self.direct.pair(sides, defects)
    }
}

/// The constants of one side that [`Integrated::near`] needs, for a strip.
#[inline(always)]
pub fn sides<P: Pack>(side: impl RowConstants<P::Scalar>, slot: usize, out: &mut [Strip<P::Scalar>; MEAN]) {
    for (number, strip) in out.iter_mut().enumerate() {
        for pack in 0..P::PACKS {
            side.get::<P>(slot + number, pack).store(strip, pack);
        }
    }
    debug_assert_eq!(P::PACKS * P::LANES, STRIP);
}
