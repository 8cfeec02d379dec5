//! Stores past the caches.
//!
//! A store to memory that is in no cache first reads the line that it changes, and drives out another one. Whole lines of
//! an output that is too large for the caches need neither: they are written around them, at nearly three times the
//! rate where rows of a band end up in different pages.

use crate::scalar::Scalar;

/// Bytes that go to memory together.
#[cfg(target_arch = "x86_64")]
const LINE: usize = 64;

/// Copy values to `to`; with `streamed`, whole cache lines past the caches. [`finish`] has to follow on the same thread
/// before anyone, this thread included, uses that memory again.
///
/// # Safety
/// As many places from `to` on must be valid for writes, and no part of `values`.
#[inline(always)]
pub unsafe fn copy<T: Scalar>(values: &[T], to: *mut T, streamed: bool) {
    #[cfg(target_arch = "x86_64")]
    if streamed {
        let before = to.addr().wrapping_neg() % LINE / size_of::<T>();
        let (head, values) = values.split_at(before.min(values.len()));
        let (lines, tail) = values.split_at(values.len() / (LINE / size_of::<T>()) * (LINE / size_of::<T>()));
        // SAFETY: the caller's promise, for three parts one after the other; the second one begins with a line, where it
        // is not empty, and consists of whole ones.
        unsafe {
            store(head, to);
            let to = to.add(head.len());
            stream(lines.as_ptr().cast(), to.cast(), size_of_val(lines) / LINE);
            store(tail, to.add(lines.len()));
        }
        return;
    }
    let _ = streamed;
    // SAFETY: the caller's promise.
    unsafe { to.copy_from_nonoverlapping(values.as_ptr(), values.len()) };
}

/// Copy less than a line, for which a call of `memmove` would be long.
///
/// # Safety
/// As [`copy`].
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn store<T: Scalar>(values: &[T], to: *mut T) {
    for (i, value) in values.iter().enumerate() {
        // SAFETY: the caller's promise. Volatile, since the compiler would make a call of it otherwise.
        unsafe { to.add(i).write_volatile(*value) };
    }
}

/// Copy whole lines.
///
/// # Safety
/// `from` holds so many lines and `to` has room for them, from the beginning of a line on.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn stream(from: *const u8, to: *mut u8, lines: usize) {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_stream_si128};
    for i in 0..lines * (LINE / size_of::<__m128i>()) {
        // SAFETY: within these lines; every x86-64 has these instructions, which want `to` alone aligned.
        unsafe {
            _mm_stream_si128(to.cast::<__m128i>().add(i), _mm_loadu_si128(from.cast::<__m128i>().add(i)));
        };
    }
}

/// Make what this thread has [`copy`]ed visible to others, as ordinary stores are without it.
#[inline(always)]
pub fn finish() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has this instruction, which touches no memory.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}
