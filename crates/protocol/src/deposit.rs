//! Deposits: transactions that L1 forces onto L2.

use crate::rlp::{self, RlpError};
use alloy_primitives::{Address, B256, Bytes, Log, U256, address, b256, keccak256};
use thiserror::Error;

/// EIP-2718 type byte of deposit transactions.
pub const DEPOSIT_TX_TYPE: u8 = 0x7e;

/// Topic 0 of `TransactionDeposited(address,address,uint256,bytes)`.
// spec: opstack 3.10
pub const TRANSACTION_DEPOSITED: B256 =
    b256!("b3813568d9991fc951961fcb4c784893574240a28925604d09fc577c55bb7c32");

/// Sender of the L1-info transaction and of some upgrade transactions.
// spec: opstack 3.11
pub const L1_ATTRIBUTES_DEPOSITOR: Address = address!("deaddeaddeaddeaddeaddeaddeaddeaddead0001");

/// A deposit transaction: `7e ‖ rlp[source, from, to, mint, value, gas, is_system, data]`.
// spec: opstack 3.10
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DepositTx {
    /// What the deposit comes from; makes its hash unique.
    pub source_hash: B256,
    /// Sender; there is no signature.
    pub from: Address,
    /// Recipient; none creates a contract.
    pub to: Option<Address>,
    /// Wei created on L2. 0 is encoded as no minting.
    pub mint: U256,
    /// Wei sent to the recipient.
    pub value: U256,
    /// Gas limit.
    pub gas: u64,
    /// Exempt from the gas limit of the block (before Regolith).
    pub is_system: bool,
    /// Calldata, or init code.
    pub data: Bytes,
}

impl DepositTx {
    /// The transaction's EIP-2718 encoding.
    pub fn encode(&self) -> Bytes {
        let mint: [u8; 32] = self.mint.to_be_bytes();
        let value: [u8; 32] = self.value.to_be_bytes();
        let payload_length = 33
            + 21
            + if self.to.is_some() { 21 } else { 1 }
            + rlp::uint_length(&mint)
            + rlp::uint_length(&value)
            + rlp::u64_length(self.gas)
            + 1
            + match self.data.as_ref() {
                [0x00..=0x7f] => 1,
                data => rlp::header_length(data.len()) + data.len(),
            };
        let mut out = Vec::with_capacity(1 + 9 + payload_length);
        out.push(DEPOSIT_TX_TYPE);
        rlp::put_list_header(payload_length, &mut out);
        rlp::put_string(self.source_hash.as_slice(), &mut out);
        rlp::put_string(self.from.as_slice(), &mut out);
        rlp::put_string(self.to.as_ref().map_or(&[], |to| to.as_slice()), &mut out);
        rlp::put_uint(&mint, &mut out);
        rlp::put_uint(&value, &mut out);
        rlp::put_u64(self.gas, &mut out);
        rlp::put_u64(u64::from(self.is_system), &mut out);
        rlp::put_string(&self.data, &mut out);
        out.into()
    }

    /// Decodes what [`DepositTx::encode`] wrote.
    pub fn decode(encoded: &Bytes) -> Result<Self, DepositTxError> {
        match encoded.first() {
            None => return Err(DepositTxError::Empty),
            Some(&DEPOSIT_TX_TYPE) => {}
            Some(&other) => return Err(DepositTxError::Type(other)),
        }
        let mut rest = &encoded[1..];
        let list = rlp::next_item(&mut rest)?.list()?;
        if !rest.is_empty() {
            return Err(RlpError::WrongElementCount.into());
        }
        let mut fields = list;
        let mut next = || rlp::next_element(&mut fields)?.ok_or(RlpError::WrongElementCount);
        let source_hash = B256::from(next()?.fixed::<32>()?);
        let from = Address::from(next()?.fixed::<20>()?);
        let to = match next()?.string()? {
            [] => None,
            to => Some(Address::from(
                <&[u8; 20]>::try_from(to).map_err(|_| RlpError::WrongLength(to.len()))?,
            )),
        };
        let mint = U256::from_be_slice(next()?.uint(32)?);
        let value = U256::from_be_slice(next()?.uint(32)?);
        let gas = next()?.u64()?;
        let is_system = match next()?.u64()? {
            0 => false,
            1 => true,
            _ => return Err(DepositTxError::Bool),
        };
        let data = encoded.slice_ref(next()?.string()?);
        if !fields.is_empty() {
            return Err(RlpError::WrongElementCount.into());
        }
        Ok(Self {
            source_hash,
            from,
            to,
            mint,
            value,
            gas,
            is_system,
            data,
        })
    }

