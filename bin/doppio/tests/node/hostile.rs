//! Endpoints of L1 that lie, one field each: the lie is seen, the endpoint is named with the rule that it
//! broke, the next one is asked, and the chain is the true one.
//!
//! Each liar stands in the node's list before an honest endpoint, and falsifies one field of one kind of
//! answer, in the first place where it finds it. The fields are not listed here: they are all that
//! the answers have which the node asks for while it follows the chain.

use crate::{
    process::say,
    recorded::{Node, Recorded},
};
use doppio_test_chain::{Asked, Change, Fake, Proxy, Rules, all_nodes, changed, is_read};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Kinds of answers, by what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    ChainId,
    Header,
    Block,
    Receipts,
    Genesis,
    Spec,
    Blobs,
    Sidecars,
}

impl Kind {
    /// Panics at what is not known: the node asks for something that nobody lies about yet.
    fn of(asked: Asked<'_>) -> Self {
        match asked.method {
            "eth_chainId" => Self::ChainId,
            "eth_getBlockByNumber" | "eth_getBlockByHash" => {
                if asked.params[1] == true {
                    Self::Block
                } else {
                    Self::Header
                }
            }
            "eth_getBlockReceipts" => Self::Receipts,
            "/eth/v1/beacon/genesis" => Self::Genesis,
            "/eth/v1/config/spec" => Self::Spec,
            path if path.starts_with("/eth/v1/beacon/blobs/") => Self::Blobs,
            path if path.starts_with("/eth/v1/beacon/blob_sidecars/") => Self::Sidecars,
            other => panic!("nobody lies about {other}"),
        }
    }
}

/// A field of a kind of answer: its pointer, in which the type of a transaction stands for its position,
/// and a star for all other positions.
fn field(answer: &Value, pointer: &str) -> String {
    let mut place = String::new();
    let mut found = String::new();
    for part in pointer.split('/').skip(1) {
        place += &format!("/{part}");
        let node = answer.pointer(&place);
        let name = match part.parse::<usize>() {
            Ok(_) => match node.and_then(|node| node["type"].as_str()) {
                Some(kind) => kind.to_owned(),
                None => "*".to_owned(),
            },
            Err(_) => part.to_owned(),
        };
        found += &format!("/{name}");
    }
    found
}

/// An answer as [`is_read`] takes it.
fn entry(kind: Kind, answer: &Value) -> Value {
    match kind {
        Kind::Receipts => json!({ "receipts": answer }),
        _ => json!({ "block": answer }),
    }
}

/// Whether a hash covers a field, so that a change must be seen.
fn is_covered(kind: Kind, entry: &Value, pointer: &str) -> bool {
    match kind {
        Kind::ChainId | Kind::Genesis | Kind::Spec => false,
        Kind::Blobs => true,
        Kind::Sidecars => pointer.ends_with("/blob"),
        // what else comes with a header is its block's
        Kind::Header if pointer.matches('/').count() > 1 => false,
        Kind::Header | Kind::Block => is_read(entry, &format!("/block{pointer}")),
        Kind::Receipts => is_read(entry, &format!("/receipts{pointer}")),
    }
}

/// The fields of an answer that have another value, and where each is first.
fn fields(answer: &Value) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for pointer in all_nodes(answer) {
        if answer.pointer(&pointer).and_then(changed).is_some() {
            fields.entry(field(answer, &pointer)).or_insert(pointer);
        }
    }
    fields
}

/// What is known of the endpoints' answers: which fields are covered, and the first L1 block that has
/// each.
type Fields = BTreeMap<(Kind, String), (bool, usize)>;

/// What an honest node would answer, at all heights: all fields, and whether they are covered.
fn all_fields(recorded: &Recorded) -> Fields {
    let mut known = Fields::new();
    let mut add = |height: usize, kind: Kind, answer: &Value| {
        let entry = entry(kind, answer);
        for (field, pointer) in fields(answer) {
            let covered = is_covered(kind, &entry, &pointer);
            known.entry((kind, field)).or_insert((covered, height));
        }
    };
    for (height, entry) in recorded.chain.blocks.iter().enumerate() {
        add(height, Kind::Block, &entry["block"]);
        add(height, Kind::Receipts, &entry["receipts"]);
        let mut header = entry["block"].clone();
        for tx in header["transactions"].as_array_mut().unwrap() {
            *tx = tx["hash"].clone();
        }
        add(height, Kind::Header, &header);
    }
    known
}

/// An endpoint that lies about one field, and how often it did.
struct Liar {
    what: String,
    proxy: Arc<Proxy>,
    lies: Arc<AtomicUsize>,
}

