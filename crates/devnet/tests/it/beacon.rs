//! The beacon node, and what goes wrong with it on purpose.

use crate::support::{block, chain, on_demand, source, start};
use alloy_primitives::{Address, B256, Bytes, FixedBytes};
use c_kzg::{Bytes48, ethereum_kzg_settings};
use doppio_devnet::{Account, DevL1, DevL1Options, Mining, Rpc, SidecarForm, versioned_hash};
use doppio_l1::{L1Error, L1Source};
use doppio_protocol::{
    L1BlockRef,
    blob::{Blob, encode_blob},
};
use doppio_rpc::{Http, Target};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The server's answer to a request.
async fn get(l1: &DevL1, path: &str) -> (u16, Value) {
    let target = Target::parse(l1.beacon_url()).unwrap();
    let answer = Http::new()
        .get(&target, path, 64 << 20, Duration::from_secs(60))
        .await
        .unwrap();
    let body = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status.as_u16(), body)
}

fn blob(byte: u8) -> Box<Blob> {
    encode_blob(&[byte; 5000]).unwrap()
}

/// A block with blobs 1 and 2 in one transaction and 3 in another; their hashes.
async fn with_blobs(l1: &DevL1) -> (L1BlockRef, Vec<B256>) {
    let [first, second] = [0, 1].map(|index| l1.wallet(Account::user(index).unwrap()));
    let to = Address::repeat_byte(0x22);
    let sent = [
        first
            .send_blobs(to, vec![blob(1), blob(2)], SidecarForm::Blob)
            .await
            .unwrap(),
        second
            .send_blobs(to, vec![blob(3)], SidecarForm::Cells)
            .await
            .unwrap(),
    ];
    let receipts = l1.include(&sent).await.unwrap();
    assert_eq!(receipts[0].block_number, receipts[1].block_number);
    let block = l1.rpc().block(receipts[0].block_number).await.unwrap();
    let hashes = [1, 2, 3].map(|byte| versioned_hash(&blob(byte)).unwrap());
    (block, hashes.to_vec())
}

async fn find(
    source: &L1Source,
    block: &L1BlockRef,
    hashes: &[B256],
) -> Result<Vec<Box<Blob>>, L1Error> {
    source.blobs(block, hashes).await
}

#[tokio::test]
async fn blobs_are_found_by_slot_after_missed_slots_and_reorganisations() {
    let l1 = on_demand().await;
    let chain = chain(&l1, "blobs").await;
    let source = source(&l1, chain.rollup());
    l1.mine(2).await.unwrap();
    l1.skip_slots(5).await;
    let (block, hashes) = with_blobs(&l1).await;
    let slot = (block.timestamp - l1.genesis_time()) / 2;
    assert_eq!((block.number, slot), (4, 9));
    // so the block of that number is another one
    let head = l1.mine(6).await.unwrap();
    assert_eq!(head.number, 10);
    let found = find(&source, &block, &[hashes[2], hashes[0]])
        .await
        .unwrap();
    assert_eq!(found, [blob(3), blob(1)]);
    let (status, answer) = get(&l1, &format!("/eth/v1/beacon/blobs/{slot}")).await;
    assert_eq!((status, answer["data"].as_array().unwrap().len()), (200, 3));
    for missed in [4, 8, slot + 7, u64::MAX] {
        let path = format!("/eth/v1/beacon/blobs/{missed}");
        assert_eq!(get(&l1, &path).await.0, 404, "{missed}");
    }
    let (status, answer) = get(&l1, "/eth/v1/beacon/blobs/2").await;
    assert_eq!((status, &answer["data"]), (200, &json!([])));
    assert_eq!(get(&l1, "/eth/v1/beacon/blobs/head").await.0, 400);

    // the same transactions in another block of the slot
    l1.reorg(7, doppio_devnet::Reorg::Same).await.unwrap();
    let new = l1.rpc().block(block.number).await.unwrap();
    assert_ne!(new.hash, block.hash);
    // without the missed slots: the blocks of a reorganisation follow one another
    assert_eq!(new.timestamp, l1.genesis_time() + 8);
    assert_eq!(find(&source, &new, &hashes).await.unwrap().len(), 3);
    let error = find(&source, &block, &hashes).await.unwrap_err();
    assert!(matches!(error, L1Error::NotCanonical(_)), "{error}");
    assert_eq!(source.beacon_endpoints()[0].falsehoods, 0);
}

