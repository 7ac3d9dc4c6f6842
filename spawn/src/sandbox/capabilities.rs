//! What a child has to give up of capabilities.

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, capabilities, capability_is_in_bounding_set, remove_capability_from_bounding_set,
};

use super::Sandbox;

/// The most capabilities that there can be.
const COUNT: u32 = 64;

/// What takes them away for good. Giving up what one has is done besides, and
/// needs no right; with `no_new_privs` that is enough. This holds even so.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    /// Those that there are; which of them are in the bounding set is another
    /// matter on each thread.
    pub(crate) bounding: Vec<u32>,
    /// Bits to lock the special treatment of root, and of changes to it.
    pub(crate) secure_bits: Option<usize>,
}

/// `SECBIT_NOROOT`, `NO_SETUID_FIXUP` and `NO_CAP_AMBIENT_RAISE`, each with its
/// lock, and the lock of `KEEP_CAPS`, which is off.
const LOCKED: usize = 0b1110_1111;

impl Bounds {
    /// What this thread may take away from its children: nothing, unless it
    /// has `CAP_SETPCAP`.
    pub(super) fn find() -> Bounds {
        let may =
            capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SETPCAP));
        if !may {
            return Bounds::default();
        }
        let known = |capability: &u32| capability_is_in_bounding_set(alone(*capability)).is_ok();
        Bounds { bounding: (0..COUNT).filter(known).collect(), secure_bits: Some(LOCKED) }
    }
}

impl Sandbox {
    /// Empties the capability bounding set of the calling thread for good, and
    /// so of the threads and processes that it starts from now on.
    ///
    /// Every sandbox with [`Part::Capabilities`](super::Part::Capabilities) in
    /// force does this to its child, which takes longer than to start a small
    /// program. A process whose children are all in such sandboxes does it once,
    /// on its first thread. It keeps the capabilities that it has, but the programs
    /// that it starts have none but ambient ones, in a sandbox or not.
    ///
    /// # Errors
    /// `EPERM` without `CAP_SETPCAP`. Nothing has been done then.
    ///
    /// # References
    /// - [capabilities(7)](https://man7.org/linux/man-pages/man7/capabilities.7.html)
    pub fn empty_bounding_set() -> Result<(), Errno> {
        let has = |capability: &u32| capability_is_in_bounding_set(alone(*capability));
        let mut all = (0..COUNT).take_while(|capability| has(capability).is_ok());
        all.try_for_each(|capability| match has(&capability)? {
            true => remove_capability_from_bounding_set(alone(capability)),
            false => Ok(()),
        })
    }
}

fn alone(capability: u32) -> CapabilitySet {
    CapabilitySet::from_bits_retain(1 << capability)
}
