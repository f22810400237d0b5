//! How the searches around the pipeline ask for blocks.
//!
//! A search walks over chains that it cannot see. In each round it asks for what the round needs,
//! one thing at a time; a failed or late answer leaves it where it is.

use alloy_primitives::B256;
use doppio_protocol::{L1BlockRef, L2BlockRef, system_config::SystemConfig};
use thiserror::Error;

/// A block by the name that an execution engine keeps for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum L2Label {
    /// `finalized`.
    Finalized,
    /// `safe`.
    Safe,
    /// `latest`.
    Unsafe,
}

/// What a search asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// An L1 block by hash, canonical or not.
    L1ByHash(B256),
    /// The canonical L1 block of a height.
    L1ByNumber(u64),
    /// An L2 block by hash.
    L2ByHash(B256),
    /// The canonical L2 block of a height.
    L2ByNumber(u64),
    /// An L2 block by label.
    L2ByLabel(L2Label),
    /// System configuration as of an L2 block, by the block's hash.
    SystemConfig(B256),
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// An L1 block.
    L1(L1BlockRef),
    /// An L2 block.
    L2(L2BlockRef),
    /// A system configuration.
    SystemConfig(SystemConfig),
    /// The node that was asked says that there is nothing of the kind. Not for a node that could
    /// not be reached: then the lookup stands.
    Nothing,
}

/// How far a search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search<T> {
    /// It asks for something.
    Need(Lookup),
    /// It has ended.
    Found(T),
}

/// What was supplied is not what was asked for. The search is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no answer to what the search asks for")]
pub struct NotAsked(pub Found);

/// Why a round cannot go on.
pub(crate) enum Halt<E> {
    /// An answer is lacking.
    Need(Lookup),
    /// The search has failed.
    Failed(E),
}

impl<E> From<E> for Halt<E> {
    fn from(error: E) -> Self {
        Self::Failed(error)
    }
}

/// The answers that a search has been given since its last round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    found: Vec<(Lookup, Found)>,
    asked: Option<Lookup>,
}

impl Answers {
    /// The answer to a lookup, or the question.
    fn get<E>(&mut self, lookup: Lookup) -> Result<Found, Halt<E>> {
        match self.found.iter().find(|(asked, _)| *asked == lookup) {
            Some((_, found)) => Ok(*found),
            None => {
                self.asked = Some(lookup);
                Err(Halt::Need(lookup))
            }
        }
    }

    /// An L1 block; none if there is no such block.
    pub(crate) fn l1<E>(&mut self, lookup: Lookup) -> Result<Option<L1BlockRef>, Halt<E>> {
        Ok(match self.get(lookup)? {
            Found::L1(block) => Some(block),
            _ => None,
        })
    }

    /// An L2 block; none if there is no such block.
    pub(crate) fn l2<E>(&mut self, lookup: Lookup) -> Result<Option<L2BlockRef>, Halt<E>> {
        Ok(match self.get(lookup)? {
            Found::L2(block) => Some(block),
            _ => None,
        })
    }

    /// A system configuration; none if there is no such block.
    pub(crate) fn system_config<E>(
        &mut self,
        block: B256,
    ) -> Result<Option<SystemConfig>, Halt<E>> {
        Ok(match self.get(Lookup::SystemConfig(block))? {
            Found::SystemConfig(config) => Some(config),
            _ => None,
        })
    }

    /// Takes the answer to the question that was asked last.
    pub(crate) fn supply(&mut self, found: Found) -> Result<(), NotAsked> {
        let Some(lookup) = self.asked else {
            return Err(NotAsked(found));
        };
        let fits = match (lookup, found) {
            (_, Found::Nothing)
            | (Lookup::L2ByLabel(_), Found::L2(_))
            | (Lookup::SystemConfig(_), Found::SystemConfig(_)) => true,
            (Lookup::L1ByHash(hash), Found::L1(block)) => block.hash == hash,
            (Lookup::L1ByNumber(number), Found::L1(block)) => block.number == number,
            (Lookup::L2ByHash(hash), Found::L2(block)) => block.hash == hash,
            (Lookup::L2ByNumber(number), Found::L2(block)) => block.number == number,
            _ => false,
        };
        if !fits {
            return Err(NotAsked(found));
        }
        self.asked = None;
        self.found.push((lookup, found));
        Ok(())
    }

    /// Forgets the answers: the next round asks anew.
    pub(crate) fn next_round(&mut self) {
        self.found.clear();
        self.asked = None;
    }
}
