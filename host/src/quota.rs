//! Counting what a guest holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A number of things of which only so many may exist at once.
#[derive(Debug, Clone)]
pub(crate) struct Quota {
    max: u32,
    held: Arc<AtomicU32>,
}

/// Some of them. Dropping it makes room for others.
#[derive(Debug)]
pub(crate) struct Share {
    quota: Quota,
    count: u32,
}

impl Quota {
    pub(crate) fn new(max: u32) -> Quota {
        Quota { max, held: Arc::default() }
    }

    pub(crate) fn max(&self) -> u32 {
        self.max
    }

    /// Takes one, unless all are taken.
    pub(crate) fn take(&self) -> Option<Share> {
        self.take_many(1)
    }

    /// Takes this many, unless fewer are left.
    pub(crate) fn take_many(&self, count: u32) -> Option<Share> {
        let more = |held: u32| held.checked_add(count).filter(|held| *held <= self.max);
        self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Share { quota: self.clone(), count })
    }
}

impl Share {
    /// Takes one more of the same.
    pub(crate) fn another(&self) -> Option<Share> {
        self.quota.take()
    }

    /// Makes this a share of so many, unless fewer are left.
    pub(crate) fn resize(&mut self, count: u32) -> bool {
        let resized = |held: u32| {
            let others = held - self.count;
            others.checked_add(count).filter(|held| *held <= self.quota.max)
        };
        let held = &self.quota.held;
        let done = held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, resized).is_ok();
        if done {
            self.count = count;
        }
        done
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.quota.held.fetch_sub(self.count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_max() {
        let quota = Quota::new(2);
        let first = quota.take().unwrap();
        let _second = quota.take().unwrap();
        assert!(quota.take().is_none());
        drop(first);
        assert!(quota.take().is_some());
        assert!(Quota::new(0).take().is_none());
        assert!(quota.take_many(u32::MAX).is_none());
    }

    #[test]
    fn a_share_grows_into_what_is_left_and_always_shrinks() {
        let quota = Quota::new(10);
        let mut share = quota.take_many(6).unwrap();
        let _rest = quota.take_many(4).unwrap();
        assert!(!share.resize(7));
        assert!(share.resize(2));
        assert!(share.resize(6));
        drop(share);
        assert!(quota.take_many(6).is_some());
    }
}
