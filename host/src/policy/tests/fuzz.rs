//! How long the tests with random inputs go on: a few seconds each, unless
//! `OFFSPRING_FUZZ_SECONDS` says longer; then with other inputs each time.

use std::time::{Duration, Instant, SystemTime};

use super::random::Random;

/// Random numbers for so many rounds, the same each time; or for the time that the
/// environment says, new ones.
pub(crate) fn rounds(seed: u64, count: usize, mut round: impl FnMut(&mut Random)) {
    let seconds = std::env::var("OFFSPRING_FUZZ_SECONDS").ok();
    let Some(seconds) = seconds.and_then(|seconds| seconds.parse().ok()) else {
        let mut random = Random(seed);
        return (0..count).for_each(|_| round(&mut random));
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seed = now.as_secs() << 8 | seed;
    println!("random numbers from {seed}");
    let mut random = Random(seed);
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        (0..100).for_each(|_| round(&mut random));
    }
}
