//! Calls of the OP Stack's contracts on L1.

use crate::{Call, Contracts, DevnetError, Rpc};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use doppio_protocol::system_config::CONFIG_UPDATE;

/// Gas that the portal itself takes at most.
const PORTAL_GAS: u64 = 1_000_000;

/// A transaction that L1 forces onto L2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deposit {
    /// Recipient on L2; none to create a contract.
    pub to: Option<Address>,
    /// Wei that are taken on L1, and made on L2 for the sender.
    pub mint: U256,
    /// Wei that are sent to the recipient on L2.
    pub value: U256,
    /// Gas limit on L2: 21,000 at least, and 40 for each byte of data.
    pub gas: u64,
    /// Calldata, or init code.
    pub data: Bytes,
}

impl Deposit {
    /// The call of a chain's portal. Whoever makes it is the deposit's sender.
    pub fn call(&self, contracts: &Contracts) -> Call {
        self.call_portal(contracts.optimism_portal)
    }

    /// The same by the portal's address.
    pub fn call_portal(&self, portal: Address) -> Call {
        let data = abi(
            "depositTransaction(address,uint256,uint64,bool,bytes)",
            &[
                self.to.unwrap_or_default().into_word(),
                self.value.into(),
                word(self.gas),
                word(u64::from(self.to.is_none())),
            ],
            Some(&self.data),
        );
        Call::contract(portal, data)
            .with_value(self.mint)
            // The portal burns as much gas as the deposit may use, or more if there are many.
            .with_gas(PORTAL_GAS + self.gas.saturating_mul(2))
    }
}

/// A change of the SystemConfig.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigChange {
    /// Who may send batches.
    Batcher(Address),
    /// Scalars of the L1 fee from Ecotone on, in millionths.
    FeeScalars {
        /// Of the base fee.
        base_fee: u32,
        /// Of the blob base fee.
        blob_base_fee: u32,
    },
    /// Gas limit of L2 blocks.
    GasLimit(u64),
    /// Who signs unsafe blocks.
    UnsafeBlockSigner(Address),
    /// EIP-1559 parameters, from Holocene on.
    Eip1559 {
        /// Base fee change denominator.
        denominator: u32,
        /// Elasticity multiplier.
        elasticity: u32,
    },
    /// The operator fee, from Isthmus on.
    OperatorFee {
        /// In millionths of the gas.
        scalar: u32,
        /// In wei.
        constant: u64,
    },
    /// Floor of the base fee, from Jovian on. The contract of supersim cannot set it.
    MinBaseFee(u64),
    /// Gas per estimated byte of L1 data, from Jovian on. The contract of supersim cannot set it.
    DaFootprintGasScalar(u16),
}

impl ConfigChange {
    /// The owner's call of a SystemConfig; none where supersim's has no such function.
    pub(crate) fn setter(&self) -> Option<Bytes> {
        let (signature, words) = match *self {
            Self::Batcher(batcher) => ("setBatcherHash(bytes32)", vec![batcher.into_word()]),
            Self::FeeScalars {
                base_fee,
                blob_base_fee,
            } => (
                "setGasConfigEcotone(uint32,uint32)",
                vec![word(base_fee), word(blob_base_fee)],
            ),
            Self::GasLimit(limit) => ("setGasLimit(uint64)", vec![word(limit)]),
            Self::UnsafeBlockSigner(signer) => {
                ("setUnsafeBlockSigner(address)", vec![signer.into_word()])
            }
            Self::Eip1559 {
                denominator,
                elasticity,
            } => (
                "setEIP1559Params(uint32,uint32)",
                vec![word(denominator), word(elasticity)],
            ),
            Self::OperatorFee { scalar, constant } => (
                "setOperatorFeeScalars(uint32,uint64)",
                vec![word(scalar), word(constant)],
            ),
            Self::MinBaseFee(_) | Self::DaFootprintGasScalar(_) => return None,
        };
        Some(abi(signature, &words, None))
    }

    /// What [`LOGGER`] has to be called with to log a change that there is no function for.
    pub(crate) fn logged(&self) -> Option<Bytes> {
        let (update_type, value) = match *self {
            Self::MinBaseFee(fee) => (6_u8, word(fee)),
            Self::DaFootprintGasScalar(scalar) => (7, word(scalar)),
            _ => return None,
        };
        // topics, then abi.encode(abi.encode(value))
        let words = [
            CONFIG_UPDATE,
            B256::ZERO,
            word(update_type),
            word(32u8),
            word(32u8),
            value,
        ];
        Some(words.concat().into())
    }
}

/// Code that logs what it is called with: three topics, and the rest as data.
pub(crate) const LOGGER: [u8; 26] = [
    // calldatacopy(0, 96, calldatasize - 96)
    0x60, 0x60, 0x36, 0x03, 0x60, 0x60, 0x60, 0x00, 0x37, //
    // the topics
    0x60, 0x40, 0x35, 0x60, 0x20, 0x35, 0x60, 0x00, 0x35, //
    // log3(0, calldatasize - 96)
    0x60, 0x60, 0x36, 0x03, 0x60, 0x00, 0xa3, 0x00, //
];

fn word(value: impl Into<u64>) -> B256 {
    U256::from(value.into()).into()
}

/// The calldata of a function: its words, and `bytes` as its last argument if there is one.
pub(crate) fn abi(signature: &str, words: &[B256], bytes: Option<&Bytes>) -> Bytes {
    let mut data = keccak256(signature)[..4].to_vec();
    data.extend(words.iter().flatten());
    if let Some(bytes) = bytes {
        let head = (words.len() as u64 + 1) * 32;
        data.extend(word(head));
        data.extend(word(bytes.len() as u64));
        data.extend_from_slice(bytes);
        data.resize(4 + (data.len() - 4).next_multiple_of(32), 0);
    }
    data.into()
}

/// A word that a contract gives, at a block by its number.
pub(crate) async fn read(
    rpc: &Rpc,
    contract: Address,
    signature: &str,
    block: u64,
) -> Result<B256, DevnetError> {
    let answer = rpc
        .read(contract, &abi(signature, &[], None), block)
        .await?;
    B256::try_from(answer.as_ref())
        .map_err(|_| rpc.unexpected(signature, format!("{answer} is no word")))
}

/// A number that a contract gives, at a block by its number.
pub(crate) async fn read_number<T: TryFrom<U256>>(
    rpc: &Rpc,
    contract: Address,
    signature: &str,
    block: u64,
) -> Result<T, DevnetError> {
    let word = read(rpc, contract, signature, block).await?;
    T::try_from(U256::from_be_bytes(word.0))
        .map_err(|_| rpc.unexpected(signature, format!("{word} is too large")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Word by word, as the ABI's specification lays it out; the selector is the portal's.
    #[test]
    fn calldata_is_whole_words_behind_the_selector() {
        let signature = "depositTransaction(address,uint256,uint64,bool,bytes)";
        let bytes = Bytes::from_static(&[0xaa; 33]);
        let words = [1_u8, 2, 3, 0].map(word);
        let data = abi(signature, &words, Some(&bytes));
        assert_eq!(data[..4], [0xe9, 0xe0, 0x5c, 0x42]);
        let (words, rest) = data[4..].as_chunks::<32>();
        assert!(rest.is_empty());
        let last: Vec<u8> = words.iter().map(|word| word[31]).collect();
        assert_eq!(last, [1, 2, 3, 0, 160, 33, 0xaa, 0]);
        assert_eq!(words[7][..2], [0xaa, 0]);
    }
}
