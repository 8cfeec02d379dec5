//! Products of a matrix in blocks with vectors: entries in float32 or float64, vectors and sums in float64.
//!
//! A block is read once for both of its places in a symmetric matrix. Sums have one order, whoever computes their parts:
//! the bits do not depend on the number of threads, nor on how blocks are shared out to several calls.

use crate::error::Result;
use crate::memory;
use crate::parallel::{Job, for_each_index};
use crate::scalar::Scalar;
use crate::simd::{Level, Pack, STRIP, Strip, Vectorized, prefetch};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Rows of a piece of work.
const HEIGHT: usize = 256;
/// Strips of columns whose entries, vectors and sums stay in the first-level cache for a few vectors.
const SPAN: usize = 4;
/// Rows that are multiplied together: one register of vectors serves all of them.
const TOGETHER: usize = 4;

/// Part of a matrix.
#[derive(Clone, Copy)]
pub struct Block<'a, T> {
    /// The entries of a row.
    pub row: &'a (dyn Fn(usize) -> &'a [T] + Sync),
    /// Rows and columns.
    pub shape: [usize; 2],
    /// The row and the column of the matrix at which it stands.
    pub place: [usize; 2],
}

/// What blocks stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Themselves.
    Given,
    /// Their transposes.
    Transposed,
    /// Both, as in a symmetric matrix; blocks on the diagonal are whole.
    Symmetric,
}

