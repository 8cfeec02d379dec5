//! Smooth functions of the scale that follow a function's size, for everything that is fitted to be divided by.
//!
//! √E[φ²] itself would do, were it not that it has branch points where two terms of φ exchange the lead, which make
//! series in the scale long. A power and the exponential of a cubic have none, and stay within a small factor.

use super::chebyshev::{evaluate, points, transform};
use super::grid::Grid;
use super::moments::{Rule, spread};
use super::sampled::{PARTS, Sampled, Spread};
use crate::real::Real;

/// How many points of the range are followed.
const POINTS: usize = 4;
/// A part of φ with less than this share of √E[φ²] has lost too many digits to be divided by its own size.
const LOST: f64 = 1e-5;

/// scaleᵏ·e^{c(ξ)}.
#[derive(Clone, Debug, PartialEq)]
struct Size {
    power: f64,
    logarithm: Vec<f64>,
}

/// The sizes of φ, and of its odd and even part about their means.
#[derive(Clone, Debug, PartialEq)]
pub struct Sizes {
    whole: Size,
    parts: [Size; PARTS],
}

impl Sizes {
    /// Follow a function over a grid's range.
    pub fn new(sampled: &Sampled, grid: &Grid, rule: &Rule) -> Self {
        let grid = grid.with(if grid.is_point() { 1 } else { POINTS });
        let spreads: Vec<Spread> = grid.scales().iter().map(|&scale| spread(sampled, scale, rule)).collect();
        let powers = [0, 1].map(|part| sampled.power(part));
        let whole = if sampled.origin == 0.0 { powers[0].min(powers[1]) } else { 0.0 };
        let size = |power: f64, of: &dyn Fn(&Spread) -> f64| {
            // A part that is nothing at all near zero follows no power.
            let power = if power.is_finite() { power } else { 0.0 };
            let logarithms: Vec<f64> = (spreads.iter())
                .map(|spread| (of(spread).max(f64::MIN_POSITIVE) / spread.scale.powf(power)).ln())
                .collect();
            let row = |row: Vec<f64>| row.iter().zip(&logarithms).map(|(a, b)| a * b).sum();
            Size { power, logarithm: transform(points(grid.count).len()).into_iter().map(row).collect() }
        };
        let whole = size(whole, &|spread| spread.norm);
        let parts = [0, 1].map(|part| {
            let lost = spreads.iter().any(|spread| spread.parts[part] < LOST * spread.norm);
            if lost || !sampled.has[part] {
                whole.clone()
            } else {
                size(powers[part], &|spread| spread.parts[part])
            }
        });
        Self { whole, parts }
    }

    /// About √E[φ²] of a row with this scale at place ξ.
    pub fn whole<R: Real>(&self, scale: R, xi: R) -> R {
        self.whole.at(scale, xi)
    }

    /// √E[φ²] of a tiny scale over that of another.
    pub fn shrunk<R: Real>(&self, scale: R, other: R) -> R {
        let same = scale.value() == other.value();
        if same { R::from(1.0) } else { (scale / other).powf(self.whole.power) }
    }

    /// About the standard deviation of a part of φ, or √E[φ²] where that part is nearly nothing.
    pub fn part<R: Real>(&self, part: usize, scale: R, xi: R) -> R {
        self.parts[part].at(scale, xi)
    }
}

impl Size {
    fn at<R: Real>(&self, scale: R, xi: R) -> R {
        scale.powf(self.power) * evaluate(&self.logarithm, xi).exp()
    }
}
