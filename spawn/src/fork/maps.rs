//! What `/proc/self/maps` and `smaps` say.

use std::ops::Range;

/// The addresses at the beginning of a line.
pub(super) fn range(word: &str) -> Option<Range<usize>> {
    let (start, end) = word.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some(address(start)?..address(end)?)
}

/// What `smaps` has under this key for the mapping that has this address: a plain number, or
/// KiB.
pub(super) fn amount(smaps: &str, address: usize, key: &str) -> Option<usize> {
    let mut is_it = false;
    for line in smaps.lines() {
        let Some((word, rest)) = line.split_once(' ') else { continue };
        if let Some(range) = range(word) {
            is_it = range.contains(&address);
        } else if is_it && word == key {
            return rest.trim().trim_end_matches(" kB").parse().ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
55d0a0000000-55d0a0010000 r--p 00000000 fe:00 7                          /usr/bin/a b
AnonHugePages:         0 kB
55d0a0010000-55d0a0020000 r-xp 00010000 fe:00 7                          /usr/bin/a b
Rss:                  64 kB
AnonHugePages:         0 kB
55d0b0000000-55d0b0800000 rw-p 00000000 00:00 0
Rss:                8192 kB
AnonHugePages:      6144 kB
ProtectionKey:         3
55d0c0000000-55d0c0800000 r-xp 00000000 00:00 0
AnonHugePages:      2048 kB
";

    #[test]
    fn amounts() {
        assert_eq!(amount(SMAPS, 0x55d0_b001_0000, "AnonHugePages:"), Some(6144));
        assert_eq!(amount(SMAPS, 0x55d0_b001_0000, "ProtectionKey:"), Some(3));
        assert_eq!(amount(SMAPS, 0x55d0_a001_0000, "AnonHugePages:"), Some(0));
        assert_eq!(amount(SMAPS, 0x55d0_c000_0000, "ProtectionKey:"), None);
        assert_eq!(amount(SMAPS, 0x1000, "AnonHugePages:"), None);
    }
}
