//! The L1-info transaction: first of every L2 block, it tells the block its L1 origin and the
//! fees in force.

use crate::{
    config::{ChainConfig, Fork},
    deposit::{DepositSource, DepositTx, L1_ATTRIBUTES_DEPOSITOR},
};
use alloy_primitives::{Address, B256, Bytes, U256, address};
use thiserror::Error;

/// The predeployed contract that the L1-info transaction calls.
pub const L1_BLOCK: Address = address!("4200000000000000000000000000000000000015");

/// Gas of the L1-info transaction from Regolith on.
// spec: opstack 2.8 |9
pub const REGOLITH_SYSTEM_TX_GAS: u64 = 1_000_000;
/// Gas of the L1-info transaction before Regolith.
pub const BEDROCK_SYSTEM_TX_GAS: u64 = 150_000_000;

/// DA footprint gas scalar where the SystemConfig has 0.
// spec: opstack 3.11 |1
pub const DEFAULT_DA_FOOTPRINT_GAS_SCALAR: u16 = 400;

/// The calldata layouts, by the fork that introduced them.
// spec: opstack 3.11 |1
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum L1InfoLayout {
    Bedrock,
    Ecotone,
    Isthmus,
    Jovian,
}

impl L1InfoLayout {
    /// All layouts, oldest first.
    pub const ALL: [Self; 4] = [Self::Bedrock, Self::Ecotone, Self::Isthmus, Self::Jovian];

    /// The layout of an L2 block at `l2_time`. A fork's layout begins with the block *after* its
    /// activation block, because the contract that reads it is installed by that block.
    // spec: opstack 3.11, opstack-2026-09 3.11 *1
    pub const fn at(chain: &ChainConfig, l2_time: u64) -> Self {
        if chain.active_after_activation_block(Fork::Jovian, l2_time) {
            Self::Jovian
        } else if chain.active_after_activation_block(Fork::Isthmus, l2_time) {
            Self::Isthmus
        } else if chain.active_after_activation_block(Fork::Ecotone, l2_time) {
            Self::Ecotone
        } else {
            Self::Bedrock
        }
    }

    /// Function selector.
    pub const fn selector(self) -> [u8; 4] {
        match self {
            Self::Bedrock => [0x01, 0x5d, 0x8e, 0xb9],
            Self::Ecotone => [0x44, 0x0a, 0x5e, 0x20],
            Self::Isthmus => [0x09, 0x89, 0x99, 0xbe],
            Self::Jovian => [0x3d, 0xb6, 0xbe, 0x2b],
        }
    }

    /// Bytes of calldata, selector included.
    pub const fn length(self) -> usize {
        match self {
            Self::Bedrock => 260,
            Self::Ecotone => 164,
            Self::Isthmus => 176,
            Self::Jovian => 178,
        }
    }
}

/// What the L1-info transaction says. Fields that a layout does not hold are 0.
// spec: opstack 3.11
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct L1BlockInfo {
    /// Height of the L1 origin.
    pub number: u64,
    /// Time of the L1 origin.
    pub time: u64,
    /// Base fee of the L1 origin, in wei.
    pub base_fee: U256,
    /// Hash of the L1 origin.
    pub block_hash: B256,
    /// L2 blocks since the first of the epoch.
    pub sequence_number: u64,
    /// The batcher.
    pub batcher: Address,
    /// Bedrock: fee overhead, in L1 gas.
    pub l1_fee_overhead: B256,
    /// Bedrock: fee scalar, in millionths.
    pub l1_fee_scalar: B256,
    /// Ecotone: blob base fee of the L1 origin, in wei.
    pub blob_base_fee: U256,
    /// Ecotone: scalar of the base fee, in millionths.
    pub base_fee_scalar: u32,
    /// Ecotone: scalar of the blob base fee, in millionths.
    pub blob_base_fee_scalar: u32,
    /// Isthmus: scalar of the operator fee, in millionths (Jovian: hundredths).
    pub operator_fee_scalar: u32,
    /// Isthmus: constant of the operator fee, in wei.
    pub operator_fee_constant: u64,
    /// Jovian: gas per estimated byte of L1 data.
    pub da_footprint_gas_scalar: u16,
}

