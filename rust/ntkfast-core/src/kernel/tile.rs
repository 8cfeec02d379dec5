//! One tile of pairs, from rows to finished kernel values, without leaving the second-level cache.

use super::cosine::{FEW_FEATURES, from_differences, from_products};
use super::product::{Packing, Products, packed_strips};
use super::{Points, Wanted};
use crate::error::Result;
use crate::parallel::Job;
use crate::program::{Execution, Program, Register, Zonal};
use crate::scalar::Scalar;
use crate::simd::{Kernel, Level, Pack, STRIP, Strip};
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
    /// Inner products, row after row in [`TILE_STRIPS`] strips each; none for few features.
    products: Vec<Strip<T>>,
    registers: Vec<Register<T>>,
    /// Constants of the tile's rows, row after row.
    constants: Vec<T>,
    /// The first of these rows.
    gathered: Option<usize>,
    /// Some features of some columns, packed.
    panel: Vec<Strip<T>>,
    /// Which ones: the first column and the first feature.
    packed: Option<[usize; 2]>,
    /// The results, output by output.
    pub values: Vec<TileValues<T>>,
}

impl<T: Scalar> Workspace<T> {
    /// Buffers for the tiles of `rows` rows and `columns` columns, all of one walk.
    pub fn new(program: &Program, features: usize, wanted: Wanted, [rows, columns]: [usize; 2]) -> Self {
        let (rows, strips) = (rows.min(TILE), columns.min(TILE).div_ceil(STRIP));
        let few = features <= FEW_FEATURES;
        let zero = Strip([T::default(); STRIP]);
        let buffer = |wanted: bool| vec![zero; if wanted { rows * TILE_STRIPS } else { 0 }];
        let values = |_: &usize| TileValues { nngp: buffer(wanted.nngp), ntk: buffer(wanted.ntk) };
        Self {
            products: vec![zero; if few { 0 } else { rows * TILE_STRIPS }],
            registers: vec![Register::default(); program.registers],
            constants: vec![T::default(); rows * program.slots],
            gathered: None,
            panel: vec![zero; strips * packed_strips(features.min(PACKED))],
            packed: None,
            values: program.outputs.iter().map(values).collect(),
        }
    }
}

/// So many features of a tile's columns are packed at a time, and kept for the next tile where there are no more.
const PACKED: usize = 4096;

/// Above this many operations a pair, a tile is computed strip by strip, so that it can be stopped in between.
const LONG: usize = 4096;

/// Bytes of rows' constants that stay in the second-level cache.
const RESIDENT: usize = 1 << 20;

/// Everything that a walk computes pairs from.
pub struct Pairs<'a, T> {
    /// What to run.
    pub program: &'a Program,
    /// What may run instead.
    pub zonal: Option<Zonal<T>>,
    /// Rows of the matrix.
    pub left: &'a Points<T>,
    /// Its columns.
    pub right: &'a Points<T>,
    /// Which kernels.
    pub wanted: Wanted,
    /// The instruction set.
    pub level: Level,
}

impl<T: Scalar> Pairs<'_, T> {
    /// Compute the kernels of some rows and columns into `workspace.values`.
    ///
    /// # Errors
    /// [`crate::error::Error::Cancelled`].
    pub fn compute(
        &self,
        rows: &Range<usize>,
        columns: &Range<usize>,
        job: &Job,
        workspace: &mut Workspace<T>,
    ) -> Result<()> {
        let steps = if self.zonal.is_some() {
            1
        } else {
            if workspace.gathered != Some(rows.start) {
                by_rows(self.left, rows.clone(), self.program.slots, &mut workspace.constants);
                workspace.gathered = Some(rows.start);
            }
            self.program.steps.len()
        };
        let width = if self.right.features() + OPERATIONS * steps > LONG { STRIP } else { TILE };
        // Rows whose constants stay in the second-level cache.
        let height = (RESIDENT / (self.program.slots.max(1) * size_of::<T>())).clamp(STRIP, TILE);
        for start in columns.clone().step_by(width) {
            let part = start..columns.end.min(start + width);
            let first = (start - columns.start) / STRIP;
            multiply(self.left.units(rows), (self.right, &part), first, self.level, job, workspace)?;
            for top in rows.clone().step_by(height) {
                let (pairs, rows, some) = (self, rows.clone(), top..rows.end.min(top + height));
                let (columns, workspace) = (part.clone(), &mut *workspace);
                T::dispatch(self.level, Work { pairs, rows, some, columns, first, workspace });
            }
        }
        Ok(())
    }
}

