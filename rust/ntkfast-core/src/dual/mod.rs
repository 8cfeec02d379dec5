//! Dual activations: what an activation φ does to the kernel.
//!
//! For (u, v) ~ N(0, [[p, k], [k, q]]) a dual gives E[φ(u)φ(v)] and E[φ'(u)φ'(v)]. Here both are divided by
//! their values on the two rows themselves, so that a pair is a cosine ρ = k/√(pq), carried as the **defect**
//! δ = 1 − ρ (and ε = 1 + ρ where ρ may be negative): no overflow, and no digits lost where inputs coincide.
//! The row's own values, √E[φ(u)²] and √E[φ'(u)²], are computed once a row in double precision.
//!
//! To add an activation with a closed form: one file that implements [`Dual`], and three lines here: `mod`, `pub use`, and one in [`duals!`].

mod abrelu;
mod arcsine;
pub mod blend;
mod degree;
mod envelope;
mod erf;
mod exp;
mod exp_normalized;
mod gabor;
mod gaussian;
mod gelu;
mod hermite;
mod polynomial;
mod rectified_monomial;
mod series;
mod sign;
mod sin;
mod smooth;

pub use abrelu::AbRelu;
pub use erf::Erf;
pub use exp::Exp;
pub use exp_normalized::ExpNormalized;
pub use gabor::Gabor;
pub use gaussian::Gaussian;
pub use gelu::Gelu;
pub use hermite::Hermite;
pub use polynomial::Polynomial;
pub use rectified_monomial::RectifiedMonomial;
pub use sign::Sign;
pub use sin::Sin;
pub(crate) use smooth::{RowSeries, Smooth, power_series};

use crate::description::Description;
use crate::error::Result;
use crate::real::Real;
use crate::simd::Number;

/// The cosine ρ of a pair as its two defects; each is kept to relative precision where it is small.
#[derive(Clone, Copy, Debug)]
pub struct Cosine<N> {
    /// δ = 1 − ρ.
    pub delta: N,
    /// ε = 1 + ρ. Meaningless where ρ is known not to be negative.
    pub epsilon: N,
}

impl<N: Number> Cosine<N> {
    /// 1 − |ρ|.
    #[inline(always)]
    pub fn least<const SIGNED: bool>(self) -> N {
        if SIGNED { self.delta.min(self.epsilon) } else { self.delta }
    }

    /// The cosine of an odd function of the pair, given its 1 − |cosine|.
    #[inline(always)]
    fn odd<const SIGNED: bool>(self, defect: N) -> Self {
        let opposite = N::splat(2.0) - defect;
        if !SIGNED {
            return Self { delta: defect, epsilon: opposite };
        }
        let negative = self.epsilon.less(self.delta);
        Self { delta: N::select(negative, opposite, defect), epsilon: N::select(negative, defect, opposite) }
    }

    /// The cosine of an even function of the pair, given its 1 − cosine.
    #[inline(always)]
    fn even(defect: N) -> Self {
        Self { delta: defect, epsilon: N::splat(2.0) - defect }
    }
}

/// Per-row constants by number: of one row, or of a register of rows.
pub trait DualConstants<N>: Copy {
    /// Constant `slot`.
    fn get(self, slot: usize) -> N;
}

/// As tests give them. Where registers are computed with, what is not inlined for certain is compiled for the
/// baseline, and a closure is not.
impl<N, F: Fn(usize) -> N + Copy> DualConstants<N> for F {
    #[inline(always)]
    fn get(self, slot: usize) -> N {
        self(slot)
    }
}

/// What an activation makes of a pair.
#[derive(Clone, Copy, Debug)]
pub struct Response<N> {
    /// Cosine of φ(u) and φ(v).
    pub cosine: Cosine<N>,
    /// E[φ'(u)φ'(v)] / √(E[φ'(u)²] E[φ'(v)²]).
    pub slope: N,
}

/// What an activation makes of a row.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowResponse<R = f64> {
    /// √E[φ(u)²].
    pub scale: R,
    /// √E[φ'(u)²].
    pub slope: R,
}

/// The dual of one activation.
pub trait Dual: Sized {
    /// Make the dual from the activation's fields: take those that it has, by their names.
    ///
    /// # Errors
    /// [`crate::Error::Network`] where one is missing, or holds what the activation does not take.
    fn new(fields: &mut Description) -> Result<Self>;

    /// How many per-row constants [`Dual::row`] fills and [`Dual::pair`] reads.
    fn slots(&self) -> usize;

    /// The name that users know.
    fn name(&self) -> &'static str;

    /// A row with standard deviation `scale` before the activation; fills its constants. With a derivative of the scale,
    /// these have theirs.
    fn row<R: Real>(&self, scale: R, constants: &mut [R]) -> RowResponse<R>;

    /// A pair, given both rows' constants by number. `SIGNED` tells whether ρ may be negative; without it
    /// `cosine.epsilon` must not be used.
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        cosine: Cosine<N>,
        left: impl DualConstants<N>,
        right: impl DualConstants<N>,
    ) -> Response<N>;

    /// Whether the output's cosine is never negative, given whether the input's is.
    fn is_nonnegative(&self, input: bool) -> bool;

    /// Whether φ(−x) = −φ(x), so that the output's mean is zero.
    fn is_odd(&self) -> bool;

    /// A constant added to φ, left out of [`Dual::row`] and [`Dual::pair`]; the program adds its square.
    fn offset(&self) -> f64 {
        0.0
    }
}

macro_rules! duals {
    ($($dual:ident = $kind:literal),* $(,)?) => {
        /// Any of the duals.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs)] // documented at each type
        pub enum Activation { $($dual($dual)),* }

        impl Activation {
            /// The activation that is described, its fields taken; `None` where no dual has that name.
            pub fn new(fields: &mut Description) -> Option<Result<Self>> {
                match fields.kind() {
                    $($kind => Some($dual::new(fields).map(Self::$dual)),)*
                    _ => None,
                }
            }
        }

        /// Run an expression with the dual inside an [`Activation`], statically dispatched.
        macro_rules! with_dual {
            ($activation:expr, $name:ident => $body:expr) => {
                match $activation { $($crate::dual::Activation::$dual($name) => $body),* }
            };
        }
    };
}

duals! {
    AbRelu = "ABRelu",
    Erf = "Erf",
    Exp = "Exp",
    ExpNormalized = "ExpNormalized",
    Gabor = "Gabor",
    Gaussian = "Gaussian",
    Gelu = "Gelu",
    Sign = "Sign",
    Hermite = "Hermite",
    Polynomial = "Polynomial",
    RectifiedMonomial = "RectifiedMonomial",
    Sin = "Sin",
}

pub(crate) use with_dual;
