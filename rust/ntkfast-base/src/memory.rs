//! Large buffers: asked for, so that a request which cannot be met is an error and not the end of the process.

use crate::error::{Error, Result};

/// Room for `count` values.
///
/// # Errors
/// [`Error::Memory`].
pub fn empty<T>(count: usize) -> Result<Vec<T>> {
    let bytes = count.saturating_mul(size_of::<T>());
    let mut out = Vec::new();
    out.try_reserve_exact(count).map_err(|_| Error::Memory { bytes })?;
    Ok(out)
}

/// `count` default values.
///
/// # Errors
/// [`Error::Memory`].
pub fn buffer<T: Copy + Default>(count: usize) -> Result<Vec<T>> {
    // Asked for twice: the first request may be refused, the second gets pages that the system clears when
    // they are first written to, by the thread that writes, and not at all where nobody does.
    empty::<T>(count)?;
    Ok(vec![T::default(); count])
}

/// All that an iterator of known length gives.
///
/// # Errors
/// [`Error::Memory`].
pub fn collect<T>(values: impl ExactSizeIterator<Item = T>) -> Result<Vec<T>> {
    let mut out = empty(values.len())?;
    out.extend(values);
    Ok(out)
}

/// The product of the parts of a size, for [`buffer`].
///
/// # Errors
/// [`Error::Memory`] where it is no number at all.
pub fn size(parts: [usize; 2]) -> Result<usize> {
    parts[0].checked_mul(parts[1]).ok_or(Error::Memory { bytes: usize::MAX })
}
