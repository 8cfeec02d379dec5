//! Work in pieces: each is done once, and none after the work was cancelled.

use ntkfast_base::Error;
use ntkfast_base::parallel::{Job, for_each_index};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn every_index_is_done_once() {
    for threads in [1, 3] {
        let counts: Vec<AtomicUsize> = (0..1000).map(|_| AtomicUsize::new(0)).collect();
        let job = Job::default();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let outcome = pool.install(|| {
            for_each_index(
                &job,
                counts.len(),
                || (),
                |(), index| {
                    counts[index].fetch_add(1, Ordering::Relaxed);
                    Ok(())
                },
            )
        });
        assert!(outcome.is_ok() && counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
        assert_eq!(job.progress().0, 1000);
    }
}

#[test]
fn cancelled_jobs_stop() {
    let (job, seen) = (Job::default(), Mutex::new(0));
    let outcome = for_each_index(
        &job,
        100,
        || (),
        |(), index| {
            *seen.lock().expect("not poisoned") += 1;
            if index == 4 {
                job.cancel();
            }
            Ok(())
        },
    );
    assert_eq!(outcome, Err(Error::Cancelled));
    assert_eq!(seen.into_inner().expect("not poisoned"), 5);
}
