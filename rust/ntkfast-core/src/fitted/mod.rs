//! Duals of functions that are only known by their values.
//!
//! An activation without a closed form is *fitted* to the scales that a call's rows have before it: the core
//! asks for the function's values on quadrature nodes ([`moments`]), a bounded number of calls on long arrays,
//! and makes of them Chebyshev series in the angle whose coefficients are quadratic forms in a few functions of the
//! two rows' scales ([`forms`]). What reaches a tile are these polynomials, never the function.
//!
//! With odd and even part apart, m = min(δ, ε) = 1 − |ρ|, and x = √(δε) = sin θ, the cosine is 1 − δ' with
//!
//! δ' = η + m·D/√(E[φ_x²]E[φ_y²]),  η = ½E[(φ̂_x(Z) − φ̂_y(Z))²],  φ̂ = φ/√E[φ²],
//! m·D = ½E[(φ_x(u) − φ_x(v))(φ_y(u) − φ_y(v))].
//!
//! A kink of φ at zero makes kernels analytic in θ. The even part's is a function of x alone, M − x²·B with M the moment
//! at ρ = 1, and the odd part's is ρ times such a function: series in x converge about one and a half times as fast as
//! in √m. Of either part
//!
//! D = (1 + |ρ|)·B or M + |ρ|(1 + |ρ|)·B, and E[φ'φ'] ∝ |ρ|(2B + x·∂B/∂x) or M − x²B + ρ²(2B + x·∂B/∂x):
//!
//! no derivative of φ is needed. All that is fitted is divided by both rows' own sizes ([`sizes`]), so that errors are
//! relative to each row however these differ.

pub(crate) mod chebyshev;
mod check;
mod expansion;
mod fit;
mod forms;
mod grid;
mod integrated;
mod moments;
mod nodes;
mod pair;
mod piece;
mod row;
mod sampled;
mod sampling;
mod series;
mod sizes;
mod values;

pub(crate) use expansion::Expansion;
use fit::fit;
pub use integrated::{Integrated, SIDE_SLOTS, sides};
pub use pair::{Grouped, PACKS_AT_ONCE};
pub use row::Fitted;

use crate::description::Values;
use crate::error::{Error, Result};
use crate::parallel::Job;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A function known by its values, and the fits made of it so far.
#[derive(Clone)]
pub struct Function {
    /// The name that users know.
    pub name: String,
    /// Where its derivative jumps, as far as is known; others are found.
    pub kinks: Vec<f64>,
    call: Arc<Values>,
    fits: Arc<Mutex<Vec<Numerical>>>,
}

impl fmt::Debug for Function {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Function({})", self.name)
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.kinks == other.kinks && Arc::ptr_eq(&self.call, &other.call)
    }
}

/// What a fit aims at, relative to the rows' own values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accuracy {
    target: f64,
    /// Whether numbers are of single precision.
    is_single: bool,
    /// What of a series may be left out.
    negligible: f64,
    /// A larger estimated error is reported.
    tolerance: f64,
}

impl Accuracy {
    /// For numbers of this precision.
    pub fn of(epsilon: f64) -> Self {
        if epsilon > 1e-10 {
            Self { is_single: true, target: 1e-7, negligible: 1e-8, tolerance: 1e-5 }
        } else {
            Self { is_single: false, target: 3e-12, negligible: 3e-13, tolerance: 1e-9 }
        }
    }
}

impl Function {
    /// How many fits are kept.
    const KEPT: usize = 16;

    /// A function without fits.
    pub fn new(name: String, kinks: Vec<f64>, call: Arc<Values>) -> Self {
        Self { name, kinks, call, fits: Arc::default() }
    }

