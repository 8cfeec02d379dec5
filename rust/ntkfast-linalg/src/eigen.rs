//! Eigendecomposition of symmetric matrices.

use super::Field;
use super::{Symmetric, packing, parallelism, reserve};
use faer::diag::DiagMut;
use faer::dyn_stack::MemStack;
use faer::linalg::evd::tridiag::tridiag_in_place;
use faer::linalg::evd::{
    ComputeEigenvectors, SelfAdjointEvdParams, self_adjoint_evd_scratch, tridiagonal_self_adjoint_evd,
};
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch as reflection_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj as reflect,
};
use faer::{Conj, MatMut, MatRef, Par, Spec};
use ntkfast_base::error::{Error, Result};
use ntkfast_base::memory;
use ntkfast_base::parallel::{Job, for_each_item};

/// How many reflections are applied at once.
const BLOCK: usize = 32;

/// Bytes of a cache line. Columns that start with one are reduced a tenth faster.
const LINE: usize = 64;

/// A = U Λ Uᵀ.
pub struct Eigen<T> {
    /// Λ, ascending.
    pub values: Vec<T>,
    /// U, column by column.
    pub vectors: Vec<T>,
}

/// See [`Field::eigh`].
///
/// A = Q T Qᵀ with a tridiagonal T, by Householder reflections; T = V Λ Vᵀ, by divide and conquer; U = Q V.
pub(super) fn eigh<T: Field>(matrix: &Symmetric<T>) -> Result<Eigen<T>> {
    let size = matrix.size;
    if size == 0 {
        return Ok(Eigen { values: Vec::new(), vectors: Vec::new() });
    }
    let par = parallelism(size);
    let params: Spec<SelfAdjointEvdParams, T> = Spec::default();
    // Enough for each of the steps.
    let mut scratch = reserve(self_adjoint_evd_scratch::<T>(size, ComputeEigenvectors::Yes, par, params))?;

    let stride = size.next_multiple_of(LINE / size_of::<T>());
    let mut room: Vec<T> = memory::buffer(memory::size([stride, size + 1])?)?;
    let start = room.as_ptr().align_offset(LINE);
    let mut reduced = MatMut::from_column_major_slice_with_stride_mut(&mut room[start..], size, size, stride);
    reduced.copy_from_triangular_lower(MatRef::from_column_major_slice(&matrix.entries, size, size));
    let mut factors = memory::buffer(memory::size([BLOCK, size - 1])?)?;
    let mut factors = MatMut::from_column_major_slice_mut(&mut factors, BLOCK, size - 1);
    packing::<T>(size)?;
    let stack = MemStack::new(&mut scratch);
    tridiag_in_place(reduced.as_mut(), factors.as_mut(), par, stack, params.config.tridiag.into());
    // The subdiagonal of T is the diagonal here, the reflections are below it.
    let reflections = reduced.as_ref().submatrix(1, 0, size - 1, size - 1);

    let mut values = memory::buffer(size)?;
    let mut vectors = memory::buffer(memory::size([size, size])?)?;
    tridiagonal_self_adjoint_evd(
        reduced.as_ref().diagonal(),
        reflections.diagonal(),
        DiagMut::from_slice_mut(&mut values),
        Some(MatMut::from_column_major_slice_mut(&mut vectors, size, size)),
        par,
        MemStack::new(&mut scratch),
        params,
    )
    .map_err(|_| Error::NoConvergence { size })?;
    values.iter_mut().for_each(|value| *value = matrix.unscale(*value));
    if values.iter().any(|value| !value.to_f64().is_finite()) {
        return Err(Error::TooLarge { what: "eigenvalues", dtype: T::NAME });
    }
    drop(scratch);
    apply_reflections(reflections, factors.as_ref(), &mut vectors)?;
    Ok(Eigen { values, vectors })
}

/// Q V in place of V, some columns at a time: threads need not wait for each other, as they would if each block of
/// reflections was split among them.
fn apply_reflections<T: Field>(
    reflections: MatRef<'_, T>,
    factors: MatRef<'_, T>,
    vectors: &mut [T],
) -> Result<()> {
    let size = reflections.nrows() + 1;
    let width = size.div_ceil(16).clamp(32, 256);
    for_each_item(
        &Job::default(),
        vectors.chunks_mut(width * size),
        || (),
        |(), _, part| {
            let columns = part.len() / size;
            let mut scratch = reserve(reflection_scratch::<T>(size - 1, factors.nrows(), columns))?;
            // The first row stays as it is.
            let part = MatMut::from_column_major_slice_mut(part, size, columns).subrows_mut(1, size - 1);
            reflect(reflections, factors, Conj::No, part, Par::Seq, MemStack::new(&mut scratch));
            Ok(())
        },
    )
}
