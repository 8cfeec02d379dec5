//! Kernels of pairs with their derivatives.
//!
//! The kernel of a pair is a function of the logarithms a and b of both norms, of the angle θ between the rows, and of the
//! network's parameters. Derivatives are taken along θ, not along the cosine c: behind a kink, those along c are infinite
//! where rows coincide.

use super::cosine::{FEW_FEATURES, from_differences, from_products};
use super::product::packed_strips;
use super::tile::{BandValues, Finished, Sink, TileSource, Workspace};
use super::units::TILE;
use super::{Points, Rows, Wanted};
use crate::error::{Error, Result};
use crate::memory;
use crate::parallel::{Job, for_each_index, for_each_item};
use crate::program::{DIRECTIONS, Direction, Prepared, RowTrace, TangentRegister};
use crate::real::Jet;
use crate::simd::{Pack, STRIP, Strip, Vectorized, dispatch_f64};
use std::ops::Range;

/// What derivatives are by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Variables {
    /// By c, a and b, of which a and b leave x·x' as it is, too: K_c, K_a − c·K_c and K_b − c·K_c. Where sin θ = 0, K_c counts as 0.
    Inputs,
    /// By σ_w and by σ_b of all dense layers.
    Parameters,
}

impl Variables {
    /// What changes along each direction, beside the angle: of the rows on the left, or on the right.
    fn directions(self, left: bool) -> [Direction; DIRECTIONS] {
        let still = Direction::default();
        match self {
            Self::Inputs => {
                let norm = Direction { norm: 1.0, ..still };
                if left { [still, norm, still] } else { [still, still, norm] }
            }
            Self::Parameters => [still, Direction { w_std: 1.0, ..still }, Direction { b_std: 1.0, ..still }],
        }
    }
}

/// Results of a pair at each of the program's outputs: the value and the derivatives. For [`Variables::Parameters`], the
/// first derivative is 0.
pub const PLANES: usize = 1 + DIRECTIONS;

/// Points, and the derivatives of what a program knows of them.
struct Differentiable<'a> {
    points: Points<'a, f64>,
    /// Strip by strip.
    slopes: Vec<StripSlopes>,
}

/// Derivatives for 64 rows.
struct StripSlopes {
    /// Slot by slot, direction by direction.
    slots: Vec<Strip<f64>>,
    /// Of √K and √T, output by output, direction by direction.
    roots: Vec<[[Strip<f64>; 2]; DIRECTIONS]>,
}

const ZERO: Strip<f64> = Strip([0.0; STRIP]);

impl<'a> Differentiable<'a> {
    /// O(rows · steps).
    fn new(
        rows: Rows<'a, f64>,
        prepared: &Prepared<'_, f64>,
        directions: &[Direction; DIRECTIONS],
        wanted: Wanted,
        job: &Job,
    ) -> Result<Self> {
        let program = prepared.program();
        let points = Points::new(rows, prepared, wanted, job)?;
        let mut slopes = memory::empty(points.count().div_ceil(STRIP))?;
        for _ in points.scales().chunks(STRIP) {
            job.check()?;
            slopes.push(StripSlopes {
                slots: vec![ZERO; program.slots * DIRECTIONS],
                roots: vec![[[ZERO; 2]; DIRECTIONS]; program.outputs.len()],
            });
        }
        let state =
            || (vec![RowTrace::<Jet>::default(); program.registers], vec![Jet::default(); program.slots]);
        let strips = points.scales().chunks(STRIP).zip(&mut slopes);
        let features = points.features();
        for_each_item(job, strips, state, |(registers, constants), _, (scales, strip)| {
            for (lane, &scale) in scales.iter().enumerate() {
                for (k, direction) in directions.iter().enumerate() {
                    if *direction == Direction::default() {
                        continue;
                    }
                    program.run_row_along(direction, features, scale, registers, constants, |_, _, _| ());
                    for (slot, constant) in constants.iter().enumerate() {
                        strip.slots[slot * DIRECTIONS + k].0[lane] = constant.slope;
                    }
                    for (roots, &register) in strip.roots.iter_mut().zip(&program.outputs) {
                        let RowTrace { scale, tangent } = registers[register];
                        roots[k][0].0[lane] = scale.slope;
                        roots[k][1].0[lane] = tangent.slope;
                    }
                }
            }
            Ok(())
        })?;
        Ok(Self { points, slopes })
    }
}

