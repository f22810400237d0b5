//! The safe-head database: which L2 block was safe once an L1 block was derived.
//!
//! Dispute games ask for it: a claim is about what L1 held up to a block, and later blocks must not
//! count.

use alloy_primitives::B256;
use doppio_protocol::{L2BlockRef, block::BlockId};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};
use thiserror::Error;

/// L1 height; then hash of that L1 block, hash of the L2 block, and its height in eight bytes.
const HEADS: TableDefinition<'_, u64, [u8; ENTRY]> = TableDefinition::new("safe_heads");
const ENTRY: usize = 72;
/// Memory for the database's cache, in bytes: entries are small, and read seldom.
const CACHE: usize = 8 << 20;

/// What goes wrong with the database.
#[derive(Debug, Error)]
pub enum SafeDbError {
    /// The file.
    #[error("the safe-head database {path}: {error}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        error: Box<redb::Error>,
    },
    /// It was changed by something else, or lost bytes.
    #[error(
        "the safe-head database {path} is damaged ({problem}): move it away; what becomes safe from \
         then on is recorded anew"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// Reading or writing.
    #[error("the safe-head database: {0}")]
    Store(Box<redb::Error>),
}

impl<E: Into<redb::Error>> From<E> for SafeDbError {
    fn from(error: E) -> Self {
        Self::Store(Box::new(error.into()))
    }
}

/// An L1 block, and the block that was safe once it was derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SafeHead {
    /// The L1 block.
    pub l1_block: BlockId,
    /// The L2 block.
    pub safe_head: BlockId,
}

/// When a block became safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BecameSafe {
    /// With this L1 block.
    At(BlockId),
    /// It is not safe yet.
    NotYet,
    /// Before the database begins.
    Earlier,
}

/// The database.
#[derive(Debug)]
pub struct SafeDb {
    database: Database,
}

fn encode(head: &SafeHead) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    entry[..32].copy_from_slice(head.l1_block.hash.as_slice());
    entry[32..64].copy_from_slice(head.safe_head.hash.as_slice());
    entry[64..].copy_from_slice(&head.safe_head.number.to_be_bytes());
    entry
}

fn decode(l1_number: u64, entry: [u8; ENTRY]) -> SafeHead {
    let mut number = [0; 8];
    number.copy_from_slice(&entry[64..]);
    SafeHead {
        l1_block: BlockId {
            hash: B256::from_slice(&entry[..32]),
            number: l1_number,
        },
        safe_head: BlockId {
            hash: B256::from_slice(&entry[32..64]),
            number: u64::from_be_bytes(number),
        },
    }
}

impl SafeDb {
    /// Opens the database in a folder, both of which are made if they do not exist. All of it is
    /// checked: a page that has another checksum is found now, and not when it is asked for.
    ///
    /// # Errors
    ///
    /// If the file cannot be made or opened, is damaged, or another process has it.
    pub fn open(folder: &Path) -> Result<Self, SafeDbError> {
        let path = folder.join("safe-heads.redb");
        let failed = |error: redb::Error| SafeDbError::Open {
            path: path.clone(),
            error: Box::new(error),
        };
        std::fs::create_dir_all(folder).map_err(|error| failed(redb::Error::Io(error)))?;
        let database = checked(&path, || {
            let mut database = Database::builder().set_cache_size(CACHE).create(&path)?;
            let is_whole = database.check_integrity()?;
            let write = database.begin_write()?;
            write.open_table(HEADS)?;
            write.commit()?;
            Ok((database, is_whole))
        });
        let (database, is_whole) = database?.map_err(failed)?;
        if !is_whole {
            return Err(SafeDbError::Damaged {
                path,
                problem: "a checksum does not fit".to_owned(),
            });
        }
        Ok(Self { database })
    }

