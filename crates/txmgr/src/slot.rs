//! One nonce: a transaction in all its versions.

use crate::{
    FailReason, Fees, Inclusion, Millis, RequestId, SendState, Signed, TxKind, TxRequest,
    ZERO_BLOB_HASH,
};
use alloy_primitives::{Address, B256, Bytes, U256};
use std::sync::Arc;

/// What a version does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// What the request asks for.
    Payload,
    /// Nothing: it uses up the nonce.
    Nothing,
    /// Something that was sent before the start, or by somebody else.
    Foreign,
}

/// A signed version.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) hash: B256,
    /// None for one that is only known by its hash.
    pub(crate) signed: Option<Signed>,
    pub(crate) does: Does,
    pub(crate) kind: TxKind,
    pub(crate) gas_limit: u64,
    pub(crate) fees: Fees,
    pub(crate) blob_hashes: Arc<[B256]>,
    /// Whether it may be in a pool: not if all endpoints refused it.
    pub(crate) is_out: bool,
}

/// What a transaction does, without nonce and fees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) does: Does,
    pub(crate) to: Option<Address>,
    pub(crate) value: U256,
    pub(crate) data: Bytes,
    pub(crate) blob_hashes: Arc<[B256]>,
    /// None if it is yet to be estimated.
    pub(crate) gas_limit: Option<u64>,
}

/// Gas of a transfer.
const TRANSFER_GAS: u64 = 21_000;

impl Content {
    pub(crate) fn of(request: &TxRequest) -> Self {
        Self {
            does: Does::Payload,
            to: request.to,
            value: request.value,
            data: request.data.clone(),
            blob_hashes: request.blob_hashes.as_slice().into(),
            gas_limit: request.gas_limit,
        }
    }

    /// An empty transfer to ourselves.
    pub(crate) fn nothing(address: Address, kind: TxKind) -> Self {
        let blob_hashes: &[B256] = match kind {
            TxKind::Plain => &[],
            TxKind::Blob => &[ZERO_BLOB_HASH],
        };
        Self {
            does: Does::Nothing,
            to: Some(address),
            value: U256::ZERO,
            data: Bytes::new(),
            blob_hashes: blob_hashes.into(),
            gas_limit: Some(TRANSFER_GAS),
        }
    }

    pub(crate) fn kind(&self) -> TxKind {
        if self.blob_hashes.is_empty() {
            TxKind::Plain
        } else {
            TxKind::Blob
        }
    }
}

/// The request that a nonce was taken for.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) id: RequestId,
    /// Set once it is given up.
    pub(crate) given_up: Option<FailReason>,
    /// When it is given up if it is not mined; none for never.
    pub(crate) send_deadline: Option<Millis>,
    /// Whether its gas is estimated anew when it is bumped.
    pub(crate) estimates: bool,
}
