//! Batches that wait for their turn, each with a signer who may sign.

use super::{Limits, Place};
use crate::batch::SignedBatch;
use doppio_protocol::L1BlockRef;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) place: Place,
    pub(super) l1_finalized: Option<L1BlockRef>,
    pub(super) signed: SignedBatch,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    Kept,
    Duplicate,
    NoRoom,
}

/// Batches by number and, for one number, by place.
#[derive(Clone, Debug)]
pub(super) struct Buffer {
    numbers: BTreeMap<u64, Vec<Candidate>>,
    origins: BTreeMap<u64, usize>,
    bytes: usize,
    /// For each number, the first place of a batch that was forgotten for want of room.
    forgotten: Places,
}

impl Buffer {
    pub(super) const fn new() -> Self {
        Self {
            numbers: BTreeMap::new(),
            origins: BTreeMap::new(),
            bytes: 0,
            forgotten: Places::new(),
        }
    }

    /// Keeps a batch, or forgets it or another that is needed later.
    pub(super) fn insert(&mut self, candidate: Candidate, tip: u64, limits: &Limits) -> Inserted {
        let number = candidate.signed.batch.number();
        let (place, id) = (candidate.place, candidate.signed.body_hash);
        let list = self.numbers.get_mut(&number);
        let same = list.and_then(|list| {
            let at = list.iter().position(|known| known.signed.body_hash == id)?;
            // what is read again may be an earlier copy: the first one counts
            let is_later = list.get(at).is_some_and(|known| known.place > place);
            Some(is_later.then(|| list.remove(at)))
        });
        match same {
            Some(None) => return Inserted::Duplicate,
            Some(Some(later)) => self.removed(number, &later),
            None => {}
        }
        if number.saturating_sub(tip) > limits.ahead {
            self.forgotten.add(number, place, limits.ahead);
            return Inserted::NoRoom;
        }
        let origin = candidate.signed.batch.l1_origin().number;
        self.bytes = self.bytes.saturating_add(candidate.signed.batch.size());
        *self.origins.entry(origin).or_default() += 1;
        let list = self.numbers.entry(number).or_default();
        let at = list.partition_point(|known| known.place < place);
        list.insert(at, candidate);
        let mut kept = true;
        if list.len() > limits.per_number {
            kept &= self.forget_last(number, place);
        }
        if self
            .origins
            .get(&origin)
            .is_some_and(|count| *count > limits.per_origin)
        {
            kept &= self.forget_farthest_of(origin, place);
        }
        // one batch is kept, however large
        while self.bytes > limits.batch_bytes && self.count() > 1 {
            let Some((last, _)) = self.numbers.last_key_value() else {
                break;
            };
            kept &= self.forget_last(*last, place);
        }
        if kept {
            Inserted::Kept
        } else {
            Inserted::NoRoom
        }
    }

    fn count(&self) -> usize {
        self.origins.values().sum()
    }

    /// Has blocks read again when these numbers are next.
    pub(super) fn forget(&mut self, places: Places, limits: &Limits) {
        for (number, place) in places.near.into_iter().chain(places.far) {
            self.forgotten.add(number, place, limits.ahead);
        }
    }

    /// Forgets the last batch for a number; whether it was another than the one at `place`.
    fn forget_last(&mut self, number: u64, place: Place) -> bool {
        let last = self.numbers.get_mut(&number).and_then(Vec::pop);
        let Some(candidate) = last else { return true };
        self.forgotten.add(number, candidate.place, u64::MAX);
        self.removed(number, &candidate);
        candidate.place != place
    }

    /// Forgets the batch of this L1 origin that is needed last; whether it was another than the one at
    /// `place`.
    fn forget_farthest_of(&mut self, origin: u64, place: Place) -> bool {
        let is_of = |candidate: &Candidate| candidate.signed.batch.l1_origin().number == origin;
        let found = self.numbers.iter_mut().rev().find_map(|(number, list)| {
            let at = list.iter().rposition(is_of)?;
            Some((*number, list.remove(at)))
        });
        let Some((number, candidate)) = found else {
            return true;
        };
        self.forgotten.add(number, candidate.place, u64::MAX);
        self.removed(number, &candidate);
        candidate.place != place
    }

