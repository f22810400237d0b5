//! Blobs: from either endpoint of the beacon API, from archivers, wrong, missing, late.

use crate::fake::{Chain, Fake, RUNTIME, Rules, commitment, source};
use alloy_primitives::B256;
use doppio_l1::{
    Follower, FollowerOptions, L1Error, L1Event, L1Source,
    verify::{VerifyError, read_blobs, versioned_hash},
};
use doppio_protocol::{L1BlockRef, blob::Blob};
use doppio_test_vectors::Vectors;
use serde_json::{Value, json};
use std::{
    sync::{Arc, LazyLock},
    thread,
    time::{Duration, Instant},
};

static CHAIN: LazyLock<Option<Arc<Chain>>> =
    LazyLock::new(|| Chain::open("blobs-span-brotli-jovian"));

/// The recorded blocks that have blobs.
fn blocks(chain: &Chain) -> Vec<(L1BlockRef, Vec<B256>)> {
    let blocks = chain.expected().into_iter().filter_map(|block| {
        let hashes = chain.slot_blobs(usize::try_from(block.header.number).unwrap());
        (!hashes.is_empty()).then(|| (block.header.block_ref(), hashes))
    });
    blocks.collect()
}

fn fetch(
    source: &L1Source,
    (block, hashes): &(L1BlockRef, Vec<B256>),
) -> Result<Vec<Box<Blob>>, L1Error> {
    RUNTIME.block_on(source.blobs(block, hashes))
}

fn expected(chain: &Chain, hashes: &[B256]) -> Vec<Box<Blob>> {
    let blob = |hash| chain.recorded.blob(hash).unwrap();
    hashes.iter().map(blob).collect()
}

#[test]
fn blobs_come_by_either_endpoint_in_the_order_asked_for() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let blocks = blocks(&chain);
    assert!(blocks.iter().any(|(_, hashes)| hashes.len() > 1));
    for missing in ["/eth/v1/beacon/blobs/", "/eth/v1/beacon/blob_sidecars/"] {
        let fake = Fake::start(
            &chain,
            Rules {
                missing: [missing].into(),
                ..Rules::default()
            },
        );
        let source = source(&[&fake], |_| ());
        for (block, hashes) in blocks.iter().take(6) {
            let mut hashes = hashes.clone();
            hashes.reverse();
            // Two transactions may name one blob.
            hashes.push(hashes[0]);
            let asked = (*block, hashes);
            assert_eq!(
                fetch(&source, &asked).unwrap(),
                expected(&chain, &asked.1),
                "{missing}"
            );
        }
        // What the node has is asked for at once from then on; its clock only once.
        assert!(fake.asked(missing) <= 1, "{missing}");
        assert_eq!(fake.asked("/eth/v1/beacon/genesis"), 1);
        assert_eq!(fake.asked("/eth/v1/config/spec"), 1);
    }
}

#[test]
fn a_slot_duration_that_is_given_is_not_asked_for() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let fake = Fake::start(
        &chain,
        Rules {
            missing: ["/eth/v1/config/spec"].into(),
            ..Rules::default()
        },
    );
    let first = &blocks(&chain)[0];
    let without = source(&[&fake], |_| ());
    let error = fetch(&without, first).unwrap_err().to_string();
    assert!(
        error.contains("--l1.beacon.slot-duration-override"),
        "{error}"
    );
    let with = source(&[&fake], |options| options.beacon.slot_duration = Some(2));
    assert_eq!(fetch(&with, first).unwrap(), expected(&chain, &first.1));
}

#[test]
fn an_archiver_gives_what_the_nodes_do_not_have() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let asked = blocks(&chain)
        .into_iter()
        .find(|(_, hashes)| hashes.len() > 1)
        .unwrap();
    let node = Fake::start(
        &chain,
        Rules {
            missing_blobs: [asked.1[0].to_string()].into(),
            ..Rules::default()
        },
    );
    // An archiver knows no clock, and only the older endpoint.
    let archiver = Fake::start(
        &chain,
        Rules {
            missing: [
                "/eth/v1/beacon/genesis",
                "/eth/v1/config/spec",
                "/eth/v1/beacon/blobs/",
            ]
            .into(),
            ..Rules::default()
        },
    );
    let source = source(&[&node], |options| {
        options.beacon.fallbacks = vec![archiver.url.clone()];
    });
    assert_eq!(fetch(&source, &asked).unwrap(), expected(&chain, &asked.1));
    let statuses = source.beacon_endpoints();
    assert!(statuses.iter().all(|status| status.score == 100));
    // Where the node has all, nobody else is asked.
    let requests = archiver.requests();
    let other = blocks(&chain)
        .into_iter()
        .find(|(_, hashes)| !hashes.contains(&asked.1[0]))
        .unwrap();
    assert_eq!(fetch(&source, &other).unwrap(), expected(&chain, &other.1));
    assert_eq!(archiver.requests(), requests);
}

