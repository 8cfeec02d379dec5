//! Dense linear algebra: the only place that names faer.
//!
//! Two habits of faer 0.24 shape these modules. Its results depend on the *degree* of parallelism it is told,
//! not on the threads that do the work: the degree is a constant, so bits do not depend on the machine. And
//! its eigendecomposition loses accuracy where entries are near the ends of the number range: matrices are
//! scaled by a power of two where they may be.

mod cholesky;
mod eigen;
mod product;
mod refinement;
mod symmetric;
mod triangle;

pub use cholesky::{Cholesky, Factors};
pub use eigen::Eigen;
pub use product::{Matrix, row_products};
pub use refinement::{Refined, solve_refined};
pub use symmetric::Symmetric;

use faer::dyn_stack::{MemBuffer, StackReq};
use ntkfast_base::parallel::{FAER_DEGREE, Job};
use ntkfast_base::reserve::{SMALL, hold as held};
use ntkfast_base::{Error, Float, Result, memory};

/// `f32` or `f64`, with the decompositions and products of matrices of it. These are compiled here, once: what is
/// generic would be compiled again wherever it is called.
pub trait Field: Float + faer::traits::RealField {
    /// Copy a square matrix, with `diagonal`, where that is given, in place of its own.
    ///
    /// # Errors
    /// [`ntkfast_base::Error::NotFinite`], [`ntkfast_base::Error::NotSymmetric`], naming `argument`; [`ntkfast_base::Error::Memory`]; [`ntkfast_base::Error::Cancelled`].
    fn symmetric(
        argument: &'static str,
        matrix: Matrix<'_, Self>,
        diagonal: Option<&[Self]>,
        job: &Job,
    ) -> Result<Symmetric<Self>>;

    /// Eigenvalues and orthonormal eigenvectors. About 9n³ operations and 5n² numbers of memory; to be called from the
    /// pool for matrices larger than [`ONE_THREAD`]. Cannot be interrupted.
    ///
    /// # Errors
    /// [`ntkfast_base::Error::NoConvergence`]; [`ntkfast_base::Error::TooLarge`] where an eigenvalue is; [`ntkfast_base::Error::Memory`].
    fn eigh(matrix: &Symmetric<Self>) -> Result<Eigen<Self>>;

    /// Factor a positive definite matrix, in place. n³/3 operations; to be called from the pool for matrices larger than
    /// [`ONE_THREAD`].
    ///
    /// # Errors
    /// [`ntkfast_base::Error::NotPositiveDefinite`] with the first pivot that is not positive; [`ntkfast_base::Error::Cancelled`].
    fn cholesky(matrix: Symmetric<Self>, job: &Job) -> Result<Cholesky<Self>>;

    /// Factor a positive definite matrix of `size` rows in its own memory: its lower triangle, column by column, becomes L,
    /// and what is above becomes zero. Entries are neither checked nor scaled. n³/3 operations; to be called from the pool
    /// for matrices larger than [`ONE_THREAD`].
    ///
    /// # Errors
    /// As for [`Field::cholesky`]; the entries are lost then.
    fn cholesky_in_place(entries: &mut [Self], size: usize, job: &Job) -> Result<()>;

    /// The diagonal of (L Lᵀ)⁻¹. n³/3 operations; to be called from the pool where the factor is more than [`ONE_THREAD`].
    ///
    /// # Errors
    /// [`ntkfast_base::Error::Memory`], [`ntkfast_base::Error::Cancelled`].
    fn inverse_diagonal(factor: Matrix<'_, Self>, job: &Job) -> Result<Vec<f64>>;

    /// Solve L Lᵀ X = B, or L X = B, or Lᵀ X = B; `rhs` holds B with `columns` columns, row after row, and becomes X. n²
    /// operations a factor and column; to be called from the pool where the factor or the columns are more than
    /// [`ONE_THREAD`].
    ///
    /// # Errors
    /// [`ntkfast_base::Error::Cancelled`].
    fn cholesky_solve(
        factor: Matrix<'_, Self>,
        factors: Factors,
        rhs: &mut [Self],
        columns: usize,
        job: &Job,
    ) -> Result<()>;

    /// The product A·B, row after row; to be called from the pool where a side is more than [`ONE_THREAD`]. The same bits
    /// for any number of threads.
    ///
    /// # Errors
    /// [`ntkfast_base::Error::Memory`], [`ntkfast_base::Error::Cancelled`].
    fn product(a: Matrix<'_, Self>, b: Matrix<'_, Self>, job: &Job) -> Result<Vec<Self>>;
}

macro_rules! field {
    ($scalar:ty) => {
        impl Field for $scalar {
            fn symmetric(
                argument: &'static str,
                matrix: Matrix<'_, Self>,
                diagonal: Option<&[Self]>,
                job: &Job,
            ) -> Result<Symmetric<Self>> {
                symmetric::symmetric(argument, matrix, diagonal, job)
            }

            fn eigh(matrix: &Symmetric<Self>) -> Result<Eigen<Self>> {
                eigen::eigh(matrix)
            }

            fn cholesky(matrix: Symmetric<Self>, job: &Job) -> Result<Cholesky<Self>> {
                cholesky::cholesky(matrix, job)
            }

            fn cholesky_in_place(entries: &mut [Self], size: usize, job: &Job) -> Result<()> {
                cholesky::factorise(entries, size, job)
            }

            fn inverse_diagonal(factor: Matrix<'_, Self>, job: &Job) -> Result<Vec<f64>> {
                cholesky::inverse_diagonal(factor, job)
            }

            fn cholesky_solve(
                factor: Matrix<'_, Self>,
                factors: Factors,
                rhs: &mut [Self],
                columns: usize,
                job: &Job,
            ) -> Result<()> {
                cholesky::cholesky_solve(factor, factors, rhs, columns, job)
            }

            fn product(a: Matrix<'_, Self>, b: Matrix<'_, Self>, job: &Job) -> Result<Vec<Self>> {
                product::product(a, b, job)
            }
        }
    };
}

field!(f32);
field!(f64);

/// Make the room that products keep for this thread, see [`ntkfast_base::parallel::prepare_threads`].
pub fn prepare_thread() {
    gemm_common::gemm::L2_SLAB.with(|_| ());
}

/// Below this size a decomposition runs on the calling thread.
pub const ONE_THREAD: usize = 64;

/// The depth to which a product copies its factors at a time.
const SLICE: usize = 512;

/// About how many operations to do between two looks at whether the caller still wants the result.
const PIECE: usize = 1 << 31;

/// Make sure that faer's products of matrices of at most so many rows and columns can have what they take without asking:
/// a slice of a factor of each, [`SLICE`] deep. (Products run side by side only for parts of the matrix.)
fn packing<T>(size: usize) -> Result<()> {
    let bytes = size.saturating_mul(SLICE * size_of::<T>());
    // The reserve serves what is small.
    if bytes < SMALL { Ok(()) } else { memory::room(bytes) }
}

/// Parallelism for a matrix of this size. Depends on the size alone.
fn parallelism(size: usize) -> faer::Par {
    if size <= ONE_THREAD { faer::Par::Seq } else { faer::Par::rayon(FAER_DEGREE) }
}

/// Scratch for a step of faer.
fn reserve(scratch: StackReq) -> Result<MemBuffer> {
    let bytes = scratch.unaligned_bytes_required();
    let buffer = MemBuffer::try_new(scratch).map_err(|_| Error::Memory { bytes })?;
    held().map_err(|_| Error::Memory { bytes })?;
    Ok(buffer)
}
