//! Forks of the process: the child has none of its parent's threads, and locks stay as they were at that moment.
//!
//! The system calls handlers around every fork, also around those made by C code. They take a lock that guards the list
//! of pools, so that the list is never forked half changed, and count the forks behind a process. Process ids alone cannot
//! tell parent and child apart: in containers both may be process 1.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

static LOCKED: AtomicBool = AtomicBool::new(false);
static FORKS: AtomicUsize = AtomicUsize::new(0);

/// What tells a process from its parents: how many forks led to it, and its id, in case a fork called no handlers.
pub fn process() -> (usize, u32) {
    (FORKS.load(Ordering::Relaxed), std::process::id())
}

/// Do a few instructions during which no other thread does, and the process does not fork.
pub fn guarded<R>(body: impl FnOnce() -> R) -> R {
    watch();
    lock();
    let result = body();
    unlock();
    result
}

extern "C" fn lock() {
    while LOCKED.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
        spin_loop();
    }
}

extern "C" fn unlock() {
    LOCKED.store(false, Ordering::Release);
}

/// Have the handlers called from now on.
#[cfg(unix)]
pub fn watch() {
    use std::sync::Once;

    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
        unlock();
    }

    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        // SAFETY: the handlers are functions of this library, which Python never unloads, and only touch atomics.
        unsafe { libc::pthread_atfork(Some(lock), Some(unlock), Some(in_child)) };
    });
}

/// Systems without forks.
#[cfg(not(unix))]
pub fn watch() {}
