//! Functions that are integrated, on a strip: their expansions on registers of pairs, then the pairs that are too close for
//! them, one by one.

use super::Step;
use super::frame::{Frame, Register};
use super::pointwise::groups;
use crate::fitted::{Integrated, SIDE_SLOTS, sides};
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
        groups::<P, _, NTK, SIGNED>(integrated, step, registers, *left, *right);
        let signed = [SIGNED && step.signed[0], SIGNED];
        if (0..STRIP).any(|lane| integrated.is_near(least(defects(&input, lane, signed[0])))) {
            let mut constants = [[Strip([T::default(); STRIP]); SIDE_SLOTS]; 2];
            sides::<P>(*left, step.first_slot, &mut constants[0]);
            sides::<P>(*right, step.first_slot, &mut constants[1]);
            finish(integrated, &input, &constants, signed, &mut registers[step.output]);
        }
    }
}

/// δ and ε of a pair; `signed` tells whether ε is stored.
fn defects<T: Scalar>(input: &Register<T>, lane: usize, signed: bool) -> [f64; 2] {
    let delta = input.delta.0[lane].to_f64();
    [delta, if signed { input.epsilon.0[lane].to_f64() } else { 2.0 - delta }]
}

fn least([delta, epsilon]: [f64; 2]) -> f64 {
    delta.min(epsilon)
}

/// Integrate the pairs of a strip that are too close; `signed` tells whether ε is stored of the input and of the output.
fn finish<T: Scalar>(
    integrated: &Integrated,
    input: &Register<T>,
    constants: &[[Strip<T>; SIDE_SLOTS]; 2],
    signed: [bool; 2],
    output: &mut Register<T>,
) {
    for lane in 0..STRIP {
        let defects = defects(input, lane, signed[0]);
        // Lanes without a row have no scale.
        if constants[1][0].0[lane].to_f64() == 0.0 || !integrated.is_near(least(defects)) {
            continue;
        }
        let sides = constants.each_ref().map(|side| side.each_ref().map(|strip| strip.0[lane].to_f64()));
        let near = integrated.near(sides, defects);
        output.delta.0[lane] = T::from_f64(near.defects[0]);
        if signed[1] {
            output.epsilon.0[lane] = T::from_f64(near.defects[1]);
        }
        output.tau.0[lane] = T::from_f64(near.slope * input.tau.0[lane].to_f64());
    }
}
