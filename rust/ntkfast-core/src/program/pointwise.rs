//! What each op does to one register's worth of pairs.
//!
//! Each op is compiled by itself, for every instruction set, with T and without, and for cosines that may be negative
//! or not: one function of all ops took the compiler minutes.

use super::Step;
use super::frame::{Frame, Pair, Register, read, write};
use crate::dual::blend::{SLOTS, blend, blend_constant};
use crate::dual::{Cosine, Dual, DualConstants};
use crate::fitted::{Fitted, Grouped, PACKS_AT_ONCE};
use crate::scalar::Scalar;
use crate::simd::{Number, Pack, RowConstants, Vectorized};

/// An op on one register's worth of pairs.
pub trait Pointwise {
    /// Where it is compiled, see [`Vectorized::Unit`].
    type Unit: ?Sized;

    /// The result for two inputs (those of ops with one input are the same) and the constants of both sides.
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        inputs: [Pair<N>; 2],
        left: impl DualConstants<N>,
        right: impl DualConstants<N>,
    ) -> Pair<N>;
}

/// The constants of one side in one register, from a step's first slot on.
#[derive(Clone, Copy)]
pub struct At<S> {
    pub side: S,
    pub slot: usize,
    pub pack: usize,
}

impl<P: Pack, S: RowConstants<P::Scalar>> DualConstants<P> for At<S> {
    #[inline(always)]
    fn get(self, slot: usize) -> P {
        self.side.get(self.slot + slot, self.pack)
    }
}

/// The constants of a sum.
#[inline(always)]
fn shares<N: Number>(side: impl DualConstants<N>, slot: usize) -> [N; SLOTS] {
    [side.get(slot), side.get(slot + 1)]
}

/// Product of both sides' constant.
#[inline(always)]
fn weight<N: Number>(left: impl DualConstants<N>, right: impl DualConstants<N>, slot: usize) -> N {
    left.get(slot) * right.get(slot)
}

/// An op on a whole strip.
pub struct Whole<'a, 'b, T, O, L, R, const NTK: bool, const SIGNED: bool> {
    pub op: &'a O,
    pub step: &'a Step,
    pub frame: &'a mut Frame<'b, T, L, R>,
}

impl<T, O, L, R, const NTK: bool, const SIGNED: bool> Vectorized<T> for Whole<'_, '_, T, O, L, R, NTK, SIGNED>
where
    T: Scalar,
    O: Pointwise,
    L: RowConstants<T>,
    R: RowConstants<T>,
{
    type Output = ();
    type Unit = O::Unit;

    #[inline(always)]
    fn run<P: Pack<Scalar = T>>(self) {
        let Frame { registers, left, right, .. } = self.frame;
        whole::<P, O, NTK, SIGNED>(self.op, self.step, registers, *left, *right);
    }
}

/// As a function, so that the compiler knows that registers share no memory with what is read.
#[inline(always)]
fn whole<P: Pack, O: Pointwise, const NTK: bool, const SIGNED: bool>(
    op: &O,
    step: &Step,
    registers: &mut [Register<P::Scalar>],
    left: impl RowConstants<P::Scalar>,
    right: impl RowConstants<P::Scalar>,
) {
    let slot = step.first_slot;
    for pack in 0..P::PACKS {
        let inputs = [
            read::<P, NTK, SIGNED>(step, registers, 0, pack),
            read::<P, NTK, SIGNED>(step, registers, 1, pack),
        ];
        let (left, right) = (At { side: left, slot, pack }, At { side: right, slot, pack });
        let pair = op.pair::<P, SIGNED>(inputs, left, right);
        write::<P, NTK, SIGNED>(&mut registers[step.output], pack, pair);
    }
}

impl<D: Dual> Pointwise for D {
    type Unit = D;

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        [input, _]: [Pair<N>; 2],
        left: impl DualConstants<N>,
        right: impl DualConstants<N>,
    ) -> Pair<N> {
        let response = Dual::pair::<N, SIGNED>(self, input.cosine, left, right);
        Pair { cosine: response.cosine, tau: response.slope * input.tau }
    }
}

/// A dense layer with so many constants for the shares of T, and a bias in K or not.
pub struct Dense<const SHARES: usize, const BLENDS: bool>;

impl<const SHARES: usize, const BLENDS: bool> Pointwise for Dense<SHARES, BLENDS> {
    type Unit = Self;

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        [mut pair, _]: [Pair<N>; 2],
        left: impl DualConstants<N>,
        right: impl DualConstants<N>,
    ) -> Pair<N> {
        let before = pair.cosine.delta;
        if BLENDS {
            pair.cosine = blend_constant(pair.cosine, shares(left, SHARES), shares(right, SHARES));
        }
        if SHARES > 0 {
            // A bias with a share of its own is not in that of the weights.
            let own = if SHARES > 2 { before } else { pair.cosine.delta };
            let added = weight::<N>(left, right, 0) * (N::splat(1.0) - own);
            pair.tau = weight::<N>(left, right, 1).mul_add(pair.tau, added);
        }
        if SHARES > 2 {
            pair.tau = pair.tau + weight(left, right, 2);
        }
        pair
    }
}

/// A constant that is added.
pub struct Offset;

impl Pointwise for Offset {
    type Unit = Self;

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        [input, _]: [Pair<N>; 2],
        left: impl DualConstants<N>,
        right: impl DualConstants<N>,
    ) -> Pair<N> {
        Pair { cosine: blend_constant(input.cosine, shares(left, 0), shares(right, 0)), tau: input.tau }
    }
}

/// Two uncorrelated values, added or side by side.
pub struct Sum;

