//! The Engine API: versions, JSON and error codes around [`Engine`].
//!
//! No HTTP here: a method's name and its parameters come in, a JSON value or an error goes out.

use crate::{
    block::{Attributes, ExecutedBlock},
    chain_spec::ChainSpec,
    engine::{BuildRequest, Engine, EngineError, ForkChoice, Status},
    payload_id::PayloadId,
    view::View,
};
use alloy_primitives::{Address, B64, B256, Bytes, U64};
use doppio_protocol::{
    config::{Fork, RuleSet},
    extra_data::Eip1559Params,
    payload::ExecutionPayload,
};
use doppio_rpc::RpcError;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Codes of the Engine API.
mod code {
    pub(super) const UNKNOWN_PAYLOAD: i64 = -38001;
    pub(super) const INVALID_FORK_CHOICE: i64 = -38002;
    pub(super) const INVALID_ATTRIBUTES: i64 = -38003;
    pub(super) const TOO_LARGE: i64 = -38004;
    pub(super) const UNSUPPORTED_FORK: i64 = -38005;
    pub(super) const INVALID_PARAMS: i64 = -32602;
    pub(super) const METHOD_NOT_FOUND: i64 = -32601;
    pub(super) const INTERNAL: i64 = -32603;
}

/// What this engine can be asked.
// spec: opstack 4.1
pub const CAPABILITIES: [&str; 13] = [
    "engine_forkchoiceUpdatedV1",
    "engine_forkchoiceUpdatedV2",
    "engine_forkchoiceUpdatedV3",
    "engine_getPayloadV2",
    "engine_getPayloadV3",
    "engine_getPayloadV4",
    "engine_getPayloadV5",
    "engine_newPayloadV2",
    "engine_newPayloadV3",
    "engine_newPayloadV4",
    "engine_getPayloadBodiesByHashV1",
    "engine_getPayloadBodiesByRangeV1",
    "engine_getClientVersionV1",
];

/// Most bodies that one call may ask for, unless another limit is set.
const MAX_BODIES: u64 = 1024;

/// The Engine API of an engine.
#[derive(Clone, Debug)]
pub struct EngineApi {
    engine: Arc<Mutex<Engine>>,
    view: Arc<View>,
    max_bodies: u64,
}

/// The era of a time, as far as the Engine API's versions know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Era {
    /// Before Canyon.
    Paris,
    /// From Canyon on.
    Shanghai,
    /// From Ecotone on.
    Cancun,
    /// From Isthmus on.
    Prague,
    /// From Karst on.
    Osaka,
}

