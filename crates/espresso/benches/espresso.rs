//! Headers, namespace proofs, certificates and the streamer, each beside what it cannot do without.
//!
//! `cargo bench -p doppio-espresso`. Smallest and median time of one call.

#![expect(
    clippy::cast_possible_truncation,
    reason = "a benchmark's numbers are small"
)]

#[path = "../tests/local/mod.rs"]
#[allow(dead_code, reason = "tests need more of it")]
mod local;

use alloy_primitives::{Bytes, U256};
use doppio_bn254::{G1, G2, Scalar, pairing_product_is_one};
use doppio_espresso::{
    bls::{SecretKey, write_key, write_signature},
    certificate::{Certificate, FinalData, Signatures, Signers},
    header::Header,
    namespace::NsTable,
    stake_table::{StakeTable, StakeTableEntry},
    streamer::{BatcherHistory, Limits, Request, Step},
    tagged::Commit,
    vid::{self, Scheme, VidParams, prove_namespace, verify_namespace},
};
use doppio_test_vectors::Vectors;
use local::Recording;
use std::{
    hint::black_box,
    io::{self, Write},
    time::Instant,
};

fn time(name: &str, calls: usize, mut run: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..calls)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let (least, median) = (times[0], times[calls / 2]);
    say(&format!("{name:<52} {least:>10.3} ms {median:>10.3} ms\n"));
    least
}

fn say(line: &str) {
    let _ = io::stdout().write_all(line.as_bytes());
}

fn header() -> Option<Header> {
    let vectors = Vectors::find("espresso")?;
    let name = "espresso-network-2026/mainnet_header_26050100.json";
    Some(serde_json::from_value(vectors.json(name)).expect("a header"))
}

/// A namespace of 10 MB, as a mainnet block may hold, among 100 validators.
fn namespaces(header: &Header) {
    let (n, k) = (1100_u32, 367_u32);
    let params = VidParams::new(n, k).expect("shares");
    let payload: Bytes = (0..10_000_000_u32).map(|n| (n % 251) as u8).collect();
    let table = NsTable::new(&[(901, payload.len())]).expect("a table");
    let scheme = Scheme::AvidmGf2;
    let commitment = vid::commit(scheme, params, &table, &payload).expect("a commitment");
    let proof = prove_namespace(scheme, params, &table, &payload, 901);
    let header = header.with(|fields| {
        fields.payload_commitment = commitment;
        fields.ns_table = table;
    });
    let header = header.expect("a header");
    let share = (payload.len() + 1).div_ceil(k as usize).next_multiple_of(2);
    let mut padded = payload.to_vec();
    padded.push(1);
    padded.resize(share * k as usize, 0);
    let bare = time("10 MB: Reed-Solomon and blake3 alone", 7, || {
        let originals = padded.chunks(share);
        let recovery = reed_solomon_simd::encode(k as usize, (n - k) as usize, originals.clone());
        let recovery = recovery.expect("a code");
        for shard in originals.chain(recovery.iter().map(Vec::as_slice)) {
            black_box(blake3::hash(shard));
        }
    });
    let whole = time("10 MB: namespace proof", 7, || {
        verify_namespace(&header, params, 901, proof.as_ref()).expect("it holds");
    });
    say(&format!("    ratio {:.2} (goal 1.3)\n", whole / bare));
}

fn certificates() {
    let keys: Vec<SecretKey> = (1..=100_u64)
        .filter_map(|n| SecretKey::new(Scalar::from(n)))
        .collect();
    let entry = |key: &SecretKey| StakeTableEntry {
        stake_key: write_key(&key.public()),
        stake_amount: U256::ONE,
    };
    let table = StakeTable::new(keys.iter().map(entry).collect()).expect("a table");
    let data = FinalData {
        leaf_commit: Commit([1; 32]),
        epoch: 1,
        block_number: 7,
    };
    let unsigned = Certificate::new(data, 9, None);
    let message = unsigned.message();
    let sum: G1 = keys.iter().map(|key| key.sign(&message)).sum();
    let signatures = Signatures(write_signature(&sum), Signers::new(&[true; 100]));
    let certificate = Certificate {
        signatures: Some(signatures),
        ..unsigned
    };
    let points: Vec<G2> = keys.iter().map(SecretKey::public).collect();
    let bare = time("two pairings and 100 additions in G2", 51, || {
        let key: G2 = points.iter().copied().sum();
        black_box(pairing_product_is_one(&[
            (sum, -G2::generator()),
            (sum, key),
        ]));
    });
    let whole = time("certificate of 100 signers", 51, || {
        table.verify(&certificate).expect("it is signed");
    });
    say(&format!("    ratio {:.2} (goal 1.2)\n", whole / bare));
}

fn streams() {
    let Some(recording) = Recording::find() else {
        return;
    };
    let last = recording.l1.keys().last().copied().unwrap_or_default();
    let mut count = 0_u32;
    let least = time("streamer: the recorded chain", 7, || {
        let mut streamer = recording.streamer(Limits::default());
        streamer.finalized(last);
        count = 0;
        loop {
            match streamer.step() {
                Step::Batch(_) => count += 1,
                Step::Need(Request::L1Block(number)) => streamer.l1_block(recording.l1[&number]),
                Step::Need(Request::Batchers { to }) => {
                    streamer.history(BatcherHistory::always(recording.batcher, to));
                }
                Step::Need(Request::HotShot { from }) => match recording.hotshot.get(&from) {
                    Some(block) => streamer.feed(block.clone()).expect("in order"),
                    None => return,
                },
                Step::Wait(_) => return,
            }
        }
    });
    say(&format!(
        "    {:.0} batches a second\n",
        f64::from(count) / least * 1e3
    ));
}

fn main() {
    if let Some(header) = header() {
        time("header of 0.6: commitment", 101, || {
            black_box(black_box(&header).commit());
        });
        namespaces(&header);
    }
    certificates();
    streams();
}
