//! Where work runs: the package's own pool, cut into numbered pieces that can be counted and cancelled.

mod cores;
mod forks;
mod pool;

pub use cores::{cores, processes};
pub use forks::watch as watch_forks;
pub use pool::{Lease, lease, prepare_threads, set_threads, threads};

use crate::error::{Error, Result};
use crate::reserve;
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The degree of parallelism told to faer: its bits depend on this number, not on the threads that do the
/// work, so it is a constant.
pub const FAER_DEGREE: usize = 8;

/// What a running call and the one who waits for it share.
#[derive(Debug, Default)]
pub struct Job {
    cancelled: Arc<AtomicBool>,
    done: AtomicUsize,
    total: AtomicUsize,
}

impl Job {
    /// Ask the work to stop after the pieces under way.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Pieces done and pieces in all; (0, 0) before the work has been cut.
    pub fn progress(&self) -> (usize, usize) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }

    /// Announce how many pieces there are.
    pub fn begin(&self, total: usize) {
        self.total.store(total, Ordering::Relaxed);
    }

    /// Count one piece.
    pub fn advance(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// [`Error::Cancelled`] once the job has been cancelled, [`Error::Memory`] once memory has run out.
    ///
    /// # Errors
    /// See above.
    pub fn check(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { reserve::hold() }
    }
}

thread_local! {
    /// Whether the job is cancelled whose piece this thread works on.
    static CANCELLED: RefCell<Arc<AtomicBool>> = RefCell::default();
    /// Whether this thread has its thread-local data.
    static READY: Cell<bool> = const { Cell::new(false) };
}

/// Make this thread's data. The C library ends the process if there is no memory for the first use of it.
fn touch() {
    CANCELLED.with_borrow(|_| ());
    pool::touch();
    READY.set(true);
}

/// Make this thread's data, from the reserve if need be.
///
/// # Errors
/// [`Error::Memory`].
fn ready() -> Result<()> {
    if READY.get() { Ok(()) } else { reserve::lend(touch) }
}

/// Whether the job is cancelled whose piece this thread works on: pieces that take long end early then, and may leave
/// anything, as nobody will use it.
pub fn is_cancelled() -> bool {
    CANCELLED.with_borrow(|cancelled| cancelled.load(Ordering::Relaxed))
}

/// Call `body(state, index)` for every index below `count`: on all threads of the pool this is called from, or
/// on the calling thread alone outside a pool. Every thread makes one `state`. Pieces must not depend on each
/// other, so that the result does not depend on who does which.
///
/// # Errors
/// The first error of `body`, or [`Error::Cancelled`].
pub fn for_each_index<S>(
    job: &Job,
    count: usize,
    state: impl Fn() -> S + Sync,
    body: impl Fn(&mut S, usize) -> Result<()> + Sync,
) -> Result<()> {
    ready()?;
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let work = || {
        CANCELLED.set(Arc::clone(&job.cancelled));
        let mut mine = None;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            let outcome = job.check().and_then(|()| body(mine.get_or_insert_with(&state), index));
            if let Err(error) = outcome {
                next.store(count, Ordering::Relaxed);
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                return;
            }
            job.advance();
        }
    };
    if rayon::current_thread_index().is_some() && count > 1 {
        rayon::scope(|scope| {
            for _ in 1..rayon::current_num_threads().min(count) {
                scope.spawn(|_| work());
            }
            work();
        });
    } else {
        work();
    }
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// [`for_each_index`] over items that are handed out by value, such as disjoint slices to be written. Not
/// counted as progress.
///
/// # Errors
/// The first error of `body`, or [`Error::Cancelled`].
pub fn for_each_item<I: Send, S>(
    job: &Job,
    items: impl Iterator<Item = I>,
    state: impl Fn() -> S + Sync,
    body: impl Fn(&mut S, usize, I) -> Result<()> + Sync,
) -> Result<()> {
    // Every item is taken once, by one thread; the locks only tell the compiler so.
    let items: Vec<_> = items.map(|item| Mutex::new(Some(item))).collect();
    for_each_index(&Job::default(), items.len(), state, |state, index| {
        job.check()?;
        let item = items[index].lock().unwrap_or_else(PoisonError::into_inner).take();
        item.map_or(Ok(()), |item| body(state, index, item))
    })
}
