//! Programs of random networks against the textbook recursion on (k11, k22, k12, T), and the rules of validity.

use ntkfast_core::description::{Description, Value};
use ntkfast_core::kernel::{Outputs, Target, Wanted};
use ntkfast_core::network::Layer;
use ntkfast_core::parallel::Job;
use ntkfast_core::program::Program;
use ntkfast_core::{Error, KernelFloat, Model, Samples};
use proptest::prelude::*;
use std::f64::consts::PI;

/// (k11, k22, k12, T).
type Kernels = [f64; 4];

/// The recursion as papers print it, in plain double precision.
fn textbook(layer: &Layer, spec: &Spec, input: Kernels) -> Kernels {
    let [p, q, k, t] = input;
    match (layer, spec) {
        (Layer::Dense { w_std, b_std, .. }, _) => {
            let affine = |k: f64| w_std * w_std * k + b_std.unwrap_or(0.0).powi(2);
            [affine(p), affine(q), affine(k), affine(k) + w_std * w_std * t]
        }
        (Layer::Serial(layers), Spec::Serial(specs)) => {
            layers.iter().zip(specs).fold(input, |k, (layer, spec)| textbook(layer, spec, k))
        }
        (Layer::Residual(layers), Spec::Residual(specs)) => {
            let branch = layers.iter().zip(specs).fold(input, |k, (layer, spec)| textbook(layer, spec, k));
            std::array::from_fn(|i| input[i] + branch[i])
        }
        (_, Spec::Identity) => input,
        (_, Spec::AbRelu(a, b)) => {
            let theta = ((p * q - k * k).max(0.0).sqrt()).atan2(k);
            let half = (a * a + b * b) / 2.0;
            let c = half - (a - b).powi(2) * theta / (2.0 * PI);
            let value = |p: f64, q: f64, k: f64, c: f64| {
                (a - b).powi(2) / (2.0 * PI) * (p * q - k * k).max(0.0).sqrt() + c * k
            };
            [half * p, half * q, value(p, q, k, c), c * t]
        }
        (_, Spec::Erf(a, b, c)) => {
            let (p2, q2, k2) = (2.0 * b * b * p, 2.0 * b * b * q, 2.0 * b * b * k);
            let value = |x: f64, y: f64, z: f64| {
                2.0 * a * a / PI * (z / ((1.0 + x) * (1.0 + y)).sqrt()).asin() + c * c
            };
            let slope = 4.0 * a * a * b * b / (PI * ((1.0 + p2) * (1.0 + q2) - k2 * k2).sqrt());
            [value(p2, p2, p2), value(q2, q2, q2), value(p2, q2, k2), slope * t]
        }
        _ => panic!("a spec for another layer"),
    }
}

/// What a layer was made from.
#[derive(Clone, Debug)]
enum Spec {
    Dense(f64, Option<f64>),
    AbRelu(f64, f64),
    Erf(f64, f64, f64),
    Identity,
    Serial(Vec<Spec>),
    Residual(Vec<Spec>),
}

fn describe(spec: &Spec) -> Description {
    let described = |specs: &[Spec]| specs.iter().map(describe).collect::<Vec<_>>();
    let named = Description::new;
    match spec {
        Spec::Dense(w, b) => named("Dense")
            .with("width", Value::None)
            .with("w_std", *w)
            .with("b_std", *b)
            .with("parameterization", "ntk")
            .with("trainable", true),
        Spec::AbRelu(a, b) => named("ABRelu").with("a", *a).with("b", *b),
        Spec::Erf(a, b, c) => named("Erf").with("a", *a).with("b", *b).with("c", *c),
        Spec::Identity => named("Identity"),
        Spec::Serial(layers) => named("Serial").with("layers", described(layers)),
        Spec::Residual(layers) => named("Residual").with("layers", described(layers)),
    }
}

fn build(spec: &Spec) -> Layer {
    Layer::new(describe(spec)).expect("a valid layer")
}

fn dense() -> impl Strategy<Value = Spec> {
    (0.3..2.0f64, prop::option::of(0.0..1.0f64)).prop_map(|(w, b)| Spec::Dense(w, b))
}

