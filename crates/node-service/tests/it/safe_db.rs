//! The safe-head database.

use crate::folder::Folder;
use alloy_primitives::B256;
use doppio_node_service::{BecameSafe, SafeDb, SafeHead};
use doppio_protocol::{L2BlockRef, block::BlockId};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn id(layer: u8, number: u64) -> BlockId {
    let mut hash = B256::with_last_byte(layer);
    hash[..8].copy_from_slice(&number.to_be_bytes());
    BlockId { hash, number }
}

fn head(l1: u64, l2: u64) -> SafeHead {
    SafeHead {
        l1_block: id(1, l1),
        safe_head: id(2, l2),
    }
}

fn l2_ref(number: u64, origin: u64) -> L2BlockRef {
    L2BlockRef {
        hash: id(2, number).hash,
        number,
        l1_origin: id(1, origin),
        ..L2BlockRef::default()
    }
}

/// `RecordSafeHeadUpdates`, `SafeHeadAtL1` and `L1AtSafeHead` of op-node.
#[test]
fn a_height_of_l1_gives_the_last_safe_head_up_to_it() {
    let folder = Folder::new("safe-db");
    let db = SafeDb::open(folder.path()).unwrap();
    assert_eq!(db.at_l1(5).unwrap(), None);
    assert_eq!(db.became_safe(1).unwrap(), BecameSafe::NotYet);
    for (l1, l2) in [(100, 20), (101, 22), (104, 25), (104, 27), (110, 40)] {
        db.update(&head(l1, l2)).unwrap();
    }
    for (l1, expected) in [
        (99, None),
        (100, Some((100, 20))),
        (101, Some((101, 22))),
        (103, Some((101, 22))),
        // the later one of the same L1 block counts
        (104, Some((104, 27))),
        (109, Some((104, 27))),
        (u64::MAX, Some((110, 40))),
    ] {
        let expected = expected.map(|(l1, l2)| head(l1, l2));
        assert_eq!(db.at_l1(l1).unwrap(), expected, "{l1}");
    }
    for (l2, expected) in [
        // it may have been safe before the database began
        (19, BecameSafe::Earlier),
        (20, BecameSafe::At(id(1, 100))),
        (21, BecameSafe::At(id(1, 101))),
        (22, BecameSafe::At(id(1, 101))),
        (23, BecameSafe::At(id(1, 104))),
        (28, BecameSafe::At(id(1, 110))),
        (40, BecameSafe::At(id(1, 110))),
        (41, BecameSafe::NotYet),
    ] {
        assert_eq!(db.became_safe(l2).unwrap(), expected, "{l2}");
    }
}

/// The cases of op-node's `SafeHeadReset`.
#[test]
fn a_reset_forgets_what_was_derived_after_the_safe_head() {
    let fill = |name: &str| {
        let folder = Folder::new(name);
        let db = SafeDb::open(folder.path()).unwrap();
        for (l1, l2) in [(100, 20), (101, 22), (103, 25), (106, 30)] {
            db.update(&head(l1, l2)).unwrap();
        }
        (folder, db)
    };
    // to one that was safe in the middle of what an L1 block gave
    let (_folder, db) = fill("safe-db-reset-middle");
    db.reset(&l2_ref(24, 98)).unwrap();
    assert_eq!(db.at_l1(102).unwrap(), Some(head(101, 22)));
    assert_eq!(db.at_l1(200).unwrap(), Some(head(103, 24)));
    // to the newest: nothing is lost
    let (_folder, db) = fill("safe-db-reset-newest");
    db.reset(&l2_ref(30, 99)).unwrap();
    assert_eq!(db.at_l1(200).unwrap(), Some(head(106, 30)));
    // to one that is ahead of all that is known
    db.reset(&l2_ref(31, 99)).unwrap();
    assert_eq!(db.at_l1(200).unwrap(), Some(head(106, 30)));
    // to one before the first: when it became safe is not known, so nothing is
    let (_folder, db) = fill("safe-db-reset-before");
    db.reset(&l2_ref(19, 90)).unwrap();
    assert_eq!(db.at_l1(200).unwrap(), None);
}

#[test]
fn what_was_synced_is_there_after_a_restart_and_one_process_has_it_at_a_time() {
    let folder = Folder::new("safe-db-restart");
    let db = SafeDb::open(folder.path()).unwrap();
    db.update(&head(7, 3)).unwrap();
    db.sync().unwrap();
    let error = SafeDb::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("safe-heads.redb"), "{error}");
    drop(db);
    let db = SafeDb::open(folder.path()).unwrap();
    assert_eq!(db.at_l1(7).unwrap(), Some(head(7, 3)));
}

/// A file that something else has written to is refused by name, or read as far as it is whole; it never
/// takes the node down.
#[test]
fn a_damaged_file_is_an_error_and_no_panic() {
    let folder = Folder::new("safe-db-damaged");
    let db = SafeDb::open(folder.path()).unwrap();
    for number in 1..200 {
        db.update(&head(number, number)).unwrap();
    }
    db.sync().unwrap();
    drop(db);
    let path = folder.path().join("safe-heads.redb");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, vec![0x5a; 5000]).unwrap();
    let error = SafeDb::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("safe-heads.redb"), "{error}");
    let mut refused = 0;
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let db = SafeDb::open(folder.path())?;
        // what is read is what was written
        assert!(db.at_l1(150)?.is_none_or(|found| found == head(150, 150)));
        db.became_safe(150)?;
        db.update(&head(300, 300))
    };
    for cut in [0, 1, 64, 512, 4096, whole.len() / 2, whole.len() - 1] {
        refused += usize::from(read(&whole[..cut]).is_err());
    }
    for place in (0..320).chain((4096..whole.len()).step_by(997)) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0xff;
        refused += usize::from(read(&bytes).is_err());
    }
    assert!(refused > 20, "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Against a plain map, looked through from end to end.
    #[test]
    fn it_answers_as_a_list_of_all_entries_would(
        steps in prop::collection::vec((0_u64..4, 0_u64..5), 1..40),
        asked in prop::collection::vec((0_u64..120, 0_u64..120), 20),
    ) {
        let folder = Folder::new("safe-db-model");
        let db = SafeDb::open(folder.path()).unwrap();
        let mut model = BTreeMap::new();
        let (mut l1, mut l2) = (1, 1);
        for (more_l1, more_l2) in steps {
            l1 += more_l1;
            l2 += more_l2;
            db.update(&head(l1, l2)).unwrap();
            model.insert(l1, l2);
        }
        for (at, number) in asked {
            let expected = model.range(..=at).next_back().map(|(l1, l2)| head(*l1, *l2));
            prop_assert_eq!(db.at_l1(at).unwrap(), expected);
            let first = model.iter().next().unwrap();
            let expected = match model.iter().find(|(_, l2)| **l2 >= number) {
                None => BecameSafe::NotYet,
                Some(found) if found == first && *found.1 != number => BecameSafe::Earlier,
                Some((l1, _)) => BecameSafe::At(id(1, *l1)),
            };
            prop_assert_eq!(db.became_safe(number).unwrap(), expected);
        }
    }
}
