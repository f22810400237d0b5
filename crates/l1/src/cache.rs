//! A bounded store of verified things by hash: what was not asked for longest goes first.

use crate::meter::{CacheKind, Measured, Meter};
use alloy_primitives::B256;
use std::collections::{BTreeMap, HashMap};

/// Things by hash, within a number and a number of bytes.
#[derive(Debug)]
pub(crate) struct Cache<T> {
    entries: HashMap<B256, Entry<T>>,
    /// Hashes by the time of their last use.
    by_use: BTreeMap<u64, B256>,
    uses: u64,
    bytes: usize,
    max_entries: usize,
    max_bytes: usize,
    kind: CacheKind,
    meter: Meter,
}

#[derive(Debug)]
struct Entry<T> {
    value: T,
    bytes: usize,
    last_use: u64,
}

impl<T: Clone> Cache<T> {
    pub(crate) fn new(kind: CacheKind, max_entries: usize, max_bytes: usize, meter: Meter) -> Self {
        Self {
            entries: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            bytes: 0,
            max_entries,
            max_bytes,
            kind,
            meter,
        }
    }

    pub(crate) fn get(&mut self, hash: B256) -> Option<T> {
        let found = self.entries.get_mut(&hash);
        (self.meter)(Measured::CacheGet {
            cache: self.kind,
            hit: found.is_some(),
        });
        let entry = found?;
        self.uses += 1;
        self.by_use.remove(&entry.last_use);
        self.by_use.insert(self.uses, hash);
        entry.last_use = self.uses;
        Some(entry.value.clone())
    }

    pub(crate) fn insert(&mut self, hash: B256, value: T, bytes: usize) {
        self.remove(hash);
        self.uses += 1;
        let last_use = self.uses;
        self.by_use.insert(last_use, hash);
        self.bytes = self.bytes.saturating_add(bytes);
        let entry = Entry {
            value,
            bytes,
            last_use,
        };
        self.entries.insert(hash, entry);
        let mut evicted = false;
        while self.entries.len() > self.max_entries || self.bytes > self.max_bytes {
            let Some((_, oldest)) = self.by_use.pop_first() else {
                break;
            };
            self.remove(oldest);
            evicted = true;
        }
        (self.meter)(Measured::CacheAdd {
            cache: self.kind,
            evicted,
            size: self.entries.len(),
        });
    }

    fn remove(&mut self, hash: B256) {
        if let Some(entry) = self.entries.remove(&hash) {
            self.by_use.remove(&entry.last_use);
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter;

    fn cache(max_entries: usize, max_bytes: usize) -> Cache<i32> {
        Cache::new(CacheKind::Blocks, max_entries, max_bytes, meter::ignore)
    }

    fn hash(byte: u8) -> B256 {
        B256::repeat_byte(byte)
    }

    #[test]
    fn what_was_not_asked_for_longest_goes_first() {
        let mut cache = cache(2, 1000);
        cache.insert(hash(1), 1, 1);
        cache.insert(hash(2), 2, 1);
        assert_eq!(cache.get(hash(1)), Some(1));
        cache.insert(hash(3), 3, 1);
        assert_eq!(cache.get(hash(2)), None);
        assert_eq!((cache.get(hash(1)), cache.get(hash(3))), (Some(1), Some(3)));
    }

    #[test]
    fn bytes_are_bounded_and_counted_once() {
        let mut cache = cache(100, 10);
        for _ in 0..3 {
            cache.insert(hash(1), 1, 6);
        }
        assert_eq!((cache.get(hash(1)), cache.bytes), (Some(1), 6));
        cache.insert(hash(2), 2, 6);
        assert_eq!((cache.get(hash(1)), cache.get(hash(2))), (None, Some(2)));
        cache.insert(hash(3), 3, 11);
        assert_eq!(
            (cache.entries.len(), cache.by_use.len(), cache.bytes),
            (0, 0, 0)
        );
    }
}