#[test]
fn missing_blobs_are_waited_for_while_their_block_is_canonical() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let asked = blocks(&chain).remove(0);
    let fake = Fake::start(
        &chain,
        Rules {
            missing_blobs: asked.1.iter().map(ToString::to_string).collect(),
            ..Rules::default()
        },
    );
    let source = source(&[&fake], |_| ());
    let error = fetch(&source, &asked).unwrap_err();
    let L1Error::BlobsMissing { block, missing, .. } = error else {
        panic!("{error}")
    };
    assert_eq!((block.hash, missing), (asked.0.hash, asked.1.clone()));
    // Late is not never.
    fake.rules.lock().unwrap().missing_blobs.clear();
    assert_eq!(fetch(&source, &asked).unwrap(), expected(&chain, &asked.1));
    // The slot was missed, and L1 went on with another block.
    let mut gone = asked;
    gone.0.hash = B256::repeat_byte(1);
    gone.1 = vec![B256::repeat_byte(1)];
    let error = fetch(&source, &gone).unwrap_err();
    assert!(matches!(error, L1Error::NotCanonical(_)), "{error}");
}

#[test]
fn blobs_that_are_altered_are_refused_and_had_from_another_node() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let asked = blocks(&chain)
        .into_iter()
        .find(|(_, hashes)| hashes.len() > 1)
        .unwrap();
    let other = chain.blobs.values().find(|blob| {
        let hashes = asked.1.iter().map(ToString::to_string);
        hashes.clone().all(|hash| chain.blobs[&hash] != **blob)
    });
    let other = other.unwrap().clone();
    let flip = |blob: &mut Value| {
        let text = blob.as_str().unwrap();
        let last = if text.ends_with('0') { "1" } else { "0" };
        *blob = json!(format!("{}{last}", &text[..text.len() - 1]));
    };
    type Change = Box<dyn Fn(&mut Value) + Send>;
    // (way, change, whether it can be known that this is a lie)
    let changes: Vec<(&str, Change, bool)> = vec![
        ("blobs", Box::new(move |data| flip(&mut data[1])), true),
        (
            "blobs",
            Box::new({
                let other = other.clone();
                move |data| data[0] = json!(other)
            }),
            true,
        ),
        ("blobs", Box::new(|data| data[0] = json!("0x12")), true),
        // Above the modulus: no field element, so no blob.
        (
            "blobs",
            Box::new(|data| data[0] = json!(format!("0x{}", "ff".repeat(131_072)))),
            true,
        ),
        ("blobs", Box::new(|data| *data = json!("0x")), true),
        ("blobs", Box::new(|data| *data = json!([])), false),
        (
            "sidecars",
            Box::new(move |data| flip(&mut data[0]["blob"])),
            true,
        ),
        (
            "sidecars",
            Box::new({
                let other = other.clone();
                move |data| data[0]["blob"] = json!(other)
            }),
            true,
        ),
        // A sidecar of another blob is none of those asked for.
        (
            "sidecars",
            Box::new(move |data| {
                data[0] = json!({"blob": other, "kzg_commitment": commitment(&other)});
            }),
            false,
        ),
        (
            "sidecars",
            Box::new(|data| data[0]["kzg_commitment"] = json!("0x")),
            true,
        ),
        (
            "genesis",
            Box::new(|data| data["genesis_time"] = json!("7")),
            false,
        ),
        (
            "genesis",
            Box::new(|data| data["genesis_time"] = json!("x")),
            false,
        ),
        (
            "spec",
            Box::new(|data| data["SECONDS_PER_SLOT"] = json!("0")),
            false,
        ),
        (
            "spec",
            Box::new(|data| data["SECONDS_PER_SLOT"] = json!("9")),
            false,
        ),
    ];
    for (index, (way, change, is_lie)) in changes.into_iter().enumerate() {
        let alter = move |asked: &str, data: &mut Value| {
            if asked == way {
                change(data);
            }
        };
        let mut rules = Rules {
            alter: Some(Box::new(alter)),
            ..Rules::default()
        };
        if way == "sidecars" {
            rules.missing.insert("/eth/v1/beacon/blobs/");
        }
        let hostile = Fake::start(&chain, rules);
        let honest = Fake::start(&chain, Rules::default());
        let source = source(&[&hostile, &honest], |_| ());
        let found = fetch(&source, &asked).unwrap();
        assert_eq!(found, expected(&chain, &asked.1), "{index}");
        assert!(hostile.requests() > 0, "{index}");
        let status = &source.beacon_endpoints()[0];
        assert_eq!(status.falsehoods > 0, is_lie, "{index}: {status:?}");
    }
}