    /// The L2 block is safe once the L1 block is derived.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn update(&self, head: &SafeHead) -> Result<(), SafeDbError> {
        let mut write = self.database.begin_write()?;
        // what is lost in a crash is derived again
        write.set_durability(Durability::None)?;
        write
            .open_table(HEADS)?
            .insert(head.l1_block.number, encode(head))?;
        write.commit()?;
        Ok(())
    }

    /// Derivation begins again from a safe head: what was derived after it is no longer known.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn reset(&self, safe_head: &L2BlockRef) -> Result<(), SafeDbError> {
        let write = self.database.begin_write()?;
        {
            let mut table = write.open_table(HEADS)?;
            let from = safe_head.l1_origin.number;
            let mut first = None;
            for entry in table.range(from..)? {
                let (key, value) = entry?;
                let head = decode(key.value(), value.value());
                if head.safe_head.number >= safe_head.number {
                    first = Some(head);
                    break;
                }
            }
            let Some(first) = first else {
                return Ok(());
            };
            let key = first.l1_block.number;
            let has_earlier = table.range(..key)?.next_back().transpose()?.is_some();
            table.retain_in(key.., |_, _| false)?;
            // Without an earlier entry it may have been safe before: then nothing is known.
            if has_earlier {
                let head = SafeHead {
                    l1_block: first.l1_block,
                    safe_head: safe_head.id(),
                };
                table.insert(key, encode(&head))?;
            }
        }
        write.commit()?;
        Ok(())
    }

    /// What was safe once an L1 height was derived; none if the database does not reach back so far.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn at_l1(&self, number: u64) -> Result<Option<SafeHead>, SafeDbError> {
        let table = self.database.begin_read()?.open_table(HEADS)?;
        let last = table.range(..=number)?.next_back().transpose()?;
        Ok(last.map(|(key, value)| decode(key.value(), value.value())))
    }

    /// The L1 block with which an L2 height became safe.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn became_safe(&self, number: u64) -> Result<BecameSafe, SafeDbError> {
        let table = self.database.begin_read()?.open_table(HEADS)?;
        let head_at = |key: u64| -> Result<Option<SafeHead>, SafeDbError> {
            let entry = table.range(..=key)?.next_back().transpose()?;
            Ok(entry.map(|(key, value)| decode(key.value(), value.value())))
        };
        let (Some((first, _)), Some((last, _))) = (table.first()?, table.last()?) else {
            return Ok(BecameSafe::NotYet);
        };
        let (first, last) = (first.value(), last.value());
        // heights only rise: the first entry that reaches the height lies between these
        let (mut low, mut high) = (first, last);
        if head_at(last)?.is_none_or(|head| head.safe_head.number < number) {
            return Ok(BecameSafe::NotYet);
        }
        while low < high {
            let middle = low + (high - low) / 2;
            match head_at(middle)? {
                Some(head) if head.safe_head.number >= number => {
                    high = head.l1_block.number.min(middle)
                }
                _ => low = middle + 1,
            }
        }
        match head_at(low)? {
            // what comes before the first entry is not known
            Some(head) if low == first && head.safe_head.number != number => {
                Ok(BecameSafe::Earlier)
            }
            Some(head) => Ok(BecameSafe::At(head.l1_block)),
            None => Ok(BecameSafe::Earlier),
        }
    }

    /// Everything up to now is kept, whatever happens.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn sync(&self) -> Result<(), SafeDbError> {
        let mut write = self.database.begin_write()?;
        write.set_durability(Durability::Immediate)?;
        write.commit()?;
        Ok(())
    }
}

/// What reads a file for the first time. redb panics at some damage that no checksum covers.
fn checked<T>(
    path: &Path,
    read: impl FnOnce() -> Result<T, redb::Error>,
) -> Result<Result<T, redb::Error>, SafeDbError> {
    catch_unwind(AssertUnwindSafe(read)).map_err(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
        SafeDbError::Damaged {
            path: path.to_owned(),
            problem: words.unwrap_or("it cannot be read").to_owned(),
        }
    })
}