    fn removed(&mut self, number: u64, candidate: &Candidate) {
        let batch = &candidate.signed.batch;
        self.bytes = self.bytes.saturating_sub(batch.size());
        let origin = batch.l1_origin().number;
        if let Some(count) = self.origins.get_mut(&origin) {
            *count -= 1;
            if *count == 0 {
                self.origins.remove(&origin);
            }
        }
        if self.numbers.get(&number).is_some_and(Vec::is_empty) {
            self.numbers.remove(&number);
        }
    }

    /// The first batch for a number.
    pub(super) fn first(&self, number: u64) -> Option<&Candidate> {
        self.numbers.get(&number).and_then(|list| list.first())
    }

    /// Takes it.
    pub(super) fn remove_first(&mut self, number: u64) -> Option<Candidate> {
        let list = self.numbers.get_mut(&number)?;
        let candidate = if list.is_empty() {
            None
        } else {
            Some(list.remove(0))
        }?;
        self.removed(number, &candidate);
        Some(candidate)
    }

    /// Removes all batches for a number, and gives their places.
    pub(super) fn remove_number(&mut self, number: u64) -> Vec<Place> {
        let mut places = Vec::new();
        while let Some(candidate) = self.remove_first(number) {
            places.push(candidate.place);
        }
        places
    }

    /// The least height of a batch that is kept, or was forgotten.
    pub(super) fn first_height(&self) -> Option<u64> {
        let kept = self
            .numbers
            .values()
            .flatten()
            .map(|candidate| candidate.place.height);
        kept.chain(self.forgotten.least()).min()
    }

    /// The height from which on a batch for this number was forgotten that stands before all that are
    /// kept. What is read again from there on is forgotten no more.
    pub(super) fn take_forgotten(&mut self, number: u64) -> Option<u64> {
        let place = self.forgotten.of(number)?;
        if self.first(number).is_some_and(|first| first.place < place) {
            return None;
        }
        self.forgotten.read_from(place.height);
        Some(place.height)
    }

    /// Nothing up to this number is needed any more.
    pub(super) fn passed(&mut self, number: u64) {
        self.forgotten.passed(number);
    }
}

/// For numbers of L2 blocks, places from which on HotShot must be read again.
#[derive(Clone, Debug)]
pub(super) struct Places {
    near: BTreeMap<u64, Place>,
    /// The least number and the first place of all that are too many.
    far: Option<(u64, Place)>,
}

impl Places {
    pub(super) const fn new() -> Self {
        Self {
            near: BTreeMap::new(),
            far: None,
        }
    }

    /// Adds a place; beyond `most` numbers only the first.
    pub(super) fn add(&mut self, number: u64, place: Place, most: u64) {
        if self.near.contains_key(&number) || (self.near.len() as u64) < most {
            let known = self.near.entry(number).or_insert(place);
            *known = place.min(*known);
        } else {
            let (first, least) = self.far.unwrap_or((number, place));
            self.far = Some((number.min(first), place.min(least)));
        }
    }

    /// The least height.
    pub(super) fn least(&self) -> Option<u64> {
        let far = self.far.map(|(_, place)| place.height);
        let near = self.near.values().map(|place| place.height);
        near.chain(far).min()
    }

    /// The first place for a number that is next.
    fn of(&self, number: u64) -> Option<Place> {
        let far = self.far.filter(|(first, _)| *first <= number);
        let near = self.near.get(&number).copied();
        near.into_iter().chain(far.map(|(_, place)| place)).min()
    }

    /// All from this height on is read again.
    fn read_from(&mut self, height: u64) {
        self.near.retain(|_, other| other.height < height);
        self.far = self.far.filter(|(_, other)| other.height < height);
    }

    /// Nothing up to this number is needed any more.
    pub(super) fn passed(&mut self, number: u64) {
        self.near = self.near.split_off(&number.saturating_add(1));
    }
}
