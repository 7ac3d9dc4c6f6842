//! What is done around a fork, in the order of pthread_atfork.

use std::sync::Mutex;

use offspring_guest::fork::{Forked, Options, at_fork};

static DONE: Mutex<String> = Mutex::new(String::new());

fn note(what: &'static str) -> impl Fn() + Send + Sync {
    move || DONE.lock().expect("it is free").push_str(what)
}

fn done() -> String {
    std::mem::take(&mut DONE.lock().expect("it is free"))
}

fn check(options: &Options, parent: &str, child: &str) {
    match options.fork() {
        Ok(Forked::Child) => {
            assert_eq!(done(), child);
            offspring_guest::exit(0);
        }
        Ok(Forked::Parent(pidfd)) => {
            assert_eq!(done(), parent);
            assert_eq!(pidfd.wait().expect("it ends").code(), Some(0));
        }
        Err(_) => assert_eq!(done(), parent),
    }
}

fn main() {
    check(&Options::new(), "", "");
    at_fork(note("a"), note("b"), note("c"));
    at_fork(note("d"), note("e"), note("f"));
    check(&Options::new(), "dabe", "dacf");
    check(&Options::new().async_safe(), "", "");
    // Also where there is no child in the end.
    let refused = Options::new().exit_signal(Some(offspring_guest::Signal::KILL));
    check(&refused, "dabe", "");
    // One that forks, and one that registers more.
    let quiet = || drop(Options::new().async_safe().spawn(|| 0).expect("it forks").wait());
    at_fork(quiet, || {}, || {});
    at_fork(|| at_fork(note("x"), note("y"), note("z")), || {}, || {});
    check(&Options::new(), "dabe", "dacf");
    check(&Options::new(), "xdabey", "xdacfz");
}
