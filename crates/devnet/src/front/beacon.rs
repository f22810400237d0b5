//! The beacon node: slots, and the blobs of each slot's block.
//!
//! anvil knows blobs by block number. Here they are known by slot, as beacon nodes have it:
//! (block time - genesis time) / seconds of a slot.

use super::{Answer, Faults, Times};
use crate::{
    DevnetError,
    blobs::{self, BlobStore, Proven},
    rpc::Rpc,
};
use alloy_primitives::{B256, Bytes, FixedBytes};
use doppio_protocol::{L1BlockRef, blob::Blob};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Hashes of a proof that a commitment is in a beacon block.
const INCLUSION_PROOF_LENGTH: usize = 17;
/// Bytes of a BLS signature.
const SIGNATURE_LENGTH: usize = 96;

/// The clock of the chain, and where its blobs are.
#[derive(Clone, Debug)]
pub(super) struct Beacon {
    pub(super) anvil: Rpc,
    pub(super) blobs: BlobStore,
    pub(super) times: Times,
    pub(super) chain_id: u64,
}

/// A blob of a block.
struct HeldBlob {
    hash: B256,
    /// Its place among all blobs of the block.
    index: usize,
    blob: Arc<Blob>,
}

impl Beacon {
    /// Answers a request by its path and query.
    pub(super) async fn answer(
        &self,
        path: &str,
        query: &str,
        faults: &Faults,
    ) -> Result<Answer, DevnetError> {
        match path {
            "/eth/v1/node/version" => Ok(data(json!({"version": "doppio-devnet"}))),
            "/eth/v1/node/syncing" => self.syncing().await,
            "/eth/v1/beacon/genesis" => Ok(data(json!({
                "genesis_time": self.times.genesis_time.to_string(),
                "genesis_validators_root": B256::ZERO,
                "genesis_fork_version": "0x00000000",
            }))),
            "/eth/v1/config/spec" => Ok(data(json!({
                "SECONDS_PER_SLOT": self.times.block_time.to_string(),
                "SLOT_DURATION_MS": (self.times.block_time.saturating_mul(1000)).to_string(),
                "SLOTS_PER_EPOCH": self.times.slots_per_epoch.to_string(),
                "DEPOSIT_CHAIN_ID": self.chain_id.to_string(),
                "DEPOSIT_NETWORK_ID": self.chain_id.to_string(),
            }))),
            _ => {
                if let Some(slot) = path.strip_prefix("/eth/v1/beacon/blobs/") {
                    if faults.has_only_sidecars() {
                        return Ok(Answer::failure(404, "this node has no such endpoint"));
                    }
                    self.blobs(slot, query, faults).await
                } else if let Some(slot) = path.strip_prefix("/eth/v1/beacon/blob_sidecars/") {
                    self.sidecars(slot, query, faults).await
                } else {
                    Ok(Answer::failure(404, "this node has no such endpoint"))
                }
            }
        }
    }

    async fn syncing(&self) -> Result<Answer, DevnetError> {
        let head = self.anvil.block_at("latest").await?;
        Ok(data(json!({
            "head_slot": self.slot(&head).to_string(),
            "sync_distance": "0",
            "is_syncing": false,
            "is_optimistic": false,
            "el_offline": false,
        })))
    }

    const fn slot(&self, block: &L1BlockRef) -> u64 {
        let since = block.timestamp.saturating_sub(self.times.genesis_time);
        match since.checked_div(self.times.block_time) {
            Some(slot) => slot,
            None => 0,
        }
    }