impl Liar {
    fn start(honest: &Fake, kind: Kind, lie: &str) -> Self {
        let lies = Arc::new(AtomicUsize::new(0));
        let (count, wanted) = (Arc::clone(&lies), lie.to_owned());
        let change: Change = Box::new(move |asked, answer| {
            if Kind::of(asked) != kind {
                return;
            }
            let data = match kind {
                Kind::Genesis | Kind::Spec | Kind::Blobs | Kind::Sidecars => &mut answer["data"],
                _ => answer,
            };
            let Some(pointer) = fields(data).remove(&wanted) else {
                return;
            };
            let place = data.pointer_mut(&pointer).unwrap();
            *place = match kind {
                // another last digit may be the same slot
                Kind::Genesis => json!("1000"),
                _ => changed(place).unwrap(),
            };
            count.fetch_add(1, Ordering::SeqCst);
        });
        Self {
            what: format!("{kind:?} {lie}"),
            proxy: Proxy::start(&honest.url, change),
            lies,
        }
    }

    /// What the log says of its lies.
    fn exposed(&self, log: &str) -> Vec<String> {
        let name = format!("\"{}\"", self.proxy.url);
        let lines = log.lines().filter(|line| line.contains("answer is false"));
        lines
            .filter(|line| line.contains(&name))
            .map(str::to_owned)
            .collect()
    }
}

/// Follows a chain whose endpoints lie.
fn follow(chain: &str, test: &str) -> Option<()> {
    let recorded = Recorded::open(chain, test)?;
    let has_blobs = !recorded.chain.blobs.is_empty();
    let honest = Fake::start(
        &recorded.chain,
        Rules {
            missing: ["eth_getProof"].into(),
            ..Rules::default()
        },
    );
    let known = all_fields(&recorded);
    // Whoever finds nothing to lie about ends the search for an answer: so they stand in the order in
    // which their fields come.
    let mut covered: Vec<_> = known.iter().filter(|(_, (covered, _))| *covered).collect();
    covered.sort_by_key(|((kind, _), (_, first))| (*first, *kind));
    let liars: Vec<Liar> = covered
        .into_iter()
        .map(|((kind, field), _)| Liar::start(&honest, *kind, field))
        .collect();
    // one falsifies all that nobody should read, in all answers
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let noticed = Arc::clone(&seen);
    let uncovered: Change = Box::new(move |asked, answer| {
        let kind = Kind::of(asked);
        noticed.lock().unwrap().insert(kind);
        if kind == Kind::ChainId {
            return;
        }
        let entry = entry(kind, answer);
        for pointer in all_nodes(answer) {
            if !is_covered(kind, &entry, &pointer)
                && let Some(other) = answer.pointer(&pointer).and_then(changed)
            {
                *answer.pointer_mut(&pointer).unwrap() = other;
            }
        }
    });
    let uncovered = Proxy::start(&honest.url, uncovered);
    let mut l1: Vec<&str> = liars.iter().map(|liar| &*liar.proxy.url).collect();
    l1.push(&uncovered.url);
    l1.push(&honest.url);
    let beacons: Vec<Liar> = if has_blobs {
        [
            (Kind::Genesis, "/genesis_time"),
            (Kind::Spec, "/SECONDS_PER_SLOT"),
            (Kind::Blobs, "/*"),
        ]
        .map(|(kind, field)| Liar::start(&honest, kind, field))
        .into()
    } else {
        Vec::new()
    };
    // and old beacon nodes, which have sidecars
    let old = Fake::start(
        &recorded.chain,
        Rules {
            missing: ["/eth/v1/beacon/blobs/"].into(),
            ..Rules::default()
        },
    );
    let old: Vec<Liar> = ["blob", "kzg_commitment", "index", "kzg_proof"]
        .map(|name| Liar::start(&old, Kind::Sidecars, &format!("/*/{name}")))
        .into();
    let mut beacon: Vec<&str> = Vec::new();
    if has_blobs {
        let liars = beacons.iter().chain(&old);
        beacon.extend(liars.map(|liar| &*liar.proxy.url));
        beacon.push(&honest.url);
    }
    let mut command = recorded.command("data", &l1, &beacon);
    // one question at a time, for the same reason
    command.args(["--l1.max-concurrency", "1"]);
    let mut node = recorded.start("node", command);
    recorded.assert_derived(&mut node);
    // and all that is recorded of L1 has been asked for
    let last = recorded.chain.blocks.len() as u64 - 1;
    recorded.reach(&mut node, "current_l1", last);
    let log = node.process.log();
    let mut rules = BTreeSet::new();
    let mut exposed = |liar: &Liar| {
        let lines = liar.exposed(&log);
        assert!(
            liar.lies.load(Ordering::SeqCst) > 0,
            "{} was never told",
            liar.what
        );
        assert!(!lines.is_empty(), "{} was not noticed", liar.what);
        // the rule's words, without hashes and numbers
        let (_, rule) = lines[0].split_once("is false: ").unwrap();
        let is_word = |word: &&str| word.bytes().all(|byte| byte.is_ascii_alphabetic());
        let words: Vec<&str> = rule.split(' ').filter(is_word).collect();
        rules.insert(words.join(" "));
    };
    liars.iter().for_each(&mut exposed);
    if has_blobs {
        exposed(&beacons[2]);
        old[..1].iter().for_each(&mut exposed);
        // A clock that is wrong is nobody's hash, and a sidecar with another commitment is another blob's:
        // the blobs are somewhere else, and others are asked.
        for liar in beacons[..2].iter().chain(&old[1..]) {
            assert!(liar.exposed(&log).is_empty(), "{}", liar.what);
        }
        assert!(
            beacons[..2]
                .iter()
                .all(|liar| liar.lies.load(Ordering::SeqCst) > 0)
        );
    }
    let asked = seen.lock().unwrap().clone();
    assert!(
        asked.contains(&Kind::Block) && asked.contains(&Kind::Receipts),
        "{asked:?}"
    );
    // what is not covered is not read: whoever falsifies it is as good as any
    let said: Vec<&str> = log
        .lines()
        .filter(|line| line.contains(&format!("\"{}\"", uncovered.url)))
        .collect();
    assert!(said.is_empty(), "{said:#?}");
    let fields = known.len();
    say(&format!(
        "{chain}: {} of {fields} fields of L1's answers are covered, and each lie about one was seen",
        liars.len(),
    ));
    // one field of a transaction already breaks its own hash, before it could change the block's root
    let broken = [
        "header of block hashes to",
        "it does not hash to",
        "receipts of",
        "bloom filter",
    ];
    for words in broken {
        assert!(rules.iter().any(|rule| rule.contains(words)), "{rules:?}");
    }
    Some(())
}

