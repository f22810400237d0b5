//! What happened lately: told to subscribers, and kept for those who poll.
//!
//! A [`Journal`] keeps its newest entries and counts them all. Readers remember how far they have
//! read. Whoever is too slow is told that entries are lost; nobody is waited for.

use alloy_primitives::B256;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use thiserror::Error;
use tokio::sync::watch;

/// Moves of the head that are kept.
const KEPT_MOVES: usize = 1_024;
/// Hashes of pending transactions that are kept.
const KEPT_PENDING: usize = 32_768;

/// Entries were forgotten before they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("too slow: what happened in between is forgotten")]
pub struct Missed;

/// How the canonical chain changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadMoved {
    /// Blocks that are canonical no more, by height, lowest first.
    pub removed: Vec<(u64, B256)>,
    /// Blocks that became canonical, by height, lowest first.
    pub added: Vec<(u64, B256)>,
}

/// All journals of an engine.
#[derive(Debug)]
pub struct News {
    /// Moves of the head.
    pub heads: Journal<Arc<HeadMoved>>,
    /// Hashes of transactions that may enter the next block.
    pub pending: Journal<B256>,
}

impl Default for News {
    fn default() -> Self {
        Self {
            heads: Journal::new(KEPT_MOVES),
            pending: Journal::new(KEPT_PENDING),
        }
    }
}

/// The newest entries of a sequence.
#[derive(Debug)]
pub struct Journal<T> {
    kept: Mutex<Kept<T>>,
    most: usize,
    /// The position after the newest entry.
    end: watch::Sender<u64>,
}

#[derive(Debug)]
struct Kept<T> {
    entries: VecDeque<T>,
    /// Position of the oldest of them.
    start: u64,
}

impl<T> Kept<T> {
    fn end(&self) -> u64 {
        self.start + self.entries.len() as u64
    }
}

impl<T: Clone> Journal<T> {
    fn new(most: usize) -> Self {
        Self {
            kept: Mutex::new(Kept {
                entries: VecDeque::new(),
                start: 0,
            }),
            most,
            end: watch::Sender::new(0),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds entries, and wakes who waits for them.
    pub fn add(&self, entries: impl IntoIterator<Item = T>) {
        let mut kept = self.kept();
        let before = kept.end();
        for entry in entries {
            if kept.entries.len() == self.most {
                kept.entries.pop_front();
                kept.start += 1;
            }
            kept.entries.push_back(entry);
        }
        let end = kept.end();
        drop(kept);
        if end > before {
            self.end.send_replace(end);
        }
    }

    /// The position after the newest entry.
    pub fn end(&self) -> u64 {
        self.kept().end()
    }

    /// The entries from a position on, and the position after them.
    pub fn since(&self, position: u64) -> Result<(Vec<T>, u64), Missed> {
        let kept = self.kept();
        let skip = position.checked_sub(kept.start).ok_or(Missed)?;
        let skip = usize::try_from(skip).map_err(|_| Missed)?;
        let entries = kept.entries.iter().skip(skip).cloned().collect();
        Ok((entries, kept.end()))
    }

    /// Changes whenever there is a new entry.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.end.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_get_what_is_new_and_are_told_what_they_missed() {
        let journal = Journal::new(3);
        let mut watch = journal.watch();
        assert_eq!(journal.since(0), Ok((vec![], 0)));
        journal.add([1, 2]);
        assert!(watch.has_changed().unwrap());
        assert_eq!(*watch.borrow_and_update(), 2);
        assert_eq!(journal.since(1), Ok((vec![2], 2)));
        journal.add([]);
        assert!(!watch.has_changed().unwrap());
        journal.add([3, 4]);
        assert_eq!(journal.since(0), Err(Missed));
        assert_eq!(journal.since(1), Ok((vec![2, 3, 4], 4)));
        assert_eq!(journal.since(4), Ok((vec![], 4)));
    }
}
