//! A reserve of address space: small requests can still be met when memory has run out.
//!
//! Rust ends the process if a small request fails, as most collections cannot report it. Large buffers are asked for
//! fallibly ([`crate::memory`]); for everything else this allocator holds a block that nobody uses. When the system
//! refuses a request, the block is given up and the request is made again. The work then stops at its next check, with
//! [`Error::Memory`], unless the block can be had again.

use crate::error::{Error, Result};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Bytes of the block, which are never written to. More than the 32 MiB up to which glibc moves its threshold between
/// heap and mappings, so that giving the block up always returns it to the system; and enough for others if glibc takes 64 MiB
/// of it for the heap of a thread.
const RESERVE: usize = 96 << 20;

/// Larger requests are left to fail: they are made fallibly, and would leave too little of the block.
pub const SMALL: usize = 32 << 20;

const LAYOUT: Layout = Layout::new::<[u64; RESERVE / 8]>();

static HELD: AtomicPtr<u8> = AtomicPtr::new(null_mut());

/// The system's allocator, with the reserve.
pub struct Allocator;

/// Make sure that the block is held.
///
/// # Errors
/// [`Error::Memory`].
pub fn hold() -> Result<()> {
    if !HELD.load(Ordering::Relaxed).is_null() {
        return Ok(());
    }
    // SAFETY: the size of the layout is not zero.
    let block = unsafe { System.alloc(LAYOUT) };
    if block.is_null() {
        return Err(Error::Memory { bytes: RESERVE });
    }
    if HELD.compare_exchange(null_mut(), block, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        // SAFETY: allocated above with this layout, and known to nobody else.
        unsafe { System.dealloc(block, LAYOUT) };
    }
    Ok(())
}

/// Do with the block given up what takes memory without asking and without this allocator: the C library ends the process
/// if a new thread cannot have its thread-local data.
///
/// # Errors
/// [`Error::Memory`] if there is no block, because an earlier request took it, or if it cannot be had again.
pub fn lend<R>(body: impl FnOnce() -> R) -> Result<R> {
    hold()?;
    give_up();
    let result = body();
    hold()?;
    Ok(result)
}

fn give_up() {
    let block = HELD.swap(null_mut(), Ordering::AcqRel);
    if !block.is_null() {
        // SAFETY: allocated in `hold` with this layout; who swaps it out is its only owner.
        unsafe { System.dealloc(block, LAYOUT) };
    }
}

/// What `request` gives; if that is nothing, what it gives once the block is given up.
fn retried(size: usize, request: impl Fn() -> *mut u8) -> *mut u8 {
    let given = request();
    if !given.is_null() || size > SMALL {
        return given;
    }
    give_up();
    // Also if another thread was first to give the block up.
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
