//! How many cores this process may use: those of its affinity and quota, shared with the other processes of its pool.
//!
//! Processes that `multiprocessing` makes, and all that build on it (`concurrent.futures`, Dask), each see all cores of the
//! machine. They are recognised by their command line: that of their parent after a fork, and one with a flag otherwise.

use super::forks::{guarded, process};
use std::sync::{Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

/// How long the number of processes counts as known.
const KNOWN_FOR: Duration = Duration::from_secs(1);

/// In the command line of a process that `multiprocessing` spawns.
const SPAWNED: &[u8] = b"--multiprocessing-fork";

/// Which process counted, when, and what.
type Count = ((usize, u32), Instant, usize);

/// Locked only where no fork can happen.
static KNOWN: Mutex<Option<Count>> = Mutex::new(None);

/// Cores of this process: on Linux those of its affinity, or fewer if a control group sets a quota.
pub fn cores() -> usize {
    available_parallelism().map_or(1, std::num::NonZero::get)
}

/// How many processes of one pool share these cores, with this one; 1 where that is not known.
pub fn processes() -> usize {
    let here = process();
    let known = with_known(|known| *known);
    if let Some((process, at, count)) = known
        && process == here
        && at.elapsed() < KNOWN_FOR
    {
        return count;
    }
    let count = system::siblings(SPAWNED).max(1);
    with_known(|known| *known = Some((here, Instant::now(), count)));
    count
}

fn with_known<R>(body: impl FnOnce(&mut Option<Count>) -> R) -> R {
    guarded(|| body(&mut KNOWN.lock().unwrap_or_else(PoisonError::into_inner)))
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs::{read, read_dir, read_to_string};
    use std::os::unix::process::parent_id;

    /// How many children of this process's parent are of its pool; 0 if this one is not.
    pub fn siblings(spawned: &[u8]) -> usize {
        let parent = parent_id();
        let command = |id: &str| read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let theirs = command(&parent.to_string());
        let pooled = |id: &str| {
            let own = command(id);
            !own.is_empty() && (own == theirs || own.windows(spawned.len()).any(|part| part == spawned))
        };
        if !pooled("self") {
            return 0;
        }
        // Each thread has a list of the processes that it started.
        let threads = read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        let lists = threads.filter_map(|thread| read_to_string(thread.path().join("children")).ok());
        lists.map(|list| list.split_whitespace().filter(|id| pooled(id)).count()).sum()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    /// Not known.
    pub fn siblings(_: &[u8]) -> usize {
        0
    }
}
