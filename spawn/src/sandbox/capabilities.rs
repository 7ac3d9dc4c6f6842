//! What a child has to give up of capabilities.

use rustix::thread::{CapabilitySet, capabilities, capability_is_in_bounding_set};

/// The most capabilities that there can be.
const COUNT: u32 = 64;

/// What takes them away for good. Giving up what one has is done besides, and
/// needs no right; with `no_new_privs` that is enough. This holds even so.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    /// Those in the bounding set.
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
        let has = |capability: &u32| {
            let bit = CapabilitySet::from_bits_retain(1 << capability);
            capability_is_in_bounding_set(bit).unwrap_or(false)
        };
        Bounds { bounding: (0..COUNT).filter(has).collect(), secure_bits: Some(LOCKED) }
    }
}
