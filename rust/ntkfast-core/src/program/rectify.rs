//! ReLU and its kin on a strip of pairs: what most networks spend their time on.
//!
//! Behind a first ReLU, pairs are closer to each other with every layer (their cosines are 0.32, 0.49, 0.60 … at least,
//! but for what biases and differing norms do), and a function of a shorter interval has a shorter polynomial. The
//! largest δ of a strip tells which one will do.

use super::Step;
use super::strip::{Pair, Register, read, write};
use crate::dual::AbRelu;
use crate::simd::math::REACHES;
use crate::simd::{Pack, Strip};

/// Registers at a time, so that none waits for its own last sum.
const TOGETHER: usize = 2;

/// The step of an activation.
#[inline(always)]
pub fn rectify<P: Pack, const NTK: bool, const SIGNED: bool>(
    activation: &AbRelu,
    step: &Step,
    registers: &mut [Register<P::Scalar>],
) {
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

#[inline(always)]
fn run<P: Pack, const NTK: bool, const SIGNED: bool, const REACH: usize>(
    activation: &AbRelu,
    step: &Step,
    registers: &mut [Register<P::Scalar>],
) {
    for first in (0..P::PACKS).step_by(TOGETHER) {
        let pair = read::<P, NTK, SIGNED>(step, registers, 0, first);
        let (mut cosines, mut taus) = ([pair.cosine; TOGETHER], [pair.tau; TOGETHER]);
        for i in 1..TOGETHER {
            let pair = read::<P, NTK, SIGNED>(step, registers, 0, first + i);
            (cosines[i], taus[i]) = (pair.cosine, pair.tau);
        }
        let responses = activation.pairs::<P, SIGNED, REACH, TOGETHER>(cosines);
        for i in 0..TOGETHER {
            let pair = Pair { cosine: responses[i].cosine, tau: responses[i].slope * taus[i] };
            write::<P, NTK, SIGNED>(&mut registers[step.output], first + i, pair);
        }
    }
}

/// The last of [`REACHES`] that holds all of a strip.
#[inline(always)]
fn reach<P: Pack>(delta: &Strip<P::Scalar>) -> usize {
    let mut largest = P::load(delta, 0);
    for pack in 1..P::PACKS {
        largest = largest.max(P::load(delta, pack));
    }
    let mut reach = 0;
    while reach + 1 < REACHES.len() && !P::any(P::splat(REACHES[reach + 1]).less(largest)) {
        reach += 1;
    }
    reach
}
