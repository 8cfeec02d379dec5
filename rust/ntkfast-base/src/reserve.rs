//! A reserve of address space: small requests can still be met when memory has run out.
//!
//! Rust ends the process if a small request fails, as most collections cannot report it. Large buffers are asked for
//! fallibly ([`crate::memory`]); for everything else this allocator holds a reserve that nobody uses. When the system
//! refuses a request, the reserve is given up and the request is made again. The work then stops at its next check, with
//! [`Error::Memory`], unless the reserve can be had again.

use crate::error::{Error, Result};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Larger requests are left to fail: they are made fallibly, and would leave too little of the reserve.
pub const SMALL: usize = 32 << 20;

/// Enough for others if glibc takes 64 MiB of it for the heap of a thread.
static MAIN: Block = Block::of(80 << 20);

/// Too small for glibc to make a heap of it, after which the reserve could not be had again.
static LENT: Block = Block::of(16 << 20);

/// The system's allocator, with the reserve.
pub struct Allocator;

/// Make sure that the reserve is held.
///
/// # Errors
/// [`Error::Memory`].
pub fn hold() -> Result<()> {
    MAIN.hold()?;
    LENT.hold()
}

/// Do with a part of the reserve given up what takes memory without asking and without this allocator: the C library ends
/// the process if a new thread cannot have its thread-local data.
///
/// # Errors
/// [`Error::Memory`] if there is no reserve, because an earlier request took it, or if it cannot be had again.
pub fn lend<R>(body: impl FnOnce() -> R) -> Result<R> {
    hold()?;
    LENT.give_up();
    let result = body();
    hold()?;
    Ok(result)
}

/// Address space that is never written to.
struct Block {
    address: AtomicPtr<u8>,
    bytes: usize,
}

impl Block {
    const fn of(bytes: usize) -> Self {
        Self { address: AtomicPtr::new(null_mut()), bytes }
    }

    fn hold(&self) -> Result<()> {
        if !self.address.load(Ordering::Relaxed).is_null() {
            return Ok(());
        }
        let taken = system::take(self.bytes);
        if taken.is_null() {
            return Err(Error::Memory { bytes: self.bytes });
        }
        if self.address.compare_exchange(null_mut(), taken, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            // SAFETY: taken above, and known to nobody else.
            unsafe { system::give_back(taken, self.bytes) };
        }
        Ok(())
    }

    fn give_up(&self) {
        let taken = self.address.swap(null_mut(), Ordering::AcqRel);
        if !taken.is_null() {
            // SAFETY: taken in `hold`; who swaps it out is its only owner.
            unsafe { system::give_back(taken, self.bytes) };
        }
    }
}

/// What `request` gives; if that is nothing, what it gives once the reserve is given up.
fn retried(size: usize, request: impl Fn() -> *mut u8) -> *mut u8 {
    let given = request();
    if !given.is_null() || size > SMALL {
        return given;
    }
    LENT.give_up();
    MAIN.give_up();
    // Also if another thread was first to give it up.
    request()
}

// SAFETY: all memory comes from the system's allocator and goes back to it, under the caller's promises.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises.
        retried(layout.size(), || unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises.
        retried(layout.size(), || unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promises; a request that fails leaves the block as it is.
        retried(size, || unsafe { System.realloc(block, layout, size) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Blocks of the system's own, not of the C library's heap: glibc puts even large blocks into the heap of the main thread
/// when it finds no room for a mapping, and other threads and their stacks cannot have what is free there.
#[cfg(unix)]
mod system {
    use std::ptr::null_mut;

    /// A block, or null.
    pub(super) fn take(bytes: usize) -> *mut u8 {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON);
        // SAFETY: a new mapping where the system likes, which touches no other.
        let block = unsafe { libc::mmap(null_mut(), bytes, access, kind, -1, 0) };
        if block == libc::MAP_FAILED { null_mut() } else { block.cast() }
    }

    /// Give a block of so many bytes back.
    ///
    /// # Safety
    /// `block` came from [`take`] with the same size, and is not used any more.
    pub(super) unsafe fn give_back(block: *mut u8, bytes: usize) {
        // SAFETY: the caller's promises.
        unsafe { libc::munmap(block.cast(), bytes) };
    }
}

/// Blocks of the system's allocator.
#[cfg(not(unix))]
mod system {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::ptr::null_mut;

    /// A block, or null.
    pub(super) fn take(bytes: usize) -> *mut u8 {
        // SAFETY: blocks are not empty.
        Layout::array::<u64>(bytes / 8).map_or(null_mut(), |layout| unsafe { System.alloc(layout) })
    }

    /// Give a block of so many bytes back.
    ///
    /// # Safety
    /// `block` came from [`take`] with the same size, and is not used any more.
    pub(super) unsafe fn give_back(block: *mut u8, bytes: usize) {
        if let Ok(layout) = Layout::array::<u64>(bytes / 8) {
            // SAFETY: the caller's promises.
            unsafe { System.dealloc(block, layout) };
        }
    }
}