/// A number that blocks may consist of.
pub trait BlockFloat: Scalar {
    /// Add the product of a matrix with `width` vectors to `out`; both have the entries of all vectors at one place side
    /// by side. O(entries · width).
    ///
    /// # Errors
    /// [`crate::Error::Memory`], [`crate::Error::Cancelled`].
    ///
    /// # Panics
    /// Where a block reaches beyond its entries, the vectors or the result.
    fn multiply(
        blocks: &[Block<'_, Self>],
        form: Form,
        vectors: &[f64],
        width: usize,
        out: &mut [f64],
        job: &Job,
    ) -> Result<()>;
}

macro_rules! number {
    ($scalar:ty) => {
        impl BlockFloat for $scalar {
            fn multiply(
                blocks: &[Block<'_, Self>],
                form: Form,
                vectors: &[f64],
                width: usize,
                out: &mut [f64],
                job: &Job,
            ) -> Result<()> {
                multiply(blocks, form, vectors, width, out, job)
            }
        }
    };
}

number!(f32);
number!(f64);

fn multiply<T: Scalar>(
    blocks: &[Block<'_, T>],
    form: Form,
    vectors: &[f64],
    width: usize,
    out: &mut [f64],
    job: &Job,
) -> Result<()> {
    let pieces: Vec<_> = blocks
        .iter()
        .flat_map(|block| {
            let rows = block.shape[0];
            (0..rows).step_by(HEIGHT).map(move |top| (block, top..rows.min(top + HEIGHT)))
        })
        .collect();
    let sums = Mutex::new(Sums { out, next: 0, early: BTreeMap::new(), spare: Vec::new() });
    let lock = || sums.lock().unwrap_or_else(PoisonError::into_inner);
    job.begin(pieces.len());
    for_each_index(job, pieces.len(), Workspace::default, |workspace, index| {
        let (block, rows) = &pieces[index];
        let mut part = lock().spare.pop().unwrap_or_default();
        part.compute(block, rows.clone(), form, vectors, width, workspace)?;
        lock().add(index, part);
        Ok(())
    })
}

/// What one piece adds to the result: some places, and the sums for each.
#[derive(Default)]
struct Part {
    forward: (usize, Vec<f64>),
    backward: (usize, Vec<f64>),
}

/// The result, to which parts are added in the order of their pieces.
struct Sums<'a> {
    out: &'a mut [f64],
    next: usize,
    early: BTreeMap<usize, Part>,
    /// Parts that have been added. To give their memory back to the system for each piece would stop all threads, in
    /// processes that keep none of it, as workers of Dask do.
    spare: Vec<Part>,
}

impl Sums<'_> {
    fn add(&mut self, index: usize, part: Part) {
        self.early.insert(index, part);
        while let Some(part) = self.early.remove(&self.next) {
            for (start, values) in [&part.forward, &part.backward] {
                for (sum, value) in self.out[*start..][..values.len()].iter_mut().zip(values) {
                    *sum += value;
                }
            }
            self.spare.push(part);
            self.next += 1;
        }
    }
}

/// Room of one thread.
#[derive(Default)]
struct Workspace {
    entries: Vec<Strip<f64>>,
    vectors: Vec<Strip<f64>>,
    sums: Vec<Strip<f64>>,
}

impl Part {
    fn compute<T: Scalar>(
        &mut self,
        block: &Block<'_, T>,
        rows: Range<usize>,
        form: Form,
        vectors: &[f64],
        width: usize,
        workspace: &mut Workspace,
    ) -> Result<()> {
        let level = Level::current();
        let [top, left] = block.place;
        let forward = form != Form::Transposed;
        let backward = form == Form::Transposed || (form == Form::Symmetric && top != left);
        let clear = |(begin, values): &mut (usize, Vec<f64>), wanted: bool, start, count| {
            let count = if wanted { memory::size([count, width])? } else { 0 };
            *begin = if wanted { start * width } else { 0 };
            if values.capacity() < count {
                *values = memory::buffer(count)?;
            } else {
                values.clear();
                values.resize(count, 0.0);
            }
            Ok::<_, crate::Error>(())
        };
        clear(&mut self.forward, forward, top + rows.start, rows.len())?;
        clear(&mut self.backward, backward, left, block.shape[1])?;
        let place = |start: usize, count: usize, wanted: bool| {
            if wanted { &vectors[start * width..][..count * width] } else { &[] }
        };
        let task = Task {
            block,
            across: place(left, block.shape[1], forward),
            down: place(top + rows.start, rows.len(), backward),
            rows,
            width,
            forward: &mut self.forward.1,
            backward: &mut self.backward.1,
            workspace,
        };
        match (forward, backward) {
            (true, true) => f64::dispatch(level, Mode::<_, true, true>(task)),
            (true, false) => f64::dispatch(level, Mode::<_, true, false>(task)),
            _ => f64::dispatch(level, Mode::<_, false, true>(task)),
        }
        Ok(())
    }
}

struct Task<'a, 'b, T> {
    block: &'a Block<'b, T>,
    rows: Range<usize>,
    /// Vectors at the columns, and at the rows.
    across: &'a [f64],
    down: &'a [f64],
    width: usize,
    /// Sums for the rows, and for the columns.
    forward: &'a mut [f64],
    backward: &'a mut [f64],
    workspace: &'a mut Workspace,
}

struct Mode<'a, 'b, T, const FORWARD: bool, const BACKWARD: bool>(Task<'a, 'b, T>);

impl<T: Scalar, const FORWARD: bool, const BACKWARD: bool> Vectorized<f64>
    for Mode<'_, '_, T, FORWARD, BACKWARD>
{
    type Output = ();
    type Unit = Self;

    #[inline(always)]
    fn run<P: Pack<Scalar = f64>>(self) {
        let Task { block, rows, across, down, width, forward, backward, workspace } = self.0;
        let columns = block.shape[1];
        for start in (0..columns).step_by(SPAN * STRIP) {
            let some = start..columns.min(start + SPAN * STRIP);
            let strips = some.len().div_ceil(STRIP);
            let zero = Strip([0.0; STRIP]);
            workspace.entries.resize(TOGETHER * SPAN, zero);
            if FORWARD {
                by_vector(
                    &across[some.start * width..some.end * width],
                    width,
                    strips,
                    &mut workspace.vectors,
                );
            }
            if BACKWARD {
                workspace.sums.clear();
                workspace.sums.resize(width * strips, zero);
            }
            for first in rows.clone().step_by(TOGETHER) {
                let count = TOGETHER.min(rows.end - first);
                for (i, strips) in workspace.entries.chunks_exact_mut(SPAN).enumerate() {
                    if i < count {
                        let row = &(block.row)(first + i)[some.clone()];
                        for (strip, entries) in strips.iter_mut().zip(row.chunks(STRIP)) {
                            widen(entries, strip);
                        }
                    } else {
                        strips.fill(zero);
                    }
                }
                // Rows are apart in memory, so that the processor does not guess which entries come next.
                for next in first + TOGETHER..rows.end.min(first + 2 * TOGETHER) {
                    prefetch(&(block.row)(next)[some.clone()]);
                }
                let local = first - rows.start;
                for vector in 0..width {
                    let at = |i: usize| (local + i) * width + vector;
                    let shares: [P; TOGETHER] = std::array::from_fn(|i| {
                        P::broadcast(if BACKWARD && i < count { down[at(i)] } else { 0.0 })
                    });
                    let mut sums = [P::splat(0.0); TOGETHER];
                    for strip in 0..strips {
                        let entries: [&Strip<f64>; TOGETHER] =
                            std::array::from_fn(|i| &workspace.entries[i * SPAN + strip]);
                        for pack in 0..P::PACKS {
                            if FORWARD {
                                let across = P::load(&workspace.vectors[vector * strips + strip], pack);
                                for (sum, entries) in sums.iter_mut().zip(entries) {
                                    *sum = P::load(entries, pack).mul_add(across, *sum);
                                }
                            }
                            if BACKWARD {
                                let gathered = &mut workspace.sums[vector * strips + strip];
                                let mut sum = P::load(gathered, pack);
                                for (share, entries) in shares.iter().zip(entries) {
                                    sum = P::load(entries, pack).mul_add(*share, sum);
                                }
                                sum.store(gathered, pack);
                            }
                        }
                    }
                    if FORWARD {
                        for (i, sum) in sums.iter().enumerate().take(count) {
                            forward[at(i)] += sum.sum();
                        }
                    }
                }
            }
            if BACKWARD {
                for (lane, sums) in
                    backward[some.start * width..some.end * width].chunks_exact_mut(width).enumerate()
                {
                    for (vector, sum) in sums.iter_mut().enumerate() {
                        *sum += workspace.sums[vector * strips + lane / STRIP].0[lane % STRIP];
                    }
                }
            }
        }
    }
}

/// Numbers in float64, and zeros after them.
#[inline(always)]
fn widen<T: Scalar>(entries: &[T], strip: &mut Strip<f64>) {
    if let Ok(entries) = <&[T; STRIP]>::try_from(entries) {
        for (wide, entry) in strip.0.iter_mut().zip(entries) {
            *wide = entry.to_f64();
        }
        return;
    }
    strip.0.fill(0.0);
    for (wide, entry) in strip.0.iter_mut().zip(entries) {
        *wide = entry.to_f64();
    }
}

/// The entries of vectors at some places, vector by vector, and zeros after them.
fn by_vector(values: &[f64], width: usize, strips: usize, out: &mut Vec<Strip<f64>>) {
    out.clear();
    out.resize(width * strips, Strip([0.0; STRIP]));
    for (place, values) in values.chunks_exact(width).enumerate() {
        for (vector, value) in values.iter().enumerate() {
            out[vector * strips + place / STRIP].0[place % STRIP] = *value;
        }
    }
}
