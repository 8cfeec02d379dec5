//! Evaluating a fit on pairs.

use super::forms::Forms;
use super::row::{FIXED_SLOTS, Fitted, SHARE, SLOPE};
use crate::dual::{Cosine, Response};
use crate::simd::{GroupConstants, Number, Pack, RowConstants, weight};

/// Registers of pairs at a time: what surrounds the arithmetic is shared by them.
pub const PACKS_AT_ONCE: usize = 4;

/// Slots of forms on both sides of a group of pairs.
#[derive(Clone, Copy)]
struct Slots<L, R> {
    left: L,
    right: R,
    first_pack: usize,
}

impl<L: Copy, R: Copy> Slots<L, R> {
    /// The values of `M` functions of forms, from `k` on, whose slots begin at `first`: what the left row makes of the
    /// forms on the right row's functions.
    #[inline(always)]
    fn values<N: Number, const M: usize>(
        self,
        first: usize,
        forms: &Forms,
        k: usize,
    ) -> [[N; PACKS_AT_ONCE]; M]
    where
        L: GroupConstants<N>,
        R: GroupConstants<N>,
    {
        let (slot, rank) = forms.part(k);
        let mut sums = [[N::splat(0.0); PACKS_AT_ONCE]; M];
        let (left, right) = (self.left.range(first + slot, M * rank), self.right.range(first, rank));
        for j in 0..rank {
            let mut functions = [N::splat(0.0); PACKS_AT_ONCE];
            for (pack, function) in (self.first_pack..).zip(&mut functions) {
                *function = right.at(j, pack);
            }
            for (n, sums) in sums.iter_mut().enumerate() {
                for (pack, (sum, function)) in (self.first_pack..).zip(sums.iter_mut().zip(functions)) {
                    *sum = left.at(n * rank + j, pack).mul_add(function, *sum);
                }
            }
        }
        sums
    }

    /// The value of the only function of forms; 0 where there is none.
    #[inline(always)]
    fn value<N: Number>(self, first: usize, forms: &Forms) -> [N; PACKS_AT_ONCE]
    where
        L: GroupConstants<N>,
        R: GroupConstants<N>,
    {
        if forms.len() > 0 { self.values::<N, 1>(first, forms, 0)[0] } else { [N::splat(0.0); PACKS_AT_ONCE] }
    }

    /// Values and derivatives by v of Σ_k c_k T_k(v), by Clenshaw's recurrence and half of its derivative.
    #[inline(always)]
    fn series<N: Number>(self, first: usize, forms: &Forms, v: [N; PACKS_AT_ONCE]) -> [(N, N); PACKS_AT_ONCE]
    where
        L: GroupConstants<N>,
        R: GroupConstants<N>,
    {
        let mut clenshaw = Clenshaw::new(v);
        // The coefficient whose turn is next.
        let mut pending = [N::splat(0.0); PACKS_AT_ONCE];
        let mut k = forms.len();
        if !k.is_multiple_of(2) {
            k -= 1;
            [pending] = self.values::<N, 1>(first, forms, k);
        }
        while k > 0 {
            k -= 2;
            let [c, next] = self.values::<N, 2>(first, forms, k);
            clenshaw.step(pending);
            clenshaw.step(next);
            pending = c;
        }
        clenshaw.last(pending)
    }
}

/// The recurrence b_k = c_k + 2v·b_{k+1} − b_{k+2} and half of its derivative by v, from the last coefficient on.
struct Clenshaw<N> {
    v: [N; PACKS_AT_ONCE],
    b: [N; PACKS_AT_ONCE],
    b_after: [N; PACKS_AT_ONCE],
    d: [N; PACKS_AT_ONCE],
    d_after: [N; PACKS_AT_ONCE],
}

impl<N: Number> Clenshaw<N> {
    #[inline(always)]
    fn new(v: [N; PACKS_AT_ONCE]) -> Self {
        let zero = [N::splat(0.0); PACKS_AT_ONCE];
        Self { v, b: zero, b_after: zero, d: zero, d_after: zero }
    }

    #[inline(always)]
    fn step(&mut self, c: [N; PACKS_AT_ONCE]) {
        let Self { v, b, b_after, d, d_after } = self;
        for i in 0..PACKS_AT_ONCE {
            let twice = v[i] + v[i];
            (d[i], d_after[i]) = (twice.mul_add(d[i], b[i] - d_after[i]), d[i]);
            (b[i], b_after[i]) = (twice.mul_add(b[i], c[i] - b_after[i]), b[i]);
        }
    }

    /// The series and its derivative, with the first coefficient.
    #[inline(always)]
    fn last(&self, c: [N; PACKS_AT_ONCE]) -> [(N, N); PACKS_AT_ONCE] {
        let Self { v, b, b_after, d, d_after } = self;
        let mut results = [(c[0], c[0]); PACKS_AT_ONCE];
        for i in 0..PACKS_AT_ONCE {
            let half = v[i].mul_add(d[i], N::splat(0.5) * b[i] - d_after[i]);
            results[i] = (v[i].mul_add(b[i], c[i] - b_after[i]), half + half);
        }
        results
    }
}

