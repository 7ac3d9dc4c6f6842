//! What lets a carrier past its own filter.

use std::fmt;

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// A secret in the arguments of a system call that the kernel does not look at: the
/// fifth and the sixth. The filter does, and so lets the thread that knows it make a
/// call that it refuses to everybody else.
///
/// It is this process's. A program that a child executes finds it nowhere: not in
/// its memory, which is new, nor in its registers, which the kernel clears; and a
/// filter can be read only with `CAP_SYS_ADMIN`, by who has none. To guess it takes
/// 2^127 calls, and a filter takes equally long over every wrong one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key([u64; 2]);

impl Key {
    /// A new one.
    ///
    /// # Errors
    /// When the kernel has no random numbers.
    pub(crate) fn new() -> Result<Key, Errno> {
        Ok(Key([random()?, random()?]))
    }

    /// The arguments that carry it, on a machine of 64 bits.
    pub(crate) fn arguments(self) -> [usize; 2] {
        self.0.map(|half| usize::from_ne_bytes(half.to_ne_bytes()))
    }

    /// Those arguments as a filter sees them: half by half, the low one first.
    pub(super) fn words(self) -> [u32; 4] {
        let [[a, b], [c, d]] = self.0.map(halves);
        [a, b, c, d]
    }

    #[cfg(test)]
    pub(super) fn known(arguments: [u64; 2]) -> Key {
        Key(arguments)
    }
}

fn random() -> Result<u64, Errno> {
    let mut bytes = [0; 8];
    match getrandom(&mut bytes, GetRandomFlags::empty())? {
        // Of so few bytes the kernel gives all.
        8 => Ok(u64::from_ne_bytes(bytes)),
        _ => Err(Errno::IO),
    }
}

/// The low half and the high one.
fn halves(word: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = word.to_le_bytes();
    [[a, b, c, d], [e, f, g, h]].map(u32::from_le_bytes)
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}
