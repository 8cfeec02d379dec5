//! What each step of a program does to a strip of pairs, as Taylor series.

use crate::dual::{RowSeries, Smooth, power_series, with_dual};
use crate::error::{Error, Result};
use crate::fitted::Expansion;
use crate::parallel::Job;
use crate::program::{Gradient, Op, Program, Step};
use crate::simd::{Level, Pack, STRIP, Strip, Vectorized, dispatch_f64};
use crate::taylor::{COUNT, OneSided, Series, Taylor, WITHIN};

pub(super) const ZERO: Strip<f64> = Strip([0.0; STRIP]);

/// A strip of pairs between two steps: the coefficients of K and of T.
#[derive(Clone)]
pub(super) struct Register {
    pub nngp: [Strip<f64>; COUNT],
    pub ntk: [Strip<f64>; COUNT],
}

impl Register {
    pub const ZERO: Self = Self { nngp: [ZERO; COUNT], ntk: [ZERO; COUNT] };
}

/// A program, and what is computed of it.
pub(super) struct Plan<'a> {
    pub program: &'a Program,
    /// Features of a row.
    pub features: usize,
    /// Derivatives in all.
    pub degree: usize,
    /// Whether T is wanted.
    pub ntk: bool,
    pub level: Level,
    /// The first of each step's functions of a row, and in the end their number.
    pub firsts: Vec<usize>,
    /// Functions that are known by their values, step by step.
    pub expansions: Vec<Option<Expansion>>,
}

impl<'a> Plan<'a> {
    /// A plan without steps, see [`Plan::add`].
    ///
    /// # Errors
    /// [`Error::Network`] where the kernel has no such derivatives.
    pub fn new(program: &'a Program, features: usize, degree: usize, ntk: bool) -> Result<Self> {
        program.check_smooth()?;
        let (firsts, expansions) = (vec![0], Vec::new());
        Ok(Self { program, features, degree, ntk, level: Level::current(), firsts, expansions })
    }

    /// Add the next step, before which rows have up to about this variance.
    ///
    /// # Errors
    /// [`Error::Network`] where it is a function that polynomials do not resolve; [`Error::Function`];
    /// [`Error::Cancelled`].
    pub fn add(&mut self, variance: f64, job: &Job) -> Result<()> {
        let step = &self.program.steps[self.expansions.len()];
        let expansion = match &step.op {
            Op::Elementwise(function) => {
                let found = Expansion::new(function, variance.sqrt(), job)?;
                Some(found.ok_or_else(|| rough(&step.place, UNRESOLVED, SCALE))?)
            }
            _ => None,
        };
        let slots = expansion.as_ref().map_or_else(|| step.op.series_slots(), Expansion::slots);
        self.firsts.push(self.firsts[self.firsts.len() - 1] + slots);
        self.expansions.push(expansion);
        Ok(())
    }

    /// Fill in the functions of a row that a step uses, at a row of variance p; false where there are none.
    ///
    /// # Errors
    /// [`Error::Function`]; [`Error::Cancelled`].
    pub fn series(&self, index: usize, p: Series, slots: &mut [Series], job: &Job) -> Result<bool> {
        if let Some(expansion) = &self.expansions[index] {
            return expansion.row(p, slots, job);
        }
        self.program.steps[index].op.series(p, slots);
        Ok(slots.iter().all(|series| series.is_finite()))
    }

    /// Run a step on a strip, with the functions of both rows of each pair, three strips each.
    pub fn run(&self, index: usize, registers: &mut [Register], sides: [&[Strip<f64>]; 2]) {
        let step = &self.program.steps[index];
        let range = 3 * self.firsts[index]..3 * self.firsts[index + 1];
        let sides = sides.map(|side| &side[range.clone()]);
        let strip = OnStrip { step, registers, sides, plan: self };
        match &step.op {
            Op::Activation(activation) => {
                with_dual!(activation, dual => dispatch_f64(self.level, Activated { dual, strip }));
            }
            Op::Elementwise(_) => {
                if let Some(expansion) = &self.expansions[index] {
                    dispatch_f64(self.level, Expanded { unit: expansion.unit(), strip });
                }
            }
            _ => dispatch_f64(self.level, Simple(strip)),
        }
    }
}