impl Pointwise for Sum {
    type Unit = Self;

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        [a, b]: [Pair<N>; 2],
        left: impl DualConstants<N>,
        right: impl DualConstants<N>,
    ) -> Pair<N> {
        let cosine = blend(a.cosine, b.cosine, shares(left, 0), shares(right, 0));
        let tau = weight::<N>(left, right, SLOTS) * a.tau + weight::<N>(left, right, SLOTS + 1) * b.tau;
        Pair { cosine, tau }
    }
}

/// Two independent values, multiplied.
pub struct Product;

impl Pointwise for Product {
    type Unit = Self;

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        [a, b]: [Pair<N>; 2],
        left: impl DualConstants<N>,
        right: impl DualConstants<N>,
    ) -> Pair<N> {
        let (one, half) = (N::splat(1.0), N::splat(0.5));
        let (x, y) = (a.cosine, b.cosine);
        let cosine = Cosine {
            delta: half * x.delta.mul_add(y.epsilon, x.epsilon * y.delta),
            epsilon: half * x.delta.mul_add(y.delta, x.epsilon * y.epsilon),
        };
        let tau = weight::<N>(left, right, 0) * a.tau * (one - y.delta)
            + weight::<N>(left, right, 1) * b.tau * (one - x.delta);
        Pair { cosine, tau }
    }
}

/// Scales of rows alone.
pub struct Keep;

impl Pointwise for Keep {
    type Unit = Self;

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        [input, _]: [Pair<N>; 2],
        _left: impl DualConstants<N>,
        _right: impl DualConstants<N>,
    ) -> Pair<N> {
        input
    }
}

/// Two samples drop different neurons; each is kept with this probability. A sample with itself is a matter of its
/// scales.
pub struct Dropout(pub f64);

impl Pointwise for Dropout {
    type Unit = Self;

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        [input, _]: [Pair<N>; 2],
        _left: impl DualConstants<N>,
        _right: impl DualConstants<N>,
    ) -> Pair<N> {
        let (keep, rest) = (N::splat(self.0), N::splat(1.0 - self.0));
        let Cosine { delta, epsilon } = input.cosine;
        let cosine = Cosine { delta: keep.mul_add(delta, rest), epsilon: keep.mul_add(epsilon, rest) };
        Pair { cosine, tau: keep * input.tau }
    }
}

/// T that is a constant.
pub struct Tangent(pub f64);

impl Pointwise for Tangent {
    type Unit = Self;

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        [input, _]: [Pair<N>; 2],
        _left: impl DualConstants<N>,
        _right: impl DualConstants<N>,
    ) -> Pair<N> {
        // A constant's cosine is 1; zero has none.
        Pair { cosine: input.cosine, tau: N::splat(if self.0 > 0.0 { 1.0 } else { 0.0 }) }
    }
}

/// An earlier tangent through an activation.
pub struct Chain;

impl Pointwise for Chain {
    type Unit = Self;

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        [own, earlier]: [Pair<N>; 2],
        _left: impl DualConstants<N>,
        _right: impl DualConstants<N>,
    ) -> Pair<N> {
        Pair { cosine: own.cosine, tau: own.tau * earlier.tau }
    }
}

/// An earlier tangent through a dense layer.
pub struct Carry;

impl Pointwise for Carry {
    type Unit = Self;

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        [own, earlier]: [Pair<N>; 2],
        left: impl DualConstants<N>,
        right: impl DualConstants<N>,
    ) -> Pair<N> {
        let tau = weight::<N>(left, right, 0) * own.tau;
        Pair { cosine: own.cosine, tau: weight::<N>(left, right, 1).mul_add(earlier.tau, tau) }
    }
}

/// A fitted function on a whole strip.
pub struct Fit<'a, 'b, T, L, R, const NTK: bool, const SIGNED: bool> {
    pub fitted: &'a Fitted,
    pub step: &'a Step,
    pub frame: &'a mut Frame<'b, T, L, R>,
}

impl<T, L, R, const NTK: bool, const SIGNED: bool> Vectorized<T> for Fit<'_, '_, T, L, R, NTK, SIGNED>
where
    T: Scalar,
    L: RowConstants<T>,
    R: RowConstants<T>,
{
    type Output = ();
    type Unit = Fitted;

    #[inline(always)]
    fn run<P: Pack<Scalar = T>>(self) {
        let Frame { registers, left, right, .. } = self.frame;
        groups::<P, _, NTK, SIGNED>(self.fitted, self.step, registers, *left, *right);
    }
}

/// As [`whole`], a group of registers at a time.
#[inline(always)]
pub(super) fn groups<P: Pack, G: Grouped, const NTK: bool, const SIGNED: bool>(
    dual: &G,
    step: &Step,
    registers: &mut [Register<P::Scalar>],
    left: impl RowConstants<P::Scalar>,
    right: impl RowConstants<P::Scalar>,
) {
    for first in (0..P::PACKS).step_by(PACKS_AT_ONCE) {
        let pair = read::<P, NTK, SIGNED>(step, registers, 0, first);
        let (mut cosines, mut taus) = ([pair.cosine; PACKS_AT_ONCE], [pair.tau; PACKS_AT_ONCE]);
        for i in 1..PACKS_AT_ONCE {
            let pair = read::<P, NTK, SIGNED>(step, registers, 0, first + i);
            (cosines[i], taus[i]) = (pair.cosine, pair.tau);
        }
        let responses = dual.pairs::<P, SIGNED>(cosines, left, right, step.first_slot, first);
        for i in 0..PACKS_AT_ONCE {
            let pair = Pair { cosine: responses[i].cosine, tau: responses[i].slope * taus[i] };
            write::<P, NTK, SIGNED>(&mut registers[step.output], first + i, pair);
        }
    }
}
