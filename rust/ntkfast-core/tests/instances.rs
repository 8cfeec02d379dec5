//! How many functions the kernels of pairs and rows are compiled to: each is compiled once, in the core, and tests link it.
#![cfg(target_os = "linux")]

use ntkfast_core::kernel::Outputs;
use ntkfast_core::network::Layer;
use ntkfast_core::parallel::Job;
use ntkfast_core::simd::Level;
use ntkfast_core::{KernelFloat, Model, Samples};
use std::process::Command;

/// For each op: three instruction sets, two types, and six forms (of rows with T or without, with cosines that may be
/// negative or not; of images with T or without): 36. There are 27 ops that work on pairs, and some 20 other kernels
/// (products, packing, tiles, windows, norms) in six to twenty-four forms: 987 in all. The bound leaves room for three ops
/// more. Where it is passed by more, a kernel is compiled for a type or a form that nobody needs: such kernels once took the compiler
/// ten minutes. For a new activation, raise the bound by 36.
const MOST: usize = 1100;

/// Everything is reached from here, through functions that are not generic: nothing is compiled for this test again.
fn reach<T: KernelFloat>() {
    let (job, layer) = (Job::default(), Layer::Identity);
    let model = Model::new(layer).expect("a network");
    let mut x = Samples::from(T::borrowed_rows("x", [0, 3], &[], &job).expect("no rows"));
    let prepared = T::prepare(&model, &mut [&mut x], 0, &job).expect("nothing to fit");
    T::gram(&prepared, x, Outputs { nngp: Vec::new(), ntk: Vec::new() }, &job).expect("no pairs");
}

#[test]
fn kernels_are_compiled_once() {
    reach::<f64>();
    reach::<f32>();
    let program = std::env::current_exe().expect("a file");
    let Ok(listed) = Command::new("nm").arg(&program).output() else {
        return; // no binutils here
    };
    assert!(listed.status.success(), "nm cannot read {}", program.display());
    let symbols = String::from_utf8_lossy(&listed.stdout);
    let kernels: Vec<_> = symbols
        .lines()
        .filter(|line| ["Float64", "Float32"].iter().any(|number| line.contains(&format!("4simd7{number}"))))
        .collect();
    for level in Level::available() {
        let set = if level.name() == "neon" { "plain" } else { level.name() };
        let count = kernels.iter().filter(|line| line.contains(set)).count();
        assert!(count > 100, "{count} functions for {set}: is this how they are named?");
    }
    assert!(kernels.len() <= MOST, "{} functions; expected at most {MOST}: see its comment", kernels.len());
}
