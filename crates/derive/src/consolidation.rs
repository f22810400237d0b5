//! Whether a block is what attributes give.

use alloy_primitives::{B256, Bytes, b256};
use core::fmt::{self, Debug};
use doppio_protocol::{
    attributes::PayloadAttributes,
    config::{ChainConfig, Fork},
    extra_data::{Eip1559Params, HeaderParams},
    l2::L2Block,
};

/// The root of a list of no withdrawals.
const NO_WITHDRAWALS: B256 =
    b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");

/// A field in which a block is not what attributes give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field.
    pub field: &'static str,
    /// By the attributes.
    pub attributes: String,
    /// In the block.
    pub block: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            attributes,
            block,
        } = self;
        write!(f, "{field} should be {attributes}, is {block}")
    }
}

/// The fields in which a block is not what attributes on `parent` give. None means that the block is
/// the one.
// spec: opstack 4.2
pub fn differences(
    chain: &ChainConfig,
    parent: B256,
    attributes: &PayloadAttributes,
    block: &L2Block,
) -> Vec<Difference> {
    let mut found = Vec::new();
    let header = &block.header;
    fn compare<T: PartialEq + Debug>(
        found: &mut Vec<Difference>,
        field: &'static str,
        attributes: T,
        block: T,
    ) {
        if attributes != block {
            found.push(Difference {
                field,
                attributes: format!("{attributes:?}"),
                block: format!("{block:?}"),
            });
        }
    }
    compare(&mut found, "parent", parent, header.parent_hash);
    compare(&mut found, "time", attributes.timestamp, header.timestamp);
    compare(
        &mut found,
        "fee recipient",
        attributes.suggested_fee_recipient,
        header.beneficiary,
    );
    compare(
        &mut found,
        "prev-randao",
        attributes.prev_randao,
        header.mix_hash,
    );
    compare(
        &mut found,
        "parent beacon root",
        attributes.parent_beacon_block_root,
        header.parent_beacon_block_root,
    );
    compare(
        &mut found,
        "gas limit",
        attributes.gas_limit,
        header.gas_limit,
    );
    compare(
        &mut found,
        "withdrawals",
        attributes.has_withdrawals,
        header.withdrawals_root.is_some(),
    );
    // there are none, and before Isthmus the root says nothing else
    let isthmus = chain.active(Fork::Isthmus, attributes.timestamp);
    if let Some(root) = header.withdrawals_root.filter(|_| !isthmus) {
        compare(&mut found, "withdrawals root", NO_WITHDRAWALS, root);
    }
    compare(
        &mut found,
        "extra data",
        extra_data(chain, attributes),
        header.extra_data.clone(),
    );
    compare(
        &mut found,
        "number of transactions",
        attributes.transaction_count(),
        block.transactions.len(),
    );
    for (index, (ours, theirs)) in attributes
        .all_transactions()
        .zip(&block.transactions)
        .enumerate()
    {
        if ours != theirs.as_ref() {
            found.push(Difference {
                field: "transaction",
                attributes: format!("{index}: {}", Bytes::copy_from_slice(ours)),
                block: theirs.to_string(),
            });
        }
    }
    found
}

/// The extra data that an engine writes for attributes: where they leave the EIP-1559 parameters at
/// zero, the chain's own.
fn extra_data(chain: &ChainConfig, attributes: &PayloadAttributes) -> Bytes {
    let time = attributes.timestamp;
    let own = |params: Eip1559Params| {
        let Some(op) = chain.rollup.chain_op_config else {
            return params;
        };
        let canyon = op
            .eip1559_denominator_canyon
            .filter(|_| chain.active(Fork::Canyon, time));
        let word = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        Eip1559Params {
            denominator: word(canyon.unwrap_or(op.eip1559_denominator)),
            elasticity: word(op.eip1559_elasticity),
        }
    };
    let eip1559 = match attributes.eip1559 {
        Some(params) if params.is_zero() => own(params),
        params => params.unwrap_or_default(),
    };
    HeaderParams {
        eip1559,
        min_base_fee: attributes.min_base_fee.unwrap_or_default(),
    }
    .encode(chain, time)
}
