//! How far a fit is from the truth, where it was not fitted: compared with the quadrature of pairs, which shares nothing
//! with it but the function's pieces.

use super::integrated::{Direct, Side};
use super::pair::{Grouped, PACKS_AT_ONCE};
use super::row::Fitted;
use crate::dual::Cosine;
use crate::error::Result;
use crate::parallel::{Job, for_each_item};
use crate::scalar::Scalar;
use crate::simd::{Lanes, Level, Pack, STRIP, Single, Strip, Vectorized};

/// Where a fit is compared: between its points, at either sign of the cosine in turn.
const DEFECTS: [f64; 15] =
    [1e-13, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 7e-3, 0.03, 0.1, 0.25, 0.5, 0.8, 0.97];
/// Of these, every pair of rows takes one in so many: other pairs take others.
const TURNS: usize = 3;
/// Places of the rows beside the one of the smallest scale, where relative errors are largest.
const PLACES: [f64; 4] = [-0.52, 0.04, 0.61, 0.98];

/// The largest error found of the fit as it is evaluated in numbers of type `T`: of cosines, of cosines of slopes, and of
/// rows' own values relative to these.
///
/// # Errors
/// [`crate::error::Error::Cancelled`].
pub(super) fn check<T: Scalar>(fitted: &Fitted, direct: &Direct, job: &Job) -> Result<f64> {
    let point = fitted.grid.is_point();
    let (places, turns) = if point { (&[0.0][..], 1) } else { (&PLACES[..], TURNS) };
    let smallest = if point { None } else { Some(fitted.lowest) };
    let scales: Vec<f64> =
        smallest.into_iter().chain(places.iter().map(|place| fitted.grid.scale(*place))).collect();
    let sides: Vec<Side> = scales.iter().map(|scale| direct.side(*scale)).collect();
    let constants: Vec<Vec<T>> = (scales.iter())
        .map(|scale| {
            let mut constants = vec![0.0; fitted.slots()];
            fitted.constants(*scale, &mut constants);
            constants.into_iter().map(T::from_f64).collect()
        })
        .collect();
    let unknown = |sides: [Side; 2]| if direct.is_noisy() { direct.unknown(sides) } else { 0.0 };
    let mut worst = 0f64;
    for (scale, side) in scales.iter().zip(&sides) {
        let row = fitted.row(*scale);
        worst = larger(worst, relative(row.scale * fitted.gain, side.norm));
        let slope = relative(row.slope * fitted.gain * scale, side.slope);
        worst = larger(worst, slope - unknown([*side; 2]));
    }
    let pairs: Vec<[usize; 2]> =
        (0..scales.len()).flat_map(|i| (i..scales.len()).map(move |j| [i, j])).collect();
    let mut errors = vec![0.0; pairs.len()];
    for_each_item(
        job,
        errors.iter_mut().zip(&pairs).enumerate(),
        || (),
        |(), _, (turn, (error, &[i, j]))| {
            let mut cosines = [Cosine { delta: 0.0, epsilon: 2.0 }; STRIP];
            let chosen = DEFECTS.iter().enumerate().skip(turn % turns).step_by(turns);
            let count = chosen.clone().count();
            for (cosine, (k, &m)) in cosines.iter_mut().zip(chosen) {
                let m = T::from_f64(m).to_f64();
                let (delta, epsilon) = if (k + turn) % 2 == 0 { (m, 2.0 - m) } else { (2.0 - m, m) };
                *cosine = Cosine { delta, epsilon };
            }
            let (left, right) = (&constants[i][..], &constants[j][..]);
            let got = T::dispatch(Level::current(), Evaluate { fitted, left, right, cosines: &cosines });
            for (cosine, [delta, epsilon, slope]) in cosines.iter().zip(got).take(count) {
                let close = direct.pair([sides[i], sides[j]], [cosine.delta, cosine.epsilon]);
                let [near, far] = close.defects;
                *error = larger(*error, (delta - near).abs().min((epsilon - far).abs()));
                *error = larger(*error, (slope - close.slope).abs() - unknown([sides[i], sides[j]]));
            }
            Ok(())
        },
    )?;
    Ok(errors.into_iter().fold(worst, larger))
}

/// The larger error; one that is no number is infinite.
pub(super) fn larger(a: f64, b: f64) -> f64 {
    if b.is_nan() { f64::INFINITY } else { a.max(b) }
}

/// The difference of two sizes, relative to the second.
fn relative(got: f64, expected: f64) -> f64 {
    if expected > 0.0 { (got - expected).abs() / expected } else { got }
}

/// A fit at many cosines of two rows: 1 − cosine, 1 + cosine, and the cosine of slopes.
struct Evaluate<'a, T> {
    fitted: &'a Fitted,
    left: &'a [T],
    right: &'a [T],
    cosines: &'a [Cosine<f64>; STRIP],
}

impl<T: Scalar> Vectorized<T> for Evaluate<'_, T> {
    type Output = [[f64; 3]; STRIP];
    type Unit = Fitted;

    #[inline(always)]
    fn run<P: Pack<Scalar = T>>(self) -> Self::Output {
        let Self { fitted, left, right, cosines } = self;
        let right: Vec<Strip<T>> = right.iter().map(|constant| Strip([*constant; STRIP])).collect();
        let [delta, epsilon] = [0, 1].map(|which| {
            Strip(cosines.map(|Cosine { delta, epsilon }| T::from_f64([delta, epsilon][which])))
        });
        let mut out = [Strip([T::default(); STRIP]); 3];
        for first in (0..P::PACKS).step_by(PACKS_AT_ONCE) {
            let inputs = std::array::from_fn(|i| Cosine {
                delta: P::load(&delta, first + i),
                epsilon: P::load(&epsilon, first + i),
            });
            let responses = fitted.pairs::<P, true>(inputs, Single(left), Lanes(&right), 0, first);
            for (i, response) in responses.into_iter().enumerate() {
                response.cosine.delta.store(&mut out[0], first + i);
                response.cosine.epsilon.store(&mut out[1], first + i);
                response.slope.store(&mut out[2], first + i);
            }
        }
        std::array::from_fn(|lane| out.each_ref().map(|strip| strip.0[lane].to_f64()))
    }
}
