//! Calls at the same time share the threads of the process.

use ntkfast_base::parallel::{cores, lease, processes, set_threads, threads};

fn leased() -> usize {
    lease().expect("threads").current_num_threads()
}

#[test]
fn calls_take_what_others_have_left() {
    set_threads(4, 1);
    assert_eq!(threads(), 4);
    let first = lease().expect("threads");
    assert_eq!(first.current_num_threads(), 4);
    let second = lease().expect("threads");
    assert_eq!(second.current_num_threads(), 1);
    drop(first);
    assert_eq!(leased(), 3);
    drop(second);
    assert_eq!(leased(), 4);

    // Of eight threads for four calls, none takes more than two.
    set_threads(8, 4);
    assert_eq!(threads(), 2);
    let calls: Vec<_> = (0..5).map(|_| lease().expect("threads")).collect();
    let counts: Vec<_> = calls.iter().map(|pool| pool.current_num_threads()).collect();
    assert_eq!(counts, [2, 2, 2, 2, 1]);
    drop(calls);

    // A limit that changes while a call is under way.
    let late = lease().expect("threads");
    set_threads(1, 1);
    assert_eq!(leased(), 1);
    drop(late);
    assert_eq!(leased(), 1);

    set_threads(0, 1);
    assert_eq!(threads(), (cores() / processes()).max(1));
    assert_eq!(leased(), threads());
}
