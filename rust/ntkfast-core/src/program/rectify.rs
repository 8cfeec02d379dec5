//! ReLU and its kin on a strip of pairs: what most networks spend their time on.
//!
//! Behind a second ReLU, pairs are closer to each other with every layer (their cosines are 0.32, 0.49, 0.60 … at least,
//! but for what biases and differing norms do), and a function of a shorter interval has a shorter polynomial. The
//! largest δ of a strip tells which one will do, where no cosine is negative: so the last bits of a pair depend on those
//! that it shares a strip with, in one call as in the next.

use super::Step;
use super::frame::{Frame, Pair, Register, read, write};
use crate::dual::AbRelu;
use crate::scalar::REACHES;
use crate::scalar::Scalar;
use crate::simd::{Pack, Strip, Vectorized};

/// The step of an activation on a strip.
pub struct Rectify<'a, 'b, T, L, R, const NTK: bool, const SIGNED: bool> {
    pub activation: &'a AbRelu,
    pub step: &'a Step,
    pub frame: &'a mut Frame<'b, T, L, R>,
}

impl<T, L, R, const NTK: bool, const SIGNED: bool> Vectorized<T> for Rectify<'_, '_, T, L, R, NTK, SIGNED>
where
    T: Scalar,
{
    type Output = ();
    type Unit = AbRelu;

    #[inline(always)]
    fn run<P: Pack<Scalar = T>>(self) {
        let Self { activation, step, frame } = self;
        let registers = &mut *frame.registers;
        if SIGNED {
            return run::<P, NTK, SIGNED, 0>(activation, step, registers);
        }
        match reach::<P>(&registers[step.inputs[0]].delta) {
            0 => run::<P, NTK, SIGNED, 0>(activation, step, registers),
            1 => run::<P, NTK, SIGNED, 1>(activation, step, registers),
            2 => run::<P, NTK, SIGNED, 2>(activation, step, registers),
            _ => run::<P, NTK, SIGNED, 3>(activation, step, registers),
        }
    }
}

#[inline(always)]
fn run<P: Pack, const NTK: bool, const SIGNED: bool, const REACH: usize>(
    activation: &AbRelu,
    step: &Step,
    registers: &mut [Register<P::Scalar>],
) {
    for pack in 0..P::PACKS {
        let Pair { cosine, tau } = read::<P, NTK, SIGNED>(step, registers, 0, pack);
        let response = activation.pair_within::<P, SIGNED, REACH>(cosine);
        let pair = Pair { cosine: response.cosine, tau: response.slope * tau };
        write::<P, NTK, SIGNED>(&mut registers[step.output], pack, pair);
    }
}

/// The last of [`crate::scalar::REACHES`] that holds all of a strip.
#[inline(always)]
fn reach<P: Pack>(delta: &Strip<P::Scalar>) -> usize {
    let mut largest = P::load(delta, 0);
    for pack in 1..P::PACKS {
        largest = P::load(delta, pack).max(largest);
    }
    let mut reach = 0;
    while reach + 1 < REACHES.len() && !P::any(P::splat(REACHES[reach + 1]).less(largest)) {
        reach += 1;
    }
    reach
}
