//! Evaluating a fit on pairs.

use super::lowrank::LowRank;
use super::row::{FIXED_SLOTS, Fitted, SHARE, SLOPE};
use super::series::STRETCH;
use crate::dual::{Cosine, Response};
use crate::simd::{Pack, Side};

/// Both sides of a register of pairs, read slot after slot.
struct Slots<L, R> {
    left: L,
    right: R,
    next: usize,
    pack: usize,
}

impl<L: Copy, R: Copy> Slots<L, R> {
    /// The value of a low-rank function, whose slots are next.
    #[inline(always)]
    fn sum<P: Pack>(&mut self, terms: &LowRank) -> P
    where
        L: Side<P>,
        R: Side<P>,
    {
        let mut total = P::splat(0.0);
        for i in 0..terms.len() {
            let (left, right) =
                (self.left.get(self.next + i, self.pack), self.right.get(self.next + i, self.pack));
            total =
                if i < terms.positive { left.mul_add(right, total) } else { left.neg_mul_add(right, total) };
        }
        self.next += terms.len();
        total
    }

    /// Value and derivative by v of Σ_k c_k T_k(v), by Clenshaw's recurrence and its derivative.
    #[inline(always)]
    fn series<P: Pack>(&mut self, terms: &[LowRank], v: P) -> (P, P)
    where
        L: Side<P>,
        R: Side<P>,
    {
        let zero = P::splat(0.0);
        let twice = v + v;
        let (mut b, mut b_after, mut d, mut d_after) = (zero, zero, zero, zero);
        let first = self.next;
        let end = first + terms.iter().map(LowRank::len).sum::<usize>();
        self.next = end;
        for (k, term) in terms.iter().enumerate().rev() {
            self.next -= term.len();
            let start = self.next;
            let c = self.sum(term);
            self.next = start;
            if k == 0 {
                let value = v.mul_add(b, c - b_after);
                let derivative = v.mul_add(d, b - d_after);
                self.next = end;
                return (value, derivative);
            }
            let next_d = twice.mul_add(d, b + b - d_after);
            (d, d_after) = (next_d, d);
            let next_b = twice.mul_add(b, c - b_after);
            (b, b_after) = (next_b, b);
        }
        (zero, zero)
    }
}

impl Fitted {
    /// A pair, as [`crate::dual::Dual::pair`], with constants from `slot` on.
    #[inline(always)]
    pub fn pair<P: Pack, const SIGNED: bool>(
        &self,
        cosine: Cosine<P>,
        left: impl Side<P>,
        right: impl Side<P>,
        slot: usize,
        pack: usize,
    ) -> Response<P> {
        let (half, one, two, zero) = (P::splat(0.5), P::splat(1.0), P::splat(2.0), P::splat(0.0));
        let m = if SIGNED { cosine.delta.min(cosine.epsilon) } else { cosine.delta };
        let root = m.sqrt();
        let v = root.mul_add(P::splat(STRETCH), -one);

        let place = left.get(slot, pack) - right.get(slot, pack);
        let both = |i: usize| left.get(slot + i, pack) * right.get(slot + i, pack);
        let unlike = left.get(slot + 1, pack) - right.get(slot + 1, pack);
        let over_sizes = both(2);
        let mut slots = Slots { left, right, next: slot + FIXED_SLOTS, pack };
        // E[(φ̂ − φ̂')²] = [E(ψ − ψ')² − (√Eψ² − √Eψ'²)²]/√(Eψ² Eψ'²): both terms are of second order.
        let distance = slots.sum::<P>(&self.distance);
        let apart = unlike.neg_mul_add(unlike, distance * (place * place));
        let eta = (half * over_sizes * apart).max(zero);
        let odd_share = over_sizes * slots.sum::<P>(&self.odd);
        // D, and m·∂D/∂m = ½√m·∂D/∂√m.
        let (odd, odd_by_v) = slots.series(&self.parts[0], v);
        let (even, even_by_v) = slots.series(&self.parts[1], v);
        let by_root = root * P::splat(STRETCH / 2.0);
        let odd_slope = both(SLOPE) * by_root.mul_add(odd_by_v, odd);
        let even_slope = both(SLOPE + 1) * by_root.mul_add(even_by_v, even);
        let (odd, even) = (both(SHARE) * m * odd, both(SHARE + 1) * m * even);

        let near = eta + odd + even;
        if !SIGNED {
            let cosine = Cosine { delta: near, epsilon: two - near };
            return Response { cosine, slope: odd_slope + even_slope };
        }
        let negative = cosine.epsilon.less(cosine.delta);
        // For ρ < 0 the odd part changes its sign.
        let far = if !self.has[1] {
            two - near
        } else if !self.has[0] {
            near
        } else {
            odd_share + odd_share + eta - odd + even
        };
        let opposite = if !self.has[1] { near } else { two - far };
        Response {
            cosine: Cosine {
                delta: P::select(negative, far, near),
                epsilon: P::select(negative, opposite, two - near),
            },
            slope: P::select(negative, odd_slope - even_slope, odd_slope + even_slope),
        }
    }
}
