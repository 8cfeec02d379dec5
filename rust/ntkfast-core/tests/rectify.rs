//! ReLU's shorter polynomials: a strip takes one that reaches all of its pairs.

use ntkfast_core::description::Description;
use ntkfast_core::dual::{AbRelu, Activation, Cosine, Dual};
use ntkfast_core::program::{Op, Program, Register, Step};
use ntkfast_core::scalar::REACHES;
use ntkfast_core::simd::{Level, Pack, STRIP, Strip, Vectorized};
use ntkfast_core::{KernelFloat, Scalar};

/// The dual pair by pair, as a strip does not use it.
struct Pairs<'a, T> {
    activation: &'a AbRelu,
    register: &'a Register<T>,
}

impl<T: Scalar> Vectorized<T> for Pairs<'_, T> {
    type Output = [Strip<T>; 2];
    type Unit = Self;

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
        [delta, slope]
    }
}

/// A program of this activation alone, on cosines that are not negative.
fn alone(activation: &AbRelu) -> Program {
    let op = Op::Activation(Activation::AbRelu(activation.clone()));
    let (signed, place) = ([false; 2], String::new());
    let step = Step { op, inputs: [0, 0], output: 0, first_slot: 0, signed, signed_output: false, place };
    Program { steps: vec![step], registers: 1, slots: 0, outputs: vec![0], spatial: false }
}

fn check<T: KernelFloat>(near: f64, far: f64, place: usize) {
    let activation =
        AbRelu::new(&mut Description::new("ABRelu").with("a", 0.0).with("b", 1.0)).expect("valid fields");
    let program = alone(&activation);
    for level in Level::available() {
        let mut register = Register::default();
        for lane in 0..STRIP {
            let m = if lane == place { far } else { near * lane as f64 / STRIP as f64 };
            (register.delta.0[lane], register.tau.0[lane]) = (T::from_f64(m), T::from_f64(1.0));
        }
        let [delta, slope] = T::dispatch(level, Pairs { activation: &activation, register: &register });
        T::run_strip(&program, level, std::slice::from_mut(&mut register), &[], &[]);
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
