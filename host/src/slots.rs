//! Values by keys that are never used again, without an allocation for each.

/// Values in a list, where a new one takes the place of one that was taken out. Its key
/// counts how often that was so: what still has the key of the other finds nothing.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    taken: usize,
}

#[derive(Debug)]
struct Slot<T> {
    used: u32,
    value: Option<T>,
}

impl<T> Default for Slots<T> {
    fn default() -> Slots<T> {
        Slots { slots: Vec::new(), free: Vec::new(), taken: 0 }
    }
}

impl<T> Slots<T> {
    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.taken
    }

    /// Puts a value in, and returns its key; `None` when there are four thousand million.
    pub(crate) fn insert(&mut self, value: T) -> Option<u64> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                let index = u32::try_from(self.slots.len()).ok()?;
                self.slots.push(Slot { used: 0, value: None });
                index
            }
        };
        let slot = self.slots.get_mut(index as usize)?;
        slot.value = Some(value);
        self.taken += 1;
        Some(u64::from(slot.used) << 32 | u64::from(index))
    }

    pub(crate) fn get(&self, key: u64) -> Option<&T> {
        let (index, used) = parts(key);
        self.slots.get(index as usize).filter(|slot| slot.used == used)?.value.as_ref()
    }

    pub(crate) fn get_mut(&mut self, key: u64) -> Option<&mut T> {
        let (index, used) = parts(key);
        self.slots.get_mut(index as usize).filter(|slot| slot.used == used)?.value.as_mut()
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, key: u64) -> Option<T> {
        let (index, used) = parts(key);
        let slot = self.slots.get_mut(index as usize).filter(|slot| slot.used == used)?;
        let value = slot.value.take()?;
        self.taken -= 1;
        // One that was used so often is left empty.
        if let Some(used) = used.checked_add(1) {
            slot.used = used;
            self.free.push(index);
        }
        Some(value)
    }

    /// All of them, with their keys, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.slots.iter().zip(0..).filter_map(|(Slot { used, value }, index)| {
            Some((u64::from(*used) << 32 | index, value.as_ref()?))
        })
    }
}

/// A slot, and how often it was used before.
fn parts(key: u64) -> (u32, u32) {
    let low = |key: u64| u32::try_from(key & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    (low(key), low(key >> 32))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_key_is_never_another_values() {
        let mut slots = Slots::default();
        let mut model = BTreeMap::new();
        let mut gone = Vec::new();
        for step in 0..1000_u32 {
            // In and out, so that there are more and fewer by turns.
            let oldest = model.keys().nth(step as usize % 7).copied();
            match oldest.filter(|_| step % 5 < 2 || step % 100 > 60) {
                Some(key) => {
                    assert_eq!(slots.remove(key), model.remove(&key));
                    gone.push(key);
                }
                None => {
                    let key = slots.insert(step).unwrap();
                    assert!(!gone.contains(&key));
                    assert_eq!(model.insert(key, step), None);
                }
            }
            let all: BTreeMap<_, _> = slots.iter().map(|(key, value)| (key, *value)).collect();
            assert_eq!(all, model);
            assert_eq!(slots.len(), model.len());
        }
        for key in gone {
            assert_eq!(slots.get(key), None);
            assert_eq!(slots.get_mut(key), None);
            assert_eq!(slots.remove(key), None);
        }
        assert!(slots.slots.len() < 300, "{}", slots.slots.len());
        for (key, value) in &mut model {
            assert_eq!(slots.get(*key), Some(&*value));
            assert_eq!(slots.get_mut(*key), Some(value));
        }
    }

    #[test]
    fn a_slot_is_left_before_its_keys_begin_anew() {
        let mut slots = Slots::default();
        let first = slots.insert(()).unwrap();
        slots.slots[0].used = u32::MAX;
        assert_eq!(slots.remove(first), None);
        let last = u64::from(u32::MAX) << 32;
        assert_eq!(slots.remove(last), Some(()));
        assert_eq!(slots.insert(()), Some(1));
    }
}
