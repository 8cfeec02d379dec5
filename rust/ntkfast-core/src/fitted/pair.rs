//! Evaluating a fit on pairs.

use super::lowrank::LowRank;
use super::row::{FIXED_SLOTS, Fitted, SHARE, SLOPE};
use super::series::STRETCH;
use crate::dual::{Cosine, Response};
use crate::simd::{Pack, Side};

/// Registers of pairs at a time: what surrounds the arithmetic is shared by them.
pub const GROUP: usize = 4;

/// Both sides of a group of pairs, read slot after slot.
struct Slots<L, R> {
    left: L,
    right: R,
    next: usize,
    first_pack: usize,
}

impl<L: Copy, R: Copy> Slots<L, R> {
    /// The value of a low-rank function, whose slots are next.
    #[inline(always)]
    fn sum<P: Pack>(&mut self, terms: &LowRank) -> [P; GROUP]
    where
        L: Side<P>,
        R: Side<P>,
    {
        let mut totals = [P::splat(0.0); GROUP];
        for i in 0..terms.len() {
            let positive = i < terms.positive;
            for (pack, total) in (self.first_pack..).zip(&mut totals) {
                let (left, right) = (self.left.get(self.next + i, pack), self.right.get(self.next + i, pack));
                *total = if positive { left.mul_add(right, *total) } else { left.neg_mul_add(right, *total) };
            }
        }
        self.next += terms.len();
        totals
    }

    /// Values and derivatives by v of Σ_k c_k T_k(v), by Clenshaw's recurrence and its derivative.
    #[inline(always)]
    fn series<P: Pack>(&mut self, terms: &[LowRank], v: [P; GROUP]) -> [(P, P); GROUP]
    where
        L: Side<P>,
        R: Side<P>,
    {
        let zero = P::splat(0.0);
        let mut results = [(zero, zero); GROUP];
        let (mut b, mut b_after, mut d, mut d_after) =
            ([zero; GROUP], [zero; GROUP], [zero; GROUP], [zero; GROUP]);
        let end = self.next + terms.iter().map(LowRank::len).sum::<usize>();
        let mut start = end;
        for (k, term) in terms.iter().enumerate().rev() {
            start -= term.len();
            self.next = start;
            let c = self.sum(term);
            for i in 0..GROUP {
                if k == 0 {
                    results[i] =
                        (v[i].mul_add(b[i], c[i] - b_after[i]), v[i].mul_add(d[i], b[i] - d_after[i]));
                    continue;
                }
                let twice = v[i] + v[i];
                (d[i], d_after[i]) = (twice.mul_add(d[i], b[i] + b[i] - d_after[i]), d[i]);
                (b[i], b_after[i]) = (twice.mul_add(b[i], c[i] - b_after[i]), b[i]);
            }
        }
        self.next = end;
        results
    }
}

impl Fitted {
    /// A group of pairs, as [`crate::dual::Dual::pair`], with constants from `slot` on.
    #[inline(always)]
    pub fn pairs<P: Pack, const SIGNED: bool>(
        &self,
        cosines: [Cosine<P>; GROUP],
        left: impl Side<P>,
        right: impl Side<P>,
        slot: usize,
        first_pack: usize,
    ) -> [Response<P>; GROUP] {
        let (half, one, two, zero) = (P::splat(0.5), P::splat(1.0), P::splat(2.0), P::splat(0.0));
        let (mut m, mut root, mut v) = ([zero; GROUP], [zero; GROUP], [zero; GROUP]);
        for i in 0..GROUP {
            m[i] = cosines[i].least::<SIGNED>();
            root[i] = m[i].sqrt();
            v[i] = root[i].mul_add(P::splat(STRETCH), -one);
        }
        let mut slots = Slots { left, right, next: slot + FIXED_SLOTS, first_pack };
        let distance = slots.sum::<P>(&self.distance);
        let odd_moment = slots.sum::<P>(&self.odd);
        // D and ∂D/∂v.
        let odd_part = slots.series(&self.parts[0], v);
        let even_part = slots.series(&self.parts[1], v);

        let mut responses = [Response { cosine: cosines[0], slope: zero }; GROUP];
        for (i, response) in responses.iter_mut().enumerate() {
            let pack = first_pack + i;
            let (m, cosine) = (m[i], cosines[i]);
            let place = left.get(slot, pack) - right.get(slot, pack);
            let unlike = left.get(slot + 1, pack) - right.get(slot + 1, pack);
            let over_sizes = both::<P>(left, right, slot + 2, pack);
            let odd_share = both::<P>(left, right, slot + SHARE, pack);
            let even_share = both::<P>(left, right, slot + SHARE + 1, pack);
            let odd_rate = both::<P>(left, right, slot + SLOPE, pack);
            let even_rate = both::<P>(left, right, slot + SLOPE + 1, pack);
            // E[(φ̂ − φ̂')²] = [E(ψ − ψ')² − (√Eψ² − √Eψ'²)²]/√(Eψ² Eψ'²): both terms are of second order.
            let apart = unlike.neg_mul_add(unlike, distance[i] * (place * place));
            let eta = (half * over_sizes * apart).max(zero);
            // m·∂D/∂m = ½√m·∂D/∂√m.
            let by_root = root[i] * P::splat(STRETCH / 2.0);
            let ((odd, odd_by_v), (even, even_by_v)) = (odd_part[i], even_part[i]);
            let odd_slope = odd_rate * by_root.mul_add(odd_by_v, odd);
            let even_slope = even_rate * by_root.mul_add(even_by_v, even);
            let (odd, even) = (odd_share * m * odd, even_share * m * even);

            let near = eta + odd + even;
            if !SIGNED {
                let cosine = Cosine { delta: near, epsilon: two - near };
                *response = Response { cosine, slope: odd_slope + even_slope };
                continue;
            }
            let negative = cosine.epsilon.less(cosine.delta);
            // For ρ < 0 the odd part changes its sign.
            let far = if !self.has[1] {
                two - near
            } else if !self.has[0] {
                near
            } else {
                let moment = over_sizes * odd_moment[i];
                moment + moment + eta - odd + even
            };
            let opposite = if !self.has[1] { near } else { two - far };
            *response = Response {
                cosine: Cosine {
                    delta: P::select(negative, far, near),
                    epsilon: P::select(negative, opposite, two - near),
                },
                slope: P::select(negative, odd_slope - even_slope, odd_slope + even_slope),
            };
        }
        responses
    }
}

/// Product of both sides' constant.
#[inline(always)]
fn both<P: Pack>(left: impl Side<P>, right: impl Side<P>, slot: usize, pack: usize) -> P {
    left.get(slot, pack) * right.get(slot, pack)
}
