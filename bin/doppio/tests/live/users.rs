//! Users of L2: three accounts that send one transaction a block each, of many kinds.

use crate::{
    l1::CREATION,
    process::say,
    rpc::{Rpc, number},
};
use alloy_consensus::{
    SignableTransaction, TxEip1559, TxEip2930, TxEip7702, TxEnvelope, TxLegacy,
    crypto::secp256k1::sign_message,
};
use alloy_eips::{
    eip2718::Encodable2718,
    eip2930::{AccessList, AccessListItem},
    eip7702::Authorization,
};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, address, b256, hex};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

const CHAIN_ID: u64 = 901;
/// The third to fifth of anvil's accounts; the first block gives them ETH.
const ACCOUNTS: [(Address, B256); 3] = [
    (
        address!("3c44cdddb6a900fa2b585dd299e03d12fa4293bc"),
        b256!("5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"),
    ),
    (
        address!("90f79bf6eb2c4f870365e785982e1f101e93b906"),
        b256!("7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"),
    ),
    (
        address!("15d34aaf54267db7d7c367839aaf71a00a2c6a65"),
        b256!("47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a"),
    ),
];
/// Kinds of transactions; an account's nonce decides which it is. The last but one kind uses up the
/// nonce of the last.
const KINDS: u64 = 8;
/// The kind that sets an account's code, which there is from Isthmus on.
const SETS_CODE: u64 = 6;

const GWEI: u128 = 1_000_000_000;
const MESSAGE_PASSER: Address = address!("4200000000000000000000000000000000000016");
const WETH: Address = address!("4200000000000000000000000000000000000006");

/// Users while they send.
pub(crate) struct Users {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Users {
    /// Begins to send to an engine; none, and said, if that engine takes no transactions.
    pub(crate) fn start(engine: Rpc) -> Option<Self> {
        if let Err(error) = engine.try_call("eth_sendRawTransaction", json!(["0x"]))
            && error.contains("-32601")
        {
            say("*** NOT TESTED: user transactions; the engine has no eth_sendRawTransaction ***");
            return None;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let stop = Arc::clone(&stop);
            thread::spawn(move || send(engine, &stop))
        };
        Some(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Sends each account's next transaction, again and again: to have it in the pool already is no
/// fault, and an engine that was killed gets it once more.
fn send(engine: Rpc, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        for (address, key) in ACCOUNTS {
            // the engine may be down at the moment
            let params = json!([address, "latest"]);
            if let Ok(nonce) = engine.try_call("eth_getTransactionCount", params) {
                let nonce = number(&nonce);
                let kind = nonce % KINDS;
                let send = |kind| {
                    let raw = transaction(address, key, nonce, kind);
                    engine.try_call("eth_sendRawTransaction", json!([raw]))
                };
                if send(kind).is_err() && kind == SETS_CODE {
                    // too early; if it is in the pool already, this one cannot replace it
                    let _ = send(0);
                }
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// A transaction of an account.
fn transaction(from: Address, key: B256, nonce: u64, kind: u64) -> Bytes {
    // the contract that kind 1 made last
    let made = from.create(nonce - nonce % KINDS + 1);
    let fresh = Address::with_last_byte(0x80 + nonce.to_le_bytes()[0] % 64);
    let dynamic = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 200_000,
        max_fee_per_gas: 10 * GWEI,
        max_priority_fee_per_gas: GWEI / 100,
        ..TxEip1559::default()
    };
    match kind {
        1 => signed(
            TxEip1559 {
                to: TxKind::Create,
                input: hex::decode(CREATION).unwrap().into(),
                ..dynamic
            },
            key,
        ),
        2 => signed(
            TxEip1559 {
                to: TxKind::Call(made),
                input: B256::with_last_byte(7).into(),
                ..dynamic
            },
            key,
        ),
        3 => signed(
            TxEip2930 {
                chain_id: CHAIN_ID,
                nonce,
                gas_price: 10 * GWEI,
                gas_limit: 200_000,
                to: TxKind::Call(WETH),
                value: U256::from(9),
                access_list: AccessList(vec![AccessListItem {
                    address: WETH,
                    storage_keys: vec![B256::ZERO, B256::with_last_byte(1)],
                }]),
                ..TxEip2930::default()
            },
            key,
        ),
        // fails: nobody has 2^64 WETH
        4 => signed(
            TxEip1559 {
                to: TxKind::Call(WETH),
                input: hex::decode(format!("2e1a7d4d{:064x}", 1_u128 << 64))
                    .unwrap()
                    .into(),
                ..dynamic
            },
            key,
        ),
        // a withdrawal: ETH sent to the contract begins one to the sender
        5 => signed(
            TxEip1559 {
                to: TxKind::Call(MESSAGE_PASSER),
                value: U256::from(3),
                ..dynamic
            },
            key,
        ),
        // the account gets the code of the contract it made, and is called
        SETS_CODE => {
            let authorization = Authorization {
                chain_id: U256::from(CHAIN_ID),
                address: made,
                nonce: nonce + 1,
            };
            let signature = sign(authorization.signature_hash(), key);
            signed(
                TxEip7702 {
                    chain_id: CHAIN_ID,
                    nonce,
                    gas_limit: 200_000,
                    max_fee_per_gas: 10 * GWEI,
                    max_priority_fee_per_gas: GWEI / 100,
                    to: from,
                    authorization_list: vec![authorization.into_signed(signature)],
                    ..TxEip7702::default()
                },
                key,
            )
        }
        _ => signed(
            TxLegacy {
                chain_id: Some(CHAIN_ID),
                nonce,
                gas_price: 10 * GWEI,
                gas_limit: 50_000,
                to: TxKind::Call(fresh),
                value: U256::from(1),
                ..TxLegacy::default()
            },
            key,
        ),
    }
}

fn sign(hash: B256, key: B256) -> Signature {
    sign_message(key, hash).unwrap()
}

fn signed<T>(transaction: T, key: B256) -> Bytes
where
    T: SignableTransaction<Signature>,
    TxEnvelope: From<alloy_consensus::Signed<T>>,
{
    let signature = sign(transaction.signature_hash(), key);
    let envelope: TxEnvelope = transaction.into_signed(signature).into();
    envelope.encoded_2718().into()
}
