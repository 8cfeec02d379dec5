//! a·erf(bx) + c (Williams 1997, eq. 11), in the defect.
//!
//! With s = √(2P/(1+2P)), P = b²p, and t likewise of q, the kernel is (2a²/π)·asin(ρst). Divided by its row
//! values A(s) = asin s², A(t) = asin t², the cosine is 1 − δ' with
//!
//! δ' = η + (1 − η)·S/A,  A = asin(st),  S = A − asin(ρst),  1 − η = A/√(A(s)A(t)).
//!
//! S is the drop of [`super::arcsine`]; η, which vanishes for equal norms, comes from arctangents of the
//! differences A(s) − A and A(t) − A where the norms are close, and directly where they are not.

use super::arcsine::{Arcsine, arcsine};
use super::smooth::{Covariances, RowSeries, Smooth};
use super::{Cosine, Dual, DualConstants, Response, RowResponse};
use crate::Float;
use crate::description::Description;
use crate::error::Result;
use crate::real::Real;
use crate::scalar::Scalar;
use crate::simd::Number;
use crate::simd::math::atan2;
use crate::taylor::{Series, Taylor};
use std::f64::consts::{FRAC_2_PI, PI, SQRT_2};

/// a·erf(bx) + c.
#[derive(Clone, Debug, PartialEq)]
pub struct Erf {
    a: f64,
    b: f64,
    c: f64,
}

/// The parameters whose function is near 1/(1 + e^{−x}) and has a name of its own.
const SIGMOID_LIKE: (f64, f64, f64) = (0.5, 1.0 / 2.402_056_353_171_979_6, 0.5);

/// Per-row constants of [`Erf`].
struct ErfRow<N> {
    /// s.
    sine: N,
    /// √(1 − s²), kept away from 0 so that its square is a normal number.
    cosine: N,
    /// √(1 − s⁴), the cosine of A(s).
    complement: N,
    /// √A(s).
    root: N,
    /// s/√A(s), 1 for a zero row.
    ratio: N,
}

impl<N: Number> ErfRow<N> {
    #[inline(always)]
    fn new(constants: impl DualConstants<N>) -> Self {
        let cosine = constants.get(1).max(N::splat(N::Scalar::TINY));
        Self {
            sine: constants.get(0),
            cosine,
            complement: cosine * constants.get(2),
            root: constants.get(3),
            ratio: constants.get(4),
        }
    }
}

impl Dual for Erf {
    fn new(fields: &mut Description) -> Result<Self> {
        Ok(Self { a: fields.real("a")?, b: fields.real("b")?, c: fields.real("c")? })
    }

    fn slots(&self) -> usize {
        5
    }

    fn name(&self) -> &'static str {
        if (self.a, self.b, self.c) == SIGMOID_LIKE { "SigmoidLike" } else { "Erf" }
    }

    fn row<R: Real>(&self, scale: R, constants: &mut [R]) -> RowResponse<R> {
        let one = R::from(1.0);
        let x = scale * self.b.abs();
        let tangent = (x * SQRT_2).min(R::from(1e150));
        let cosine = tangent.hypot(one).recip();
        let sine = tangent * cosine;
        let steep = sine.hypot(one);
        let angle = (sine * sine).atan2(cosine * steep);
        let root = angle.sqrt();
        // The square underflows: erf is linear there.
        let tiny = sine.value() < 1e-100;
        constants.copy_from_slice(&[sine, cosine, steep, root, if tiny { one } else { sine / root }]);
        let scale = if tiny { x * (2.0 / PI.sqrt()) } else { root * FRAC_2_PI.sqrt() };
        let slope = R::from(2.0 * self.b.abs()) / ((x * 2.0).hypot(one).sqrt() * PI.sqrt());
        RowResponse { scale: scale * self.a.abs(), slope: slope * self.a.abs() }
    }

    #[inline(always)]
    fn pair<N: Number, const SIGNED: bool>(
        &self,
        cosine: Cosine<N>,
        left: impl DualConstants<N>,
        right: impl DualConstants<N>,
    ) -> Response<N> {
        let (one, half) = (N::splat(1.0), N::splat(0.5));
        let tiny = N::splat(N::Scalar::TINY);
        let (l, r) = (ErfRow::new(left), ErfRow::new(right));
        let m = cosine.least::<SIGNED>();
        let Arcsine { product, cos_angle: cos_a, cos_lower: cos_z, angle, drop } =
            arcsine([l.sine, l.cosine], [r.sine, r.cosine], m);

        // s² − t² without cancellation, also where both are nearly 1.
        let (far_side, near_side) = (l.sine * r.cosine, l.cosine * r.sine);
        let gap = (far_side - near_side) * (far_side + near_side);
        let sin_l = l.sine * gap / l.sine.mul_add(cos_a, r.sine * l.complement).max(tiny);
        let sin_r = -(r.sine * gap) / r.sine.mul_add(cos_a, l.sine * r.complement).max(tiny);
        let cos_l = l.complement.mul_add(cos_a, l.sine * l.sine * product);
        let cos_r = r.complement.mul_add(cos_a, r.sine * r.sine * product);
        let bulge = atan2(
            sin_l.mul_add(cos_r, sin_r * cos_l).max(N::splat(0.0)),
            sin_l.neg_mul_add(sin_r, cos_l * cos_r).max(N::splat(0.0)),
        );
        let roots = (l.root * r.root).max(tiny);
        let spread = (l.root - r.root) * (l.root - r.root) / roots;
        let eta_close = (half * (bulge / roots - spread)).max(N::splat(0.0));
        let eta_far = (one - angle / product * l.ratio * r.ratio).max(N::splat(0.0));
        let eta = N::select(spread.less(half), eta_close, eta_far);
        let largest = l.sine.max(r.sine);
        // For small variances the leading term is all there is; the others would leave rounding.
        let small = (largest * largest).less(N::splat(1.7 * N::Scalar::EPSILON.sqrt().sqrt()));
        let eta = N::select(small, gap * gap * N::splat(1.0 / 12.0), eta);
        let defect = (one - eta).mul_add(drop / angle, eta);

        let slope = (l.complement * r.complement).sqrt() / cos_z;
        Response { cosine: cosine.odd::<SIGNED>(defect), slope }
    }

    fn is_nonnegative(&self, input: bool) -> bool {
        input
    }

    fn is_odd(&self) -> bool {
        self.c == 0.0
    }

    fn offset(&self) -> f64 {
        self.c
    }
}

impl Smooth for Erf {
    fn slots(&self) -> usize {
        1
    }

    fn row(&self, p: Series, slots: &mut [Series]) {
        slots[0] = (p * (2.0 * self.b * self.b) + 1.0).powf(-0.5);
    }

    #[inline(always)]
    fn pair<N: Number>(
        &self,
        k: &Taylor<N>,
        left: impl RowSeries<N>,
        right: impl RowSeries<N>,
    ) -> Covariances<N> {
        let (l, r) = (left.get(0), right.get(0));
        let (a, b) = (self.a * self.a, self.b * self.b);
        let z = k.between(l, r).scaled(2.0 * b);
        let steep = z.times(&z).scaled(-1.0).shifted(1.0).inverse_root();
        Covariances {
            value: z.asin(steep.value()).scaled(a * FRAC_2_PI),
            slope: steep.between(l, r).scaled(a * b * 2.0 * FRAC_2_PI),
        }
    }
}
