//! Limiting how often something is done.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A token bucket: so many at once, and then so many a second.
///
/// It is told the time, and never asks for it.
#[derive(Debug)]
pub(crate) struct Rate {
    per_second: u32,
    burst: u32,
    state: Mutex<Bucket>,
}

/// What a bucket lacks, as the moment at which it will be full again.
///
/// Equal to counting tokens, but exact: a token is a time.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    full_at: Option<Instant>,
}

/// Why nothing was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooOften {
    per_second: u32,
    /// When one can be taken.
    after: Duration,
}

impl Rate {
    pub(crate) fn new(per_second: u32, burst: u32) -> Rate {
        Rate { per_second, burst, state: Mutex::default() }
    }

    /// Takes one, unless too many were taken lately.
    pub(crate) fn take(&self, now: Instant) -> Result<(), TooOften> {
        if token(self.per_second).is_zero() && self.burst > 0 {
            // There is always another one.
            return Ok(());
        }
        let mut bucket = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *bucket = bucket.take(self.per_second, self.burst, now)?;
        Ok(())
    }

    /// Gives one back that was taken and not used.
    pub(crate) fn give_back(&self) {
        let mut bucket = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *bucket = bucket.give_back(self.per_second);
    }
}

impl Bucket {
    fn take(self, per_second: u32, burst: u32, now: Instant) -> Result<Bucket, TooOften> {
        let token = token(per_second);
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        let lacking = full_at - now;
        // An overflow is a bucket that takes centuries to fill.
        let most = token.saturating_mul(burst.saturating_sub(1));
        if burst == 0 || lacking > most {
            return Err(TooOften { per_second, after: lacking.saturating_sub(most) });
        }
        match full_at.checked_add(token) {
            Some(at) => Ok(Bucket { full_at: Some(at) }),
            None => Err(TooOften { per_second, after: Duration::MAX }),
        }
    }

    fn give_back(self, per_second: u32) -> Bucket {
        Bucket { full_at: self.full_at.and_then(|at| at.checked_sub(token(per_second))) }
    }
}

/// How long it takes until there is another one.
fn token(per_second: u32) -> Duration {
    match per_second {
        0 => Duration::MAX,
        some => Duration::from_secs(1) / some,
    }
}

impl fmt::Display for TooOften {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TooOften { per_second, after } = self;
        let after = after.as_secs_f64().max(0.001);
        write!(f, "{per_second} a second at most; the next in {after:.3} seconds")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// How many can be taken at a moment.
    fn taken(rate: &Rate, now: Instant) -> usize {
        (0..1000).take_while(|_| rate.take(now).is_ok()).count()
    }

    #[test]
    fn a_burst_and_then_so_many_a_second() {
        let rate = Rate::new(10, 4);
        let start = Instant::now();
        assert_eq!(taken(&rate, start), 4);
        assert_eq!(taken(&rate, start + 99 * MS), 0);
        assert_eq!(taken(&rate, start + 100 * MS), 1);
        assert_eq!(taken(&rate, start + 350 * MS), 2);
        assert_eq!(taken(&rate, start + 400 * MS), 1);
        // No more than a burst, however long it was left alone.
        assert_eq!(taken(&rate, start + 1_000_000 * MS), 4);
    }

    #[test]
    fn says_when_to_come_again() {
        let rate = Rate::new(2, 1);
        let start = Instant::now();
        rate.take(start).unwrap();
        let refused = rate.take(start + 100 * MS).unwrap_err();
        assert_eq!(refused, TooOften { per_second: 2, after: 400 * MS });
        assert_eq!(refused.to_string(), "2 a second at most; the next in 0.400 seconds");
        assert_eq!(rate.take(start + 100 * MS + refused.after), Ok(()));
    }

    #[test]
    fn what_is_given_back_can_be_taken() {
        let rate = Rate::new(1, 2);
        let start = Instant::now();
        assert_eq!(taken(&rate, start), 2);
        rate.give_back();
        assert_eq!(taken(&rate, start), 1);
    }

    #[test]
    fn a_clock_that_stands_or_goes_back_gives_nothing() {
        let rate = Rate::new(1000, 1);
        let start = Instant::now();
        rate.take(start + 10 * MS).unwrap();
        assert!(rate.take(start).is_err());
        assert!(rate.take(start + 10 * MS).is_err());
    }

    #[test]
    fn extremes() {
        let now = Instant::now();
        assert_eq!(taken(&Rate::new(u32::MAX, u32::MAX), now), 1000);
        assert_eq!(taken(&Rate::new(0, 3), now), 0);
        assert_eq!(taken(&Rate::new(3, 0), now), 0);
        assert_eq!(taken(&Rate::new(1, u32::MAX), now), 1000);
    }
}
