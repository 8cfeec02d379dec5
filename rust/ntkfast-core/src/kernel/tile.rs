//! One tile of pairs, from rows to finished kernel values, without leaving the second-level cache.

use super::cosine::{FEW_FEATURES, from_differences, from_products, transpose};
use super::{Points, Wanted};
use crate::error::Result;
use crate::linalg::row_products;
use crate::parallel::Job;
use crate::program::{Program, Register, execute};
use crate::scalar::Scalar;
use crate::simd::{Kernel, Lanes, Level, Pack, STRIP, Single, Strip};
use std::ops::Range;

/// Rows and columns of a tile: half a megabyte of products, a whole number of strips.
pub const TILE: usize = 256;

/// Rough number of operations of one step on one pair.
pub const OPERATIONS: usize = 40;

/// Strips in a row of a tile.
pub const TILE_STRIPS: usize = TILE / STRIP;

/// Finished values of a tile at one output, row after row in [`TILE_STRIPS`] strips each; empty where not wanted.
pub struct TileValues<T> {
    /// NNGP.
    pub nngp: Vec<Strip<T>>,
    /// NTK.
    pub ntk: Vec<Strip<T>>,
}

/// A tile whose values are finished. Only drivers make one, and each place of their grid once: whoever is given
/// it may write there.
pub struct Finished<'a, T> {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
    pub(super) values: &'a [TileValues<T>],
}

impl<T> Finished<'_, T> {
    /// Which rows of the matrix.
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// Which columns of the matrix.
    pub fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// The values, output by output.
    pub fn values(&self) -> &[TileValues<T>] {
        self.values
    }
}

/// Takes finished tiles, from several threads at once.
pub trait Sink<T>: Sync {
    /// Use a tile.
    fn accept(&self, tile: &Finished<'_, T>);
}

/// What a thread needs to compute tiles.
pub struct Workspace<T> {
    products: Vec<T>,
    registers: Vec<Register<T>>,
    /// Constants of the tile's rows, row after row.
    constants: Vec<T>,
    /// Transposed strip, for few features.
    panel: Vec<Strip<T>>,
    /// The results, output by output.
    pub values: Vec<TileValues<T>>,
}

impl<T: Scalar> Workspace<T> {
    /// Buffers for tiles of `rows` × `columns` at most.
    pub fn new(program: &Program, features: usize, wanted: Wanted, rows: usize) -> Self {
        let rows = rows.min(TILE);
        let few = features <= FEW_FEATURES;
        let zero = Strip([T::default(); STRIP]);
        let buffer = |wanted: bool| vec![zero; if wanted { rows * TILE_STRIPS } else { 0 }];
        let values = |_: &usize| TileValues { nngp: buffer(wanted.nngp), ntk: buffer(wanted.ntk) };
        Self {
            products: vec![T::default(); if few { 0 } else { rows * TILE }],
            registers: vec![Register::default(); program.registers],
            constants: vec![T::default(); rows * program.slots],
            panel: vec![zero; if few { features } else { 0 }],
            values: program.outputs.iter().map(values).collect(),
        }
    }
}

/// Above this many operations a pair, a tile is computed strip by strip, so that it can be stopped in between.
const LONG: usize = 4096;

/// Compute the kernels of `rows` of `left` with `columns` of `right` into `workspace.values`.
///
/// # Errors
/// [`crate::error::Error::Cancelled`].
pub fn compute<T: Scalar>(
    program: &Program,
    (left, rows): (&Points<T>, Range<usize>),
    (right, columns): (&Points<T>, Range<usize>),
    wanted: Wanted,
    level: Level,
    job: &Job,
    workspace: &mut Workspace<T>,
) -> Result<()> {
    let slots = program.slots;
    for (row, constants) in rows.clone().zip(workspace.constants.chunks_exact_mut(slots.max(1))) {
        for (constant, strip) in constants.iter_mut().zip(left.constants(row / STRIP)) {
            *constant = strip.0[row % STRIP];
        }
    }
    let features = right.features();
    let width = if features + OPERATIONS * program.steps.len() > LONG { STRIP } else { TILE };
    for start in columns.clone().step_by(width) {
        job.check()?;
        let part = start..columns.end.min(start + width);
        let first = start - columns.start;
        if features > FEW_FEATURES {
            let (a, b) = (left.units(rows.clone()), right.units(part.clone()));
            row_products(&mut workspace.products[first..], TILE, a, b, features);
        }
        let (rows, first) = (rows.clone(), first / STRIP);
        T::dispatch(level, Work { program, left, rows, right, columns: part, first, wanted, workspace });
    }
    Ok(())
}

struct Work<'a, T> {
    program: &'a Program,
    left: &'a Points<T>,
    rows: Range<usize>,
    right: &'a Points<T>,
    columns: Range<usize>,
    /// Which strip of the tile the columns begin at.
    first: usize,
    wanted: Wanted,
    workspace: &'a mut Workspace<T>,
}

impl<T: Scalar> Kernel<T> for Work<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<P: Pack<Scalar = T>>(self) {
        if self.wanted.ntk {
            self.run_strips::<P, true>();
        } else {
            self.run_strips::<P, false>();
        }
    }
}

impl<T: Scalar> Work<'_, T> {
    #[inline(always)]
    fn run_strips<P: Pack<Scalar = T>, const NTK: bool>(self) {
        let Self { program, left, rows, right, columns, first, wanted, workspace } = self;
        let few = right.features() <= FEW_FEATURES;
        // Columns outside, rows inside: a strip's constants stay in the first-level cache.
        for (block, start) in (first..).zip(columns.clone().step_by(STRIP)) {
            let strip = start / STRIP;
            let others = start..columns.end.min(start + STRIP);
            if few {
                transpose(right, others.clone(), &mut workspace.panel);
            }
            for (i, row) in rows.clone().enumerate() {
                let unit = left.units(row..row + 1);
                let input = &mut workspace.registers[0];
                if few {
                    from_differences::<P>(unit, &workspace.panel, input);
                } else {
                    let products = &workspace.products[i * TILE + block * STRIP..][..STRIP];
                    from_products::<P>(products, unit, right.units(others.clone()), input);
                }
                if NTK {
                    input.tau = Strip([T::default(); STRIP]);
                }
                let constants = &workspace.constants[i * program.slots..][..program.slots];
                execute::<P, NTK>(
                    program,
                    &mut workspace.registers,
                    Single(constants),
                    Lanes(right.constants(strip)),
                );
                let place = i * TILE_STRIPS + block;
                for ((output, &register), values) in
                    program.outputs.iter().enumerate().zip(&mut workspace.values)
                {
                    let result = &workspace.registers[register];
                    let [ours, theirs] = [left.roots(row / STRIP, output), right.roots(strip, output)];
                    if wanted.nngp {
                        let scale = P::broadcast(ours.scale.0[row % STRIP]);
                        let values = &mut values.nngp[place];
                        for pack in 0..P::PACKS {
                            let scales = scale * P::load(&theirs.scale, pack);
                            let cosine = P::splat(1.0) - P::load(&result.delta, pack);
                            (scales * cosine).store(values, pack);
                        }
                    }
                    if NTK {
                        let tangent = P::broadcast(ours.tangent.0[row % STRIP]);
                        let values = &mut values.ntk[place];
                        for pack in 0..P::PACKS {
                            let tangents = tangent * P::load(&theirs.tangent, pack);
                            let cosine = P::load(&result.tau, pack);
                            (tangents * cosine).store(values, pack);
                        }
                    }
                }
            }
        }
    }
}
