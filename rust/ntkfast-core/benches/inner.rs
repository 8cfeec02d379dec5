//! The inner loops one at a time, on one thread: activations on pairs, whole tiles, fits.
//!
//! `cargo bench -p ntkfast-core`, or a part of it by name: `cargo bench -p ntkfast-core -- pairs::erf`. As in the
//! package, `NTKFAST_SIMD` chooses the instruction set.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ntkfast_core::Scalar;
use ntkfast_core::description::Description;
use ntkfast_core::dual::{AbRelu, Cosine, Dual};
use ntkfast_core::fitted::Function;
use ntkfast_core::kernel::{Finished, Points, Rows, Sink, TILE, Wanted, cross};
use ntkfast_core::network::{Layer, Training};
use ntkfast_core::parallel::Job;
use ntkfast_core::program::Program;
use ntkfast_core::simd::{Lanes, Level, Pack, RowConstants, STRIP, Single, Strip, Vectorized};
use rayon::ThreadPoolBuilder;
use std::sync::Arc;

fn main() {
    if let Ok(name) = std::env::var("NTKFAST_SIMD") {
        assert!(Level::force(&name), "NTKFAST_SIMD={name}: this processor has {:?}", Level::available());
    }
    // The pool of all that follows: this thread alone.
    let pool = ThreadPoolBuilder::new().num_threads(1).use_current_thread();
    pool.build_global().expect("no pool before");
    divan::main();
}

/// An activation on strips that fit into the first-level cache.
mod pairs {
    use super::*;
    use ntkfast_core::description::Description;
    use ntkfast_core::dual::{
        Erf, Exp, ExpNormalized, Gabor, Gaussian, Gelu, Hermite, Polynomial, RectifiedMonomial, Sign, Sin,
    };

    const STRIPS: usize = 16;

    struct Pairs<'a, D, T, const SIGNED: bool> {
        dual: &'a D,
        left: &'a [T],
        right: &'a [Strip<T>],
        delta: &'a [Strip<T>; STRIPS],
        out: &'a mut [Strip<T>; STRIPS],
    }

    impl<D: Dual, T: Scalar, const SIGNED: bool> Vectorized<T> for Pairs<'_, D, T, SIGNED> {
        type Output = ();
        type Unit = Self;

        #[inline(always)]
        fn run<P: Pack<Scalar = T>>(self) {
            let (left, right) = (Single(self.left), Lanes(self.right));
            for (delta, out) in self.delta.iter().zip(self.out) {
                for pack in 0..P::PACKS {
                    let delta = P::load(delta, pack);
                    let cosine = Cosine { delta, epsilon: P::splat(2.0) - delta };
                    let (l, r) = (|slot| left.get(slot, pack), |slot| right.get(slot, pack));
                    let response = self.dual.pair::<P, SIGNED>(cosine, l, r);
                    (response.cosine.delta + response.slope).store(out, pack);
                }
            }
        }
    }

    /// Rows of different scales, and cosines as they are behind a layer of the same activation.
    fn bench<T: Scalar, D: Dual, const SIGNED: bool>(bencher: Bencher, mut fields: Description) {
        let dual = D::new(&mut fields).expect("valid fields");
        assert_eq!(dual.is_nonnegative(false), !SIGNED, "{}", dual.name());
        let zero = Strip([T::default(); STRIP]);
        let mut constants = vec![0.0; dual.slots()];
        dual.row(1.1, &mut constants);
        let left: Vec<T> = constants.iter().map(|value| T::from_f64(*value)).collect();
        let mut right = vec![zero; dual.slots()];
        let mut delta = [zero; STRIPS];
        for lane in 0..STRIP {
            let share = lane as f64 / STRIP as f64;
            dual.row(0.8 + 0.4 * share, &mut constants);
            right.iter_mut().zip(&constants).for_each(|(to, from)| to.0[lane] = T::from_f64(*from));
            for (i, strip) in delta.iter_mut().enumerate() {
                let share = (share + i as f64) / STRIPS as f64;
                strip.0[lane] = T::from_f64(if SIGNED { 2.0 * share } else { share });
            }
        }
        let (left, right, delta, mut out) = (&left[..], &right[..], &delta, [zero; STRIPS]);
        let level = Level::current();
        bencher.counter(ItemsCount::new(STRIPS * STRIP)).bench_local(|| {
            let (dual, delta, out) = (&dual, black_box(delta), black_box(&mut out));
            T::dispatch(level, Pairs::<_, _, SIGNED> { dual, left, right, delta, out });
        });
    }

    macro_rules! duals {
        ($signed:literal: $($name:ident = $dual:ident { $($field:ident: $value:expr),* }),* $(,)?) => {
            $(#[divan::bench(types = [f64, f32])]
            fn $name<T: Scalar>(bencher: Bencher) {
                let fields = Description::new(stringify!($dual));
                bench::<T, $dual, $signed>(bencher, fields$(.with(stringify!($field), $value))*);
            })*
        };
    }

    // Cosines behind these are never negative.
    duals! { false:
        relu = AbRelu { a: 0.0, b: 1.0 },
        exp = Exp { a: 1.0, b: 0.5, wave: false },
        exp_normalized = ExpNormalized { gamma: 1.0, shift: -1.0 },
        gaussian = Gaussian { a: 1.0, b: -1.0 },
        rectified_monomial = RectifiedMonomial { degree: 2 },
    }

    duals! { true:
        leaky_relu = AbRelu { a: 0.1, b: 1.0 },
        sign = Sign {},
        erf = Erf { a: 1.0, b: 1.0, c: 0.0 },
        gelu = Gelu {},
        sin = Sin { a: 1.0, b: 1.0, c: 0.0, quarter_ahead: false },
        gabor = Gabor {},
        polynomial = Polynomial { coef: &[0.0, 1.0, 0.0, -0.1][..] },
        hermite = Hermite { degree: 3 },
    }
}

