//! Programs that are one function of the input's cosine.
//!
//! Where all rows have one norm, or the network is homogeneous, per-row constants are those of any row, and every
//! output is a function of ρ alone: a zonal kernel on the sphere. Chebyshev series in √m, with m = δ for ρ ≥ 0 and ε
//! below, then cost the same for any number of layers: kernels behind a kink are analytic in √m, not in ρ.

use super::frame::Register;
use super::{Op, Program, Scales};
use crate::fitted::chebyshev::{evaluate, points, transform};
use crate::scalar::Scalar;
use crate::simd::{Level, Pack, STRIP, Strip};

/// Numbers of terms tried in turn.
const TERMS: [usize; 12] = [10, 14, 18, 22, 26, 30, 36, 44, 54, 66, 80, 98];
/// So many terms cost no more than a step of the program does.
const TERMS_A_STEP: usize = 8;
/// Pairs times steps from which the search pays.
const WORTHWHILE: usize = 1 << 20;
/// So many steps cost as much as an integrated function.
const INTEGRATED: usize = 50;
/// What a series may leave out, and how far it may be off between its points: rounding errors, or those of integrals.
const ROUNDING: [f64; 2] = [2e-15, 1e-14];
const INTEGRALS: [f64; 2] = [1e-13, 1e-12];
/// Registers of pairs at a time, so that none waits for its own last sum.
const PACKS_AT_ONCE: usize = 4;
/// Where a series is compared with the program, between its points.
const PROBES: usize = 47;

/// A function of ρ: coefficients for ρ ≥ 0 and for ρ < 0, from the highest order to the lowest.
type Series<T> = Vec<[T; 2]>;

/// Every output as a function of the input's cosine.
#[derive(Clone, Debug)]
pub struct Zonal<T> {
    /// δ and the cosine of T, output by output.
    outputs: Vec<[Series<T>; 2]>,
}

impl<T: Scalar> Zonal<T> {
    /// The functions that a program is on rows with these input scales, for so many pairs; `None` where it is none,
    /// where no short series has the precision of `T`, or where layer by layer is as quick.
    pub fn new(program: &Program, features: usize, scales: Scales, pairs: usize) -> Option<Self> {
        let integrated = program.steps.iter().filter(|step| matches!(step.op, Op::Integrated(_))).count();
        let steps = program.steps.len() + INTEGRATED * integrated;
        if pairs.saturating_mul(steps) < WORTHWHILE {
            return None;
        }
        let constants = shared_constants(program, features, scales, T::EPSILON)?;
        let errors = if integrated > 0 { INTEGRALS } else { ROUNDING };
        let exact = Exact { program, constants: &constants, errors };
        let most = TERMS_A_STEP * steps / program.outputs.len();
        TERMS.into_iter().take_while(|count| *count <= most).find_map(|count| exact.fit(count))
    }

    /// Instead of the program, on the strip in register 0: leaves what is wanted of K and of T in the output registers.
    #[inline(always)]
    pub fn execute<P: Pack<Scalar = T>>(
        &self,
        registers: &mut [Register<T>],
        outputs: &[usize],
        [nngp, ntk]: [bool; 2],
    ) {
        for first in (0..P::PACKS).step_by(PACKS_AT_ONCE) {
            let mut v = [P::splat(0.0); PACKS_AT_ONCE];
            let mut negative = [v[0].less(v[0]); PACKS_AT_ONCE];
            for i in 0..PACKS_AT_ONCE {
                let delta = P::load(&registers[0].delta, first + i);
                let epsilon = P::load(&registers[0].epsilon, first + i);
                let root = delta.min(epsilon).sqrt();
                v[i] = root + root - P::splat(1.0);
                negative[i] = epsilon.less(delta);
            }
            for ([delta, tau], &output) in self.outputs.iter().zip(outputs) {
                let register = &mut registers[output];
                if nngp {
                    let values = sums::<P>(delta, v, negative);
                    for (i, value) in values.into_iter().enumerate() {
                        value.max(P::splat(0.0)).store(&mut register.delta, first + i);
                    }
                }
                if ntk {
                    let values = sums::<P>(tau, v, negative);
                    for (i, value) in values.into_iter().enumerate() {
                        value.store(&mut register.tau, first + i);
                    }
                }
            }
        }
    }
}

/// Values of a series that is not empty, by Clenshaw's recurrence.
#[inline(always)]
fn sums<P: Pack>(
    series: &Series<P::Scalar>,
    v: [P; PACKS_AT_ONCE],
    negative: [P::Mask; PACKS_AT_ONCE],
) -> [P; PACKS_AT_ONCE] {
    let zero = P::splat(0.0);
    let (mut next, mut after) = ([zero; PACKS_AT_ONCE], [zero; PACKS_AT_ONCE]);
    let last = series.len() - 1;
    for [above, below] in &series[..last] {
        let (above, below) = (P::broadcast(*above), P::broadcast(*below));
        for i in 0..PACKS_AT_ONCE {
            let coefficient = P::select(negative[i], below, above) - after[i];
            (next[i], after[i]) = ((v[i] + v[i]).mul_add(next[i], coefficient), next[i]);
        }
    }
    let [above, below] = series[last];
    let (above, below) = (P::broadcast(above), P::broadcast(below));
    let mut values = next;
    for i in 0..PACKS_AT_ONCE {
        values[i] = v[i].mul_add(next[i], P::select(negative[i], below, above) - after[i]);
    }
    values
}

