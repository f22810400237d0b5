//! The rollup node, the execution engine and the DA server.

use crate::server::Fake;
use alloy_primitives::{B256, hex};
use doppio_protocol::{l2::L2Block, output::OutputV0};
use serde_json::{Value, json};

/// A number in hexadecimal.
fn number(value: &Value) -> u64 {
    let digits = value.as_str().unwrap().strip_prefix("0x").unwrap();
    u64::from_str_radix(digits, 16).unwrap()
}

impl Fake {
    pub(crate) fn l2_result(&self, method: &str, params: &Value) -> Value {
        let blocks = &self.chain.recorded.l2_blocks;
        match method {
            "eth_chainId" => {
                let id = self.chain.recorded.chain.rollup.l2_chain_id;
                json!(format!("{id:#x}"))
            }
            "debug_getRawBlock" => {
                let name = params[0].as_str().unwrap();
                let found = if name.len() == 66 {
                    let hash: B256 = name.parse().unwrap();
                    blocks.iter().find(|block| block.hash == hash)
                } else {
                    self.chain.recorded.l2_block(number(&params[0]))
                };
                found.map_or(Value::Null, |block| json!(block.raw))
            }
            _ => panic!("{method}"),
        }
    }

    fn l2_ref(&self, block: &L2Block) -> Value {
        json!(block.block_ref(&self.chain.recorded.chain).unwrap())
    }

    pub(crate) fn rollup_result(&self, method: &str, params: &Value) -> Value {
        let chain = &self.chain;
        match method {
            "optimism_rollupConfig" => chain.rollup_json().clone(),
            "optimism_syncStatus" => {
                let last = chain.safe().last().unwrap();
                // the one after the last that is wholly derived, which may not be recorded
                let current = json!({
                    "hash": B256::ZERO,
                    "number": last["l1"].as_u64().unwrap() + 1,
                    "parentHash": B256::ZERO,
                    "timestamp": 0,
                });
                let safe = last["safe"]["number"].as_u64().unwrap();
                let safe = self.l2_ref(&chain.l2(safe).unwrap());
                json!({
                    "current_l1": current, "head_l1": current, "safe_l1": current,
                    "unsafe_l2": safe, "safe_l2": safe, "local_safe_l2": safe,
                })
            }
            "optimism_safeHeadAtL1Block" => {
                let wanted = number(&params[0]);
                let mut lines = chain.safe().iter().rev();
                let line = lines
                    .find(|line| line["l1"].as_u64().unwrap() <= wanted)
                    .unwrap();
                let l1 = usize::try_from(line["l1"].as_u64().unwrap()).unwrap();
                let l1 = json!({"hash": chain.hash(l1), "number": l1});
                json!({"l1Block": l1, "safeHead": line["safe"]})
            }
            "optimism_outputAtBlock" => {
                let block = chain.l2(number(&params[0])).unwrap();
                let recorded = chain.recorded.l2_block(block.header.number).unwrap();
                // before Isthmus, only where it was recorded
                let storage = recorded.withdrawal_storage_root;
                let storage = storage.or(block.header.withdrawals_root).unwrap();
                let output = OutputV0 {
                    state_root: block.header.state_root,
                    message_passer_storage_root: storage,
                    block_hash: block.hash,
                };
                json!({
                    "version": B256::ZERO,
                    "outputRoot": recorded.output_root.unwrap_or_else(|| output.root()),
                    "blockRef": self.l2_ref(&block),
                    "withdrawalStorageRoot": storage,
                    "stateRoot": block.header.state_root,
                    "syncStatus": {},
                })
            }
            _ => panic!("{method}"),
        }
    }

    /// The payload of a commitment.
    pub(crate) fn payload(&self, path: &str) -> (u16, Vec<u8>) {
        let rules = self.rules.lock().unwrap();
        if rules
            .missing
            .iter()
            .any(|missing| path.starts_with(missing))
        {
            return (404, Vec::new());
        }
        let commitment = path.strip_prefix("/get/").unwrap();
        let commitment = commitment.split('?').next().unwrap();
        let commitment = hex::decode(commitment).unwrap().into();
        match self.chain.recorded.payload(&commitment) {
            Some(payload) => (200, payload.to_vec()),
            None => (404, Vec::new()),
        }
    }
}