#[test]
fn each_lie_about_blocks_receipts_and_blobs_is_seen_and_the_chain_is_the_true_one() {
    follow("blobs-span-brotli-jovian", "hostile-blobs");
}

/// With old types of transactions, access lists, and events that say which batches count.
#[test]
fn each_lie_about_old_transactions_and_events_is_seen_and_the_chain_is_the_true_one() {
    follow("espresso-gen2-calldata", "hostile-espresso");
}

/// Nothing proves a chain id: an endpoint that gives another one is taken for one of another chain, and
/// the node does not start with it, whichever it is.
#[test]
fn an_endpoint_of_another_chain_is_refused_at_the_start() {
    let Some(recorded) = Recorded::open("calldata-singular-zlib", "hostile-chain-id") else {
        return;
    };
    let honest = Fake::start(&recorded.chain, Rules::default());
    let other = Proxy::start(
        &honest.url,
        Box::new(|asked, answer| {
            if asked.method == "eth_chainId" {
                *answer = json!("0x1");
            }
        }),
    );
    let said = format!(
        "l1_chain_id is 900, but the L1 endpoint {} is of chain 1",
        other.url
    );
    for l1 in [[&*other.url, &*honest.url], [&*honest.url, &*other.url]] {
        let output = recorded.run(recorded.command("data", &l1, &[]));
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{text}");
        assert!(text.contains(&said), "{text}");
    }
}

/// A node alone with a liar waits, and goes on once the truth is told.
#[test]
fn a_node_with_nobody_but_a_liar_waits_and_believes_nothing() {
    let Some(recorded) = Recorded::open("calldata-singular-zlib", "hostile-alone") else {
        return;
    };
    let honest = Fake::start(&recorded.chain, Rules::default());
    let lie: Change = Box::new(|asked, answer| {
        if Kind::of(asked) == Kind::Receipts
            && let Some(status) = answer.pointer_mut("/0/status")
        {
            *status = changed(status).unwrap();
        }
    });
    let liar = Proxy::start(&honest.url, lie);
    let mut node: Node = recorded.start("node", recorded.command("data", &[&liar.url], &[]));
    recorded.deadline.wait("the lie is seen three times", || {
        node.process.assert_running();
        let seen = node.process.log().matches("answer is false").count();
        if seen >= 3 {
            Ok(())
        } else {
            Err(seen.to_string())
        }
    });
    // the first block with receipts, and all after it, are not known to the node
    let blocks = &recorded.chain.blocks;
    let first = blocks
        .iter()
        .position(|entry| entry["receipts"] != json!([]));
    let before = |line: &&Value| line["l1"].as_u64().unwrap() < first.unwrap() as u64;
    let safe = recorded.chain.safe().iter().take_while(before).last();
    let safe = safe.map_or(0, |line| line["safe"]["number"].as_u64().unwrap());
    assert!(node.head("safe_l2").unwrap() <= safe, "it believed a lie");
    liar.set(Box::new(|_, _| ()));
    recorded.assert_derived(&mut node);
}