/// All pairs of two sets: [`PLANES`] results for each output of the program. O(n·m·(d + steps)).
///
/// # Errors
/// [`Error::Network`] where the program has functions that are integrated; as [`super::cross`].
pub fn derivatives(
    prepared: &Prepared<'_, f64>,
    [left, right]: [Rows<'_, f64>; 2],
    variables: Variables,
    wanted: Wanted,
    sink: &impl Sink<f64>,
    job: &Job,
) -> Result<()> {
    let program = prepared.program();
    program.check_differentiable()?;
    if left.features() != right.features() {
        return Err(Error::Shape {
            argument: "x2",
            given: vec![right.scales().len(), right.features()],
            expected: format!("{} features, as in x", left.features()),
        });
    }
    let left = Differentiable::new(left, prepared, &variables.directions(true), wanted, job)?;
    let right = Differentiable::new(right, prepared, &variables.directions(false), wanted, job)?;
    let (rows, columns) = (left.points.count(), right.points.count());
    let tiles = [rows.div_ceil(TILE), columns.div_ceil(TILE)];
    let all = Wanted { ntk: true, ..wanted };
    let source = TileSource {
        program,
        zonal: None,
        left: &left.points,
        right: &right.points,
        wanted: all,
        level: prepared.level(),
    };
    let walk = Walk { source: &source, left: &left, right: &right, variables, wanted };
    let range = |index: usize, count: usize| index * TILE..count.min((index + 1) * TILE);
    let count = memory::size(tiles)?;
    job.begin(count);
    for_each_index(
        job,
        count,
        || TangentWorkspace::new(&walk, [rows, columns]),
        |workspace, index| {
            // Tiles of one column of tiles follow each other, so that it is packed once.
            let (rows, columns) = (range(index % tiles[0], rows), range(index / tiles[0], columns));
            for start in columns.clone().step_by(STRIP) {
                job.check()?;
                let columns = start..columns.end.min(start + STRIP);
                walk.source.multiply(&rows, &columns, job, &mut workspace.pairs)?;
                let band = Band { walk: &walk, rows: rows.clone(), columns: columns.clone(), workspace };
                dispatch_f64(walk.source.level, band);
                sink.accept(&Finished { rows: rows.clone(), columns, values: &workspace.values });
            }
            Ok(())
        },
    )
}

/// What all tiles have in common.
struct Walk<'a> {
    source: &'a TileSource<'a, f64>,
    left: &'a Differentiable<'a>,
    right: &'a Differentiable<'a>,
    variables: Variables,
    wanted: Wanted,
}

/// What a thread needs.
struct TangentWorkspace {
    pairs: Workspace<f64>,
    registers: Vec<TangentRegister>,
    /// Derivatives of the constants of one row.
    slopes: Vec<f64>,
    values: Vec<BandValues<f64>>,
}

impl TangentWorkspace {
    fn new(walk: &Walk<'_>, shape: [usize; 2]) -> Self {
        let TileSource { program, left, .. } = walk.source;
        let buffer = |wanted: bool| vec![ZERO; if wanted { shape[0].min(TILE) } else { 0 }];
        let values = |_| BandValues { nngp: buffer(walk.wanted.nngp), ntk: buffer(walk.wanted.ntk) };
        let none = Wanted { nngp: false, ntk: false };
        Self {
            pairs: Workspace::new(program, left.features(), none, shape),
            registers: vec![TangentRegister::default(); program.registers],
            slopes: vec![0.0; program.slots * DIRECTIONS],
            values: (0..program.outputs.len() * PLANES).map(values).collect(),
        }
    }
}

/// Some rows of one tile with a strip of columns.
struct Band<'a> {
    walk: &'a Walk<'a>,
    rows: Range<usize>,
    columns: Range<usize>,
    workspace: &'a mut TangentWorkspace,
}

