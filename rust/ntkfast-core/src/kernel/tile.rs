//! One tile of pairs, from rows to finished kernel values, without leaving the second-level cache.
//!
//! A tile is computed in bands of 64 columns: the products and the values of one band, and its columns packed, stay in
//! the second-level cache together, where those of a whole tile would not.

use super::cosine::{FEW_FEATURES, from_differences, from_products};
use super::product::{Packing, Products, packed_strips};
use super::units::TILE;
use super::{Points, Wanted};
use crate::error::Result;
use crate::parallel::Job;
use crate::program::{Program, Register, Zonal};
use crate::scalar::Scalar;
use crate::simd::{Level, Pack, STRIP, Strip, Vectorized};
use std::ops::Range;

/// Rough number of operations of one step on one pair.
pub const OPERATIONS: usize = 40;

/// Finished values of a band at one output, a strip for each row; empty where not wanted.
pub struct BandValues<T> {
    /// NNGP.
    pub nngp: Vec<Strip<T>>,
    /// NTK.
    pub ntk: Vec<Strip<T>>,
}

/// Up to [`TILE`] rows and a strip of columns whose values are finished. Only drivers make one, and each place of
/// their grid once: whoever is given it may write there.
pub struct Finished<'a, T> {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
    pub(super) values: &'a [BandValues<T>],
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
    pub fn values(&self) -> &[BandValues<T>] {
        self.values
    }
}

/// Takes finished bands, from several threads at once.
pub trait Sink<T>: Sync {
    /// Use a band.
    fn accept(&self, band: &Finished<'_, T>);
}

/// What a thread needs to compute tiles.
pub struct Workspace<T> {
    /// Inner products of a band, a strip for each row; none for few features.
    pub(super) products: Vec<Strip<T>>,
    registers: Vec<Register<T>>,
    /// Constants of the tile's rows, row after row.
    pub(super) constants: Vec<T>,
    /// The first of these rows.
    gathered: Option<usize>,
    /// Some features of some columns, packed.
    pub(super) panel: Vec<Strip<T>>,
    /// Which ones: the first column and the first feature.
    packed: Option<[usize; 2]>,
    /// The results, output by output.
    pub values: Vec<BandValues<T>>,
}

impl<T: Scalar> Workspace<T> {
    /// Buffers for the tiles of `rows` rows and `columns` columns, all of one walk.
    pub fn new(program: &Program, features: usize, wanted: Wanted, [rows, columns]: [usize; 2]) -> Self {
        let (rows, columns) = (rows.min(TILE), columns.min(if features <= PACKED { TILE } else { STRIP }));
        let few = features <= FEW_FEATURES;
        let zero = Strip([T::default(); STRIP]);
        let buffer = |wanted: bool| vec![zero; if wanted { rows } else { 0 }];
        let values = |_: &usize| BandValues { nngp: buffer(wanted.nngp), ntk: buffer(wanted.ntk) };
        Self {
            products: buffer(!few),
            registers: vec![Register::default(); program.registers],
            constants: vec![T::default(); rows * program.slots],
            gathered: None,
            panel: vec![zero; columns.div_ceil(STRIP) * packed_strips(features.min(PACKED))],
            packed: None,
            values: program.outputs.iter().map(values).collect(),
        }
    }

    /// Its memory.
    pub fn bytes(&self) -> usize {
        let values = |values: &BandValues<T>| size_of_val(&*values.nngp) + size_of_val(&*values.ntk);
        size_of_val(&*self.products)
            + size_of_val(&*self.registers)
            + size_of_val(&*self.constants)
            + size_of_val(&*self.panel)
            + self.values.iter().map(values).sum::<usize>()
    }
}

/// Up to so many features, a tile's columns are packed at once, and kept for the next tile; of more, so many at a time
/// for every band.
const PACKED: usize = 4096;

/// Bytes of rows' constants that stay in the second-level cache.
const RESIDENT: usize = 1 << 20;

/// Numbers that are read between two looks at whether the job is cancelled, where all pairs nearly coincide.
const UNWATCHED: usize = 1 << 26;

/// Everything that a walk computes pairs from.
pub struct TileSource<'a, T> {
    /// What to run.
    pub program: &'a Program,
    /// What may run instead.
    pub zonal: Option<&'a Zonal<T>>,
    /// Rows of the matrix.
    pub left: &'a Points<'a, T>,
    /// Its columns.
    pub right: &'a Points<'a, T>,
    /// Which kernels.
    pub wanted: Wanted,
    /// The instruction set.
    pub level: Level,
}

