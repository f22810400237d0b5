//! What stands on Espresso, and what its services answer.

use crate::chain;
use alloy_primitives::{Address, Bytes};
use doppio_espresso::{
    batch::SignedBatch,
    block_merkle::{PathNode, read_path},
    certificate::QuorumCertificate,
    epochs::Epochs,
    finality::LeafProof,
    header::Header,
    leaf::LeafQueryData,
    light_client::LightClientState,
    namespace::{NsTable, Transaction, read_transactions},
    portable::{PortableProof, Trust, verify},
    stake_table::StakeTable,
    streamer::{
        Authorization, BatcherHistory, Checkpoint, HotShotBlock, Limits, Request, Step, Streamer,
        StreamerConfig,
    },
    tagged,
    vid::{NamespaceAnswer, VidParams, check_answer},
};
use doppio_protocol::{L1BlockRef, L2BlockRef};

fn json<T: serde::de::DeserializeOwned>(data: &[u8]) -> Option<T> {
    serde_json::from_slice(data).ok()
}

/// A text with a tag.
pub(crate) fn espresso_tagged(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok((tag, value)) = tagged::parse(text) {
        assert_eq!(tagged::print(tag, &value), text, "one encoding");
    }
}

/// A header, read from JSON and printed again with the same commitment.
pub(crate) fn espresso_header(data: &[u8]) {
    let Some(header) = json::<Header>(data) else {
        return;
    };
    let printed = serde_json::to_string(&header).unwrap();
    let again: Header = serde_json::from_str(&printed).unwrap();
    assert_eq!(again.commit(), header.commit());
    assert_eq!(serde_json::to_string(&again).unwrap(), printed);
    let _ = header.fields().ns_table.entries();
}

/// Leaves, certificates, proofs of finality, stake tables and paths.
pub(crate) fn espresso_certificates(data: &[u8]) {
    if let Some(leaf) = json::<LeafQueryData>(data) {
        let printed = serde_json::to_string(&leaf).unwrap();
        let again: LeafQueryData = serde_json::from_str(&printed).unwrap();
        assert_eq!(again.leaf.commit(), leaf.leaf.commit());
    }
    if let Some(certificate) = json::<QuorumCertificate>(data) {
        let signers = certificate
            .signatures
            .as_ref()
            .map(|signatures| signatures.1.clone());
        // as many bits as are announced, and no more than there are bytes for
        assert!(signers.is_none_or(|signers| signers.iter().count() as u64 == signers.length()));
        let _ = certificate.commit();
    }
    if let Some(proof) = json::<LeafProof>(data) {
        assert!(
            proof.verify(&Epochs::new(100, 5)).is_err(),
            "nobody is known"
        );
    }
    if let Some(nodes) = json::<Vec<PathNode>>(data) {
        let _ = read_path(&nodes, 7, &tagged::BlockHash([0; 32]));
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(table) = StakeTable::from_json(text)
    {
        assert!(table.threshold() <= table.total());
        let _ = table.vid_params();
    }
    let _ = LightClientState::from_abi(data);
}

/// A namespace's bytes, tables, and a service's answer.
pub(crate) fn espresso_namespace(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let transactions = read_transactions(&bytes);
    assert!(transactions.len() <= data.len() / 4);
    let table = NsTable { bytes };
    if let Ok(entries) = table.entries() {
        let list: Vec<_> = entries
            .iter()
            .map(|entry| (entry.namespace, entry.length()))
            .collect();
        assert_eq!(NsTable::new(&list), Ok(table), "one encoding");
    }
    let header = include_str!("../../../fuzz/corpus/espresso_header/v6");
    if let Some(answer) = json::<NamespaceAnswer>(data)
        && let Ok(header) = serde_json::from_str::<Header>(header)
    {
        let _ = check_answer(&header, VidParams::GENESIS, 901, &answer);
    }
}

/// A transaction's payload.
pub(crate) fn espresso_batch(data: &[u8]) {
    let payload = Bytes::copy_from_slice(data);
    let Ok(signed) = SignedBatch::decode(&payload) else {
        return;
    };
    assert_eq!(signed.encode(), payload, "one encoding");
    let _ = signed.batch.check_content(&chain::chains()[2]);
    let _ = signed.batch.id();
}

/// A stream: payloads with two bytes of length before each, whose signer is whoever signed the first.
pub(crate) fn espresso_stream(data: &[u8]) {
    let mut rest = data;
    let mut payloads = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(after.len());
        let (payload, after) = after.split_at(length);
        payloads.push(Bytes::copy_from_slice(payload));
        rest = after;
    }
    let signers = payloads
        .iter()
        .filter_map(|payload| SignedBatch::decode(payload).ok());
    let batcher = signers
        .map(|signed| signed.signer)
        .next()
        .unwrap_or(Address::repeat_byte(1));
    let config = StreamerConfig {
        chain: chain::chains()[2].clone(),
        namespace: 901,
        authorization: Authorization::AtOrigin,
        limits: Limits {
            ahead: 4,
            per_number: 2,
            per_origin: 3,
            ..Limits::default()
        },
    };
    let tip = L2BlockRef::default();
    let count = payloads.len() as u64;
    let mut streamer = Streamer::new(
        config,
        Checkpoint {
            hotshot_height: 0,
            tip,
        },
    );
    streamer.finalized(u64::MAX);
    for steps in 0_u64.. {
        assert!(steps < 64 + 16 * count * count, "reads for ever");
        match streamer.step() {
            Step::Batch(_) => {}
            Step::Need(Request::HotShot { from }) => {
                let Some(payload) = payloads.get(usize::try_from(from).unwrap()) else {
                    return;
                };
                let transaction = Transaction {
                    namespace: 901,
                    payload: payload.clone(),
                };
                let transactions = vec![transaction];
                streamer
                    .feed(HotShotBlock {
                        height: from,
                        l1_finalized: None,
                        transactions,
                    })
                    .unwrap();
            }
            Step::Need(Request::L1Block(number)) => {
                streamer.l1_block(L1BlockRef {
                    number,
                    ..L1BlockRef::default()
                });
            }
            Step::Need(Request::Batchers { to }) => {
                streamer.history(BatcherHistory::always(batcher, to));
            }
            Step::Wait(_) => return,
        }
    }
}

/// A portable proof: read, written back, and checked by a reader who believes nothing.
pub(crate) fn espresso_proof(data: &[u8]) {
    let Ok(proof) = PortableProof::decode(data) else {
        return;
    };
    let written = proof.encode().unwrap();
    assert_eq!(PortableProof::decode(&written).as_ref(), Ok(&proof));
    let trust = Trust {
        epochs: Epochs::new(100, 5),
        light_client: None,
        l1_blocks: Vec::new(),
        namespace: proof.namespace,
        authenticator: Some(Address::repeat_byte(1)),
    };
    let report = verify(&proof, &trust);
    assert!(!report.holds(&[doppio_espresso::portable::Claim::Final]));
}
