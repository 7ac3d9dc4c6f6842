//! What the content of a file must be.

use std::fmt;
use std::str::FromStr;

/// The SHA-256 sum of a file: 64 digits of hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sha256(pub [u8; 32]);

/// A text that is no SHA-256 sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidSha256;

impl FromStr for Sha256 {
    type Err = InvalidSha256;

    fn from_str(text: &str) -> Result<Sha256, InvalidSha256> {
        let digits: Option<Vec<u8>> = text
            .chars()
            .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect();
        let digits = digits.ok_or(InvalidSha256)?;
        let (pairs, []) = digits.as_chunks::<2>() else { return Err(InvalidSha256) };
        let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
        bytes.try_into().map(Sha256).map_err(|_| InvalidSha256)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

impl fmt::Display for InvalidSha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a SHA-256 sum has 64 hexadecimal digits")
    }
}

impl std::error::Error for InvalidSha256 {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums() {
        let text = "0123456789abcdef".repeat(4);
        let sum: Sha256 = text.parse().unwrap();
        assert_eq!(sum.0[..8], [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
        assert_eq!(sum.to_string(), text);
        assert_eq!(text.to_uppercase().parse(), Ok(sum));
        for bad in ["", "0", &text[1..], &text[2..], &format!("{text}00"), &text.replace('9', "g")]
        {
            assert_eq!(bad.parse::<Sha256>(), Err(InvalidSha256), "{bad}");
        }
        assert!(text.replace('1', "\u{661}").parse::<Sha256>().is_err(), "not of ASCII");
    }
}