fn activation() -> impl Strategy<Value = Spec> {
    prop_oneof![
        Just(Spec::AbRelu(0.0, 1.0)),
        (-1.5..1.5f64, 0.2..1.5f64).prop_map(|(a, b)| Spec::AbRelu(a, b)),
        (0.3..1.5f64, 0.2..2.0f64, -0.5..0.5f64).prop_map(|(a, b, c)| Spec::Erf(a, b, c)),
    ]
}

/// Dense, then blocks that leave a Gaussian behind.
fn network() -> impl Strategy<Value = Spec> {
    let block = prop_oneof![
        (activation(), dense()).prop_map(|(a, d)| Spec::Serial(vec![a, d])),
        (activation(), dense()).prop_map(|(a, d)| Spec::Residual(vec![a, d])),
        (activation(), dense(), activation(), dense()).prop_map(|(a, d, b, e)| Spec::Residual(vec![
            a,
            d,
            Spec::Identity,
            b,
            e
        ])),
    ];
    (dense(), prop::collection::vec(block, 0..6))
        .prop_map(|(first, blocks)| Spec::Serial(std::iter::once(first).chain(blocks).collect()))
}

fn kernels<T: KernelFloat>(model: &Model, rows: &[Vec<f64>], wanted: Wanted) -> Result<[Vec<T>; 2], Error> {
    let (count, features, job) = (rows.len(), rows[0].len(), Job::default());
    let fill = |row: usize, buffer: &mut [T]| {
        buffer.iter_mut().zip(&rows[row]).for_each(|(to, from)| *to = T::from_f64(*from));
    };
    let mut x = Samples::from(T::rows("x", [count, features], &fill, &job)?);
    let prepared = T::prepare(model, &mut [&mut x], count * count, &job)?;
    let mut out = [vec![T::default(); count * count], vec![T::default(); count * count]];
    let [nngp, ntk] = out.each_mut();
    let stride = count.cast_signed();
    // SAFETY: both vectors hold count² numbers and outlive the targets.
    let target = |out: &mut Vec<T>| unsafe { Target::new(out.as_mut_ptr(), [count, count], [stride, 1]) };
    let plain = Outputs {
        nngp: wanted.nngp.then(|| target(nngp)).into_iter().collect(),
        ntk: wanted.ntk.then(|| target(ntk)).into_iter().collect(),
    };
    T::gram(&prepared, x, plain, &job)?;
    Ok(out)
}

const BOTH: Wanted = Wanted { nngp: true, ntk: true };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_networks_follow_the_textbook(
        spec in network(),
        rows in prop::collection::vec(prop::collection::vec(-2.0..2.0f64, 3), 2..5),
    ) {
        let layer = build(&spec);
        let program = Model::new(layer.clone()).expect("a valid network");
        let [nngp, ntk] = kernels::<f64>(&program, &rows, BOTH).expect("finite values");
        let count = rows.len();
        let inner = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / 3.0;
        for i in 0..count {
            for j in 0..count {
                let (a, b) = (&rows[i], &rows[j]);
                let [p, q, k, t] = textbook(&layer, &spec, [inner(a, a), inner(b, b), inner(a, b), 0.0]);
                // The textbook formula itself loses half the digits where rows nearly coincide.
                let size = (p * q).sqrt();
                prop_assert!((nngp[i * count + j] - k).abs() < 1e-7 * size, "{i} {j}: {} {k}", nngp[i * count + j]);
                let size = (ntk[i * count + i] * ntk[j * count + j]).sqrt();
                prop_assert!((ntk[i * count + j] - t).abs() < 1e-6 * size, "{i} {j}: {} {t}", ntk[i * count + j]);
            }
        }
        let [alone, _] = kernels::<f64>(&program, &rows, Wanted { ntk: false, ..BOTH }).expect("finite values");
        prop_assert_eq!(&alone, &nngp);
        let [nngp32, ntk32] = kernels::<f32>(&program, &rows, BOTH).expect("finite values");
        for (single, double) in nngp32.iter().chain(&ntk32).zip(nngp.iter().chain(&ntk)) {
            let largest = nngp.iter().chain(&ntk).fold(0f64, |a, b| a.max(b.abs()));
            prop_assert!((f64::from(*single) - double).abs() < 1e-4 * largest);
        }
    }
}