/// Why calldata is not the L1 info of its block.
// spec: opstack 3.11
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum L1InfoError {
    /// Another length than the layout's.
    #[error("L1 info has {length} bytes; the {layout:?} layout has {}", layout.length())]
    Length {
        /// The layout that the block's time calls for.
        layout: L1InfoLayout,
        /// What was found.
        length: usize,
    },
    /// Another selector than the layout's.
    #[error("L1 info does not begin with the selector of the {0:?} layout")]
    Selector(L1InfoLayout),
    /// An integer or address has bytes beyond its type.
    #[error("L1 info has a {0} that does not fit its type")]
    Padding(&'static str),
}

impl L1BlockInfo {
    /// Encodes as calldata.
    pub fn encode(&self, layout: L1InfoLayout) -> Bytes {
        let mut out = Vec::with_capacity(layout.length());
        out.extend_from_slice(&layout.selector());
        if layout == L1InfoLayout::Bedrock {
            self.encode_words(&mut out);
        } else {
            self.encode_packed(layout, &mut out);
        }
        out.into()
    }

    fn encode_words(&self, out: &mut Vec<u8>) {
        let words = [
            B256::from(U256::from(self.number)),
            B256::from(U256::from(self.time)),
            B256::from(self.base_fee),
            self.block_hash,
            B256::from(U256::from(self.sequence_number)),
            self.batcher.into_word(),
            self.l1_fee_overhead,
            self.l1_fee_scalar,
        ];
        words
            .iter()
            .for_each(|word| out.extend_from_slice(word.as_slice()));
    }

    fn encode_packed(&self, layout: L1InfoLayout, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.base_fee_scalar.to_be_bytes());
        out.extend_from_slice(&self.blob_base_fee_scalar.to_be_bytes());
        out.extend_from_slice(&self.sequence_number.to_be_bytes());
        out.extend_from_slice(&self.time.to_be_bytes());
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&self.base_fee.to_be_bytes::<32>());
        out.extend_from_slice(&self.blob_base_fee.to_be_bytes::<32>());
        out.extend_from_slice(self.block_hash.as_slice());
        out.extend_from_slice(self.batcher.into_word().as_slice());
        if layout >= L1InfoLayout::Isthmus {
            out.extend_from_slice(&self.operator_fee_scalar.to_be_bytes());
            out.extend_from_slice(&self.operator_fee_constant.to_be_bytes());
        }
        if layout >= L1InfoLayout::Jovian {
            out.extend_from_slice(&self.da_footprint_gas_scalar.to_be_bytes());
        }
    }

    /// Decodes calldata of a known layout. The length must match exactly.
    pub fn decode(layout: L1InfoLayout, calldata: &[u8]) -> Result<Self, L1InfoError> {
        if calldata.len() != layout.length() {
            return Err(L1InfoError::Length {
                layout,
                length: calldata.len(),
            });
        }
        let (selector, fields) = calldata.split_at(4);
        if selector != layout.selector() {
            return Err(L1InfoError::Selector(layout));
        }
        let mut reader = Reader(fields);
        if layout == L1InfoLayout::Bedrock {
            Self::decode_words(&mut reader)
        } else {
            Self::decode_packed(layout, &mut reader)
        }
    }

    fn decode_words(reader: &mut Reader<'_>) -> Result<Self, L1InfoError> {
        Ok(Self {
            number: reader.u64_word("number")?,
            time: reader.u64_word("time")?,
            base_fee: U256::from_be_bytes(reader.take::<32>()),
            block_hash: reader.take().into(),
            sequence_number: reader.u64_word("sequence number")?,
            batcher: reader.address_word("batcher")?,
            l1_fee_overhead: reader.take().into(),
            l1_fee_scalar: reader.take().into(),
            ..Self::default()
        })
    }

    fn decode_packed(layout: L1InfoLayout, reader: &mut Reader<'_>) -> Result<Self, L1InfoError> {
        let mut info = Self {
            base_fee_scalar: u32::from_be_bytes(reader.take()),
            blob_base_fee_scalar: u32::from_be_bytes(reader.take()),
            sequence_number: u64::from_be_bytes(reader.take()),
            time: u64::from_be_bytes(reader.take()),
            number: u64::from_be_bytes(reader.take()),
            base_fee: U256::from_be_bytes(reader.take::<32>()),
            blob_base_fee: U256::from_be_bytes(reader.take::<32>()),
            block_hash: reader.take().into(),
            batcher: reader.address_word("batcher")?,
            ..Self::default()
        };
        if layout >= L1InfoLayout::Isthmus {
            info.operator_fee_scalar = u32::from_be_bytes(reader.take());
            info.operator_fee_constant = u64::from_be_bytes(reader.take());
        }
        if layout >= L1InfoLayout::Jovian {
            info.da_footprint_gas_scalar = u16::from_be_bytes(reader.take());
        }
        Ok(info)
    }

    /// The L1-info transaction of an L2 block at `l2_time`.
    // spec: opstack 3.11
    pub fn deposit(&self, chain: &ChainConfig, l2_time: u64) -> DepositTx {
        let regolith = chain.active(Fork::Regolith, l2_time);
        DepositTx {
            source_hash: DepositSource::L1Info {
                l1_block_hash: self.block_hash,
                sequence_number: self.sequence_number,
            }
            .hash(),
            from: L1_ATTRIBUTES_DEPOSITOR,
            to: Some(L1_BLOCK),
            mint: U256::ZERO,
            value: U256::ZERO,
            gas: if regolith {
                REGOLITH_SYSTEM_TX_GAS
            } else {
                BEDROCK_SYSTEM_TX_GAS
            },
            is_system: !regolith,
            data: self.encode(L1InfoLayout::at(chain, l2_time)),
        }
    }
}

/// Takes fixed-size fields off bytes whose total length has been checked.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        // The lengths of a layout's fields add up to the layout's length.
        let Some((field, rest)) = self.0.split_first_chunk::<N>() else {
            return [0; N];
        };
        self.0 = rest;
        *field
    }

    fn u64_word(&mut self, name: &'static str) -> Result<u64, L1InfoError> {
        u64::try_from(U256::from_be_bytes(self.take::<32>()))
            .map_err(|_| L1InfoError::Padding(name))
    }

    fn address_word(&mut self, name: &'static str) -> Result<Address, L1InfoError> {
        let word = self.take::<32>();
        if word[..12] != [0; 12] {
            return Err(L1InfoError::Padding(name));
        }
        Ok(Address::from_slice(&word[12..]))
    }
}
