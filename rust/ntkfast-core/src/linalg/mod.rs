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

pub use cholesky::{Cholesky, cholesky, cholesky_solve};
pub use eigen::{Eigen, eigh};
pub use product::{Matrix, product, row_products};
pub use refinement::{Refined, solve_refined};
pub use symmetric::Symmetric;

/// What faer needs of a number.
pub trait Field: faer::traits::RealField {}
impl Field for f32 {}
impl Field for f64 {}

/// Below this size a decomposition runs on the calling thread.
pub const SMALL: usize = 64;

/// About how many operations to do between two looks at whether the caller still wants the result.
const PIECE: usize = 1 << 31;

/// Parallelism for a matrix of this size. Depends on the size alone.
fn parallelism(size: usize) -> faer::Par {
    if size <= SMALL { faer::Par::Seq } else { faer::Par::rayon(crate::parallel::FAER_DEGREE) }
}
