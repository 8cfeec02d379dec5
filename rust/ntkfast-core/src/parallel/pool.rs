//! The package's own pools.
//!
//! A pool belongs to a process: after a fork its threads are gone. So pools are found by process id and number
//! of threads, in a list that only grows and is read without a lock (one held by another thread at the fork
//! would never be released). Pools are never dropped: someone may still be working in them.

use crate::error::{Error, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One pool, and the list behind it.
struct Node {
    process: u32,
    threads: usize,
    pool: ThreadPool,
    next: List,
}

type List = OnceLock<Box<Node>>;

static POOLS: List = OnceLock::new();
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// How many threads the pool has.
pub fn threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        chosen => chosen,
    }
}

/// Use this many threads from the next call on; 0 means one for every processor.
pub fn set_threads(count: usize) {
    THREADS.store(count, Ordering::Relaxed);
}

/// The pool of this process with the current number of threads, made on first use.
///
/// # Errors
/// [`Error::Threads`] where the system refuses to start them.
pub fn pool() -> Result<&'static ThreadPool> {
    let (process, threads) = (std::process::id(), threads());
    let mut list = &POOLS;
    loop {
        match list.get() {
            Some(node) if node.process == process && node.threads == threads => return Ok(&node.pool),
            Some(node) => list = &node.next,
            None => {
                let pool = ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .thread_name(|index| format!("ntkfast-{index}"))
                    .build()
                    .map_err(|error| Error::Threads { count: threads, reason: error.to_string() })?;
                // Where another thread was faster, its node is looked at next and this pool is dropped unused.
                let _ = list.set(Box::new(Node { process, threads, pool, next: OnceLock::new() }));
            }
        }
    }
}