impl Program {
    /// Refuse programs whose kernels do not have two derivatives by either row.
    fn check_smooth(&self) -> Result<()> {
        for step in &self.steps {
            let (reason, remedy) = match &step.op {
                Op::Activation(activation) => (with_dual!(activation, dual => dual.roughness()), ACTIVATION),
                Op::Dropout { keep } if *keep < 1.0 => {
                    (Some("it drops other neurons for each point"), "leave it out")
                }
                Op::Elementwise(function) if !function.kinks.is_empty() => {
                    (Some("its derivative jumps"), ACTIVATION)
                }
                _ => (None, ""),
            };
            if let Some(reason) = reason {
                return Err(rough(&step.place, reason, remedy));
            }
        }
        Ok(())
    }
}

const ACTIVATION: &str = "use a smooth activation, such as Erf or Gelu";
const UNRESOLVED: &str =
    "no polynomials resolve it: it has kinks, steps, or features that are narrow for its inputs";
const SCALE: &str = "use a smoother function, such as Erf or Gelu, or scale the features or w_std down";

fn rough(place: &str, reason: &str, remedy: &str) -> Error {
    Error::Network(format!(
        "kernels of gradients and Laplacians need a smooth network, but {place} is not, as {reason}: {remedy}"
    ))
}

impl Op {
    /// How many functions of a row's variance the step uses.
    fn series_slots(&self) -> usize {
        match self {
            Self::Activation(activation) => with_dual!(activation, dual => Smooth::slots(dual)),
            Self::LayerNorm { .. } => 1,
            _ => 0,
        }
    }

    /// Fill in these functions at a row of variance p.
    fn series(&self, p: Series, slots: &mut [Series]) {
        match self {
            Self::Activation(activation) => with_dual!(activation, dual => Smooth::row(dual, p, slots)),
            Self::LayerNorm { eps } => slots[0] = (p + *eps).powf(-0.5),
            _ => {}
        }
    }
}

/// A step, and all that it works on.
struct OnStrip<'a> {
    step: &'a Step,
    registers: &'a mut [Register],
    sides: [&'a [Strip<f64>]; 2],
    plan: &'a Plan<'a>,
}

/// The functions of rows in one register of a strip.
#[derive(Clone, Copy)]
struct At<'a> {
    side: &'a [Strip<f64>],
    pack: usize,
}

impl<P: Pack<Scalar = f64>> RowSeries<P> for At<'_> {
    #[inline(always)]
    fn get(self, slot: usize) -> OneSided<P> {
        let at = |order: usize| &self.side[3 * slot + order];
        [P::load(at(0), self.pack), P::load(at(1), self.pack), P::load(at(2), self.pack)]
    }
}

impl OnStrip<'_> {
    #[inline(always)]
    fn sides(&self, pack: usize) -> [At<'_>; 2] {
        [At { side: self.sides[0], pack }, At { side: self.sides[1], pack }]
    }

    #[inline(always)]
    fn read<P: Pack<Scalar = f64>>(&self, input: usize, ntk: bool, pack: usize) -> Taylor<P> {
        let register = &self.registers[self.step.inputs[input]];
        let strips = if ntk { &register.ntk } else { &register.nngp };
        let mut taylor = Taylor::constant(0.0, self.plan.degree);
        for (coefficient, strip) in taylor.coefficients[..WITHIN[self.plan.degree]].iter_mut().zip(strips) {
            *coefficient = P::load(strip, pack);
        }
        taylor
    }

    #[inline(always)]
    fn write<P: Pack<Scalar = f64>>(&mut self, taylor: &Taylor<P>, ntk: bool, pack: usize) {
        let register = &mut self.registers[self.step.output];
        let strips = if ntk { &mut register.ntk } else { &mut register.nngp };
        for (coefficient, strip) in taylor.coefficients[..WITHIN[self.plan.degree]].iter().zip(strips) {
            coefficient.store(strip, pack);
        }
    }
}

/// An activation on a strip.
struct Activated<'a, D> {
    dual: &'a D,
    strip: OnStrip<'a>,
}

