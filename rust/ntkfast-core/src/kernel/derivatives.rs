//! Kernels of pairs with their derivatives.
//!
//! The kernel of a pair is a function of the logarithms a and b of both norms, of the angle θ between the rows, and of the
//! network's parameters. Derivatives are taken along θ, not along the cosine c: behind a kink, those along c are infinite
//! where rows coincide.

use super::band::Band;
use super::tile::{BandValues, Finished, Sink, TileSource, Workspace};
use super::units::TILE;
use super::{Outputs, Points, Rows, Wanted};
use crate::error::{Error, Result};
use crate::memory;
use crate::parallel::{Job, for_each_index, for_each_item};
use crate::program::{DIRECTIONS, Direction, Prepared, RowTrace, TangentRegister};
use crate::real::Jet;
use crate::simd::{STRIP, Strip, dispatch_f64};
use std::ops::Range;

/// What derivatives are by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Variables {
    /// By the inputs: with K as a function of c = cos θ, a and b, K_c, K_a − c·K_c and K_b − c·K_c. Where sin θ = 0, K_c counts
    /// as 0.
    Inputs,
    /// Along these directions, which are of both rows.
    Parameters([Direction; DIRECTIONS]),
}

impl Variables {
    /// Directions of the rows on the left, or on the right.
    fn directions(self, left: bool) -> [Direction; DIRECTIONS] {
        match self {
            Self::Inputs if left => [Direction::Still, Direction::Norm, Direction::Still],
            Self::Inputs => [Direction::Still, Direction::Still, Direction::Norm],
            Self::Parameters(directions) => directions,
        }
    }
}

/// Results of a pair at each of the program's outputs: the value and the derivatives.
pub const PLANES: usize = 1 + DIRECTIONS;

/// Points, and the derivatives of what a program knows of them.
pub(super) struct Differentiable<'a> {
    pub points: Points<'a, f64>,
    /// Strip by strip.
    pub slopes: Vec<StripSlopes>,
}

/// Derivatives for 64 rows.
pub(super) struct StripSlopes {
    /// Slot by slot, direction by direction.
    pub slots: Vec<Strip<f64>>,
    /// Of √K and √T, output by output, direction by direction.
    pub roots: Vec<[[Strip<f64>; 2]; DIRECTIONS]>,
}

pub(super) const ZERO: Strip<f64> = Strip([0.0; STRIP]);

impl<'a> Differentiable<'a> {
    /// √K, or √T, of a row at an output, and its derivatives.
    pub fn root(&self, row: usize, output: usize, ntk: bool) -> (f64, [f64; DIRECTIONS]) {
        let (strip, lane) = (row / STRIP, row % STRIP);
        let roots = self.points.roots(strip, output);
        let root = if ntk { &roots.tangent } else { &roots.scale };
        let rates = &self.slopes[strip].roots[output];
        (root.0[lane], rates.each_ref().map(|rates| rates[usize::from(ntk)].0[lane]))
    }

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
                for (k, &direction) in directions.iter().enumerate() {
                    if direction == Direction::Still {
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

/// All pairs of two sets: [`PLANES`] results for each output of the program. O(n·m·(d + steps)). If the rows on the left are
/// those on the right from `first` on, pairs of a row with itself are exact.
///
/// A row with itself is a function of the row alone: half of its derivatives is along a, and half along b.
///
/// # Errors
/// [`Error::Network`] where the program has functions that are integrated; as [`super::cross`].
pub fn derivatives(
    prepared: &Prepared<'_, f64>,
    [left, right]: [Rows<'_, f64>; 2],
    variables: Variables,
    first: Option<usize>,
    out: &Outputs<'_, f64>,
    job: &Job,
) -> Result<()> {
    let wanted = out.wanted();
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
                if let Some(first) = first {
                    walk.exact_diagonal(first, &rows, &columns, &mut workspace.values);
                }
                out.accept(&Finished { rows: rows.clone(), columns, values: &workspace.values });
            }
            Ok(())
        },
    )
}

/// What all tiles have in common.
pub(super) struct Walk<'a> {
    pub source: &'a TileSource<'a, f64>,
    pub left: &'a Differentiable<'a>,
    pub right: &'a Differentiable<'a>,
    pub variables: Variables,
    pub wanted: Wanted,
}

impl Walk<'_> {
    /// Pairs of a row with itself.
    fn exact_diagonal(
        &self,
        first: usize,
        rows: &Range<usize>,
        columns: &Range<usize>,
        values: &mut [BandValues<f64>],
    ) {
        for row in rows.clone().filter(|row| columns.contains(&(row + first))) {
            for (output, planes) in values.chunks_exact_mut(PLANES).enumerate() {
                for (ntk, wanted) in [(false, self.wanted.nngp), (true, self.wanted.ntk)] {
                    let (root, left) = self.left.root(row, output, ntk);
                    let (_, right) = self.right.root(row + first, output, ntk);
                    let mut found = [root * root; PLANES];
                    for (found, (left, right)) in found[1..].iter_mut().zip(left.into_iter().zip(right)) {
                        *found = root * (left + right);
                    }
                    for (plane, found) in planes.iter_mut().zip(found).filter(|_| wanted) {
                        let plane = if ntk { &mut plane.ntk } else { &mut plane.nngp };
                        plane[row - rows.start].0[row + first - columns.start] = found;
                    }
                }
            }
        }
    }
}

/// What a thread needs.
pub(super) struct TangentWorkspace {
    pub pairs: Workspace<f64>,
    pub registers: Vec<TangentRegister>,
    /// Constants of one row, and their derivatives.
    pub constants: [Vec<f64>; 2],
    pub values: Vec<BandValues<f64>>,
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
            constants: [vec![0.0; program.slots], vec![0.0; program.slots * DIRECTIONS]],
            values: (0..program.outputs.len() * PLANES).map(values).collect(),
        }
    }
}
