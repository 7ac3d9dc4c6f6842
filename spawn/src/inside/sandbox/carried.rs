//! A sandbox in two halves: what a thread enters for all of its children, and what is
//! left for each of them.

use std::ffi::CStr;

use super::{bound, call, drop_privileges, join_keyring, limit_core, restrict, set_filter};
use crate::error::{SpawnError, Stage};
use crate::inside::Orders;
use crate::inside::carrier::Entry;
use crate::sandbox::{Key, Measures, NewKeyring};
use crate::sys::nr;

const PR_SET_NAME: usize = 15;

/// What the thread is called among those of its process.
const NAME: &CStr = c"offspring-carry";

/// What the thread enters: all that is a thread's own.
pub(in super::super) fn enter(entry: &Entry<'_>) -> Result<(), SpawnError> {
    // Fails never: it is a name that is long enough and no longer.
    let _ = call(Stage::Clone, nr::PRCTL, [PR_SET_NAME, NAME.as_ptr() as usize, 0, 0, 0]);
    bound(entry.measures)?;
    if entry.measures.keyring == Some(NewKeyring::Spare) {
        // In it is nothing, and nobody can put anything there.
        join_keyring(NewKeyring::Spare)?;
    }
    drop_privileges(entry.measures)?;
    restrict(entry.ruleset)?;
    set_filter(entry.filter)
}

/// What is left: what is a process's own, and what children must not share with each
/// other.
pub(in super::super) fn complete(
    orders: &Orders<'_>,
    measures: &Measures,
    key: Key,
) -> Result<(), SpawnError> {
    limit_core(measures, Some(key))?;
    if measures.keyring == Some(NewKeyring::Required) {
        join_keyring(NewKeyring::Required)?;
    }
    restrict(orders.ruleset)
}
