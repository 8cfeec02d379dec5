//! Eigendecomposition of symmetric matrices.

use super::{Symmetric, parallelism};
use crate::error::{Error, Result};
use crate::memory;
use crate::scalar::Scalar;
use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{
    ComputeEigenvectors, SelfAdjointEvdParams, self_adjoint_evd, self_adjoint_evd_scratch,
};
use faer::{MatMut, MatRef, Spec};

/// A = U Λ Uᵀ.
pub struct Eigen<T> {
    /// Λ, ascending.
    pub values: Vec<T>,
    /// U, column by column.
    pub vectors: Vec<T>,
}

/// Eigenvalues and orthonormal eigenvectors. About 9n³ operations and 5n² numbers of memory; to be called from
/// the pool for matrices larger than [`super::SMALL`]. Cannot be interrupted.
///
/// # Errors
/// [`Error::NoConvergence`]; [`Error::TooLarge`] where an eigenvalue is; [`Error::Memory`].
pub fn eigh<T: Scalar>(matrix: &Symmetric<T>) -> Result<Eigen<T>> {
    let size = matrix.size;
    let par = parallelism(size);
    let params: Spec<SelfAdjointEvdParams, T> = Spec::default();
    let mut vectors = memory::buffer(memory::size([size, size])?)?;
    let mut values = Diag::<T>::zeros(size);
    let scratch = self_adjoint_evd_scratch::<T>(size, ComputeEigenvectors::Yes, par, params);
    let bytes = scratch.unaligned_bytes_required();
    let mut memory = MemBuffer::try_new(scratch).map_err(|_| Error::Memory { bytes })?;
    self_adjoint_evd(
        MatRef::from_column_major_slice(&matrix.entries, size, size),
        values.as_mut(),
        Some(MatMut::from_column_major_slice_mut(&mut vectors, size, size)),
        par,
        MemStack::new(&mut memory),
        params,
    )
    .map_err(|_| Error::NoConvergence { size })?;
    let values: Vec<T> = values.column_vector().iter().map(|&value| matrix.unscale(value)).collect();
    if values.iter().any(|value| !value.to_f64().is_finite()) {
        return Err(Error::TooLarge { what: "eigenvalues", dtype: T::NAME });
    }
    Ok(Eigen { values, vectors })
}
