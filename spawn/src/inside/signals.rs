//! The child's signals.

use super::{Orders, call};
use crate::error::{SpawnError, Stage};
use crate::sigset::{SET_MASK, SIZE, SignalSet};
use crate::sys::nr;

const SIG_DFL: usize = 0;
const SIG_IGN: usize = 1;

/// `struct sigaction` as the kernel has it, or longer: the handler is first on
/// every architecture, and zeroes mean the default action everywhere.
#[repr(C)]
#[derive(Default)]
struct Action {
    handler: usize,
    rest: [u64; 3],
}

/// Gives signals their default action: those that the command names, and,
/// unless the kernel has done it, those that have a handler of the parent's.
/// What else the parent ignores stays ignored, as exec(2) has it. Then sets the
/// mask: what is pending may end this process here.
pub(super) fn set(orders: &Orders<'_>) -> Result<(), SpawnError> {
    let named = orders.attributes.default_signals;
    let mut left = if orders.clear_handlers { SignalSet::ALL } else { named };
    while let Some(number) = left.take_lowest() {
        if named.contains_number(number) || has_handler(number) {
            // Fails for SIGKILL and SIGSTOP, which have no other action.
            let _ = set_default(number);
        }
    }
    let mask = &raw const orders.attributes.signal_mask as usize;
    let args = [SET_MASK, mask, 0, SIZE, 0];
    call(Stage::Signals, nr::RT_SIGPROCMASK, args).map(drop)
}

fn has_handler(number: u32) -> bool {
    let mut action = Action::default();
    let args = [number as usize, 0, &raw mut action as usize, SIZE, 0];
    let asked = call(Stage::Signals, nr::RT_SIGACTION, args);
    asked.is_ok() && action.handler != SIG_DFL && action.handler != SIG_IGN
}

fn set_default(number: u32) -> Result<(), SpawnError> {
    let action = Action::default();
    let args = [number as usize, &raw const action as usize, 0, SIZE, 0];
    call(Stage::Signals, nr::RT_SIGACTION, args).map(drop)
}
