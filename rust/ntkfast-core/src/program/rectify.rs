//! ReLU and its kin on a strip of pairs: what most networks spend their time on.
//!
//! Behind a second ReLU, pairs are closer to each other with every layer (their cosines are 0.32, 0.49, 0.60 … at least,
//! but for what biases and differing norms do), and a function of a shorter interval has a shorter polynomial. The
//! largest δ of a strip tells which one will do, where no cosine is negative: so the last bits of a pair depend on those
//! that it shares a strip with, in one call as in the next.

use super::Step;
use super::strip::{Pair, Register, read, write};
use crate::dual::AbRelu;
use crate::simd::math::REACHES;
use crate::simd::{Pack, Strip};

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
    for pack in 0..P::PACKS {
        let Pair { cosine, tau } = read::<P, NTK, SIGNED>(step, registers, 0, pack);
        let response = activation.pair_within::<P, SIGNED, REACH>(cosine);
        let pair = Pair { cosine: response.cosine, tau: response.slope * tau };
        write::<P, NTK, SIGNED>(&mut registers[step.output], pack, pair);
    }
}

/// The last of [`REACHES`] that holds all of a strip.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dual::{Activation, Cosine, Dual};
    use crate::program::Op;
    use crate::scalar::Scalar;
    use crate::simd::{Kernel, Level, STRIP};

    /// A step on the strip in register 0, and the dual pair by pair.
    struct Both<'a, T> {
        activation: &'a AbRelu,
        register: &'a mut Register<T>,
    }

    impl<T: Scalar> Kernel<T> for Both<'_, T> {
        type Output = [Strip<T>; 2];

        #[inline(always)]
        fn run<P: Pack<Scalar = T>>(self) -> [Strip<T>; 2] {
            let (mut delta, mut slope) = (self.register.delta, self.register.tau);
            for pack in 0..P::PACKS {
                let cosine = Cosine { delta: P::load(&delta, pack), epsilon: P::splat(2.0) };
                let nothing = |_: usize| P::splat(0.0);
                let response = self.activation.pair::<P, false>(cosine, nothing, nothing);
                response.cosine.delta.store(&mut delta, pack);
                response.slope.store(&mut slope, pack);
            }
            let op = Op::Activation(Activation::AbRelu(self.activation.clone()));
            let (signed, place) = ([false; 2], String::new());
            let step =
                Step { op, inputs: [0, 0], output: 0, first_slot: 0, signed, signed_output: false, place };
            rectify::<P, true, false>(self.activation, &step, std::slice::from_mut(self.register));
            [delta, slope]
        }
    }

    fn check<T: Scalar>(near: f64, far: f64, place: usize) {
        let activation = AbRelu::new(&[0.0, 1.0]).expect("two parameters");
        for level in Level::available() {
            let mut register = Register::default();
            for lane in 0..STRIP {
                let m = if lane == place { far } else { near * lane as f64 / STRIP as f64 };
                (register.delta.0[lane], register.tau.0[lane]) = (T::from_f64(m), T::from_f64(1.0));
            }
            let [delta, slope] =
                T::dispatch(level, Both { activation: &activation, register: &mut register });
            for lane in 0..STRIP {
                for (given, expected) in [(&register.delta, &delta), (&register.tau, &slope)] {
                    let (given, expected) = (given.0[lane].to_f64(), expected.0[lane].to_f64());
                    let error = (given - expected).abs();
                    let name = level.name();
                    assert!(error <= 4.0 * T::EPSILON, "{name} {near} {far} at {place}: {lane}: {error:e}");
                }
            }
        }
    }

    /// One far pair in any lane takes a polynomial that reaches it.
    #[test]
    fn every_lane_counts() {
        for reach in REACHES {
            for place in 0..STRIP {
                for far in [0.5 * reach, reach, 1.0] {
                    check::<f64>(reach, far, place);
                    check::<f32>(reach, far, place);
                }
            }
        }
    }
}