const FEATURES: usize = 64;
const NTK: Wanted = Wanted { nngp: false, ntk: true };

/// Networks by name: hidden layers, with biases unless said otherwise.
const NETWORKS: [&str; 6] = ["linear", "relu 3", "relu 10", "relu 3, no bias", "erf 3", "tanh 3"];

fn network(name: &str) -> Layer {
    let (activation, depth, bias) = match name {
        "linear" => (Layer::Identity, 0, Some(0.1)),
        "relu 3" => (relu(), 3, Some(0.1)),
        "relu 10" => (relu(), 10, Some(0.1)),
        "relu 3, no bias" => (relu(), 3, None),
        "erf 3" => (erf(), 3, Some(0.1)),
        _ => (tanh(), 3, Some(0.1)),
    };
    let dense = Layer::Dense { width: None, w_std: 1.4, b_std: bias, training: Training::Ntk };
    let hidden = std::iter::repeat_n([dense.clone(), activation], depth).flatten();
    Layer::Serial(hidden.chain([dense]).collect())
}

fn relu() -> Layer {
    Layer::new(Description::new("ABRelu").with("a", 0.0).with("b", 1.0)).expect("valid fields")
}

fn erf() -> Layer {
    Layer::new(Description::new("Erf").with("a", 1.0).with("b", 1.0).with("c", 0.0)).expect("valid fields")
}

fn tanh() -> Layer {
    let values = |inputs: &[f64]| Some(inputs.iter().map(|x| x.tanh()).collect());
    Layer::Elementwise(Function::new("Tanh".to_owned(), Vec::new(), Arc::new(values)))
}

/// Points that differ in their norms.
fn rows<T: Scalar>() -> Rows<'static, T> {
    let fill = |row: usize, buffer: &mut [T]| {
        let scale = 0.8 + 0.4 * row as f64 / TILE as f64;
        for (i, value) in buffer.iter_mut().enumerate() {
            *value = T::from_f64(scale * (1.0 + (row * FEATURES + i) as f64).sqrt().sin());
        }
    };
    Rows::new("x", TILE, FEATURES, fill, &Job::default()).expect("finite numbers")
}

/// Lets bands go when they are finished: what is left is to compute them.
struct Discard;

impl<T: Sync> Sink<T> for Discard {
    fn accept(&self, band: &Finished<'_, T>) {
        black_box(band.values());
    }
}

/// A whole tile: inner products, layers, values.
#[divan::bench(types = [f64, f32], args = NETWORKS)]
fn tile<T: Scalar>(bencher: Bencher, name: &str) {
    let (job, rows) = (Job::default(), rows::<T>());
    let program = Program::new(&network(name)).expect("a valid network");
    let program = program.prepare::<T>(FEATURES, rows.scales(), 0, &job).expect("a function with values");
    let points = Points::new(rows, &program, NTK, &job).expect("finite kernels");
    bencher.counter(ItemsCount::new(TILE * TILE)).bench_local(|| {
        cross(&program, &points, &points, NTK, &mut Discard, &job).expect("nobody cancels");
    });
}

/// The fits of three layers of tanh.
#[divan::bench(types = [f64, f32], sample_count = 5)]
fn fit<T: Scalar>(bencher: Bencher) {
    let (job, rows) = (Job::default(), rows::<T>());
    let program = || Program::new(&network("tanh 3")).expect("a valid network");
    bencher.with_inputs(program).bench_local_refs(|program| {
        let fitted = program.prepare::<T>(FEATURES, rows.scales(), 0, &job).expect("a function with values");
        fitted.recipe().fits.len()
    });
}
