//! Large buffers: asked for, so that a request which cannot be met is an error and not the end of the process.

use crate::error::{Error, Result};
use crate::reserve;
use bytemuck::{Zeroable, try_zeroed_vec};
use std::sync::OnceLock;

/// Room for `count` values.
///
/// # Errors
/// [`Error::Memory`].
pub fn empty<T>(count: usize) -> Result<Vec<T>> {
    let bytes = count.saturating_mul(size_of::<T>());
    let mut out = Vec::new();
    out.try_reserve_exact(count).map_err(|_| Error::Memory { bytes })?;
    // A small request may have taken the reserve.
    reserve::hold().map_err(|_| Error::Memory { bytes })?;
    Ok(out)
}

/// `count` zeros, in pages that the system clears when they are first written to, by the thread that writes, and not at all
/// where nobody does.
///
/// # Errors
/// [`Error::Memory`].
pub fn buffer<T: Zeroable>(count: usize) -> Result<Vec<T>> {
    let refused = Error::Memory { bytes: count.saturating_mul(size_of::<T>()) };
    let out = try_zeroed_vec(count).map_err(|()| refused.clone())?;
    reserve::hold().map_err(|_| refused)?;
    Ok(out)
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

/// Whether so many bytes could be had now: for code that takes them without asking.
///
/// # Errors
/// [`Error::Memory`].
pub fn room(bytes: usize) -> Result<()> {
    empty::<u8>(bytes).map(drop)
}

/// Refuse what is more than the memory that is free, where that is known: systems grant requests beyond it, and end the
/// process that makes use of them. Small amounts are not compared, which costs more than they do.
///
/// # Errors
/// [`Error::Memory`].
pub fn afford(bytes: usize) -> Result<()> {
    match FREE.get() {
        Some(free) if bytes >= LARGE && bytes > free() => Err(Error::Memory { bytes }),
        _ => Ok(()),
    }
}

/// Have `free` tell from now on how many bytes are free.
pub fn watch(free: fn() -> usize) {
    let _ = FREE.set(free);
}

static FREE: OnceLock<fn() -> usize> = OnceLock::new();

/// Bytes from which requests are compared with what is free.
const LARGE: usize = 1 << 28;

/// The product of the parts of a size, for [`buffer`].
///
/// # Errors
/// [`Error::Memory`] where it is no number at all.
pub fn size(parts: [usize; 2]) -> Result<usize> {
    parts[0].checked_mul(parts[1]).ok_or(Error::Memory { bytes: usize::MAX })
}
