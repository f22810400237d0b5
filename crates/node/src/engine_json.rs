//! The Engine API's JSON, from the rollup node's side: which version of a call a block's time asks for,
//! and what an answer says.

use crate::engine::{EngineAnswer, EngineCall, EngineError, EngineStatus};
use alloy_primitives::{B64, B256};
use doppio_protocol::{
    config::{ChainConfig, Fork},
    payload::{ExecutionPayload, PayloadError},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use thiserror::Error;

/// An answer that no engine gives. It counts as none: the call is made again.
#[derive(Debug, Error)]
pub enum MalformedAnswer {
    /// Not the JSON of an answer.
    #[error("the engine's answer to {method}: {error}")]
    Json {
        /// The call.
        method: &'static str,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// A payload that is not the block that it says.
    #[error("the engine's payload: {0}")]
    Payload(#[from] PayloadError),
    /// A status that does not exist.
    #[error("the engine's status {0:?} is none")]
    Status(String),
}

/// The method and the parameters of a call.
// spec: opstack 4.1
pub fn request(chain: &ChainConfig, call: &EngineCall) -> (&'static str, Vec<Value>) {
    match call {
        EngineCall::ForkChoice {
            head,
            safe,
            finalized,
            attributes,
        } => {
            let state = json!({
                "headBlockHash": head,
                "safeBlockHash": safe,
                "finalizedBlockHash": finalized,
            });
            let method = match attributes {
                Some(attributes) if !chain.active(Fork::Canyon, attributes.timestamp) => {
                    "engine_forkchoiceUpdatedV1"
                }
                Some(attributes) if !chain.active(Fork::Ecotone, attributes.timestamp) => {
                    "engine_forkchoiceUpdatedV2"
                }
                _ => "engine_forkchoiceUpdatedV3",
            };
            (method, vec![state, json!(attributes.as_deref())])
        }
        EngineCall::GetPayload { id, timestamp } => {
            let active = |fork| chain.active(fork, *timestamp);
            let method = if active(Fork::Karst) {
                "engine_getPayloadV5"
            } else if active(Fork::Isthmus) {
                "engine_getPayloadV4"
            } else if active(Fork::Ecotone) {
                "engine_getPayloadV3"
            } else {
                "engine_getPayloadV2"
            };
            (method, vec![json!(B64::from(*id))])
        }
        EngineCall::NewPayload(block) => {
            let header = &block.header;
            let payload = ExecutionPayload::new(block.hash, header, block.transactions.clone());
            let payload = json!(payload);
            let active = |fork| chain.active(fork, header.timestamp);
            let root = json!(header.parent_beacon_block_root);
            if active(Fork::Isthmus) {
                (
                    "engine_newPayloadV4",
                    vec![payload, json!([]), root, json!([])],
                )
            } else if active(Fork::Ecotone) {
                ("engine_newPayloadV3", vec![payload, json!([]), root])
            } else {
                ("engine_newPayloadV2", vec![payload])
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusJson {
    status: String,
    validation_error: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ForkChoiceJson {
    payload_status: StatusJson,
    payload_id: Option<B64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnvelopeJson {
    execution_payload: ExecutionPayload,
    parent_beacon_block_root: Option<B256>,
}

impl StatusJson {
    // spec: opstack 4.1
    fn status(self) -> Result<EngineStatus, MalformedAnswer> {
        match &*self.status {
            "VALID" => Ok(EngineStatus::Valid),
            "INVALID" | "INVALID_BLOCK_HASH" => Ok(EngineStatus::Invalid(
                self.validation_error
                    .unwrap_or_else(|| "the engine gives no reason".to_owned()),
            )),
            "SYNCING" => Ok(EngineStatus::Syncing),
            "ACCEPTED" => Ok(EngineStatus::Accepted),
            _ => Err(MalformedAnswer::Status(self.status)),
        }
    }
}

/// What an answer to a call says: a result, or an error's code and message.
// spec: opstack 4.1
pub fn answer(
    chain: &ChainConfig,
    call: &EngineCall,
    answer: Result<Value, (i64, String)>,
) -> Result<EngineAnswer, MalformedAnswer> {
    let result = match answer {
        Ok(result) => result,
        Err((code, message)) => {
            return Ok(EngineAnswer::Error(EngineError::from_code(code, message)));
        }
    };
    match call {
        EngineCall::ForkChoice { .. } => {
            let json: ForkChoiceJson = parse("engine_forkchoiceUpdated", result)?;
            Ok(EngineAnswer::ForkChoice {
                status: json.payload_status.status()?,
                payload: json.payload_id.map(Into::into),
            })
        }
        EngineCall::GetPayload { .. } => {
            let json: EnvelopeJson = parse("engine_getPayload", result)?;
            let payload = json.execution_payload;
            let isthmus = chain.active(Fork::Isthmus, payload.timestamp.to());
            let block = payload.into_block(isthmus, json.parent_beacon_block_root)?;
            Ok(EngineAnswer::Payload(Arc::new(block)))
        }
        EngineCall::NewPayload(_) => {
            let json: StatusJson = parse("engine_newPayload", result)?;
            Ok(EngineAnswer::Status(json.status()?))
        }
    }
}

fn parse<T: for<'de> Deserialize<'de>>(
    method: &'static str,
    value: Value,
) -> Result<T, MalformedAnswer> {
    serde_json::from_value(value).map_err(|error| MalformedAnswer::Json { method, error })
}