#[test]
fn a_set_with_itself_has_all_pairs() {
    let spec = Spec::Serial(vec![Spec::Dense(1.4, Some(0.1)), relu(), Spec::Dense(1.4, None)]);
    let model = Model::new(build(&spec)).expect("valid");
    let (count, features, job) = (300, 5, Job::default());
    let values: Vec<f64> = (0..count * features).map(|i| (1.0 + i as f64).sqrt().sin()).collect();
    let x = || Samples::from(f64::borrowed_rows("x", [count, features], &values, &job).expect("finite"));
    let prepared = f64::prepare(&model, &mut [&mut x()], 0, &job).expect("nothing to fit");
    let mut out = [vec![f64::NAN; count * count], vec![f64::NAN; count * count]];
    let [half, whole] = out.each_mut();
    let stride = count.cast_signed();
    // SAFETY: both vectors hold count² numbers and outlive the targets.
    let target = |out: &mut Vec<f64>| unsafe { Target::new(out.as_mut_ptr(), [count, count], [stride, 1]) };
    let plain = |out: &mut Vec<f64>| Outputs { nngp: Vec::new(), ntk: vec![target(out)] };
    f64::gram(&prepared, x(), plain(half), &job).expect("nobody cancels");
    f64::cross(&prepared, [x(), x()], plain(whole), &job).expect("nobody cancels");
    for (a, b) in out[0].iter().zip(&out[1]) {
        assert!((a - b).abs() < 1e-14 * out[0][0], "{a} {b}");
    }
}

fn relu() -> Spec {
    Spec::AbRelu(0.0, 1.0)
}