impl Vectorized<f64> for Band<'_> {
    type Output = ();
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = f64>>(self) {
        let Self { walk, rows, columns, workspace } = self;
        let &TileSource { program, left, right, level, .. } = walk.source;
        let TangentWorkspace { pairs, registers, slopes, values } = workspace;
        let few = right.features() <= FEW_FEATURES;
        let strip = columns.start / STRIP;
        let others = right.units(&columns);
        let panel = &pairs.panel
            [if few { columns.start % TILE / STRIP * packed_strips(right.features()) } else { 0 }..];
        let mut constants = std::mem::take(&mut pairs.constants);
        for row in rows.clone() {
            let i = row - rows.start;
            let unit = left.units(&(row..row + 1));
            let input = &mut registers[0].value;
            if few {
                from_differences::<P>(unit, &panel[..right.features()], input);
            } else {
                from_products::<P>(&pairs.products[i], unit, others, input);
            }
            input.delta.0[columns.len()..].fill(0.0);
            input.epsilon.0[columns.len()..].fill(2.0);
            input.tau = ZERO;
            let angle = Angle::of::<P>(&mut registers[0], walk.variables);
            let (ours, theirs) = (&walk.left.slopes[row / STRIP], &walk.right.slopes[strip]);
            for (constant, slot) in constants.iter_mut().zip(left.constants(row / STRIP)) {
                *constant = slot.0[row % STRIP];
            }
            for (slope, slot) in slopes.iter_mut().zip(&ours.slots) {
                *slope = slot.0[row % STRIP];
            }
            let left_constants = [&constants[..program.slots], &slopes[..]];
            program.run_tangents(level, registers, left_constants, [right.constants(strip), &theirs.slots]);
            for (output, &register) in program.outputs.iter().enumerate() {
                let TangentRegister { value, slopes } = &registers[register];
                let roots = [left.roots(row / STRIP, output), right.roots(strip, output)];
                let rates = [&ours.roots[output], &theirs.roots[output]];
                let planes = &mut values[output * PLANES..][..PLANES];
                for pack in 0..P::PACKS {
                    for (kernel, wanted) in [walk.wanted.nngp, walk.wanted.ntk].into_iter().enumerate() {
                        if !wanted {
                            continue;
                        }
                        let ntk = kernel == 1;
                        let root = |side: usize| if ntk { &roots[side].tangent } else { &roots[side].scale };
                        let (x, y) = (P::splat(root(0).0[row % STRIP]), P::load(root(1), pack));
                        let one = P::splat(1.0);
                        let cosine =
                            if ntk { P::load(&value.tau, pack) } else { one - P::load(&value.delta, pack) };
                        let mut found = [x * y * cosine; PLANES];
                        for k in 0..DIRECTIONS {
                            let turned = if ntk {
                                P::load(&slopes[k].tau, pack)
                            } else {
                                -P::load(&slopes[k].delta, pack)
                            };
                            let dx = P::splat(rates[0][k][kernel].0[row % STRIP]);
                            let dy = P::load(&rates[1][k][kernel], pack);
                            found[1 + k] = (x * y).mul_add(turned, dx.mul_add(y, x * dy) * cosine);
                        }
                        if walk.variables == Variables::Inputs {
                            angle.by_cosine(&mut found, pack);
                        }
                        for (plane, found) in planes.iter_mut().zip(found) {
                            let plane = if ntk { &mut plane.ntk } else { &mut plane.nngp };
                            found.store(&mut plane[i], pack);
                        }
                    }
                }
            }
        }
        pairs.constants = constants;
    }
}

/// The angle of a strip of pairs.
struct Angle {
    /// 1/sin θ, and 0 where that is infinite.
    inverse: Strip<f64>,
    /// cos θ.
    cosine: Strip<f64>,
}

impl Angle {
    /// Begin derivatives: along the angle in the first direction, where they are by inputs.
    #[inline(always)]
    fn of<P: Pack<Scalar = f64>>(register: &mut TangentRegister, variables: Variables) -> Self {
        for slopes in &mut register.slopes {
            (slopes.delta, slopes.epsilon, slopes.tau) = (ZERO, ZERO, ZERO);
        }
        let mut angle = Self { inverse: ZERO, cosine: ZERO };
        if variables != Variables::Inputs {
            return angle;
        }
        let (zero, one) = (P::splat(0.0), P::splat(1.0));
        for pack in 0..P::PACKS {
            let delta = P::load(&register.value.delta, pack);
            let sine = (delta * P::load(&register.value.epsilon, pack)).sqrt();
            sine.store(&mut register.slopes[0].delta, pack);
            (-sine).store(&mut register.slopes[0].epsilon, pack);
            P::select(zero.less(sine), one / sine, zero).store(&mut angle.inverse, pack);
            (one - delta).store(&mut angle.cosine, pack);
        }
        angle
    }

    /// Derivatives by θ, a and b as those of [`Variables::Inputs`].
    #[inline(always)]
    fn by_cosine<P: Pack<Scalar = f64>>(&self, found: &mut [P; PLANES], pack: usize) {
        let by_cosine = -(found[1] * P::load(&self.inverse, pack));
        let turned = by_cosine * P::load(&self.cosine, pack);
        found[1] = by_cosine;
        found[2] = found[2] - turned;
        found[3] = found[3] - turned;
    }
}