impl Era {
    const fn at(spec: &ChainSpec, time: u64) -> Self {
        if spec.active(Fork::Karst, time) {
            Self::Osaka
        } else if spec.active(Fork::Isthmus, time) {
            Self::Prague
        } else if spec.active(Fork::Ecotone, time) {
            Self::Cancun
        } else if spec.active(Fork::Canyon, time) {
            Self::Shanghai
        } else {
            Self::Paris
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ForkChoiceJson {
    head_block_hash: B256,
    safe_block_hash: B256,
    finalized_block_hash: B256,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttributesJson {
    timestamp: U64,
    prev_randao: B256,
    suggested_fee_recipient: Address,
    withdrawals: Option<Vec<Value>>,
    parent_beacon_block_root: Option<B256>,
    #[serde(default)]
    transactions: Option<Vec<Bytes>>,
    #[serde(default)]
    no_tx_pool: Option<bool>,
    gas_limit: Option<U64>,
    #[serde(rename = "eip1559Params")]
    eip1559_params: Option<Bytes>,
    min_base_fee: Option<U64>,
}

fn error(code: i64, message: impl Into<String>) -> RpcError {
    RpcError {
        code,
        message: message.into(),
        data: None,
    }
}

fn invalid_params(message: impl Into<String>) -> RpcError {
    error(code::INVALID_PARAMS, message)
}

fn unsupported_fork(message: impl Into<String>) -> RpcError {
    error(code::UNSUPPORTED_FORK, message)
}

fn invalid_attributes(message: impl Into<String>) -> RpcError {
    error(code::INVALID_ATTRIBUTES, message)
}

impl From<EngineError> for RpcError {
    fn from(failure: EngineError) -> Self {
        let code = match &failure {
            EngineError::InvalidForkChoice { .. } => code::INVALID_FORK_CHOICE,
            EngineError::InvalidAttributes(_) => code::INVALID_ATTRIBUTES,
            EngineError::UnknownPayload(_) => code::UNKNOWN_PAYLOAD,
            EngineError::Store(_) | EngineError::Internal(_) | EngineError::Pool(_) => {
                code::INTERNAL
            }
        };
        error(code, failure.to_string())
    }
}

fn lock(engine: &Mutex<Engine>) -> MutexGuard<'_, Engine> {
    engine.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A method's parameters, taken one by one.
struct Params {
    values: std::vec::IntoIter<Value>,
    taken: usize,
}

impl Params {
    fn new(values: Vec<Value>) -> Self {
        Self {
            values: values.into_iter(),
            taken: 0,
        }
    }

    fn next<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, RpcError> {
        // what is left out is null: optional parameters may be
        let value = self.values.next().unwrap_or_default();
        let index = self.taken;
        self.taken += 1;
        serde_json::from_value(value)
            .map_err(|reason| invalid_params(format!("parameter {index} ({name}): {reason}")))
    }

    fn end(mut self) -> Result<(), RpcError> {
        match self.values.next() {
            None => Ok(()),
            Some(_) => Err(invalid_params(format!(
                "too many parameters; {} are known",
                self.taken
            ))),
        }
    }
}

impl EngineApi {
    /// The Engine API of an engine.
    pub fn new(engine: Arc<Mutex<Engine>>) -> Self {
        let view = Arc::clone(lock(&engine).view());
        Self {
            engine,
            view,
            max_bodies: MAX_BODIES,
        }
    }

    /// Lets one call ask for at most so many bodies.
    pub const fn with_max_bodies(mut self, most: u64) -> Self {
        self.max_bodies = most;
        self
    }

    /// Answers a call.
    pub fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, RpcError> {
        let mut params = Params::new(params);
        match method {
            "engine_newPayloadV2" => self.new_payload(2, params),
            "engine_newPayloadV3" => self.new_payload(3, params),
            "engine_newPayloadV4" => self.new_payload(4, params),
            "engine_forkchoiceUpdatedV1" => self.forkchoice_updated(1, params),
            "engine_forkchoiceUpdatedV2" => self.forkchoice_updated(2, params),
            "engine_forkchoiceUpdatedV3" => self.forkchoice_updated(3, params),
            "engine_getPayloadV2" => self.get_payload(2, params),
            "engine_getPayloadV3" => self.get_payload(3, params),
            "engine_getPayloadV4" => self.get_payload(4, params),
            "engine_getPayloadV5" => self.get_payload(5, params),
            "engine_getPayloadBodiesByHashV1" => self.bodies_by_hash(params),
            "engine_getPayloadBodiesByRangeV1" => self.bodies_by_range(params),
            "engine_exchangeCapabilities" => {
                let _theirs: Vec<String> = params.next("capabilities")?;
                params.end()?;
                Ok(json!(CAPABILITIES))
            }
            "engine_getClientVersionV1" => Ok(json!([{
                "code": "DP",
                "name": "Doppio",
                "version": env!("CARGO_PKG_VERSION"),
                "commit": "0x00000000",
            }])),
            _ => Err(error(
                code::METHOD_NOT_FOUND,
                format!("the method {method} does not exist/is not available"),
            )),
        }
    }

    fn engine(&self) -> MutexGuard<'_, Engine> {
        lock(&self.engine)
    }

    // spec: opstack 4.1
    fn new_payload(&self, version: u8, mut params: Params) -> Result<Value, RpcError> {
        let payload: ExecutionPayload = params.next("executionPayload")?;
        let hashes: Option<Vec<B256>> = if version >= 3 {
            params.next("expectedBlobVersionedHashes")?
        } else {
            None
        };
        let beacon_root: Option<B256> = if version >= 3 {
            params.next("parentBeaconBlockRoot")?
        } else {
            None
        };
        let requests: Option<Vec<Bytes>> = if version >= 4 {
            params.next("executionRequests")?
        } else {
            None
        };
        params.end()?;
        let era = Era::at(self.view.spec(), payload.timestamp.to());
        check_payload_version(version, era, &payload)?;
        if version >= 3 && hashes.is_none() {
            return Err(invalid_params("nil versionedHashes post-cancun"));
        }
        if version >= 3 && beacon_root.is_none() {
            return Err(invalid_params("nil beaconRoot post-cancun"));
        }
        if version >= 4 && requests.is_none() {
            return Err(invalid_params("nil executionRequests post-prague"));
        }
        let refused = |reason: &str| {
            let status = Status::Invalid {
                latest_valid: None,
                reason: reason.to_owned(),
            };
            Ok(status_json(&status, payload.block_hash))
        };
        // an L2 block has no blobs, no withdrawals and no requests
        if hashes.is_some_and(|hashes| !hashes.is_empty()) {
            return refused("invalid number of versionedHashes: there are no blobs");
        }
        if requests.is_some_and(|requests| !requests.is_empty()) {
            return refused("requests should be empty for Isthmus blocks");
        }
        if payload
            .withdrawals
            .as_ref()
            .is_some_and(|list| !list.is_empty())
        {
            return refused("non-empty withdrawals post-Canyon");
        }
        let isthmus = matches!(era, Era::Prague | Era::Osaka);
        if payload.withdrawals_root.is_some() != isthmus {
            return refused(if isthmus {
                "nil withdrawalsRoot post-Isthmus"
            } else {
                "non-nil withdrawalsRoot pre-Isthmus"
            });
        }
        let header = match payload.header(isthmus, beacon_root) {
            Ok(header) => header,
            Err(error) => return refused(&error.to_string()),
        };
        let status =
            self.engine()
                .new_payload(payload.block_hash, &header, &payload.transactions)?;
        Ok(status_json(&status, payload.block_hash))
    }

    // spec: opstack 4.1
    fn forkchoice_updated(&self, version: u8, mut params: Params) -> Result<Value, RpcError> {
        let choice: ForkChoiceJson = params.next("forkchoiceState")?;
        let attributes: Option<AttributesJson> = params.next("payloadAttributes")?;
        params.end()?;
        let choice = ForkChoice {
            head: choice.head_block_hash,
            safe: choice.safe_block_hash,
            finalized: choice.finalized_block_hash,
        };
        let build = match attributes {
            None => None,
            Some(attributes) => {
                let spec = self.view.spec();
                let era = Era::at(spec, attributes.timestamp.to());
                check_attributes_version(version, era, &attributes)?;
                Some(attributes.request(version, spec, choice.head)?)
            }
        };
        let status = self.engine().forkchoice_updated(&choice, build.as_ref())?;
        let id = build
            .filter(|_| status == Status::Valid)
            .map(|build| build.id);
        Ok(json!({
            "payloadStatus": status_json(&status, choice.head),
            "payloadId": id.map(|id| id.to_string()),
        }))
    }

    fn get_payload(&self, version: u8, mut params: Params) -> Result<Value, RpcError> {
        let id: B64 = params.next("payloadId")?;
        params.end()?;
        let id = PayloadId(id.0);
        let block = self.engine().get_payload(id)?;
        let era = Era::at(self.view.spec(), block.header.timestamp);
        let fits = match version {
            2 => matches!(era, Era::Paris | Era::Shanghai),
            3 => era == Era::Cancun,
            4 => era == Era::Prague,
            _ => era == Era::Osaka,
        };
        if !fits {
            return Err(unsupported_fork(format!(
                "engine_getPayloadV{version} is not for a payload of {era:?}"
            )));
        }
        Ok(envelope(version, &block))
    }

    fn bodies_by_hash(&self, mut params: Params) -> Result<Value, RpcError> {
        let hashes: Vec<B256> = params.next("hashes")?;
        params.end()?;
        if hashes.len() as u64 > self.max_bodies {
            return Err(error(
                code::TOO_LARGE,
                format!("more than {} bodies", self.max_bodies),
            ));
        }
        hashes.iter().map(|hash| self.body(*hash)).collect()
    }

    fn bodies_by_range(&self, mut params: Params) -> Result<Value, RpcError> {
        let start: U64 = params.next("start")?;
        let count: U64 = params.next("count")?;
        params.end()?;
        let (start, count): (u64, u64) = (start.to(), count.to());
        if start == 0 || count == 0 {
            return Err(invalid_params("start and count must be at least 1"));
        }
        if count > self.max_bodies {
            return Err(error(
                code::TOO_LARGE,
                format!("more than {} bodies", self.max_bodies),
            ));
        }
        let mut bodies = Vec::new();
        for number in start..start.saturating_add(count) {
            let hash = self.view.store().canonical(number);
            match hash.map_err(EngineError::from)? {
                Some(hash) => bodies.push(self.body(hash)?),
                None => break,
            }
        }
        Ok(Value::Array(bodies))
    }

    /// A block's body; null if there is no such block.
    fn body(&self, hash: B256) -> Result<Value, RpcError> {
        let store = self.view.store();
        let Some(header) = store.header(hash).map_err(EngineError::from)? else {
            return Ok(Value::Null);
        };
        let transactions = store.transactions(hash).map_err(EngineError::from)?;
        Ok(json!({
            "transactions": transactions,
            "withdrawals": header.withdrawals_root.map(|_| [(); 0]),
        }))
    }
}

/// Whether a version of `newPayload` is the one for a payload.
fn check_payload_version(
    version: u8,
    era: Era,
    payload: &ExecutionPayload,
) -> Result<(), RpcError> {
    if version == 2 {
        let reason = match era {
            Era::Cancun | Era::Prague | Era::Osaka => "can't use newPayloadV2 post-cancun",
            Era::Shanghai if payload.withdrawals.is_none() => "nil withdrawals post-shanghai",
            Era::Paris if payload.withdrawals.is_some() => "non-nil withdrawals pre-shanghai",
            _ if payload.excess_blob_gas.is_some() => "non-nil excessBlobGas pre-cancun",
            _ if payload.blob_gas_used.is_some() => "non-nil blobGasUsed pre-cancun",
            _ => return Ok(()),
        };
        return Err(invalid_params(reason));
    }
    for (there, reason) in [
        (
            payload.withdrawals.is_some(),
            "nil withdrawals post-shanghai",
        ),
        (
            payload.excess_blob_gas.is_some(),
            "nil excessBlobGas post-cancun",
        ),
        (
            payload.blob_gas_used.is_some(),
            "nil blobGasUsed post-cancun",
        ),
    ] {
        if !there {
            return Err(invalid_params(reason));
        }
    }
    let fits = match version {
        3 => era == Era::Cancun,
        _ => matches!(era, Era::Prague | Era::Osaka),
    };
    if fits {
        Ok(())
    } else {
        Err(unsupported_fork(format!(
            "newPayloadV{version} is not for a payload of {era:?}"
        )))
    }
}

/// Whether a version of `forkchoiceUpdated` is the one for attributes.
fn check_attributes_version(
    version: u8,
    era: Era,
    attributes: &AttributesJson,
) -> Result<(), RpcError> {
    let withdrawals = attributes.withdrawals.is_some();
    let root = attributes.parent_beacon_block_root.is_some();
    match version {
        1 if withdrawals || root => Err(invalid_params(
            "withdrawals and beacon root not supported in V1",
        )),
        1 if !matches!(era, Era::Paris | Era::Shanghai) => {
            Err(invalid_params("fcuV1 called post-shanghai"))
        }
        2 if root => Err(invalid_attributes("unexpected beacon root")),
        2 if era == Era::Paris && withdrawals => {
            Err(invalid_attributes("withdrawals before shanghai"))
        }
        2 if era == Era::Shanghai && !withdrawals => Err(invalid_attributes("missing withdrawals")),
        2 if !matches!(era, Era::Paris | Era::Shanghai) => Err(unsupported_fork(
            "fcuV2 must only be called with paris or shanghai payloads",
        )),
        3 if !withdrawals => Err(invalid_attributes("missing withdrawals")),
        3 if !root => Err(invalid_attributes("missing beacon root")),
        3 if matches!(era, Era::Paris | Era::Shanghai) => Err(unsupported_fork(
            "fcuV3 must only be called for cancun/prague/osaka payloads",
        )),
        _ => Ok(()),
    }
}

impl AttributesJson {
    /// The request, if the attributes can be those of an L2 block.
    fn request(
        self,
        version: u8,
        spec: &ChainSpec,
        parent: B256,
    ) -> Result<BuildRequest, RpcError> {
        let time = self.timestamp.to();
        let gas_limit = self
            .gas_limit
            .ok_or_else(|| invalid_attributes("gasLimit parameter is required"))?;
        if self.withdrawals.is_some_and(|list| !list.is_empty()) {
            return Err(invalid_attributes("non-empty withdrawals post-Canyon"));
        }
        let eip1559_params = self
            .eip1559_params
            .filter(|params| !params.is_empty())
            .map(|params| {
                B64::try_from(params.as_ref()).map_err(|_| {
                    invalid_attributes(format!(
                        "eip1559Params has {} bytes instead of 8",
                        params.len()
                    ))
                })
            })
            .transpose()?;
        match (eip1559_params, spec.active(Fork::Holocene, time)) {
            (None, false) => {}
            (Some(params), true) => Eip1559Params::from_packed(params)
                .check_settable(&RuleSet::Upstream.rules())
                .map_err(|reason| invalid_attributes(reason.to_string()))?,
            (None, true) => {
                return Err(invalid_attributes(
                    "eip1559Params are required from Holocene on",
                ));
            }
            (Some(_), false) => {
                return Err(invalid_attributes("eip1559Params before Holocene"));
            }
        }
        match (self.min_base_fee.is_some(), spec.active(Fork::Jovian, time)) {
            (false, true) => {
                return Err(invalid_attributes("minBaseFee is required from Jovian on"));
            }
            (true, false) => return Err(invalid_attributes("minBaseFee before Jovian")),
            _ => {}
        }
        let attributes = Attributes {
            timestamp: time,
            fee_recipient: self.suggested_fee_recipient,
            prev_randao: self.prev_randao,
            gas_limit: gas_limit.to(),
            parent_beacon_block_root: self.parent_beacon_block_root,
            eip1559_params,
            min_base_fee: self.min_base_fee.map(|fee| fee.to()),
        };
        let transactions = self.transactions.unwrap_or_default();
        let no_tx_pool = self.no_tx_pool.unwrap_or_default();
        let id = PayloadId::new(version, parent, &attributes, &transactions, no_tx_pool);
        Ok(BuildRequest {
            id,
            attributes,
            transactions,
            no_tx_pool,
        })
    }
}

/// What `getPayload` answers.
// spec: opstack 4.1, opstack-2026-09 B #10
fn envelope(version: u8, block: &ExecutedBlock) -> Value {
    let mut envelope = json!({
        "executionPayload": ExecutionPayload::new(block.hash, &block.header, block.transactions.clone()),
        "blockValue": format!("{:#x}", block.fees()),
    });
    if version >= 3 {
        envelope["blobsBundle"] = json!({ "commitments": [], "proofs": [], "blobs": [] });
        envelope["shouldOverrideBuilder"] = json!(false);
        envelope["parentBeaconBlockRoot"] = json!(block.header.parent_beacon_block_root);
    }
    if version >= 4 {
        envelope["executionRequests"] = json!([]);
    }
    envelope
}

/// The status of block `hash`.
fn status_json(status: &Status, hash: B256) -> Value {
    let (name, latest_valid, reason) = match status {
        Status::Valid => ("VALID", Some(hash), None),
        Status::Syncing => ("SYNCING", None, None),
        Status::Invalid {
            latest_valid,
            reason,
        } => ("INVALID", *latest_valid, Some(reason)),
    };
    json!({
        "status": name,
        "latestValidHash": latest_valid,
        "validationError": reason,
    })
}
