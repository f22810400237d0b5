//! JSON-RPC, passed on to anvil and back. Blobs stay here.

use super::{
    Answer, Front,
    control::{FINALIZED, PREFIX},
};
use crate::{DevnetError, blobs};
use alloy_primitives::Bytes;
use serde_json::{Value, json};
use std::time::Duration;

/// Longest answer of anvil that is passed on.
const MAX_ANSWER: usize = 1 << 30;
/// Longest time for anvil to answer.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How the methods begin that bring a signed transaction.
const SEND: &str = "eth_sendRawTransaction";
/// What is in each request that is not passed on as it is.
const NOT_AS_IT_IS: [&str; 3] = [SEND, PREFIX, FINALIZED];
/// JSON-RPC's code for a transaction that is refused.
const REFUSED: i64 = -32_000;

impl Front {
    /// Answers a JSON-RPC request.
    pub(super) async fn relay(&self, body: Vec<u8>) -> Result<Answer, DevnetError> {
        let has = |word: &&str| body.windows(word.len()).any(|at| at == word.as_bytes());
        if !NOT_AS_IT_IS.iter().any(has) {
            return self.forward(body).await;
        }
        match serde_json::from_slice(&body) {
            Ok(Value::Array(calls)) => {
                let mut answers = Vec::new();
                for call in calls {
                    answers.push(self.one(call).await?);
                }
                Ok(Answer::json(&Value::Array(answers)))
            }
            Ok(call) => Ok(Answer::json(&self.one(call).await?)),
            // anvil says what is wrong with it
            Err(_) => self.forward(body).await,
        }
    }

    /// Makes one call: of what is here itself, or of anvil, with a transaction's blobs taken off.
    async fn one(&self, mut call: Value) -> Result<Value, DevnetError> {
        let method = call.get("method").and_then(Value::as_str);
        let method = method.unwrap_or_default().to_owned();
        if let Some(name) = method.strip_prefix(PREFIX) {
            let params = call.get("params").cloned().unwrap_or_default();
            let result = self.control(name, &params).await;
            let id = call.get("id").cloned().unwrap_or_default();
            return Ok(match result {
                Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
                Err(error) => {
                    let error = json!({"code": REFUSED, "message": error.to_string()});
                    json!({"jsonrpc": "2.0", "id": id, "error": error})
                }
            });
        }
        if method == "eth_getBlockByNumber"
            && let Some(param) = call.pointer_mut("/params/0")
            && *param == json!(FINALIZED)
        {
            *param = self.finalized().await?;
            let answer = self.forward(call.to_string().into_bytes()).await?;
            return serde_json::from_slice(&answer.body)
                .map_err(|error| self.beacon.anvil.unexpected(FINALIZED, error));
        }
        if method.starts_with(SEND)
            && let Some(param) = call.pointer_mut("/params/0")
            && let Some(raw) = param.as_str().and_then(|text| text.parse::<Bytes>().ok())
        {
            let store = self.blobs.clone();
            match blobs::blocking(move || Ok(store.take_off(raw))).await? {
                Ok(bare) => *param = json!(bare),
                Err(error) => {
                    let error = json!({"code": REFUSED, "message": error.to_string()});
                    let id = call.get("id").cloned().unwrap_or_default();
                    return Ok(json!({"jsonrpc": "2.0", "id": id, "error": error}));
                }
            }
        }
        let answer = self.forward(call.to_string().into_bytes()).await?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| self.beacon.anvil.unexpected(SEND, error))
    }

    async fn forward(&self, body: Vec<u8>) -> Result<Answer, DevnetError> {
        let answer = self
            .http
            .post(&self.target, body, MAX_ANSWER, TIMEOUT)
            .await;
        let answer = answer.map_err(|error| self.beacon.anvil.unexpected("POST", error))?;
        Ok(Answer {
            status: answer.status.as_u16(),
            body: answer.body.0,
        })
    }
}