    /// The transaction's hash.
    pub fn hash(&self) -> B256 {
        keccak256(self.encode())
    }
}

/// Why bytes are not a deposit transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DepositTxError {
    /// No bytes.
    #[error("transaction is empty")]
    Empty,
    /// Another transaction type.
    #[error("transaction type {0:#04x} is not a deposit's (0x7e)")]
    Type(u8),
    /// Not the RLP of a deposit.
    #[error("deposit transaction: {0}")]
    Rlp(#[from] RlpError),
    /// `is_system` is neither 0 nor 1.
    #[error("deposit transaction: isSystemTx is neither 0 nor 1")]
    Bool,
}

/// What a deposit comes from.
// spec: opstack 3.10
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DepositSource<'a> {
    /// A user's log on L1.
    User {
        /// The L1 block of the log.
        l1_block_hash: B256,
        /// Index of the log among all logs of the block.
        log_index: u64,
    },
    /// The L1-info transaction of an L2 block.
    L1Info {
        /// The L2 block's L1 origin.
        l1_block_hash: B256,
        /// The L2 block's sequence number.
        sequence_number: u64,
    },
    /// An upgrade transaction, by its intent.
    Upgrade {
        /// The sentence that names the transaction.
        intent: &'a str,
    },
    /// The replacement of a block that interop invalidated.
    InvalidatedBlock {
        /// Output root of the block.
        output_root: B256,
    },
}

impl DepositSource<'_> {
    /// The source hash: keccak of a domain and the identifier within the domain.
    pub fn hash(&self) -> B256 {
        let word = |n: u64| B256::from(U256::from(n));
        let (domain, id) = match self {
            Self::User {
                l1_block_hash,
                log_index,
            } => (0, keccak256([*l1_block_hash, word(*log_index)].concat())),
            Self::L1Info {
                l1_block_hash,
                sequence_number,
            } => (
                1,
                keccak256([*l1_block_hash, word(*sequence_number)].concat()),
            ),
            Self::Upgrade { intent } => (2, keccak256(intent.as_bytes())),
            Self::InvalidatedBlock { output_root } => (4, *output_root),
        };
        keccak256([word(domain), id].concat())
    }
}

/// Why a log of the deposit contract is no deposit.
///
/// The contract cannot emit such a log: it would be a critical error, never a skipped deposit.
// spec: opstack 3.10
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DepositLogError {
    /// Not four topics.
    #[error("deposit log has {0} topics instead of 4")]
    Topics(usize),
    /// Another event.
    #[error("log is not TransactionDeposited")]
    Event,
    /// Too short for the header of its data, or not whole words.
    #[error("deposit log has {0} bytes of data; at least 64 and whole words are expected")]
    DataLength(usize),
    /// The data does not begin at word 1.
    #[error("deposit log's opaque data has another offset than 32")]
    Offset,
    /// The length does not fit the data, or leaves more than padding.
    #[error("deposit log's opaque data has a length that does not fit the log")]
    OpaqueLength,
    /// A version that is not 0.
    #[error("deposit log has an unknown version")]
    Version,
    /// Too short for its fixed fields.
    #[error("deposit log's opaque data has {0} bytes; 73 are the least")]
    OpaqueTooShort(usize),
}