/// Nothing proves what a node says of slots: what it said once must not be kept for ever.
#[test]
fn a_node_alone_that_was_wrong_about_its_slots_once_is_asked_for_them_again() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let asked = blocks(&chain).swap_remove(0);
    for (way, name, value) in [
        ("genesis", "genesis_time", "7"),
        ("genesis", "genesis_time", "99999999999"),
        ("spec", "SECONDS_PER_SLOT", "9"),
        ("spec", "SECONDS_PER_SLOT", "0"),
    ] {
        let alter = move |asked: &str, data: &mut Value| {
            if asked == way {
                data[name] = json!(value);
            }
        };
        let rules = Rules {
            alter: Some(Box::new(alter)),
            ..Rules::default()
        };
        let node = Fake::start(&chain, rules);
        let source = source(&[&node], |_| ());
        assert!(fetch(&source, &asked).is_err(), "{name} {value}");
        node.rules.lock().unwrap().alter = None;
        let found = fetch(&source, &asked).unwrap();
        assert_eq!(found, expected(&chain, &asked.1), "{name} {value}");
    }
}

#[test]
fn a_node_that_gives_all_blobs_of_the_block_is_understood() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let (_, hashes) = blocks(&chain)
        .into_iter()
        .find(|(_, hashes)| hashes.len() > 1)
        .unwrap();
    let all: Vec<&String> = hashes
        .iter()
        .map(|hash| &chain.blobs[&hash.to_string()])
        .collect();
    let answer = json!({ "data": all }).to_string();
    let found = read_blobs(&hashes[1..2], &answer).unwrap();
    let found: Option<Vec<_>> = found.into_iter().collect();
    assert_eq!(found.unwrap(), expected(&chain, &hashes[1..2]));
    let error = read_blobs(&[B256::ZERO], &answer);
    assert!(matches!(error, Err(VerifyError::OtherBlob(_))));
}

#[test]
fn without_a_beacon_node_the_error_says_how_to_give_one() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let fake = Fake::start(&chain, Rules::default());
    let source = source(&[&fake], |options| options.beacon.endpoints.clear());
    let asked = blocks(&chain).remove(0);
    let error = fetch(&source, &asked).unwrap_err().to_string();
    assert!(error.contains("--l1.beacon"), "{error}");
    let nothing = (asked.0, Vec::new());
    assert!(fetch(&source, &nothing).unwrap().is_empty());
}

/// Five sidecars of Goerli, as a public beacon node gave them.
#[test]
fn sidecars_of_a_public_node_have_the_commitments_they_say() {
    let Some(vectors) = Vectors::find("opstack") else {
        return;
    };
    let answer = vectors.json("beacon/blob_sidecars_7422094_goerli.json.gz");
    let sidecars = answer["data"].as_array().unwrap();
    assert_eq!(sidecars.len(), 5);
    let hashes: Vec<B256> = sidecars
        .iter()
        .map(|sidecar| {
            let bytes: alloy_primitives::Bytes = sidecar["blob"].as_str().unwrap().parse().unwrap();
            let blob: Box<Blob> = bytes.to_vec().into_boxed_slice().try_into().unwrap();
            let hash = versioned_hash(&blob).unwrap();
            let text = sidecar["blob"].as_str().unwrap();
            assert_eq!(sidecar["kzg_commitment"], commitment(text));
            hash
        })
        .collect();
    let found = read_blobs(&hashes, &answer.to_string()).unwrap();
    assert!(found.iter().all(Option::is_some));
}

#[test]
fn blobs_of_blocks_that_are_followed_come_before_they_are_asked_for_and_only_once() {
    let Some(chain) = CHAIN.clone() else {
        return;
    };
    let path = "/eth/v1/beacon/blobs/";
    let fake = Fake::start(&chain, Rules::default());
    let source = source(&[&fake], |_| ());
    let start = chain.expected()[0].header.id();
    let mut follower = Follower::new(source.clone(), start, FollowerOptions::default());
    let with_blobs = blocks(&chain);
    for asked in with_blobs.iter().take(10) {
        // up to the block, and not beyond
        while follower.tip().number < asked.0.number {
            let event = RUNTIME.block_on(follower.next()).unwrap();
            assert!(matches!(event, L1Event::Block(_)), "{event:?}");
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        while fake.asked(path) == 0 {
            assert!(Instant::now() < deadline, "nobody fetches blobs ahead");
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(fetch(&source, asked).unwrap(), expected(&chain, &asked.1));
    }
    // however many were fetched ahead: none twice
    assert!(fake.asked(path) <= with_blobs.len());
}
