//! Functions whose kernels no short polynomials resolve: kinks that rows of different norms meet at different
//! correlations, steps, narrow features, fast oscillations.
//!
//! Their kernels are expanded in Hermite polynomials of either row (Mehler's formula),
//!
//! E[φ(u)φ(v)] = Σₙ aₙ(x)·aₙ(y)·ρⁿ,
//!
//! which needs some [`TERMS`] products a pair and is exact to rounding unless |ρ| is so close to 1 that the powers do not fall
//! off; such pairs are integrated one by one ([`near`]). Both use the same polynomials on spans of the line ([`line`]), and
//! neither supposes that φ is smooth.

mod agreement;
mod direct;
mod line;
mod near;
mod pair;
mod row;
mod rules;

pub use direct::Direct;
pub use near::{REACH, Side};
pub use pair::sides;

use super::grid::Grid;
use super::moments::inverse;
use super::sampled::Sampled;
use super::{Accuracy, TINIEST};
use crate::dual::RowResponse;
use rules::NODES;

/// The most Hermite coefficients of a row, and of rows whose pairs would else be too long to integrate.
const TERMS: [usize; 2] = [512, 2048];
/// What may be left out of a kernel.
const NEGLIGIBLE: f64 = 1e-13;
/// And of the sum of squares of a row's coefficients, which rounding may hide.
const COMPLETE: f64 = 1e-11;
/// 1 − |ρ| below which differences have lost digits that matter, so that pairs are integrated whatever the expansion.
const CLOSEST: f64 = 1e-3;
/// Slots of a row that [`Side`] is made of: three numbers of three slots each.
pub const SIDE_SLOTS: usize = 9;
/// Then E[φ]/√E[φ²], and √E[(φ − E[φ])²] over √E[φ²] and over scale·√E[φ'²].
const MEAN: usize = SIDE_SLOTS;
const SHARE: usize = MEAN + 1;
const STEEP: usize = MEAN + 2;
/// Coefficients follow.
const FIXED_SLOTS: usize = MEAN + 3;
/// The most nodes of the quadrature of a pair.
const MOST_NODES: f64 = 2e7;

/// A function's dual on rows of any scale in a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Integrated {
    /// The name that users know.
    pub name: String,
    direct: Direct,
    grid: Grid,
    accuracy: Accuracy,
    /// What φ was multiplied with.
    gain: f64,
    /// The power of the scale that tiny rows' √E[φ²] follows.
    power: f64,
    /// How many Hermite coefficients are used, and from which 1 − |ρ| on.
    terms: usize,
    threshold: f64,
    /// Those of all rows, where these are alike.
    shared: Vec<f64>,
}

impl Integrated {
    /// A sampled function, for rows whose scales lie within a range, integrated as far as `reach` standard deviations.
    pub(super) fn new(
        name: String,
        sampled: &Sampled,
        direct: Direct,
        grid: Grid,
        accuracy: Accuracy,
        gain: f64,
    ) -> Self {
        let [low, high] = [-1.0, 1.0].map(|place| grid.scale(place).max(TINIEST));
        let power = if sampled.origin == 0.0 { sampled.power(0).min(sampled.power(1)) } else { 0.0 };
        let mut integrated = Self {
            name,
            direct,
            grid: grid.with(1),
            accuracy,
            gain,
            power: if power.is_finite() { power } else { 0.0 },
            terms: TERMS[0],
            threshold: CLOSEST,
            shared: Vec::new(),
        };
        for terms in TERMS {
            integrated.expand(terms, [low, (low * high).sqrt(), high]);
            if !integrated.is_beyond_budget() {
                break;
            }
        }
        if grid.is_point() {
            let mut shared = vec![0.0; integrated.slots() - FIXED_SLOTS];
            integrated.expansion(high, integrated.direct.moments(high), &mut shared);
            integrated.shared = shared;
        }
        integrated
    }

    /// The coefficients of a row, of values and then of slopes.
    fn expansion(&self, scale: f64, moments: row::Moments, coefficients: &mut [f64]) {
        if self.shared.is_empty() || scale == TINIEST {
            let (values, slopes) = coefficients.split_at_mut(self.terms);
            self.direct.coefficients(scale, moments, values, slopes);
        } else {
            coefficients.copy_from_slice(&self.shared);
        }
    }

    /// Choose how many coefficients to use, at most these, and for which pairs, given some scales.
    fn expand(&mut self, most: usize, scales: [f64; 3]) {
        self.terms = most;
        let lengths = scales.map(|scale| self.length(scale, most));
        match lengths.into_iter().try_fold(1, |longest, length| length.map(|length| longest.max(length))) {
            Some(terms) => (self.terms, self.threshold) = (terms, CLOSEST),
            None => self.threshold = -(NEGLIGIBLE.ln() / most as f64).exp_m1(),
        }
    }

