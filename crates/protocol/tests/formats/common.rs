//! What several subjects need: configurations, transactions of every type, genuine data.

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip2930, TxEip7702, TxEnvelope, TxLegacy};
use alloy_eips::{
    eip2718::Encodable2718,
    eip2930::{AccessList, AccessListItem},
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_primitives::{Address, B256, Bytes, Log, LogData, Signature, TxKind, U256, hex};
use doppio_protocol::{
    batch::{SpanParams, put_uvarint},
    config::{ChainConfig, ChainProfile, Fork, ForkTimes, Overrides, RollupConfig},
    rlp,
};
use doppio_test_vectors::Vectors;
use serde_json::{Value, json};

/// L2 chain id of the test chain.
pub(crate) const CHAIN_ID: u64 = 901;
/// Time of the test chain's L2 genesis.
pub(crate) const GENESIS_TIME: u64 = 1_000;
/// Seconds between the test chain's L2 blocks.
pub(crate) const BLOCK_TIME: u64 = 2;
/// The test chain's SystemConfig contract.
pub(crate) const SYSTEM_CONFIG: Address = Address::repeat_byte(0x5c);

/// A complete and legal rollup.json without any fork.
pub(crate) fn rollup_json() -> Value {
    json!({
        "genesis": {
            "l1": {"hash": B256::repeat_byte(1), "number": 10},
            "l2": {"hash": B256::repeat_byte(2), "number": 20},
            "l2_time": GENESIS_TIME,
            "system_config": {
                "batcherAddr": Address::repeat_byte(3),
                "overhead": B256::with_last_byte(4),
                "scalar": B256::with_last_byte(5),
                "gasLimit": 30_000_000,
            },
        },
        "block_time": BLOCK_TIME,
        "max_sequencer_drift": 600,
        "seq_window_size": 3600,
        "channel_timeout": 300,
        "l1_chain_id": 1,
        "l2_chain_id": CHAIN_ID,
        "batch_inbox_address": Address::repeat_byte(6),
        "deposit_contract_address": Address::repeat_byte(7),
        "l1_system_config_address": SYSTEM_CONFIG,
    })
}

/// The configuration of [`rollup_json`].
pub(crate) fn rollup() -> RollupConfig {
    parse(&rollup_json())
}

/// Reads a configuration that must be readable.
pub(crate) fn parse(json: &Value) -> RollupConfig {
    RollupConfig::parse(&json.to_string(), false)
        .unwrap()
        .config
}

/// The test chain with all forks up to `last` active from genesis.
pub(crate) fn chain_at(last: Fork) -> ChainConfig {
    chain_with(|rollup| rollup.forks = ForkTimes::all_until(last))
}

/// The test chain, changed.
pub(crate) fn chain_with(change: impl FnOnce(&mut RollupConfig)) -> ChainConfig {
    let mut rollup = rollup();
    change(&mut rollup);
    ChainConfig::new(rollup, Overrides::default()).unwrap()
}

/// The test chain under a profile.
pub(crate) fn chain_under(profile: ChainProfile, last: Fork) -> ChainConfig {
    let mut rollup = rollup();
    rollup.forks = ForkTimes::all_until(last);
    let overrides = Overrides {
        profile: Some(profile),
        ..Overrides::default()
    };
    ChainConfig::new(rollup, overrides).unwrap()
}

/// What the test chain adds to span batches; every transaction type is known.
pub(crate) const fn span_params() -> SpanParams {
    SpanParams {
        genesis_time: GENESIS_TIME,
        block_time: BLOCK_TIME,
        chain_id: CHAIN_ID,
        post_exec: true,
        celo_dynamic_fee_v2: true,
    }
}

/// The folder of the OP Stack vectors, if it is there.
pub(crate) fn vectors() -> Option<Vectors> {
    Vectors::find("opstack")
}

/// Bytes of a hexadecimal JSON string.
pub(crate) fn bytes_of(value: &Value) -> Bytes {
    value.as_str().unwrap().parse().unwrap()
}

/// A hash in a JSON string.
pub(crate) fn hash_of(value: &Value) -> B256 {
    value.as_str().unwrap().parse().unwrap()
}

/// An address in a JSON string.
pub(crate) fn address_of(value: &Value) -> Address {
    value.as_str().unwrap().parse().unwrap()
}

/// A number in a JSON number or a hexadecimal or decimal JSON string.
pub(crate) fn number_of(value: &Value) -> u64 {
    value
        .as_u64()
        .or_else(|| {
            let text = value.as_str()?;
            text.strip_prefix("0x").map_or_else(
                || text.parse().ok(),
                |hex| u64::from_str_radix(hex, 16).ok(),
            )
        })
        .unwrap()
}

/// The bytes of a text file of hexadecimal digits.
pub(crate) fn hex_file(vectors: &Vectors, name: &str) -> Bytes {
    hex::decode(vectors.text(name).trim()).unwrap().into()
}

/// An L1 log.
pub(crate) fn log(address: Address, topics: Vec<B256>, data: impl Into<Bytes>) -> Log {
    Log {
        address,
        data: LogData::new_unchecked(topics, data.into()),
    }
}

/// `abi.encode(bytes)`.
pub(crate) fn abi_bytes(payload: &[u8]) -> Vec<u8> {
    let mut out = word(32).to_vec();
    out.extend(word(payload.len() as u64));
    out.extend_from_slice(payload);
    out.resize(out.len().next_multiple_of(32), 0);
    out
}

/// A number as a word.
pub(crate) fn word(n: u64) -> B256 {
    B256::from(U256::from(n))
}

/// A number as an unsigned LEB128.
pub(crate) fn uvarint(n: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_uvarint(n, &mut out);
    out
}

/// An RLP list of encoded items.
pub(crate) fn list(items: &[&[u8]]) -> Vec<u8> {
    let payload = items.concat();
    let mut out = Vec::new();
    rlp::put_list_header(payload.len(), &mut out);
    out.extend(payload);
    out
}

/// An RLP byte string.
pub(crate) fn string(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    rlp::put_string(bytes, &mut out);
    out
}

/// An RLP integer.
pub(crate) fn int(n: u64) -> Vec<u8> {
    let mut out = Vec::new();
    rlp::put_u64(n, &mut out);
    out
}

/// What a transaction of any type is made of.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) chain_id: u64,
    pub(crate) nonce: u64,
    pub(crate) gas: u64,
    pub(crate) to: Option<Address>,
    pub(crate) value: U256,
    pub(crate) fee: u128,
    pub(crate) tip: u128,
    pub(crate) input: Bytes,
    pub(crate) slots: Vec<B256>,
    pub(crate) r: U256,
    pub(crate) s: U256,
    pub(crate) y_parity: bool,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            chain_id: CHAIN_ID,
            nonce: 7,
            gas: 21_000,
            to: Some(Address::repeat_byte(0x70)),
            value: U256::from(1_000_000_007u64),
            fee: 3_000_000_000,
            tip: 1,
            input: Bytes::from_static(&[0, 1, 2, 0x80, 0xff]),
            slots: vec![B256::repeat_byte(9)],
            r: U256::from(0x1234_5678u64) << 200,
            s: U256::from(0x9abc_def0u64) << 190,
            y_parity: true,
        }
    }
}