/// Bytes of opaque data, version 0, before the calldata.
const OPAQUE_FIXED_LENGTH: usize = 32 + 32 + 8 + 1;

/// Reads a deposit out of a log of the deposit contract.
///
/// `log_index` is the log's index among all logs of the L1 block.
// spec: opstack 3.10
pub fn decode_deposit_log(
    log: &Log,
    l1_block_hash: B256,
    log_index: u64,
) -> Result<DepositTx, DepositLogError> {
    let [event, from, to, version] = log.topics() else {
        return Err(DepositLogError::Topics(log.topics().len()));
    };
    if *event != TRANSACTION_DEPOSITED {
        return Err(DepositLogError::Event);
    }
    let opaque = opaque_data(&log.data.data)?;
    if !version.is_zero() {
        return Err(DepositLogError::Version);
    }
    let Some((fixed, data)) = opaque.split_first_chunk::<OPAQUE_FIXED_LENGTH>() else {
        return Err(DepositLogError::OpaqueTooShort(opaque.len()));
    };
    let (mint, rest) = fixed.split_at(32);
    let (value, rest) = rest.split_at(32);
    let (gas, is_creation) = rest.split_at(8);
    Ok(DepositTx {
        source_hash: DepositSource::User {
            l1_block_hash,
            log_index,
        }
        .hash(),
        // only the low 20 bytes of the topics are read
        from: Address::from_word(*from),
        to: (is_creation == [0]).then(|| Address::from_word(*to)),
        mint: U256::from_be_slice(mint),
        value: U256::from_be_slice(value),
        gas: gas.iter().fold(0, |n, byte| (n << 8) | u64::from(*byte)),
        is_system: false,
        data: log.data.data.slice_ref(data),
    })
}

/// The bytes inside `abi.encode(bytes)`.
fn opaque_data(data: &[u8]) -> Result<&[u8], DepositLogError> {
    if data.len() < 64 || !data.len().is_multiple_of(32) {
        return Err(DepositLogError::DataLength(data.len()));
    }
    let (head, rest) = data.split_at(64);
    if U256::from_be_slice(&head[..32]) != U256::from(32) {
        return Err(DepositLogError::Offset);
    }
    let length = U256::from_be_slice(&head[32..]);
    // the padding is shorter than a word
    match usize::try_from(length) {
        Ok(length) if length <= rest.len() && rest.len() - length < 32 => Ok(&rest[..length]),
        _ => Err(DepositLogError::OpaqueLength),
    }
}

/// Writes the log that the deposit contract emits for `deposit`, the reverse of
/// [`decode_deposit_log`] but for the source hash, which depends on where the log stands.
pub fn encode_deposit_log(contract: Address, deposit: &DepositTx) -> Log {
    let mut opaque = Vec::with_capacity(OPAQUE_FIXED_LENGTH + deposit.data.len());
    opaque.extend_from_slice(&deposit.mint.to_be_bytes::<32>());
    opaque.extend_from_slice(&deposit.value.to_be_bytes::<32>());
    opaque.extend_from_slice(&deposit.gas.to_be_bytes());
    opaque.push(u8::from(deposit.to.is_none()));
    opaque.extend_from_slice(&deposit.data);
    let mut data = Vec::with_capacity(64 + opaque.len().next_multiple_of(32));
    data.extend_from_slice(&U256::from(32).to_be_bytes::<32>());
    data.extend_from_slice(&U256::from(opaque.len()).to_be_bytes::<32>());
    data.extend_from_slice(&opaque);
    data.resize(data.len().next_multiple_of(32), 0);
    let topics = vec![
        TRANSACTION_DEPOSITED,
        deposit.from.into_word(),
        deposit.to.unwrap_or_default().into_word(),
        B256::ZERO,
    ];
    Log::new_unchecked(contract, topics, data.into())
}