#[tokio::test]
async fn sidecars_have_commitments_and_proofs_that_hold() {
    let l1 = on_demand().await;
    let chain = chain(&l1, "sidecars").await;
    let (block, hashes) = with_blobs(&l1).await;
    let slot = (block.timestamp - l1.genesis_time()) / 2;
    let (status, answer) = get(&l1, &format!("/eth/v1/beacon/blob_sidecars/{slot}")).await;
    assert_eq!(status, 200);
    let sidecars = answer["data"].as_array().unwrap();
    assert_eq!(sidecars.len(), 3);
    for (index, sidecar) in sidecars.iter().enumerate() {
        assert_eq!(sidecar["index"], json!(index.to_string()));
        let field = |name: &str| sidecar[name].as_str().unwrap().to_owned();
        let bytes: Bytes = field("blob").parse().unwrap();
        assert!(sidecars.len() == 3 && bytes.len() == 131_072);
        let of = |name: &str| -> Bytes48 {
            let bytes: FixedBytes<48> = field(name).parse().unwrap();
            Bytes48::from_bytes(bytes.as_slice()).unwrap()
        };
        let blob = c_kzg::Blob::from_bytes(&bytes).unwrap();
        let holds = ethereum_kzg_settings(0).verify_blob_kzg_proof(
            &blob,
            &of("kzg_commitment"),
            &of("kzg_proof"),
        );
        assert!(holds.unwrap());
        assert_eq!(
            sidecar["kzg_commitment_inclusion_proof"]
                .as_array()
                .unwrap()
                .len(),
            17
        );
    }
    let (_, one) = get(
        &l1,
        &format!("/eth/v1/beacon/blob_sidecars/{slot}?indices=1"),
    )
    .await;
    assert_eq!(one["data"], json!([sidecars[1]]));

    // a node that knows both ways falls back to this one
    l1.faults().only_sidecars(true);
    let source = source(&l1, chain.rollup());
    let found = find(&source, &block, &hashes).await.unwrap();
    assert_eq!(found, [blob(1), blob(2), blob(3)]);
}

#[tokio::test]
async fn the_chains_clock_is_the_beacon_nodes() {
    let l1 = start(DevL1Options {
        block_time: 6,
        slots_per_epoch: 8,
        mining: Mining::OnDemand,
        behind: 1000,
        ..DevL1Options::default()
    })
    .await;
    let (_, genesis) = get(&l1, "/eth/v1/beacon/genesis").await;
    let time = l1.rpc().block(0).await.unwrap().timestamp;
    assert_eq!(genesis["data"]["genesis_time"], json!(time.to_string()));
    assert_eq!(l1.genesis_time(), time);
    let (_, spec) = get(&l1, "/eth/v1/config/spec").await;
    assert_eq!(spec["data"]["SECONDS_PER_SLOT"], "6");
    assert_eq!(spec["data"]["SLOTS_PER_EPOCH"], "8");
    let (_, version) = get(&l1, "/eth/v1/node/version").await;
    assert!(version["data"]["version"].is_string());
    l1.mine(4).await.unwrap();
    let (_, syncing) = get(&l1, "/eth/v1/node/syncing").await;
    assert_eq!(syncing["data"]["head_slot"], "5");
    assert_eq!(get(&l1, "/eth/v1/beacon/headers/head").await.0, 404);
}

