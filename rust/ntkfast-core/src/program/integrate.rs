//! Functions that are integrated, on a strip: their expansions on registers of pairs, then the pairs that are too close for
//! them, one by one.

use super::Step;
use super::frame::{Frame, Pair, Register, read, write};
use crate::fitted::{Integrated, PACKS_AT_ONCE, sides};
use crate::scalar::Scalar;
use crate::simd::{Pack, RowConstants, STRIP, Strip, Vectorized};

/// An integrated function on a whole strip.
pub struct Integrate<'a, 'b, T, L, R, const NTK: bool, const SIGNED: bool> {
    pub integrated: &'a Integrated,
    pub step: &'a Step,
    pub frame: &'a mut Frame<'b, T, L, R>,
}

impl<T, L, R, const NTK: bool, const SIGNED: bool> Vectorized<T> for Integrate<'_, '_, T, L, R, NTK, SIGNED>
where
    T: Scalar,
    L: RowConstants<T>,
    R: RowConstants<T>,
{
    type Output = ();
    type Unit = Integrated;

    #[inline(always)]
    fn run<P: Pack<Scalar = T>>(self) {
        let Self { integrated, step, frame } = self;
        let Frame { registers, left, right, .. } = frame;
        let input = registers[step.inputs[0]].clone();
        let mut close = false;
        for first in (0..P::PACKS).step_by(PACKS_AT_ONCE) {
            let pairs: [Pair<P>; PACKS_AT_ONCE] =
                std::array::from_fn(|i| read::<P, NTK, SIGNED>(step, registers, 0, first + i));
            for pair in pairs {
                let least = pair.cosine.least::<SIGNED>();
                close |= P::any(least.less(P::splat(integrated.nearness())));
            }
            let cosines = pairs.map(|pair| pair.cosine);
            let responses = integrated.pairs::<P, SIGNED>(cosines, *left, *right, step.first_slot, first);
            for (i, response) in responses.into_iter().enumerate() {
                let pair = Pair { cosine: response.cosine, tau: response.slope * pairs[i].tau };
                write::<P, NTK, SIGNED>(&mut registers[step.output], first + i, pair);
            }
        }
        if close {
            let mut constants = [[Strip([T::default(); STRIP]); 9]; 2];
            sides::<P>(*left, step.first_slot, &mut constants[0]);
            sides::<P>(*right, step.first_slot, &mut constants[1]);
            let stored = [SIGNED && step.signed[0], SIGNED];
            finish(integrated, &input, &constants, stored, &mut registers[step.output]);
        }
    }
}

/// Integrate the pairs of a strip that are too close; `signed` tells whether ε is stored of the input and of the output.
fn finish<T: Scalar>(
    integrated: &Integrated,
    input: &Register<T>,
    constants: &[[Strip<T>; 9]; 2],
    signed: [bool; 2],
    output: &mut Register<T>,
) {
    for lane in 0..STRIP {
        let delta = input.delta.0[lane].to_f64();
        let epsilon = if signed[0] { input.epsilon.0[lane].to_f64() } else { 2.0 - delta };
        let sides = constants.each_ref().map(|side| side.each_ref().map(|strip| strip.0[lane].to_f64()));
        // Lanes without a row have no scale.
        if sides[1][0] == 0.0 || !integrated.is_near(delta.min(epsilon)) {
            continue;
        }
        let near = integrated.near(sides, [delta, epsilon]);
        output.delta.0[lane] = T::from_f64(near.defects[0]);
        if signed[1] {
            output.epsilon.0[lane] = T::from_f64(near.defects[1]);
        }
        output.tau.0[lane] = T::from_f64(near.slope * input.tau.0[lane].to_f64());
    }
}