/// The transaction types that a span batch can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Unprotected,
    Legacy,
    Eip2930,
    Eip1559,
    Eip7702,
    Celo,
    PostExec,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::Unprotected,
        Self::Legacy,
        Self::Eip2930,
        Self::Eip1559,
        Self::Eip7702,
        Self::Celo,
        Self::PostExec,
    ];
}

impl Parts {
    fn access_list(&self) -> AccessList {
        AccessList(vec![AccessListItem {
            address: Address::repeat_byte(0xac),
            storage_keys: self.slots.clone(),
        }])
    }

    fn signature(&self) -> Signature {
        Signature::new(self.r, self.s, self.y_parity)
    }

    fn seal(&self, tx: impl SignableTransaction<Signature> + Into<AnyTx>) -> Bytes {
        tx.into().seal(self.signature())
    }

    /// The EIP-2718 encoding, by alloy wherever alloy knows the type.
    pub(crate) fn encode(&self, kind: Kind) -> Bytes {
        let to = self.to.map_or(TxKind::Create, TxKind::Call);
        let input = self.input.clone();
        let Self {
            chain_id,
            nonce,
            gas: gas_limit,
            value,
            ..
        } = *self;
        let access_list = self.access_list();
        let max_priority_fee_per_gas = self.tip;
        let max_fee_per_gas = self.fee;
        match kind {
            Kind::Unprotected | Kind::Legacy => self.seal(TxLegacy {
                chain_id: (kind == Kind::Legacy).then_some(chain_id),
                nonce,
                gas_price: self.fee,
                gas_limit,
                to,
                value,
                input,
            }),
            Kind::Eip2930 => self.seal(TxEip2930 {
                chain_id,
                nonce,
                gas_price: self.fee,
                gas_limit,
                to,
                value,
                access_list,
                input,
            }),
            Kind::Eip1559 => self.seal(TxEip1559 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to,
                value,
                access_list,
                input,
            }),
            Kind::Eip7702 => self.seal(TxEip7702 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to: self.to.unwrap_or_default(),
                value,
                access_list,
                authorization_list: vec![SignedAuthorization::new_unchecked(
                    Authorization {
                        chain_id: U256::from(chain_id),
                        address: Address::repeat_byte(0xa7),
                        nonce,
                    },
                    1,
                    self.r,
                    self.s,
                )],
                input,
            }),
            Kind::Celo => self.encode_celo(),
            Kind::PostExec => {
                let refunds = list(&[&list(&[&int(0), &int(self.gas)])]);
                let payload = list(&[&int(1), &int(self.nonce), &refunds]);
                [&[0x7d], payload.as_slice()].concat().into()
            }
        }
    }

    /// `7b ‖ rlp[chain, nonce, tip, fee, gas, to, value, data, access list, currency, y, r, s]`
    fn encode_celo(&self) -> Bytes {
        let number = |n: U256| {
            let mut out = Vec::new();
            rlp::put_uint(&n.to_be_bytes::<32>(), &mut out);
            out
        };
        let slots: Vec<Vec<u8>> = self
            .slots
            .iter()
            .map(|slot| string(slot.as_slice()))
            .collect();
        let slots: Vec<&[u8]> = slots.iter().map(Vec::as_slice).collect();
        let entry = list(&[&string(&[0xac; 20]), &list(&slots)]);
        let fields = list(&[
            &int(self.chain_id),
            &int(self.nonce),
            &number(U256::from(self.tip)),
            &number(U256::from(self.fee)),
            &int(self.gas),
            &string(self.to.as_ref().map_or(&[], |to| to.as_slice())),
            &number(self.value),
            &string(&self.input),
            &list(&[&entry]),
            &string(&[0xcc; 20]),
            &int(self.y_parity.into()),
            &number(self.r),
            &number(self.s),
        ]);
        [&[0x7b], fields.as_slice()].concat().into()
    }
}

/// A transaction that alloy encodes.
pub(crate) enum AnyTx {
    Legacy(TxLegacy),
    Eip2930(TxEip2930),
    Eip1559(TxEip1559),
    Eip7702(TxEip7702),
}

impl AnyTx {
    fn seal(self, signature: Signature) -> Bytes {
        let envelope: TxEnvelope = match self {
            Self::Legacy(tx) => tx.into_signed(signature).into(),
            Self::Eip2930(tx) => tx.into_signed(signature).into(),
            Self::Eip1559(tx) => tx.into_signed(signature).into(),
            Self::Eip7702(tx) => tx.into_signed(signature).into(),
        };
        envelope.encoded_2718().into()
    }
}

macro_rules! any_tx {
    ($($variant:ident($tx:ty)),*) => {
        $(impl From<$tx> for AnyTx {
            fn from(tx: $tx) -> Self {
                Self::$variant(tx)
            }
        })*
    };
}

any_tx!(
    Legacy(TxLegacy),
    Eip2930(TxEip2930),
    Eip1559(TxEip1559),
    Eip7702(TxEip7702)
);
