//! What a component does before and after each fork.

use super::Forked;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

type Handler = Arc<dyn Fn() + Send + Sync>;

#[derive(Clone)]
struct Handlers {
    prepare: Handler,
    parent: Handler,
    child: Handler,
}

static HANDLERS: Mutex<Vec<Handlers>> = Mutex::new(Vec::new());

/// Registers what is done around each fork but those that are
/// [`async_safe`](super::Options::async_safe): `prepare` before it, in the
/// reverse order of registration; `parent` behind it in the parent, also when
/// there is no child, and `child` in the child, in the order of registration.
///
/// What a handler registers counts from the next fork on.
#[doc(alias = "pthread_atfork")]
pub fn at_fork(
    prepare: impl Fn() + Send + Sync + 'static,
    parent: impl Fn() + Send + Sync + 'static,
    child: impl Fn() + Send + Sync + 'static,
) {
    let handlers =
        Handlers { prepare: Arc::new(prepare), parent: Arc::new(parent), child: Arc::new(child) };
    HANDLERS.lock().unwrap_or_else(PoisonError::into_inner).push(handlers);
}

/// Forks with the handlers around it.
pub(super) fn around(fork: impl FnOnce() -> io::Result<Forked>) -> io::Result<Forked> {
    // Not called under the lock, which they may want themselves.
    let registered = HANDLERS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    registered.iter().rev().for_each(|handlers| (handlers.prepare)());
    let forked = fork();
    for handlers in &registered {
        match forked {
            Ok(Forked::Child) => (handlers.child)(),
            Ok(Forked::Parent(_)) | Err(_) => (handlers.parent)(),
        }
    }
    forked
}
