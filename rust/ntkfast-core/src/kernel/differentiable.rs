//! Points with the derivatives of what a program knows of them.

use super::{Points, Rows, Wanted};
use crate::error::Result;
use crate::memory;
use crate::parallel::{Job, for_each_item};
use crate::program::{DIRECTIONS, Direction, Prepared, RowTrace};
use crate::real::Jet;
use crate::simd::{STRIP, Strip};

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
    pub(super) fn directions(self, left: bool) -> [Direction; DIRECTIONS] {
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
    pub fn new(
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