    /// How many coefficients a row of this scale has; `None` where these are not all.
    fn length(&self, scale: f64, most: usize) -> Option<usize> {
        let moments = self.direct.moments(scale);
        let (mut values, mut slopes) = (vec![0.0; most], vec![0.0; self.slope_terms()]);
        self.direct.coefficients(scale, moments, &mut values, &mut slopes);
        // What they leave out is far beyond, or falls off slowly.
        let complete = |coefficients: &[f64]| {
            coefficients.is_empty() || coefficients.iter().map(|c| c * c).sum::<f64>() > 1.0 - COMPLETE
        };
        if !complete(&values) || !complete(&slopes) {
            return None;
        }
        let steep = moments.centered * inverse(moments.slope);
        let (mut rest, mut slope_rest) = (0.0, 0.0);
        let mut terms = most;
        while terms > 0 {
            let n = terms as f64;
            rest += values[terms - 1] * values[terms - 1];
            slope_rest += match slopes.get(terms - 1) {
                Some(slope) => slope * slope,
                None => n * (values[terms - 1] * steep).powi(2),
            };
            if rest > NEGLIGIBLE || slope_rest > NEGLIGIBLE {
                break;
            }
            terms -= 1;
        }
        // Coefficients that have not fallen off by the end say nothing of those beyond.
        if terms > most * 9 / 10 { None } else { Some(terms.max(1)) }
    }

    /// Whether a new one would be the same.
    pub(super) fn serves(&self, range: [f64; 2], accuracy: Accuracy) -> bool {
        self.accuracy == accuracy && self.grid == Grid::new(range, 1, accuracy)
    }

    /// Whether rows of that scale are among those that it was made for.
    pub fn covers(&self, scale: f64) -> bool {
        // Rows of scale zero have no direction, and matter only where φ does not vanish.
        let seen = if scale > 0.0 { scale.max(TINIEST) } else { scale };
        scale == 0.0 && self.direct.line.origin == 0.0 || self.grid.contains(seen, self.accuracy)
    }

    /// About how many nodes the quadrature of a pair has.
    pub(super) fn nodes(&self) -> f64 {
        let high = self.grid.scale(1.0);
        let sine = (2.0 * self.threshold).sqrt();
        let spans = self.direct.stretches(high, sine * high);
        let kinks = self.direct.line.singular.iter();
        let kinks = kinks.filter(|kink| (*kink / high).abs() < self.direct.reach).count();
        let share = sine.min(1.0);
        let nodes = NODES as f64;
        nodes * (spans + 7 * kinks + 10) as f64 * nodes * (share * spans as f64 + 10.0)
    }

    /// Whether so many are more than a pair may take.
    pub(super) fn is_beyond_budget(&self) -> bool {
        self.nodes() > MOST_NODES
    }

    /// Whether E[φ'²] is infinite.
    pub fn is_steep(&self) -> bool {
        self.direct.line.is_steep
    }

    /// How many coefficients of slopes a row has: none where they follow from those of the values.
    fn slope_terms(&self) -> usize {
        if self.direct.line.jumps.is_empty() { 0 } else { self.terms }
    }

    /// Number of per-row constants.
    pub fn slots(&self) -> usize {
        FIXED_SLOTS + self.terms + self.slope_terms()
    }

    /// A row with standard deviation `scale` before the activation.
    pub fn row(&self, scale: f64) -> RowResponse {
        self.measure(scale).1
    }

    /// The same, and its constants.
    pub fn constants(&self, scale: f64, constants: &mut [f64]) -> RowResponse {
        let (side, row, moments) = self.measure(scale);
        let (fixed, coefficients) = constants.split_at_mut(FIXED_SLOTS);
        for (slots, number) in fixed.chunks_exact_mut(3).zip([side.scale, side.norm, side.slope]) {
            slots.copy_from_slice(&split(number));
        }
        let over = inverse(side.norm);
        fixed[MEAN] = moments.mean * over;
        fixed[SHARE] = moments.centered * over;
        fixed[STEEP] = moments.centered * inverse(moments.slope);
        self.expansion(side.scale, moments, coefficients);
        row
    }

    fn measure(&self, scale: f64) -> (Side, RowResponse, row::Moments) {
        let seen = if scale > 0.0 { scale.max(TINIEST) } else { TINIEST };
        let moments = self.direct.moments(seen);
        // At zero itself, φ is φ(0), whatever it is beside a step there.
        let moments = if scale == 0.0 { moments.at_zero(self.direct.line.origin) } else { moments };
        let side = moments.side(seen);
        let shrunk = if scale < seen { (scale / seen).powf(self.power) } else { 1.0 };
        let row = RowResponse { scale: side.norm * shrunk / self.gain, slope: side.slope / seen / self.gain };
        (side, row, moments)
    }
}

/// A number as a sum of two of single precision, and the power of two that both are to be multiplied with: all digits but
/// a few, and any size, in slots of single precision.
fn split(number: f64) -> [f64; 3] {
    if number == 0.0 || !number.is_finite() {
        return [number, 0.0, 0.0];
    }
    let exponent = number.abs().log2().floor().clamp(-1000.0, 1000.0);
    let mantissa = number * 2f64.powf(-exponent);
    let high = f64::from(mantissa as f32);
    [high, mantissa - high, exponent]
}

/// The number again.
fn joined([high, low, exponent]: [f64; 3]) -> f64 {
    (high + low) * 2f64.powf(exponent)
}