    /// The canonical block of a slot; none if the slot was missed, or is yet to come.
    async fn block_of(&self, slot: u64) -> Result<Option<L1BlockRef>, DevnetError> {
        // Times grow from block to block: the first block of this slot or a later one.
        let (mut low, mut high) = (0, self.anvil.block_number().await?);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.slot(&self.anvil.block(middle).await?) < slot {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let block = self.anvil.block(low).await?;
        Ok((self.slot(&block) == slot).then_some(block))
    }

    /// `/eth/v1/beacon/blobs/{slot}`: the slot's blobs, or those of them that are asked for.
    async fn blobs(&self, slot: &str, query: &str, faults: &Faults) -> Result<Answer, DevnetError> {
        let mut wanted = Vec::new();
        for value in values(query, "versioned_hashes") {
            match value.parse::<B256>() {
                Ok(hash) => wanted.push(hash),
                Err(_) => return Ok(Answer::failure(400, "a versioned hash is none")),
            }
        }
        let held = match self.held(slot, faults).await? {
            Ok(held) => held,
            Err(answer) => return Ok(answer),
        };
        let given: Vec<Bytes> = held
            .into_iter()
            .filter(|held| wanted.is_empty() || wanted.contains(&held.hash))
            .map(|held| Bytes::copy_from_slice(&*held.blob))
            .collect();
        Ok(Answer::json(&json!({
            "execution_optimistic": false,
            "finalized": false,
            "data": given,
        })))
    }

    /// `/eth/v1/beacon/blob_sidecars/{slot}`: the slot's blobs with commitments and proofs. The header
    /// of the beacon block, and the proofs that lead to it, are zeros: there is no beacon block.
    async fn sidecars(
        &self,
        slot: &str,
        query: &str,
        faults: &Faults,
    ) -> Result<Answer, DevnetError> {
        let mut wanted = Vec::new();
        for value in values(query, "indices") {
            match value.parse::<usize>() {
                Ok(index) => wanted.push(index),
                Err(_) => return Ok(Answer::failure(400, "an index is no number")),
            }
        }
        let mut held = match self.held(slot, faults).await? {
            Ok(held) => held,
            Err(answer) => return Ok(answer),
        };
        held.retain(|held| wanted.is_empty() || wanted.contains(&held.index));
        let making = tokio::task::spawn_blocking(move || {
            let prove = |held: HeldBlob| Ok((blobs::prove(&held.blob)?, held));
            held.into_iter()
                .map(prove)
                .collect::<Result<Vec<_>, DevnetError>>()
        });
        let proven = making
            .await
            .map_err(|error| DevnetError::Kzg(error.to_string()))??;
        let inclusion_proof = [B256::ZERO; INCLUSION_PROOF_LENGTH];
        let sidecar = |(proven, held): (Proven, HeldBlob)| {
            json!({
                "index": held.index.to_string(),
                "blob": Bytes::copy_from_slice(&*held.blob),
                "kzg_commitment": proven.commitment,
                "kzg_proof": proven.proof,
                "signed_block_header": {
                    "message": {
                        "slot": slot,
                        "proposer_index": "0",
                        "parent_root": B256::ZERO,
                        "state_root": B256::ZERO,
                        "body_root": B256::ZERO,
                    },
                    "signature": FixedBytes::<SIGNATURE_LENGTH>::ZERO,
                },
                "kzg_commitment_inclusion_proof": inclusion_proof,
            })
        };
        Ok(data(proven.into_iter().map(sidecar).collect()))
    }

    /// The blobs of a slot, as far as they are not lost; or what is answered where there is none.
    async fn held(
        &self,
        slot: &str,
        faults: &Faults,
    ) -> Result<Result<Vec<HeldBlob>, Answer>, DevnetError> {
        let Ok(slot) = slot.parse::<u64>() else {
            return Ok(Err(Answer::failure(
                400,
                "a block is named by its slot here",
            )));
        };
        let Some(block) = self.block_of(slot).await? else {
            return Ok(Err(Answer::failure(404, "the slot has no block")));
        };
        let mut held = self.blobs_of(&block).await?;
        held.retain(|held| !faults.is_lost(&held.hash));
        for held in &mut held {
            if faults.is_altered(&held.hash) {
                // the lowest bit of a field element: it stays one
                Arc::make_mut(&mut held.blob)[31] ^= 1;
            }
        }
        Ok(Ok(held))
    }

    /// All blobs of a block, in order.
    async fn blobs_of(&self, block: &L1BlockRef) -> Result<Vec<HeldBlob>, DevnetError> {
        #[derive(Deserialize)]
        struct Block {
            transactions: Vec<Transaction>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Transaction {
            #[serde(default)]
            blob_versioned_hashes: Option<Vec<B256>>,
        }
        let params = json!([block.hash, true]);
        // none if the block was replaced in between
        let found: Option<Block> = self.anvil.get("eth_getBlockByHash", params).await?;
        let transactions = found.map(|block| block.transactions).unwrap_or_default();
        let hashes = transactions
            .into_iter()
            .filter_map(|transaction| transaction.blob_versioned_hashes)
            .flatten();
        let held = |(index, hash): (usize, B256)| {
            let blob = self.blobs.get(&hash)?;
            Some(HeldBlob { hash, index, blob })
        };
        Ok(hashes.enumerate().filter_map(held).collect())
    }
}

/// The values of a parameter: given several times, or once with commas.
fn values<'a>(query: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    query
        .split('&')
        .filter_map(move |pair| pair.strip_prefix(name)?.strip_prefix('='))
        .flat_map(|value| value.split(','))
        .filter(|value| !value.is_empty())
}

fn data(data: Value) -> Answer {
    Answer::json(&json!({ "data": data }))
}
