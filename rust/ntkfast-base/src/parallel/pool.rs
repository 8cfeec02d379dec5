//! The package's own pools.
//!
//! A call leases a pool, so that it never waits for another call's work (or for an eigendecomposition that its
//! caller gave up). Calls at the same time share the threads of the process: each takes those that the others have left,
//! and one at least. Pools that nobody leases are kept for later calls, unless they have more threads than a call may
//! take; these end, and their threads with them. A pool belongs to a process: after a fork its threads are gone. So pools of a
//! parent process are leaked: to end one would be to wait for its threads.

use super::cores::{cores, processes};
use super::forks::{guarded, process};
use crate::error::{Error, Result};
use crate::memory;
use crate::reserve;
use rayon::{ThreadBuilder, ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use std::cell::OnceCell;
use std::io;
use std::mem::{forget, take};
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

/// Pools that nobody leases, and how many threads the leased ones have.
struct Pools {
    process: (usize, u32),
    idle: Vec<Arc<Pool>>,
    leased: usize,
}

/// Locked only where no fork can happen.
static POOLS: Mutex<Pools> = Mutex::new(Pools { process: (0, 0), idle: Vec::new(), leased: 0 });
/// Threads of the process; 0 means one for every core.
static THREADS: AtomicUsize = AtomicUsize::new(0);
/// How many calls at once are expected to share them.
static CALLS: AtomicUsize = AtomicUsize::new(1);
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

/// How many threads all calls at the same time have together.
fn all_threads() -> usize {
    match THREADS.load(Ordering::Relaxed) {
        0 => (cores() / processes()).max(1),
        chosen => chosen,
    }
}

/// How many threads a call may take.
pub fn threads() -> usize {
    (all_threads() / CALLS.load(Ordering::Relaxed)).max(1)
}

/// Share this many threads among so many calls from the next call on; 0 threads mean one for every core that this
/// process has to itself.
pub fn set_threads(count: usize, calls: usize) {
    let before = (THREADS.swap(count, Ordering::Relaxed), CALLS.swap(calls.max(1), Ordering::Relaxed));
    // Pools of other sizes would keep their threads and the memory of these.
    let others =
        change(|pools| if before == (count, calls.max(1)) { Vec::new() } else { take(&mut pools.idle) });
    drop(others);
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
        change(|pools| {
            if self.0.process == pools.process {
                pools.leased -= self.0.threads;
            }
            pools.idle.push(Arc::clone(&self.0));
        });
    }
}

/// A pool with the threads that this call may take, made if there is no idle one.
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
    let (most, all) = (threads(), all_threads());
    let (count, idle) = change(|pools| {
        let count = all.saturating_sub(pools.leased).clamp(1, most);
        pools.leased += count;
        let found = pools.idle.iter().rposition(|pool| pool.threads == count);
        (count, found.map(|index| pools.idle.remove(index)))
    });
    let pool = match idle {
        Some(pool) => pool,
        None => Arc::new(
            Pool::new(count)
                .inspect_err(|_| change(|pools| pools.leased = pools.leased.saturating_sub(count)))?,
        ),
    };
    pool.depth.store(depth, Ordering::Relaxed);
    Ok(Lease(pool))
}

/// Do something with the pools of this process, and then let those go that are too large or too many, the oldest first.
fn change<R>(body: impl FnOnce(&mut Pools) -> R) -> R {
    let (process, most) = (process(), threads());
    let (result, unfit) = guarded(|| {
        let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
        // Pools and calls of a parent process are none of this one.
        let mut unfit = Vec::new();
        if pools.process != process {
            (pools.process, pools.leased) = (process, 0);
            unfit.append(&mut pools.idle);
        }
        let result = body(&mut pools);
        unfit.extend(pools.idle.extract_if(.., |pool| pool.process != process || pool.threads > most));
        let surplus = pools.idle.len().saturating_sub(KEPT);
        unfit.extend(pools.idle.drain(..surplus));
        (result, unfit)
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