    /// Whether fits are kept.
    pub fn is_fitted(&self) -> bool {
        !self.fits.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The dual for rows whose scales lie in `range`, and for rows of scale zero where there are `zeros`; the same bits
    /// whether it is new or kept.
    ///
    /// # Errors
    /// [`Error::Function`] where the function fails; [`Error::Unresolved`]; [`Error::Cancelled`].
    pub fn fit(
        &self,
        [low, high]: [f64; 2],
        zeros: bool,
        accuracy: Accuracy,
        job: &Job,
    ) -> Result<Numerical> {
        let source = Source { function: self, job, gain: 1.0 };
        // Rows of scale zero have no direction, and matter only where φ does not vanish.
        let low = if zeros && source.values(&[0.0])?[0] != 0.0 { 0.0 } else { low };
        let range = [low, high].map(|scale| if scale > 0.0 { scale.max(TINIEST) } else { scale });
        let kept = || self.fits.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept().iter().find(|fit| fit.serves(range, accuracy)) {
            return Ok(found.clone());
        }
        // Without the lock: the function may be slow, or call back.
        let new = fit(&source, range, accuracy)?;
        let mut fits = kept();
        if fits.len() == Self::KEPT {
            fits.remove(0);
        }
        fits.push(new.clone());
        Ok(new)
    }
}

/// The dual of a function, for rows of scales within a range.
#[derive(Clone, Debug, PartialEq)]
pub enum Numerical {
    /// As polynomials.
    Fitted(Arc<Fitted>),
    /// Integrated, where no polynomials are as accurate as they should be.
    Integrated(Arc<Integrated>),
}

impl Numerical {
    /// Whether a new fit would give the same.
    fn serves(&self, range: [f64; 2], accuracy: Accuracy) -> bool {
        match self {
            Self::Fitted(fitted) => fitted.serves(range, accuracy),
            Self::Integrated(integrated) => integrated.serves(range, accuracy),
        }
    }
}

/// Rows of smaller scales are what a power of the scale makes of this one.
const TINIEST: f64 = 1e-200;

/// Changes of a function that are less than this share of its value at zero have lost digits that matter.
const FEW_DIGITS: f64 = 1e-3;

/// A function on behalf of a job, which may be cancelled between calls.
struct Source<'a> {
    function: &'a Function,
    job: &'a Job,
    /// A power of two that values are multiplied with, so that their squares are normal numbers.
    gain: f64,
}

impl Source<'_> {
    /// The same with values of ordinary size, where those up to some standard deviations from zero are not.
    ///
    /// # Errors
    /// As [`Source::values`].
    fn normalized(&self, scale: f64) -> Result<Self> {
        let inputs: Vec<f64> = (-64..=64).map(|i| f64::from(i) / 16.0 * scale).collect();
        let largest = self.values(&inputs)?.into_iter().fold(0f64, |most, value| most.max(value.abs()));
        let ordinary = largest == 0.0 || (1e-140..1e140).contains(&largest);
        let gain = if ordinary { 1.0 } else { 2f64.powi(-(largest.log2() as i32).clamp(-1000, 1000)) };
        Ok(Self { gain, ..*self })
    }

    /// How far out the function is to be sampled where `top` suffices: farther where it hardly changes up to there, and
    /// its changes would have few digits.
    ///
    /// # Errors
    /// As [`Source::values`].
    fn end(&self, top: f64) -> Result<f64> {
        let inputs = |end: f64| (-64..=64).map(|i| f64::from(i) / 64.0 * end).collect::<Vec<f64>>();
        let values = self.values(&inputs(top))?;
        let origin = values[64];
        let change = values.iter().fold(0f64, |most, value| most.max((value - origin).abs()));
        if top >= 1.0 || change == 0.0 || change > FEW_DIGITS * origin.abs() {
            return Ok(top);
        }
        // There, the function need not be defined.
        let far = (self.function.call)(&inputs(1.0));
        Ok(if far.is_some_and(|values| values.iter().all(|value| value.is_finite())) { 1.0 } else { top })
    }

    /// Values at `inputs`.
    ///
    /// # Errors
    /// [`Error::Function`] where there are not as many, or not finite; [`Error::Cancelled`].
    fn values(&self, inputs: &[f64]) -> Result<Vec<f64>> {
        self.job.check()?;
        let fail = |reason: String| Error::Function { name: self.function.name.clone(), reason };
        let values = (self.function.call)(inputs).ok_or_else(|| fail("it raised an exception".to_owned()))?;
        if values.len() != inputs.len() {
            return Err(fail(format!("it returned {} values for {}", values.len(), inputs.len())));
        }
        match inputs.iter().zip(&values).find(|(_, value)| !value.is_finite()) {
            None if self.gain == 1.0 => Ok(values),
            None => Ok(values.into_iter().map(|value| value * self.gain).collect()),
            Some((input, value)) => Err(fail(format!("it returned {value} at {input:e}"))),
        }
    }
}
