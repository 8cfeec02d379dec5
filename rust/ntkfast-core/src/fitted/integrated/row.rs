//! What integration makes of a row: moments, and coefficients in Hermite polynomials.

use super::super::moments::inverse;
use super::direct::Direct;
use super::near::Side;
use super::rules::{NODES, density};
use crate::scalar::Scalar;
use crate::simd::{Level, Pack, Vectorized};

/// Intervals of moments, in standard deviations.
const MOMENTS: f64 = 0.7;
/// Intervals on which the first Hermite polynomial is resolved, if those of order n have waves by √n shorter.
const SHORT: f64 = 4.5;

/// √E[φ'²] below this share of √E[(φ − E[φ])²] is rounding where there are steps.
const FLAT: f64 = 1e-9;

/// Moments of one row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moments {
    /// E[φ].
    pub mean: f64,
    /// E[φ] − φ(0).
    less: f64,
    /// Standard deviation of φ.
    pub centered: f64,
    /// √E[φ'²] times the row's scale.
    pub slope: f64,
}

impl Moments {
    /// √E[φ²].
    pub fn norm(self) -> f64 {
        self.mean.hypot(self.centered)
    }

    /// Those of a row of scale zero: φ is this constant.
    pub fn at_zero(self, origin: f64) -> Self {
        Self { mean: origin, less: 0.0, centered: 0.0, ..self }
    }

    /// What pairs need of a row of this scale.
    pub fn side(self, scale: f64) -> Side {
        Side { scale, norm: self.norm(), slope: self.slope }
    }
}

impl Direct {
    /// Moments of a row with this standard deviation.
    pub fn moments(&self, scale: f64) -> Moments {
        let mut nodes: Vec<[f64; 3]> = Vec::with_capacity(64 * NODES);
        let reach = [-self.reach, self.reach];
        for stretch in self.line.stretches(scale, scale) {
            stretch.nodes(&self.line, scale, reach, MOMENTS, |_, weight, [value, slope]| {
                nodes.push([weight, value, slope * scale]);
            });
        }
        let mean = nodes.iter().map(|[weight, value, _]| weight * value).sum::<f64>()
            / nodes.iter().map(|[weight, ..]| weight).sum::<f64>();
        let centered = root_mean_square(nodes.iter().map(|[weight, value, _]| [*weight, value - mean]));
        let slope = root_mean_square(nodes.iter().map(|[weight, _, rise]| [*weight, *rise]));
        let slope = match slope {
            _ if self.line.is_steep => f64::INFINITY,
            // Between steps, rounding of a constant.
            slope if !self.line.jumps.is_empty() && slope <= FLAT * centered => 0.0,
            slope => slope,
        };
        Moments { mean: self.line.origin + mean, less: mean, centered, slope }
    }

    /// E[(φ − E[φ])·h_n]/√E[(φ − E[φ])²] of the normalised Hermite polynomials h_n from n = 1 on, and, where φ has steps,
    /// E[scale·φ'·h_n]/(scale·√E[φ'²]) from n = 0 on, of φ' beside the steps.
    pub fn coefficients(&self, scale: f64, moments: Moments, values: &mut [f64], slopes: &mut [f64]) {
        let (mut z, mut weighted) = (Vec::new(), Vec::new());
        let over = inverse(moments.centered);
        let short = SHORT / (values.len() as f64).sqrt();
        for stretch in self.line.stretches(scale, scale) {
            stretch.nodes(&self.line, scale, [-self.reach, self.reach], short, |node, weight, [value, _]| {
                z.push(node);
                weighted.push(weight * (value - moments.less) * over);
            });
        }
        // Whole registers.
        let full = z.len().next_multiple_of(2 * NODES);
        z.resize(full, 0.0);
        weighted.resize(full, 0.0);
        f64::dispatch(Level::current(), Hermite { z: &z, weighted: &weighted, out: values });
        if slopes.is_empty() {
            return;
        }
        // Of all of φ', in the sense of distributions, less the steps.
        for (n, slope) in slopes.iter_mut().enumerate() {
            *slope = ((n + 1) as f64).sqrt() * values[n] * moments.centered;
        }
        for [place, jump] in &self.line.jumps {
            let z = place / scale;
            let (mut below, mut polynomial, height) = (0.0, 1.0, jump * density(z));
            // So far out, polynomials may be infinite.
            if height == 0.0 {
                continue;
            }
            for (n, slope) in slopes.iter_mut().enumerate() {
                *slope -= height * polynomial;
                (below, polynomial) = (polynomial, next(n as f64, z, polynomial, below));
            }
        }
        let over = inverse(moments.slope);
        slopes.iter_mut().for_each(|slope| *slope *= over);
    }
}

/// √Σ weight·value², of weights and values; divided by the largest, so that no square leaves the range of a double.
fn root_mean_square(nodes: impl Iterator<Item = [f64; 2]> + Clone) -> f64 {
    let size = nodes.clone().fold(0f64, |most, [_, value]| most.max(value.abs()));
    if size == 0.0 {
        return 0.0;
    }
    size * nodes.map(|[weight, value]| weight * (value / size).powi(2)).sum::<f64>().sqrt()
}

/// h_{n+1} from h_n and h_{n−1}.
fn next(n: f64, z: f64, polynomial: f64, below: f64) -> f64 {
    (z * polynomial - n.sqrt() * below) / (n + 1.0).sqrt()
}

/// Sums of `weighted` times the normalised Hermite polynomials from n = 1 on.
struct Hermite<'a> {
    z: &'a [f64],
    weighted: &'a [f64],
    out: &'a mut [f64],
}

impl Vectorized<f64> for Hermite<'_> {
    type Output = ();
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = f64>>(self) {
        let Self { z, weighted, out } = self;
        let mut below = vec![0.0; z.len()];
        let mut polynomials = vec![1.0; z.len()];
        for (n, out) in out.iter_mut().enumerate() {
            let n = n as f64;
            let (up, down) = (P::splat(1.0 / (n + 1.0).sqrt()), P::splat((n / (n + 1.0)).sqrt()));
            let mut sums = [P::splat(0.0); 2];
            for start in (0..z.len()).step_by(2 * P::LANES) {
                for (i, sum) in sums.iter_mut().enumerate() {
                    let at = start + i * P::LANES;
                    let h = P::read(&polynomials[at..]);
                    let next = (P::read(&z[at..]) * up * h) - down * P::read(&below[at..]);
                    h.write(&mut below[at..]);
                    next.write(&mut polynomials[at..]);
                    *sum = next.mul_add(P::read(&weighted[at..]), *sum);
                }
            }
            *out = (sums[0] + sums[1]).sum();
        }
    }
}