/// Constants of some rows, row after row: some slots of a whole strip at a time, so that no cache line is seen twice.
fn by_rows<T: Scalar>(points: &Points<T>, rows: Range<usize>, slots: usize, out: &mut [T]) {
    const SOME: usize = 8;
    let mut start = rows.start;
    while start < rows.end {
        let strip = start / STRIP;
        let end = rows.end.min((strip + 1) * STRIP);
        let (parts, rest) = points.constants(strip).as_chunks::<SOME>();
        for row in start..end {
            let constants = &mut out[(row - rows.start) * slots..][..slots];
            for (constant, strip) in constants[slots - rest.len()..].iter_mut().zip(rest) {
                *constant = strip.0[row % STRIP];
            }
        }
        for (part, strips) in parts.iter().enumerate() {
            for row in start..end {
                let (constants, _) = out[(row - rows.start) * slots + part * SOME..].as_chunks_mut::<SOME>();
                for (constant, strip) in constants[0].iter_mut().zip(strips) {
                    *constant = strip.0[row % STRIP];
                }
            }
        }
        start = end;
    }
}

/// Pack what is not packed yet, and compute the products, which few features do without.
///
/// # Errors
/// [`crate::error::Error::Cancelled`].
fn multiply<T: Scalar>(
    rows: &[T],
    (right, columns): (&Points<T>, &Range<usize>),
    first: usize,
    level: Level,
    job: &Job,
    workspace: &mut Workspace<T>,
) -> Result<()> {
    let features = right.features();
    for start in (0..features).step_by(PACKED) {
        job.check()?;
        let some = &(start..features.min(start + PACKED));
        let panel = &mut workspace.panel[..columns.len().div_ceil(STRIP) * packed_strips(some.len())];
        let whole = features <= FEW_FEATURES;
        if workspace.packed != Some([columns.start, start]) {
            let panel = &mut *panel;
            T::dispatch(level, Packing { rows: right.units(columns), features, some, panel, whole });
            workspace.packed = Some([columns.start, start]);
        }
        if !whole {
            let out = &mut workspace.products[first..];
            T::dispatch(level, Products { rows, features, some, panel, out, fresh: start == 0 });
        }
    }
    Ok(())
}

struct Work<'a, T> {
    pairs: &'a Pairs<'a, T>,
    /// Rows of the tile.
    rows: Range<usize>,
    /// Which of them to compute.
    some: Range<usize>,
    columns: Range<usize>,
    /// Which strip of the tile the columns begin at.
    first: usize,
    workspace: &'a mut Workspace<T>,
}

impl<T: Scalar> Kernel<T> for Work<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<P: Pack<Scalar = T>>(self) {
        if self.pairs.wanted.ntk {
            self.run_strips::<P, true>();
        } else {
            self.run_strips::<P, false>();
        }
    }
}

impl<T: Scalar> Work<'_, T> {
    #[inline(always)]
    fn run_strips<P: Pack<Scalar = T>, const NTK: bool>(self) {
        let Self { pairs, rows, some, columns, first, workspace } = self;
        let &Pairs { program, ref zonal, left, right, wanted, level } = pairs;
        let features = right.features();
        let few = features <= FEW_FEATURES;
        // Columns outside, rows inside: a strip's constants stay in the first-level cache.
        for (block, start) in (first..).zip(columns.clone().step_by(STRIP)) {
            let strip = start / STRIP;
            let others = start..columns.end.min(start + STRIP);
            for row in some.clone() {
                let i = row - rows.start;
                let unit = left.units(&(row..row + 1));
                let input = &mut workspace.registers[0];
                if few {
                    let panel = &workspace.panel[(block - first) * packed_strips(features)..][..features];
                    from_differences::<P>(unit, panel, input);
                } else {
                    let products = &workspace.products[i * TILE_STRIPS + block];
                    from_products::<P>(products, unit, right.units(&others), input);
                }
                if NTK {
                    input.tau = Strip([T::default(); STRIP]);
                }
                let registers = &mut workspace.registers[..];
                if let Some(zonal) = zonal {
                    zonal.execute::<P>(registers, &program.outputs);
                } else {
                    let left = &workspace.constants[i * program.slots..][..program.slots];
                    let right = right.constants(strip);
                    T::dispatch(level, Execution { program, registers, left, right, ntk: NTK });
                }
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
