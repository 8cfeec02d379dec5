//! The package's own pools.
//!
//! A call leases a pool, so that it never waits for another call's work (or for an eigendecomposition that its
//! caller gave up). A pool belongs to a process: after a fork its threads are gone. So pools are found by
//! process id and number of threads, in a list that only grows and is read without a lock (one held by another
//! thread at the fork would never be released). There are as many as calls were ever under way at once.

use crate::error::{Error, Result};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::ops::Deref;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// One pool, and the list behind it.
struct Node {
    process: u32,
    threads: usize,
    pool: ThreadPool,
    busy: AtomicBool,
    next: List,
}

type List = OnceLock<Box<Node>>;

static POOLS: List = OnceLock::new();
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// How many threads a pool has.
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

/// A pool for one call at a time, given back when dropped.
pub struct Lease(&'static Node);

impl Lease {
    /// Start work that nobody need wait for; the pool is given back when it is done.
    pub fn spawn_owned(self, work: impl FnOnce() + Send + 'static) {
        let pool = &self.0.pool;
        pool.spawn(move || {
            work();
            drop(self);
        });
    }
}

impl Deref for Lease {
    type Target = ThreadPool;

    fn deref(&self) -> &ThreadPool {
        &self.0.pool
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Release);
    }
}

/// An idle pool of this process with the current number of threads, made where there is none.
///
/// # Errors
/// [`Error::Threads`] where the system refuses to start them.
pub fn lease() -> Result<Lease> {
    let (process, threads) = (std::process::id(), threads());
    let mut list = &POOLS;
    loop {
        match list.get() {
            Some(node) => {
                let fits = node.process == process && node.threads == threads;
                if fits && !node.busy.swap(true, Ordering::Acquire) {
                    return Ok(Lease(node));
                }
                list = &node.next;
            }
            None => {
                let pool = ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .thread_name(|index| format!("ntkfast-{index}"))
                    .build()
                    .map_err(|error| Error::Threads { count: threads, reason: error.to_string() })?;
                let busy = AtomicBool::new(false);
                // Where another thread was faster, its node is looked at next and this pool is dropped unused.
                let _ = list.set(Box::new(Node { process, threads, pool, busy, next: OnceLock::new() }));
            }
        }
    }
}
