//! The package's own pools.
//!
//! A call leases a pool, so that it never waits for another call's work (or for an eigendecomposition that its
//! caller gave up). Pools that nobody leases are kept for later calls, if they have the current number of threads;
//! others end, and their threads with them. A pool belongs to a process: after a fork its threads are gone. So pools of a
//! parent process are leaked: to end one would be to wait for its threads.

use super::forks::{guarded, process};
use crate::error::{Error, Result};
use crate::memory;
use crate::reserve;
use rayon::{ThreadBuilder, ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use std::cell::OnceCell;
use std::io;
use std::mem::forget;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// How many pools are kept that nobody leases.
const KEPT: usize = 8;

/// Calls that wait for each other: each is made by a function of a network that the one before evaluates.
const DEEPEST: usize = 8;

/// Bytes of a thread's stack, and more.
const STACK: usize = 4 << 20;

/// Bytes that glibc reserves for a thread's heap, if it can.
const HEAP: usize = 128 << 20;

/// One pool.
struct Pool {
    process: (usize, u32),
    threads: usize,
    /// How many calls wait for the one that leases it, with itself. Its threads know it.
    depth: Arc<AtomicUsize>,
    pool: ThreadPool,
}

/// Pools that nobody leases. Locked only where no fork can happen.
static IDLE: Mutex<Vec<Arc<Pool>>> = Mutex::new(Vec::new());
static THREADS: AtomicUsize = AtomicUsize::new(0);
static PREPARE: OnceLock<fn()> = OnceLock::new();

thread_local! {
    /// The depth of the pool that this thread belongs to.
    static DEPTH: OnceCell<Arc<AtomicUsize>> = const { OnceCell::new() };
}

/// Make this thread's data.
pub(super) fn touch() {
    DEPTH.with(|_| ());
}

/// Have each new thread of a pool make the thread-local data of libraries: at their first use there may be no memory left,
/// and the C library then ends the process.
pub fn prepare_threads(prepare: fn()) {
    let _ = PREPARE.set(prepare);
}

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
    idle(|_| ());
}

/// A pool for one call at a time, given back when dropped.
pub struct Lease(Arc<Pool>);

impl Lease {
    /// Start work that nobody need wait for; the pool is given back when it is done.
    pub fn spawn_owned(self, work: impl FnOnce() + Send + 'static) {
        let pool = Arc::clone(&self.0);
        pool.pool.spawn(move || {
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
        let pool = Arc::clone(&self.0);
        let refused = idle(|pools| {
            if pools.len() < KEPT {
                pools.push(pool);
                None
            } else {
                Some(pool)
            }
        });
        drop(refused);
        // It may have become unfit meanwhile.
        idle(|_| ());
    }
}

/// An idle pool of this process with the current number of threads, made if there is none.
///
/// # Errors
/// [`Error::Threads`] if the system refuses to start them, [`Error::ThreadMemory`] if that is for lack of memory;
/// [`Error::Recursion`]; [`Error::Memory`].
pub fn lease() -> Result<Lease> {
    super::ready()?;
    let depth = 1 + DEPTH.with(|depth| depth.get().map_or(0, |depth| depth.load(Ordering::Relaxed)));
    if depth > DEEPEST {
        return Err(Error::Recursion { depth: DEEPEST });
    }
    let pool = match idle(Vec::pop) {
        Some(pool) => pool,
        None => Arc::new(Pool::new(threads())?),
    };
    pool.depth.store(depth, Ordering::Relaxed);
    Ok(Lease(pool))
}

/// Do something with the idle pools, once all of them are of this process and have the current number of threads.
fn idle<R>(body: impl FnOnce(&mut Vec<Arc<Pool>>) -> R) -> R {
    let (process, threads) = (process(), threads());
    let (result, unfit) = guarded(|| {
        let mut pools = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        let unfit: Vec<_> =
            pools.extract_if(.., |pool| pool.process != process || pool.threads != threads).collect();
        (body(&mut pools), unfit)
    });
    for pool in unfit {
        if pool.process == process { drop(pool) } else { forget(pool) }
    }
    result
}

impl Pool {
    fn new(threads: usize) -> Result<Self> {
        let depth = Arc::new(AtomicUsize::new(0));
        let of_thread = Arc::clone(&depth);
        let builder = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("ntkfast-{index}"))
            .spawn_handler(|thread| start(thread, Arc::clone(&of_thread)));
        let lacking = |_| Error::ThreadMemory { count: threads };
        memory::room(threads.saturating_mul(STACK)).map_err(lacking)?;
        let started = reserve::lend(|| {
            let pool = builder.build()?;
            // All threads have what rayon makes for them.
            pool.broadcast(|_| ());
            Ok::<_, ThreadPoolBuildError>(pool)
        });
        match started.map_err(lacking)? {
            Ok(pool) => Ok(Self { process: process(), threads, depth, pool }),
            Err(error) => {
                memory::room(threads.saturating_mul(STACK + HEAP)).map_err(lacking)?;
                Err(Error::Threads { count: threads, reason: error.to_string() })
            }
        }
    }
}

/// Start a thread of a pool, and wait until it has its thread-local data. One after the other: glibc asks for [`HEAP`]
/// bytes for the heap of a thread and gives half of them back, and what another thread asks for meanwhile may not be there.
fn start(thread: ThreadBuilder, of_thread: Arc<AtomicUsize>) -> io::Result<()> {
    let (ready, wait) = sync_channel(1);
    let name = thread.name().map(str::to_owned).unwrap_or_default();
    std::thread::Builder::new().name(name).spawn(move || {
        super::touch();
        PREPARE.get().inspect(|prepare| prepare());
        DEPTH.with(|depth| {
            let _ = depth.set(of_thread);
        });
        let _ = ready.send(());
        drop(ready);
        thread.run();
    })?;
    // An error: the thread has ended, which rayon will find out.
    let _ = wait.recv();
    Ok(())
}