impl<T: Scalar> TileSource<'_, T> {
    /// Compute the kernels of some rows of one tile with a strip of columns into `workspace.values`.
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
        let slots = self.program.slots;
        let tile = tile_around(rows, self.left.count());
        if self.zonal.is_none() && workspace.gathered != Some(tile.start) {
            workspace.gathered = Some(tile.start);
            by_rows(self.left, tile, slots, &mut workspace.constants);
        }
        self.multiply(rows, columns, job, workspace)?;
        // Rows whose constants stay in the second-level cache, and which do not take too long.
        let resident = (RESIDENT / (slots.max(1) * size_of::<T>())).clamp(STRIP, TILE);
        let height = (UNWATCHED / (STRIP * self.right.features())).clamp(1, resident);
        for top in rows.clone().step_by(height) {
            job.check()?;
            let (pairs, rows, some) = (self, rows.clone(), top..rows.end.min(top + height));
            let (columns, workspace) = (columns.clone(), &mut *workspace);
            T::dispatch(self.level, BandRun { pairs, rows, some, columns, workspace });
        }
        Ok(())
    }

    /// Pack what is not packed yet, and compute the products, which few features do without.
    ///
    /// # Errors
    /// [`crate::error::Error::Cancelled`].
    pub(super) fn multiply(
        &self,
        rows: &Range<usize>,
        columns: &Range<usize>,
        job: &Job,
        workspace: &mut Workspace<T>,
    ) -> Result<()> {
        let (features, level) = (self.right.features(), self.level);
        let whole = features <= FEW_FEATURES;
        for start in (0..features).step_by(PACKED) {
            job.check()?;
            let some = &(start..features.min(start + PACKED));
            let tile = tile_around(columns, self.right.count());
            let packed = if features <= PACKED { tile } else { columns.clone() };
            let a_band = packed_strips(some.len());
            let panel = &mut workspace.panel[..packed.len().div_ceil(STRIP) * a_band];
            if workspace.packed != Some([packed.start, start]) {
                let (rows, panel) = (self.right.units(&packed), &mut *panel);
                T::dispatch(level, Packing { rows, features, some, panel, whole });
                workspace.packed = Some([packed.start, start]);
            }
            if !whole {
                let panel = &panel[(columns.start - packed.start) / STRIP * a_band..][..a_band];
                let (rows, out) = (self.left.units(rows).points, &mut workspace.products[..]);
                let (columns, fresh) = (columns.len(), start == 0);
                T::dispatch(level, Products { rows, features, some, panel, columns, out, fresh });
            }
        }
        Ok(())
    }
}

/// All rows or columns of the tile that some belong to, of so many in all.
fn tile_around(some: &Range<usize>, count: usize) -> Range<usize> {
    let start = some.start / TILE * TILE;
    start..count.min(start + TILE)
}

/// Constants of some rows, row after row: some slots of a whole strip at a time, so that no cache line is seen twice.
fn by_rows<T: Scalar>(points: &Points<'_, T>, rows: Range<usize>, slots: usize, out: &mut [T]) {
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

struct BandRun<'a, T> {
    pairs: &'a TileSource<'a, T>,
    /// Rows of the band.
    rows: Range<usize>,
    /// Which of them to compute.
    some: Range<usize>,
    columns: Range<usize>,
    workspace: &'a mut Workspace<T>,
}

impl<T: Scalar> Vectorized<T> for BandRun<'_, T> {
    type Output = ();
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = T>>(self) {
        if self.pairs.wanted.ntk {
            self.run_strips::<P, true>();
        } else {
            self.run_strips::<P, false>();
        }
    }
}

impl<T: Scalar> BandRun<'_, T> {
    #[inline(always)]
    fn run_strips<P: Pack<Scalar = T>, const NTK: bool>(self) {
        let Self { pairs, rows, some, columns, workspace } = self;
        let &TileSource { program, zonal, left, right, wanted, level } = pairs;
        let features = right.features();
        let few = features <= FEW_FEATURES;
        let strip = columns.start / STRIP;
        let others = right.units(&columns);
        let panel =
            &workspace.panel[if few { columns.start % TILE / STRIP * packed_strips(features) } else { 0 }..];
        for row in some {
            let i = row - rows.start;
            let unit = left.units(&(row..row + 1));
            let input = &mut workspace.registers[0];
            if few {
                from_differences::<P>(unit, &panel[..features], input);
            } else {
                from_products::<P>(&workspace.products[i], unit, others, input);
            }
            // Lanes without a row do not depend on what was there before.
            input.delta.0[columns.len()..].fill(T::default());
            input.epsilon.0[columns.len()..].fill(T::from_f64(2.0));
            if NTK {
                input.tau = Strip([T::default(); STRIP]);
            }
            let registers = &mut workspace.registers[..];
            if let Some(zonal) = zonal {
                zonal.execute::<P>(registers, &program.outputs, [wanted.nngp, wanted.ntk]);
            } else {
                let left = &workspace.constants[i * program.slots..][..program.slots];
                let right = right.constants(strip);
                program.run_strip::<_, NTK>(level, registers, left, right);
            }
            for ((output, &register), values) in program.outputs.iter().enumerate().zip(&mut workspace.values)
            {
                let result = &workspace.registers[register];
                let [ours, theirs] = [left.roots(row / STRIP, output), right.roots(strip, output)];
                if wanted.nngp {
                    let scale = P::broadcast(ours.scale.0[row % STRIP]);
                    let values = &mut values.nngp[i];
                    for pack in 0..P::PACKS {
                        let scales = scale * P::load(&theirs.scale, pack);
                        let cosine = P::splat(1.0) - P::load(&result.delta, pack);
                        (scales * cosine).store(values, pack);
                    }
                }
                if NTK {
                    let tangent = P::broadcast(ours.tangent.0[row % STRIP]);
                    let values = &mut values.ntk[i];
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