/// A dual that is evaluated on a group of registers at a time.
pub trait Grouped {
    /// A group of pairs, as [`crate::dual::Dual::pair`], with constants from `slot` on.
    fn pairs<P: Pack, const SIGNED: bool>(
        &self,
        cosines: [Cosine<P>; PACKS_AT_ONCE],
        left: impl RowConstants<P::Scalar>,
        right: impl RowConstants<P::Scalar>,
        slot: usize,
        first_pack: usize,
    ) -> [Response<P>; PACKS_AT_ONCE];
}

impl Grouped for Fitted {
    #[inline(always)]
    fn pairs<P: Pack, const SIGNED: bool>(
        &self,
        cosines: [Cosine<P>; PACKS_AT_ONCE],
        left: impl RowConstants<P::Scalar>,
        right: impl RowConstants<P::Scalar>,
        slot: usize,
        first_pack: usize,
    ) -> [Response<P>; PACKS_AT_ONCE] {
        self.respond::<P, SIGNED>(cosines, left, right, slot, first_pack)
    }
}

impl Fitted {
    /// A group of pairs, whose numbers may carry derivatives.
    #[inline(always)]
    pub(crate) fn respond<N: Number, const SIGNED: bool>(
        &self,
        cosines: [Cosine<N>; PACKS_AT_ONCE],
        left: impl GroupConstants<N>,
        right: impl GroupConstants<N>,
        slot: usize,
        first_pack: usize,
    ) -> [Response<N>; PACKS_AT_ONCE] {
        let (half, one, two, zero) = (N::splat(0.5), N::splat(1.0), N::splat(2.0), N::splat(0.0));
        let a = N::splat(self.map.0);
        // x = sin θ, v, and a/(x + a).
        let (mut x, mut v, mut nearness) =
            ([zero; PACKS_AT_ONCE], [zero; PACKS_AT_ONCE], [zero; PACKS_AT_ONCE]);
        for i in 0..PACKS_AT_ONCE {
            x[i] = (cosines[i].delta * cosines[i].epsilon).max(zero).sqrt();
            let inverse = one / (x[i] + a);
            v[i] = (x[i] * inverse).mul_add(N::splat(2.0 + 2.0 * self.map.0), -one);
            nearness[i] = a * inverse;
        }
        let slots = Slots { left, right, first_pack };
        let mut first = slot + FIXED_SLOTS;
        let distance = slots.value::<N>(first, &self.distance);
        first += self.distance.slots();
        let moment = slots.value::<N>(first, &self.odd);
        first += self.odd.slots();
        // B and ∂B/∂v.
        let odd_part = slots.series::<N>(first, &self.parts[0], v);
        let even_part = slots.series::<N>(first + self.parts[0].slots(), &self.parts[1], v);

        let mut responses = [Response { cosine: cosines[0], slope: zero }; PACKS_AT_ONCE];
        for (i, response) in responses.iter_mut().enumerate() {
            let pack = first_pack + i;
            let (x, cosine) = (x[i], cosines[i]);
            let m = cosine.least::<SIGNED>();
            let place = left.at(slot, pack) - right.at(slot, pack);
            let unlike = left.at(slot + 1, pack) - right.at(slot + 1, pack);
            let over_sizes = weight(left, right, slot + 2, pack);
            let odd_share = weight(left, right, slot + SHARE, pack);
            let even_share = weight(left, right, slot + SHARE + 1, pack);
            let odd_rate = weight(left, right, slot + SLOPE, pack);
            let even_rate = weight(left, right, slot + SLOPE + 1, pack);
            // E[(φ̂ − φ̂')²] = [E(ψ − ψ')² − (√Eψ² − √Eψ'²)²]/√(Eψ² Eψ'²): both terms are of second order.
            let apart = unlike.neg_mul_add(unlike, distance[i] * (place * place));
            let eta = (half * over_sizes * apart).max(zero);
            // |ρ|, and x·∂B/∂x.
            let rho = one - m;
            let by_v = (v[i] + one) * nearness[i];
            let ((odd, odd_by_v), (even, even_by_v)) = (odd_part[i], even_part[i]);
            let odd_change = two.mul_add(odd, by_v * odd_by_v);
            let even_change = two.mul_add(even, by_v * even_by_v);
            let odd_slope = odd_rate * (rho * rho).mul_add(odd_change, (x * x).neg_mul_add(odd, moment[i]));
            let even_slope = even_rate * rho * even_change;
            let both_ways = rho.mul_add(rho, rho);
            let odd = odd_share * m * both_ways.mul_add(odd, moment[i]);
            let even = even_share * m * (one + rho) * even;

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
                let moment = odd_share * moment[i];
                moment + moment + eta - odd + even
            };
            let opposite = if !self.has[1] { near } else { two - far };
            *response = Response {
                cosine: Cosine {
                    delta: N::select(negative, far, near),
                    epsilon: N::select(negative, opposite, two - near),
                },
                slope: N::select(negative, odd_slope - even_slope, odd_slope + even_slope),
            };
        }
        responses
    }
}
