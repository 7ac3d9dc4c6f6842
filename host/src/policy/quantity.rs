//! Quantities as people write them: `512M`, `150%`, `0-3,5`, `max`.

use offspring_spawn::{CpuMax, Limit};

/// The units, each 1024 times the one before it.
const UNITS: [char; 4] = ['K', 'M', 'G', 'T'];

/// The most processors that are named one by one.
const CPUS: u32 = 8192;

/// Bytes: a whole number, with a unit behind it or none.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let (number, power) = match text.char_indices().next_back()? {
        (end, unit) if unit.is_ascii_uppercase() => {
            let power = UNITS.iter().position(|known| *known == unit)?;
            (&text[..end], u32::try_from(power).ok()? + 1)
        }
        _ => (text, 0),
    };
    whole(number)?.checked_mul(1024_u64.checked_pow(power)?)
}

/// Bytes, or `max`.
pub(super) fn byte_limit(text: &str) -> Option<Limit> {
    match text {
        "max" => Some(Limit::Max),
        text => bytes(text).map(Limit::At),
    }
}

/// Processor time: hundredths of one processor, or `max`.
pub(super) fn cpu_max(text: &str) -> Option<CpuMax> {
    if text == "max" {
        return Some(CpuMax { quota: None, period: CpuMax::PERIOD });
    }
    let percent = u32::try_from(whole(text.strip_suffix('%')?)?).ok()?;
    // The kernel takes nothing below 1 ms in a period of 100 ms.
    (percent > 0).then(|| CpuMax::percent(percent))
}

/// Numbers and ranges of numbers, with commas.
pub(super) fn numbers(text: &str) -> Option<Vec<u32>> {
    let mut numbers = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text| u32::try_from(whole(text)?).ok().filter(|number| *number < CPUS);
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return None;
        }
        numbers.extend(first..=last);
    }
    Some(numbers)
}

fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn quantities() {
        for (text, expected) in [
            ("0", 0),
            ("4096", 4096),
            ("1K", 1 << 10),
            ("512M", 512 << 20),
            ("2G", 2 << 30),
            ("1T", 1 << 40),
            ("16777215T", 16_777_215 << 40),
        ] {
            assert_eq!(bytes(text), Some(expected), "{text}");
        }
        for text in
            ["", "M", "1.5G", "1 G", "1g", "1GiB", "1GB", "-1", "+1", "16777216T", "1P", "é"]
        {
            assert_eq!(bytes(text), None, "{text}");
        }
        assert_eq!(byte_limit("max"), Some(Limit::Max));
        assert_eq!(byte_limit("Max"), None);
    }

    #[test]
    fn processor_time() {
        let quota = |text| cpu_max(text).map(|max| max.quota);
        assert_eq!(quota("150%"), Some(Some(Duration::from_millis(150))));
        assert_eq!(quota("1%"), Some(Some(Duration::from_millis(1))));
        assert_eq!(quota("max"), Some(None));
        for text in ["", "%", "0%", "150", "1.5%", "-1%", "4294967296%"] {
            assert_eq!(quota(text), None, "{text}");
        }
    }

    #[test]
    fn lists_of_numbers() {
        assert_eq!(numbers("0-3,5"), Some(vec![0, 1, 2, 3, 5]));
        assert_eq!(numbers("7"), Some(vec![7]));
        for text in ["", "a", "1,", "3-1", "-1", "1-", "0-8192", "1 ,2"] {
            assert_eq!(numbers(text), None, "{text}");
        }
    }
}
