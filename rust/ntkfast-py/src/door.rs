//! The one door between Python and the core: GIL, threads, Ctrl-C, progress, errors.

use crate::errors::{from_panic, to_python};
use ntkfast_core::parallel::{Job, lease};
use ntkfast_core::{Error, Result, reserve};
use pyo3::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often a waiting call looks for Ctrl-C and reports progress.
const POLL: Duration = Duration::from_millis(40);

/// Waking an idle pool costs about 100 µs; work of fewer operations than this is done sooner on the spot.
const SHORT_CALL: usize = 2_000_000;

/// Whether a function waits for the next call, and the function.
static WAITING: AtomicBool = AtomicBool::new(false);
static FIRST: Mutex<Option<Py<PyAny>>> = Mutex::new(None);

type Outcome<R> = std::thread::Result<Result<R>>;

/// What a call asks of the door.
pub struct Call<'a, 'py> {
    /// The GIL.
    pub py: Python<'py>,
    /// Rough number of operations.
    pub operations: usize,
    /// Called with (done, total) pieces of work.
    pub progress: Option<&'a Bound<'py, PyAny>>,
}

impl Call<'_, '_> {
    /// Run `work` without the GIL. Ctrl-C, or an exception in the progress callback, cancels the job; the call
    /// returns when the pieces under way are finished.
    pub fn run<R: Send>(self, work: impl FnOnce(&Job) -> Result<R> + Send) -> PyResult<R> {
        reserve::hold().map_err(|error| to_python(&error))?;
        prepare(self.py)?;
        let job = Job::default();
        let mut watch =
            Watch { progress: self.progress.map(|callback| callback.clone().unbind()), last: None };
        let guarded = || catch_unwind(AssertUnwindSafe(|| work(&job)));
        let (outcome, interruption) = if self.operations < SHORT_CALL {
            (Ok(self.py.detach(guarded)), None)
        } else {
            let pool = lease().map_err(|error| to_python(&error))?;
            self.py.detach(|| {
                pool.in_place_scope(|scope| {
                    let (send, receive) = sync_channel(1);
                    scope.spawn(move |_| {
                        let _ = send.send(guarded());
                    });
                    let mut interruption = None;
                    loop {
                        match watch.wait(&receive, &job) {
                            Ok(outcome) => return (outcome, interruption),
                            Err(exception) => {
                                job.cancel();
                                watch.progress = None;
                                interruption.get_or_insert(exception);
                            }
                        }
                    }
                })
            })
        };
        if let Some(exception) = interruption {
            return Err(exception);
        }
        let result = finish(outcome)?;
        watch.report(self.py, &job)?;
        Ok(result)
    }

    /// Run `work` that owns all it needs and cannot be stopped: after Ctrl-C the call returns at once, and the
    /// worker goes on until it is done, unseen.
    pub fn run_or_abandon<R: Send + 'static>(
        self,
        work: impl FnOnce(&Job) -> Result<R> + Send + 'static,
    ) -> PyResult<R> {
        if self.operations < SHORT_CALL {
            return self.run(work);
        }
        prepare(self.py)?;
        let job = Arc::new(Job::default());
        let mut watch =
            Watch { progress: self.progress.map(|callback| callback.clone().unbind()), last: None };
        let pool = lease().map_err(|error| to_python(&error))?;
        let (send, receive) = sync_channel(1);
        let theirs = Arc::clone(&job);
        pool.spawn_owned(move || {
            let _ = send.send(catch_unwind(AssertUnwindSafe(|| work(&theirs))));
        });
        finish(self.py.detach(move || watch.wait(&receive, &job))?)
    }
}

/// Call a function of Python once, before the next call: it may choose the number of threads.
#[pyfunction]
pub fn before_next_call(function: Py<PyAny>) {
    *FIRST.lock().unwrap_or_else(PoisonError::into_inner) = Some(function);
    WAITING.store(true, Ordering::Release);
}

fn prepare(py: Python<'_>) -> PyResult<()> {
    if WAITING.swap(false, Ordering::Acquire) {
        let function = FIRST.lock().unwrap_or_else(PoisonError::into_inner).take();
        function.map_or(Ok(()), |function| function.call0(py).map(drop))?;
    }
    Ok(())
}

/// The caller's side of a running job.
struct Watch {
    progress: Option<Py<PyAny>>,
    last: Option<(usize, usize)>,
}

impl Watch {
    /// Wait for the outcome; an error is an exception raised meanwhile.
    fn wait<R>(
        &mut self,
        receive: &Receiver<Outcome<R>>,
        job: &Job,
    ) -> PyResult<std::result::Result<Outcome<R>, RecvTimeoutError>> {
        loop {
            match receive.recv_timeout(POLL) {
                Err(RecvTimeoutError::Timeout) => {
                    Python::attach(|py| py.check_signals().and_then(|()| self.report(py, job)))?;
                }
                other => return Ok(other),
            }
        }
    }

    /// Tell the callback, if there is news.
    fn report(&mut self, py: Python<'_>, job: &Job) -> PyResult<()> {
        let Some(callback) = &self.progress else { return Ok(()) };
        let progress = job.progress();
        if progress.1 > 0 && self.last != Some(progress) {
            self.last = Some(progress);
            callback.call1(py, progress)?;
        }
        Ok(())
    }
}

fn finish<R>(outcome: std::result::Result<Outcome<R>, RecvTimeoutError>) -> PyResult<R> {
    match outcome {
        Ok(Ok(result)) => result.map_err(|error| to_python(&error)),
        Ok(Err(payload)) => Err(from_panic(&*payload)),
        // The worker vanished without a word: only a panic outside `work` could do that.
        Err(_) => Err(from_panic(&"a worker thread ended without a result")),
    }
}

/// The error of work that was refused before it began.
pub fn refuse<R>(error: &Error) -> PyResult<R> {
    Err(to_python(error))
}

/// Panic behind the door, for a test of what users see then; with many operations on a thread of the pool.
#[pyfunction]
pub fn panic_for_test(py: Python<'_>, message: &str, operations: usize) -> PyResult<()> {
    Call { py, operations, progress: None }.run(|_| panic!("{message}"))
}