#[tokio::test]
async fn what_goes_wrong_on_purpose_is_noticed_and_ends() {
    let l1 = on_demand().await;
    let chain = chain(&l1, "faults").await;
    let (block, hashes) = with_blobs(&l1).await;
    let faults = l1.faults();
    // a source of its own each time: they remember who failed
    let ask = || source(&l1, chain.rollup());

    faults.beacon_down(true);
    let error = find(&ask(), &block, &hashes).await.unwrap_err();
    assert!(error.to_string().contains("503"), "{error}");
    faults.beacon_down(false);
    assert_eq!(find(&ask(), &block, &hashes).await.unwrap().len(), 3);

    faults.lose_blob(hashes[1]);
    let error = find(&ask(), &block, &hashes).await.unwrap_err();
    let L1Error::BlobsMissing { missing, .. } = &error else {
        panic!("{error}");
    };
    assert!(missing.contains(&hashes[1]), "{error}");
    assert_eq!(find(&ask(), &block, &hashes[2..]).await.unwrap(), [blob(3)]);
    faults.restore_blobs();

    faults.alter_blob(hashes[0]);
    let source_of_lies = ask();
    find(&source_of_lies, &block, &hashes).await.unwrap_err();
    assert_eq!(source_of_lies.beacon_endpoints()[0].falsehoods, 1);
    faults.restore_blobs();
    assert_eq!(find(&ask(), &block, &hashes).await.unwrap()[0], blob(1));

    faults.beacon_delay(Duration::from_millis(300));
    let asked = faults.beacon_requests();
    let start = Instant::now();
    find(&ask(), &block, &hashes).await.unwrap();
    // genesis, spec, blobs
    assert_eq!(faults.beacon_requests() - asked, 3);
    assert!(start.elapsed() >= Duration::from_millis(900));

    let front = Rpc::new(l1.rpc_url()).unwrap();
    faults.rpc_down(true);
    let error = front.block_number().await.unwrap_err();
    assert!(error.to_string().contains("503"), "{error}");
    // the test itself goes another way
    let head = l1.rpc().block_number().await.unwrap();
    faults.rpc_down(false);
    faults.rpc_delay(Duration::from_millis(300));
    let start = Instant::now();
    assert_eq!(front.block_number().await.unwrap(), head);
    assert!(start.elapsed() >= Duration::from_millis(300));
}

/// What a transaction with blobs is to L1: other bytes than those that are sent.
#[tokio::test]
async fn a_transaction_with_blobs_is_in_its_block_without_them() {
    let l1 = on_demand().await;
    let chain = chain(&l1, "bare").await;
    let (at, hashes) = with_blobs(&l1).await;
    let params = json!([format!("{:#x}", at.number), true]);
    let found = l1.rpc().call("eth_getBlockByNumber", params).await;
    let found = found.unwrap();
    for (transaction, hashes) in [(0, &hashes[..2]), (1, &hashes[2..])] {
        let transaction = &found["transactions"][transaction];
        assert_eq!(transaction["blobVersionedHashes"], json!(hashes));
        assert_eq!(transaction.get("blobs"), None);
    }
    assert_eq!(found["blobGasUsed"], "0x60000");
    // `doppio-l1` computes the root of the block's transactions
    let block = block(&source(&l1, chain.rollup()), at.hash).await;
    assert_eq!(block.header.hash, at.hash);
}

#[tokio::test]
async fn blobs_that_are_not_what_the_transaction_says_are_refused() {
    let l1 = on_demand().await;
    let wallet = l1.wallet(Account::user(0).unwrap());
    for form in [SidecarForm::Blob, SidecarForm::Cells] {
        let signed = wallet.sign_blobs(Address::ZERO, vec![blob(1)], form, 0);
        let raw = signed.await.unwrap().raw;
        // a byte of the blob's data, as it stands in the transaction
        let at = raw.windows(8).position(|window| window == [1; 8]).unwrap();
        let mut altered = raw.to_vec();
        altered[at] = 2;
        let error = l1.rpc().send_raw(&altered.into()).await.unwrap_err();
        assert!(error.to_string().contains("not what it says"), "{error}");
        // the same among other calls
        let mut altered = raw.to_vec();
        altered.truncate(raw.len() - 1);
        let call = |id: u32, method: &str, params: Value| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let batch = json!([
            call(7, "eth_chainId", json!([])),
            call(8, "eth_sendRawTransaction", json!([Bytes::from(altered)])),
            call(9, "eth_nothing", json!([])),
        ]);
        let answer = post(&l1, &batch).await;
        assert_eq!(
            (&answer[0]["id"], &answer[0]["result"]),
            (&json!(7), &json!("0x384"))
        );
        assert_eq!(
            (&answer[1]["id"], &answer[1]["error"]["code"]),
            (&json!(8), &json!(-32000))
        );
        assert_eq!(
            (&answer[2]["id"], &answer[2]["error"]["code"]),
            (&json!(9), &json!(-32601))
        );
    }
    let status = l1.rpc().call("txpool_status", json!([])).await.unwrap();
    assert_eq!(status["pending"], "0x0");
}

/// The server's answer to a JSON-RPC request.
async fn post(l1: &DevL1, request: &Value) -> Value {
    let target = Target::parse(l1.rpc_url()).unwrap();
    let body = request.to_string().into_bytes();
    let timeout = Duration::from_secs(60);
    let answer = Http::new().post(&target, body, 64 << 20, timeout).await;
    serde_json::from_slice(&answer.unwrap().body).unwrap()
}