impl<D: Smooth> Vectorized<f64> for Activated<'_, D> {
    type Output = ();
    type Unit = D;

    #[inline(always)]
    fn run<P: Pack<Scalar = f64>>(self) {
        let Self { dual, mut strip } = self;
        for pack in 0..P::PACKS {
            let [left, right] = strip.sides(pack);
            let response = dual.pair(&strip.read::<P>(0, false, pack), left, right);
            if strip.plan.ntk {
                let ntk = response.slope.times(&strip.read(0, true, pack));
                strip.write(&ntk, true, pack);
            }
            strip.write(&response.value, false, pack);
        }
    }
}

/// A function that is known by its values on a strip.
struct Expanded<'a> {
    /// What covariances are multiplied with.
    unit: f64,
    strip: OnStrip<'a>,
}

impl Vectorized<f64> for Expanded<'_> {
    type Output = ();
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = f64>>(self) {
        let Self { unit, mut strip } = self;
        let count = strip.sides[0].len() / 3;
        for pack in 0..P::PACKS {
            let [left, right] = strip.sides(pack);
            let k = strip.read::<P>(0, false, pack).scaled(unit);
            let response = power_series(count, &k, left, right);
            if strip.plan.ntk {
                let ntk = response.slope.scaled(unit).times(&strip.read(0, true, pack));
                strip.write(&ntk, true, pack);
            }
            strip.write(&response.value, false, pack);
        }
    }
}

/// Any other step on a strip.
struct Simple<'a>(OnStrip<'a>);

impl Vectorized<f64> for Simple<'_> {
    type Output = ();
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = f64>>(self) {
        let Self(mut strip) = self;
        for pack in 0..P::PACKS {
            let inputs = [strip.read::<P>(0, false, pack), strip.read(1, false, pack)];
            let tangents = [strip.read::<P>(0, true, pack), strip.read(1, true, pack)];
            let (nngp, ntk) = simple(&strip, &inputs, &tangents, pack);
            strip.write(&nngp, false, pack);
            strip.write(&ntk, true, pack);
        }
    }
}

/// K and T behind a step that is no activation.
#[inline(always)]
fn simple<P: Pack<Scalar = f64>>(
    strip: &OnStrip<'_>,
    [a, b]: &[Taylor<P>; 2],
    [t, u]: &[Taylor<P>; 2],
    pack: usize,
) -> (Taylor<P>, Taylor<P>) {
    match &strip.step.op {
        Op::Dense { w_std, b_std, gradient } => {
            let nngp = a.scaled(w_std * w_std).shifted(b_std * b_std);
            let carried = t.scaled(w_std * w_std);
            let ntk = match gradient {
                Gradient::Frozen => carried,
                Gradient::Ntk => carried.plus(&nngp),
                Gradient::Standard { fan_in, bias } => carried
                    .plus(&a.scaled(fan_in.at(strip.plan.features)))
                    .shifted(if *bias { 1.0 } else { 0.0 }),
            };
            (nngp, ntk)
        }
        Op::Offset(offset) => (a.shifted(offset * offset), *t),
        Op::Sum => (a.plus(b), t.plus(u)),
        Op::Concatenate(widths) => {
            let widths = widths.map(|width| width.at(strip.plan.features));
            let [x, y] = widths.map(|width| width / (widths[0] + widths[1]));
            (a.scaled(x).plus(&b.scaled(y)), t.scaled(x).plus(&u.scaled(y)))
        }
        Op::Product => (a.times(b), t.times(b).plus(&a.times(u))),
        Op::LayerNorm { .. } => {
            let [left, right] = strip.sides(pack);
            (a.between(left.get(0), right.get(0)), t.between(left.get(0), right.get(0)))
        }
        Op::Tangent(tangent) => (*a, Taylor::constant(*tangent, a.degree)),
        Op::Chain => (*a, t.times(u)),
        Op::Carry { w_std } => (*a, t.plus(&u.scaled(w_std * w_std))),
        // Of dropout, only that which keeps all.
        Op::Dropout { .. } | Op::Activation(_) | Op::Elementwise(_) | Op::Fitted(_) | Op::Integrated(_) => {
            (*a, *t)
        }
        Op::Window(_) | Op::Pool { .. } => unreachable!("refused: images have no derivatives"),
    }
}