/// The constants of every row, where rows with these scales share them.
fn shared_constants(program: &Program, features: usize, scales: Scales, epsilon: f64) -> Option<Vec<f64>> {
    // Differences that pass for rounding: of norms, and of constants.
    let (equal, same) = (8.0 * epsilon, 32.0 * f64::EPSILON);
    let Scales { low, high, zeros, .. } = scales;
    let run = |scale: f64| {
        let (mut registers, mut constants) =
            (vec![Default::default(); program.registers], vec![0.0; program.slots]);
        program.run_row(features, scale, &mut registers, &mut constants, |_, _, _| ());
        (registers, constants)
    };
    let (_, constants) = run(high);
    let alike = |scale: f64| {
        let (_, others) = run(scale);
        constants.iter().zip(&others).all(|(a, b)| (a - b).abs() <= same * a.abs().max(b.abs()))
    };
    let shared = low <= high && (high - low <= equal * high || (alike(low) && alike((low * high).sqrt())));
    // Rows of zeros may have constants of their own where nothing comes of them.
    let vanish = || {
        let (registers, _) = run(0.0);
        program.outputs.iter().all(|&output| registers[output] == Default::default())
    };
    (shared && (!zeros || vanish())).then_some(constants)
}

/// A program whose rows all have the same constants.
struct Exact<'a> {
    program: &'a Program,
    constants: &'a [f64],
    errors: [f64; 2],
}

impl Exact<'_> {
    /// Series with so many terms at most; `None` where that is not enough.
    fn fit<T: Scalar>(&self, count: usize) -> Option<Zonal<T>> {
        let errors = [self.errors[0].max(T::EPSILON / 4.0), self.errors[1].max(4.0 * T::EPSILON)];
        let probes: Vec<f64> = (0..PROBES).map(|i| 2.0 * i as f64 / (PROBES - 1) as f64 - 1.0).collect();
        let nodes = points(count);
        let signs = [false, true].map(|negative| [&nodes, &probes].map(|v| self.values(v, negative)));
        let matrix = transform(count);
        let series = |output: usize, quantity: usize| -> Option<Series<T>> {
            let [above, below] = signs.each_ref().map(|[values, checks]| {
                checked_series(errors, &matrix, &values[output][quantity], &probes, &checks[output][quantity])
            });
            let mut pairs: Vec<_> = above?.into_iter().zip(below?).map(|(a, b)| [a, b]).collect();
            let tiny = |pair: &[f64; 2]| pair.iter().all(|c| c.abs() < errors[0] / 16.0);
            while pairs.len() > 1 && pairs.last().is_some_and(tiny) {
                pairs.pop();
            }
            Some(pairs.iter().rev().map(|pair| pair.map(T::from_f64)).collect())
        };
        let outputs =
            (0..self.program.outputs.len()).map(|output| Some([series(output, 0)?, series(output, 1)?]));
        Some(Zonal { outputs: outputs.collect::<Option<_>>()? })
    }

    /// δ and τ at points v of a series, output by output.
    fn values(&self, v: &[f64], negative: bool) -> Vec<[Vec<f64>; 2]> {
        let Self { program, constants: left, .. } = *self;
        let level = Level::current();
        let right: Vec<_> = left.iter().map(|constant| Strip([*constant; STRIP])).collect();
        let mut values = vec![[Vec::new(), Vec::new()]; program.outputs.len()];
        for v in v.chunks(STRIP) {
            let mut registers = vec![Register::default(); program.registers];
            for (lane, v) in v.iter().enumerate() {
                let m = ((1.0 + v) / 2.0).powi(2);
                let [delta, epsilon] = if negative { [2.0 - m, m] } else { [m, 2.0 - m] };
                (registers[0].delta.0[lane], registers[0].epsilon.0[lane]) = (delta, epsilon);
            }
            program.run_strip::<_, true>(level, &mut registers, left, &right);
            for ([deltas, taus], &output) in values.iter_mut().zip(&program.outputs) {
                deltas.extend(&registers[output].delta.0[..v.len()]);
                taus.extend(&registers[output].tau.0[..v.len()]);
            }
        }
        values
    }
}

/// The series with these values at its points, unless it is too short, or not what it should be between them.
fn checked_series(
    [negligible, tolerance]: [f64; 2],
    matrix: &[Vec<f64>],
    values: &[f64],
    probes: &[f64],
    checks: &[f64],
) -> Option<Vec<f64>> {
    let product = |row: &Vec<f64>| row.iter().zip(values).map(|(weight, value)| weight * value).sum::<f64>();
    let mut series: Vec<f64> = matrix.iter().map(product).collect();
    // Exact where points coincide, or are opposite.
    series[0] += checks[0] - evaluate(&series, -1.0);
    let error = |(v, value): (&f64, &f64)| (evaluate(&series, *v) - value).abs();
    let close = probes.iter().zip(checks).map(error).all(|error| error <= tolerance);
    let converged = series[series.len() - 2..].iter().all(|last| last.abs() <= negligible);
    (close && converged).then_some(series)
}
