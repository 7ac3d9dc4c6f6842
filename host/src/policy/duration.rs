//! Durations as people write them: `500ms`, `30s`, `1m30s`, `2h`.

use std::time::Duration;

/// The units, the largest first, in milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads whole numbers, each with a unit; larger units come first, each at
/// most once. `None` for anything else, and for what is beyond measure.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut milliseconds: u64 = 0;
    let mut units = UNITS.iter();
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, tail) =
            tail.split_at(tail.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(tail.len()));
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        let part = number.parse::<u64>().ok()?.checked_mul(*factor)?;
        milliseconds = milliseconds.checked_add(part)?;
        rest = tail;
    }
    Some(Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let table = [
            ("500ms", 500),
            ("30s", 30_000),
            ("1m30s", 90_000),
            ("2h", 7_200_000),
            ("1h1m1s1ms", 3_661_001),
            ("90m", 5_400_000),
            ("0s", 0),
            ("18446744073709551615ms", u64::MAX),
        ];
        for (text, milliseconds) in table {
            assert_eq!(parse(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn no_durations() {
        for text in [
            "",
            "30",
            "s",
            "30 s",
            " 30s",
            "30s ",
            "-30s",
            "+30s",
            "1.5s",
            "30S",
            "30sec",
            "1d",
            "30s1m",
            "1s1s",
            "1ms1s",
            "1m30",
            "٣s",
            "1_000s",
            "18446744073709551616ms",
            "18446744073709551615s",
            "18446744073709551615ms1s",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
