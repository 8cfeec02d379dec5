//! Layers from named fields: what each takes, and what errors say of what it does not take.

use ntkfast_core::Error;
use ntkfast_core::description::{Description, Value, Values};
use ntkfast_core::network::{Axis, Layer, Padding, Training};
use ntkfast_core::program::Program;
use std::sync::Arc;

fn named(kind: &str) -> Description {
    Description::new(kind)
}

fn weights(layer: Description) -> Description {
    layer
        .with("width", 7)
        .with("w_std", 1.5)
        .with("b_std", Value::None)
        .with("parameterization", "ntk")
        .with("trainable", true)
}

fn windows(layer: Description, name: &str, sizes: &[i32], strides: &[i32]) -> Description {
    layer.with(name, sizes).with("strides", strides).with("padding", "CIRCULAR")
}

/// The layer without a field, and with another value for it.
fn other(layer: fn() -> Description, name: &str, value: impl Into<Value>) -> Description {
    let mut layer = layer();
    layer.take(name, "anything", |_| Some(())).expect("a field");
    layer.with(name, value)
}

fn refusal(layer: Description) -> String {
    match Layer::new(layer) {
        Err(Error::Network(text)) => text,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn dense() -> Description {
    weights(named("Dense"))
}

fn conv() -> Description {
    windows(weights(named("Conv")), "filter", &[3, 5], &[1, 2])
}

#[test]
fn fields_arrive_by_their_names() {
    let expected = Layer::Dense { width: Some(7), w_std: 1.5, b_std: None, training: Training::Ntk };
    assert_eq!(Layer::new(dense()), Ok(expected));
    let trained = |parameterization: &str, trainable: bool| {
        let layer = named("Dense").with("width", Value::None).with("w_std", 1).with("b_std", 0.5);
        match Layer::new(layer.with("trainable", trainable).with("parameterization", parameterization)) {
            Ok(Layer::Dense { width: None, w_std: 1.0, b_std: Some(0.5), training }) => training,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(trained("standard", true), Training::Standard);
    assert_eq!(trained("standard", false), Training::Frozen);
    assert_eq!(trained("ntk", false), Training::Frozen);
}

#[test]
fn a_sequence_is_an_image_of_width_one() {
    let axis = |size, stride| Axis { size, stride, padding: Padding::Circular };
    match Layer::new(conv()) {
        Ok(Layer::Conv { axes, width: Some(7), .. }) => assert_eq!(axes, [axis(3, 1), axis(5, 2)]),
        other => panic!("{other:?}"),
    }
    for (kind, sum) in [("AvgPool", false), ("SumPool", true)] {
        let layer = Layer::new(windows(named(kind), "window", &[4], &[2]));
        assert_eq!(layer, Ok(Layer::Pool { axes: [axis(4, 2), axis(1, 1)], sum }));
    }
}

#[test]
fn what_is_refused_is_named() {
    let layers = |layers: Vec<Description>| named("Serial").with("layers", layers);
    for (layer, expected) in [
        (named("Rleu"), "there is no layer 'Rleu'"),
        (named("dense"), "there is no layer 'dense'"),
        (dense().with("bias", 1.0), "Dense has no field 'bias'"),
        (named("Identity").with("a", 1.0), "Identity has no field 'a'"),
        (named("Gelu").with("a", 1.0), "Gelu has no field 'a'"),
        (named("Dropout"), "Dropout needs the field 'keep': a probability, above 0 and at most 1"),
        (named("Erf").with("a", 1.0), "Erf needs the field 'b': a finite number"),
        (
            other(dense, "width", 7.0),
            "Dense: width is 7.0; expected an integer from 1 to 1,000,000,000,000, or None",
        ),
        (other(dense, "width", 0), "Dense: width is 0; expected"),
        (other(dense, "w_std", -0.5), "Dense: w_std is -0.5; expected a finite number >= 0"),
        (other(dense, "w_std", Value::None), "Dense: w_std is None; expected"),
        (other(dense, "b_std", f64::NAN), "Dense: b_std is NaN; expected a finite number >= 0, or None"),
        (other(dense, "trainable", 1), "Dense: trainable is 1; expected True or False"),
        (other(dense, "parameterization", "mup"), "is 'mup'; expected 'ntk' or 'standard'"),
        (other(conv, "padding", 0), "Conv: padding is 0; expected 'SAME', 'VALID' or 'CIRCULAR'"),
        (other(conv, "padding", "same"), "Conv: padding is 'same'; expected"),
        (other(conv, "filter", &[3.0, 3.0][..]), "Conv: filter is [3.0, 3.0]; expected a list of one or two"),
        (other(conv, "filter", &[3, 0][..]), "Conv: filter is [3, 0]; expected"),
        (other(conv, "filter", 3), "Conv: filter is 3; expected"),
        (other(conv, "strides", &[1][..]), "Conv: filter is [3, 5] and strides is [1]; expected one number"),
        (named("Gaussian").with("a", 1.0).with("b", 0.0), "Gaussian: b is 0.0; expected a finite number < 0"),
        (named("Hermite").with("degree", 3.0), "Hermite: degree is 3.0; expected an integer from 0 to 1000"),
        (named("Hermite").with("degree", 1001), "Hermite: degree is 1001; expected"),
        (
            named("Polynomial").with("coef", &[0.0; 1002][..]),
            "Polynomial: coef is a list of 1002 values; exp",
        ),
        (named("ExpNormalized").with("gamma", -1.0).with("shift", 0.0), "ExpNormalized: gamma is -1.0; exp"),
        (named("Serial"), "Serial needs the field 'layers': a list of at least one layer"),
        (named("Sum").with("layers", Vec::<Value>::new()), "Sum: layers is []; expected a list of at least"),
        (layers(vec![dense(), named("Relu")]), "there is no layer 'Relu'"),
        (dense().with("layers", vec![dense()]), "Dense has no field 'layers'"),
    ] {
        let text = refusal(layer);
        assert!(text.contains(expected), "{text:?} for {expected:?}");
    }
}

#[test]
fn equal_functions_are_computed_once() {
    let function = || -> Arc<Values> { Arc::new(|inputs| Some(inputs.iter().map(|x| x.tanh()).collect())) };
    let steps = |functions: [&Arc<Values>; 2], kinks: [f64; 2]| {
        let branch = |i: usize| {
            let layer = named("Elementwise").with("fn", Arc::clone(functions[i])).with("name", "tanh");
            named("Serial").with("layers", vec![layer.with("kinks", &kinks[i..=i]), dense()])
        };
        let sum = named("Sum").with("layers", vec![branch(0), branch(1)]);
        let layer = Layer::new(named("Serial").with("layers", vec![dense(), sum])).expect("valid");
        Program::new(&layer).expect("valid").steps.len()
    };
    let (one, another) = (function(), function());
    let shared = steps([&one, &one], [0.0, 0.0]);
    assert!(shared < steps([&one, &another], [0.0, 0.0]));
    assert!(shared < steps([&one, &one], [0.0, 0.5]));
}