fn refusal(layer: &Layer) -> String {
    match Program::new(layer) {
        Err(Error::Network(text)) => text,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn registers_are_reused() {
    let blocks = (0..20).flat_map(|_| [relu(), Spec::Dense(1.0, Some(0.1))]);
    let chain = Spec::Serial(std::iter::once(Spec::Dense(1.0, None)).chain(blocks).collect());
    assert_eq!(Program::new(&build(&chain)).expect("valid").registers, 1);
    let block = || Spec::Residual(vec![relu(), Spec::Dense(1.0, None)]);
    let residual =
        Spec::Serial(std::iter::once(Spec::Dense(1.0, None)).chain((0..9).map(|_| block())).collect());
    assert_eq!(Program::new(&build(&residual)).expect("valid").registers, 2);
}

#[test]
fn equal_branches_are_computed_once() {
    let first = || build(&Spec::Dense(1.0, None));
    let branch = |b| build(&Spec::Serial(vec![relu(), Spec::Dense(1.2, Some(b))]));
    let compiled = |joined: Layer| {
        let network = Layer::Serial([first(), joined].into());
        let program = Program::new(&network).expect("valid");
        (program.steps.len(), program.registers)
    };
    for joined in [Layer::Sum, Layer::Product, Layer::Concatenate] {
        let join = |branches: Vec<Layer>| joined(branches.into());
        assert_eq!(compiled(join(vec![branch(0.1)])), (3, 1));
        assert_eq!(compiled(join(vec![branch(0.1), branch(0.1)])), (4, 1));
        assert_eq!(compiled(join(vec![branch(0.1), branch(0.1), branch(0.1)])), (5, 2));
        // What differs is computed from where it differs.
        assert_eq!(compiled(join(vec![branch(0.1), branch(0.2)])), (5, 2));
        let nested = || join(vec![branch(0.1), branch(0.2)]);
        assert_eq!(compiled(join(vec![nested(), branch(0.1), nested()])), (7, 2));
    }
}

#[test]
fn shared_branches_are_compiled_once() {
    // As a tree, this network has 2^60 layers.
    let mut network = build(&Spec::Dense(1.0, None));
    for _ in 0..60 {
        network = Layer::Sum([network.clone(), network].into());
        assert!(!network.is_spatial());
    }
    assert_eq!(Program::new(&network).expect("valid").steps.len(), 61);
    // Shared branches have weights of their own, but the same input.
    let closed = Layer::Serial([build(&relu()), build(&Spec::Dense(1.0, None))].into());
    let first = || build(&Spec::Dense(1.0, None));
    let joined =
        |branch: &Layer| Layer::Serial([first(), Layer::Sum([branch.clone(), branch.clone()].into())].into());
    assert!(Program::new(&joined(&closed)).is_ok());
    let open = Layer::Serial([build(&Spec::Identity)].into());
    assert!(refusal(&joined(&open)).contains("the same random values"));
    let half = Layer::Residual([closed.clone()].into());
    assert!(refusal(&joined(&half)).contains("the same random values"));
}

#[test]
fn products_need_independent_factors() {
    let product = |branches: Vec<Spec>| {
        let product = Layer::Product(branches.iter().map(build).collect());
        Layer::Serial([build(&Spec::Dense(1.0, None)), product].into())
    };
    let closed = || Spec::Serial(vec![relu(), Spec::Dense(1.0, None)]);
    assert!(Program::new(&product(vec![closed(), closed(), relu()])).is_ok());
    assert!(
        refusal(&product(vec![Spec::Identity, relu()]))
            .contains("multiplies branches that depend on the same")
    );
    let then_relu = vec![product(vec![closed(), closed()]), build(&relu())];
    let text = refusal(&Layer::Serial(then_relu.into()));
    assert!(text.contains("layer 2 (Relu) needs a Gaussian input"), "{text}");
}

#[test]
fn activations_need_a_dense() {
    assert!(refusal(&build(&relu())).contains("Relu needs a Gaussian input"));
    let twice = Spec::Serial(vec![Spec::Dense(1.0, None), relu(), relu()]);
    let text = refusal(&build(&twice));
    assert!(text.contains("layer 3 (Relu)") && text.contains("put a Dense before it"), "{text}");
    let skip = Spec::Serial(vec![Spec::Residual(vec![Spec::Dense(1.0, None)]), relu()]);
    assert!(refusal(&build(&skip)).contains("layer 2 (Relu)"));
}

#[test]
fn sums_need_independent_branches() {
    let sum = |branches: Vec<Spec>| {
        let sum = Layer::Sum(branches.iter().map(build).collect());
        Layer::Serial([build(&Spec::Dense(1.0, None)), sum].into())
    };
    let closed = || Spec::Serial(vec![relu(), Spec::Dense(1.0, None)]);
    assert!(Program::new(&sum(vec![closed(), closed(), Spec::Identity])).is_ok());
    assert!(refusal(&sum(vec![Spec::Identity, Spec::Identity])).contains("the same random values"));
    assert!(refusal(&sum(vec![relu(), Spec::Identity])).contains("layer 2 (Sum)"));
    let open = || Spec::Serial(vec![Spec::Dense(1.0, None), relu()]);
    assert!(refusal(&sum(vec![open(), open()])).contains("means that are not zero"));
    let odd = || Spec::Serial(vec![Spec::Dense(1.0, None), Spec::Erf(1.0, 1.0, 0.0)]);
    assert!(Program::new(&sum(vec![odd(), open()])).is_ok());
}

#[test]
fn overflow_names_the_layer() {
    let spec = Spec::Serial(vec![Spec::Dense(1e30, None), relu(), Spec::Dense(1e30, None)]);
    let program = Model::new(build(&spec)).expect("valid");
    let rows = vec![vec![0.0, 0.0, 0.0], vec![1.0, 2.0, 3.0]];
    match kernels::<f32>(&program, &rows, BOTH) {
        Err(Error::Overflow { layer, row: 1, dtype: "float32", .. }) => assert_eq!(layer, "layer 1 (Dense)"),
        other => panic!("expected an overflow, got {other:?}"),
    }
    assert!(kernels::<f64>(&program, &rows, BOTH).is_ok());
}
