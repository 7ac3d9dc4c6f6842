//! Ending on a signal without leaving children behind.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Context;
use offspring::Children;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

/// Whether a signal ends this process.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Waits for the end where a signal ends this process: the guest, whose children
/// were killed, may come to its own first.
pub fn give_way() {
    while ENDING.load(Ordering::SeqCst) {
        thread::park();
    }
}

/// Kills all children and ends this process when it is asked to end.
///
/// On a thread of its own, because a guest that computes holds up the main
/// one.
pub fn on_signals(children: Children) -> anyhow::Result<()> {
    let mut signals =
        Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM]).context("cannot handle signals")?;
    let wait = move || {
        if let Some(signal) = signals.forever().next() {
            ENDING.store(true, Ordering::SeqCst);
            children.shut_down();
            #[expect(clippy::exit, reason = "the main thread may never come back from the guest")]
            process::exit(128 + signal);
        }
    };
    let thread = thread::Builder::new().name("offspring-signals".to_owned());
    thread.spawn(wait).context("cannot start a thread")?;
    Ok(())
}
