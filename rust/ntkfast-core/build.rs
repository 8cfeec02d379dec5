//! Chooses the instruction sets that kernels are compiled for: `cfg(avx512)`, `cfg(avx2)`, `cfg(plain)`.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(avx512, avx2, plain, portable)");
    // Registers as arrays, as on processors that have none of their own here: to test these anywhere.
    println!("cargo::rerun-if-env-changed=NTKFAST_PORTABLE");
    let x86 = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|name| name == "x86_64");
    let portable = !x86 || env::var_os("NTKFAST_PORTABLE").is_some();
    let mut sets = if portable { vec!["plain"] } else { vec!["avx512", "avx2", "plain"] };
    if env::var_os("CARGO_FEATURE_QUICK").is_some() {
        sets.retain(|set| here(set));
        sets.truncate(1);
    }
    if portable {
        println!("cargo::rustc-cfg=portable");
    }
    for set in sets {
        println!("cargo::rustc-cfg={set}");
    }
}

/// Whether the machine that compiles has the instruction set.
fn here(set: &str) -> bool {
    #[cfg(target_arch = "x86_64")]
    match set {
        "avx512" => {
            return is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512bw");
        }
        "avx2" => return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
        _ => {}
    }
    set == "plain"
}
