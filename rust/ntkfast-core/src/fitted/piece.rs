//! Polynomials on pieces of the line, from a function's values.

use super::chebyshev::{points, transform};
use super::sampled::{PARTS, Piece, TERMS};

/// Last coefficients of a resolved piece, relative to its largest value.
const RESOLVED: f64 = 1e-14;
/// Rounding errors of values that are taken for nothing.
const ROUNDING: f64 = 8.0 * f64::EPSILON;

/// What turns values into polynomials.
pub struct Transforms {
    to_chebyshev: Vec<Vec<f64>>,
    to_powers: Vec<[f64; TERMS]>,
    /// The Chebyshev points.
    pub nodes: Vec<f64>,
    /// Size of values whose last digit is the smallest number.
    smallest: f64,
}

/// A piece, and how good it is.
pub struct Made {
    pub piece: Piece,
    /// Its last coefficients, where they are not negligible, else 0.
    pub tail: f64,
    /// The largest value.
    pub size: f64,
    /// The largest value of a part.
    pub own: f64,
    /// What rounding of values, and of arguments times the slope, may make of them.
    pub noise: f64,
}

impl Transforms {
    /// For values that were multiplied with `gain`.
    pub fn new(gain: f64) -> Self {
        let smallest = 2f64.powi(-1074) * gain / f64::EPSILON;
        Self { to_chebyshev: transform(TERMS), to_powers: to_powers(), nodes: points(TERMS), smallest }
    }

    /// A piece from its values at ±u.
    pub fn piece(&self, [from, to]: [f64; 2], values: &[f64], origin: f64) -> Made {
        let (plus, minus) = values.split_at(TERMS);
        let size = largest(values);
        let noise = self.smallest + size.max(origin.abs()) + swing(plus).max(swing(minus)) * to / (to - from);
        let (mut worst, mut most) = (0f64, 0f64);
        let powers = [(-1.0, 0.0), (1.0, origin)].map(|(sign, origin)| {
            let part: Vec<f64> = plus.iter().zip(minus).map(|(a, b)| 0.5 * (a + sign * b) - origin).collect();
            let own = largest(&part);
            most = most.max(own);
            // Rounding of the other part.
            if own <= 4.0 * f64::EPSILON * size.max(origin.abs()) {
                return [0.0; TERMS];
            }
            let mut chebyshev = self.chebyshev(&part);
            // Rounding errors of a constant would have a slope.
            if largest(&chebyshev[1..]) <= 4.0 * f64::EPSILON * size.max(origin.abs()) {
                chebyshev[1..].fill(0.0);
            }
            let tail = chebyshev[TERMS - 2].abs() + chebyshev[TERMS - 1].abs();
            if tail > RESOLVED * own && tail > ROUNDING * noise && own > 1e-290 {
                worst = worst.max(tail);
            }
            self.powers(&chebyshev)
        });
        let piece = Piece { from, middle: 0.5 * (from + to), zoom: 2.0 / (to - from), powers };
        Made { piece, tail: worst, size, own: most, noise }
    }

    /// A piece around zero up to `end`, from its values at `end` times the Chebyshev points, where the function is
    /// analytic there and rounding leaves errors up to `lost`: powers of u alone, so that both parts keep their digits however small u.
    pub fn central(&self, end: f64, values: &[f64], origin: f64, lost: f64) -> Option<Made> {
        let size = largest(values);
        let noise = self.smallest + size.max(origin.abs()) + swing(values);
        let chebyshev = self.chebyshev(&values.iter().map(|value| value - origin).collect::<Vec<_>>());
        let mut powers = [[0.0; TERMS]; PARTS];
        let mut rest = 0f64;
        for (part, powers) in powers.iter_mut().enumerate() {
            // The odd part has the odd coefficients.
            let own: Vec<f64> =
                chebyshev.iter().enumerate().map(|(k, c)| if k % 2 == part { 0.0 } else { *c }).collect();
            let most = largest(&own);
            if most <= 4.0 * f64::EPSILON * size.max(origin.abs()) {
                continue;
            }
            let tail = own[TERMS - 4..].iter().map(|c| c.abs()).sum::<f64>();
            let of_powers = self.powers(&own);
            rest = rest.max(tail);
            if tail > RESOLVED * most && tail > (4.0 * ROUNDING * noise).max(lost)
                || of_powers[0].abs() > (4.0 * ROUNDING * noise).max(lost)
            {
                return None;
            }
            *powers = of_powers;
            // What is rounding would be all that is left at small u.
            let rounding = (2.0 * ROUNDING * noise).max(lost) * TERMS as f64;
            powers.iter_mut().take_while(|power| power.abs() <= rounding).for_each(|power| *power = 0.0);
            powers[0] = 0.0;
        }
        Some(Made {
            piece: Piece { from: 0.0, middle: 0.0, zoom: 1.0 / end, powers },
            tail: 0.0,
            size,
            own: size,
            noise,
        })
    }

    pub fn chebyshev(&self, values: &[f64]) -> Vec<f64> {
        self.to_chebyshev.iter().map(|row| row.iter().zip(values).map(|(a, b)| a * b).sum()).collect()
    }

    pub fn powers(&self, chebyshev: &[f64]) -> [f64; TERMS] {
        let mut powers = [0.0; TERMS];
        for (coefficient, row) in chebyshev.iter().zip(&self.to_powers) {
            powers.iter_mut().zip(row).for_each(|(power, factor)| *power += coefficient * factor);
        }
        powers
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0f64, |worst, value| worst.max(value.abs()))
}

fn swing(values: &[f64]) -> f64 {
    let largest = values.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
    largest - values.iter().fold(f64::INFINITY, |a, b| a.min(*b))
}

/// Coefficients of the powers of t in every Chebyshev polynomial.
fn to_powers() -> Vec<[f64; TERMS]> {
    let mut rows = vec![[0.0; TERMS]; TERMS];
    rows[0][0] = 1.0;
    rows[1][1] = 1.0;
    for k in 2..TERMS {
        for i in 0..TERMS {
            let before = if i > 0 { rows[k - 1][i - 1] } else { 0.0 };
            rows[k][i] = 2.0 * before - rows[k - 2][i];
        }
    }
    rows
}
