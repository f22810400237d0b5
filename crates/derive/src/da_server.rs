//! What the answers of a DA server mean to derivation.
//!
//! A DA server stands between a rollup node and its DA layer: `GET /get/0x…` with the commitment.
//! The status line decides whether data is missing at the moment or for good, and lineages differ in
//! what they make of it; a wrong guess here splits the chain or stalls it.

use crate::step::PayloadAnswer;
use alloy_primitives::{Bytes, hex};
use doppio_protocol::{commitment::Commitment, config::ChainProfile};
use serde_json::Value;
use thiserror::Error;

/// Bytes of a refusal's body that are read.
// spec: opstack 3.15
const MAX_REFUSAL_BODY: usize = 5_000;

/// Path and query of the request for the data behind a commitment that an L1 block includes.
///
/// Servers for EigenDA use the height of the block to refuse certificates that came too late;
/// others ignore it.
// spec: opstack 3.15
pub fn da_request_path(commitment: &Commitment, l1_inclusion: u64) -> String {
    let commitment = hex::encode_prefixed(commitment.encode());
    format!("/get/{commitment}?l1_inclusion_block_number={l1_inclusion}")
}

/// Why an answer says nothing about the data. Ask again later.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DaServerError {
    /// A status that has no meaning for derivation.
    #[error("the DA server answers with HTTP status {0}")]
    Status(u16),
    /// A refusal whose body is not what it must be.
    #[error("the DA server refuses the commitment, but does not say why as it must: {0}")]
    RefusalBody(String),
    /// A refusal for a reason that is none.
    #[error("the DA server refuses the commitment for reason {0}; known are 1 to 4")]
    RefusalCode(i64),
}

/// Reads the answer to a request for the data behind a commitment: HTTP status and body.
// spec: opstack 3.15, opstack-2026-09 3.15 *2
pub fn read_da_answer(
    profile: &ChainProfile,
    status: u16,
    body: Bytes,
) -> Result<PayloadAnswer, DaServerError> {
    match status {
        200 => Ok(PayloadAnswer::Payload(body)),
        404 => Ok(PayloadAnswer::NotFound),
        418 if profile.da_refusals_drop => read_refusal(&body).map(PayloadAnswer::Dropped),
        other => Err(DaServerError::Status(other)),
    }
}

/// The reason in the body of an HTTP 418.
fn read_refusal(body: &Bytes) -> Result<String, DaServerError> {
    let body = body.get(..MAX_REFUSAL_BODY).unwrap_or(body);
    let wrong = |what: &str| DaServerError::RefusalBody(what.to_owned());
    let refusal: Value = serde_json::from_slice(body).map_err(|error| wrong(&error.to_string()))?;
    let fields = match &refusal {
        Value::Object(fields) => Some(fields),
        Value::Null => None,
        _ => return Err(wrong("it is no JSON object")),
    };
    // Go's decoder does not mind the case of keys, and ignores nulls
    let field = |name: &str| {
        fields
            .into_iter()
            .flatten()
            .filter(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null())
            .map(|(_, value)| value)
            .next_back()
    };
    let code = match field("StatusCode") {
        None => 0,
        Some(code) => code
            .as_i64()
            .ok_or_else(|| wrong("StatusCode is no integer"))?,
    };
    let message = match field("Msg") {
        None => "",
        Some(message) => message.as_str().ok_or_else(|| wrong("Msg is no string"))?,
    };
    if !(1..=4).contains(&code) {
        return Err(DaServerError::RefusalCode(code));
    }
    Ok(format!(
        "the DA server refuses it for reason {code}: {message}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(
        profile: &ChainProfile,
        status: u16,
        body: &str,
    ) -> Result<PayloadAnswer, DaServerError> {
        read_da_answer(profile, status, Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn a_request_names_the_commitment_with_its_type_and_where_it_was_included() {
        let commitment = Commitment::Generic(Bytes::from_static(&[0, 3, 0xc0]));
        assert_eq!(
            da_request_path(&commitment, 4711),
            "/get/0x010003c0?l1_inclusion_block_number=4711"
        );
    }

    #[test]
    fn found_missing_and_failed_are_told_apart() {
        for profile in [ChainProfile::upstream(), ChainProfile::celo()] {
            assert_eq!(
                answer(&profile, 200, "data"),
                Ok(PayloadAnswer::Payload(Bytes::from_static(b"data")))
            );
            assert_eq!(answer(&profile, 404, ""), Ok(PayloadAnswer::NotFound));
            for status in [204, 400, 500, 503] {
                assert_eq!(
                    answer(&profile, status, ""),
                    Err(DaServerError::Status(status))
                );
            }
        }
    }

    #[test]
    fn a_refusal_drops_by_celos_rules_and_waits_by_upstreams() {
        let body = r#"{"StatusCode": 3, "Msg": "certificate is too old"}"#;
        let dropped = answer(&ChainProfile::celo(), 418, body).unwrap();
        assert!(matches!(dropped, PayloadAnswer::Dropped(reason) if reason.contains("too old")));
        assert_eq!(
            answer(&ChainProfile::upstream(), 418, body),
            Err(DaServerError::Status(418))
        );
    }

    #[test]
    fn keys_of_a_refusal_may_have_any_case() {
        for body in [
            r#"{"statuscode": 1}"#,
            r#"{"STATUSCODE": 4, "msg": null}"#,
            r#"{"statusCode": null, "StatusCode": 2}"#,
        ] {
            let answer = answer(&ChainProfile::celo(), 418, body);
            assert!(matches!(answer, Ok(PayloadAnswer::Dropped(_))), "{body}");
        }
    }

    #[test]
    fn a_refusal_without_a_known_reason_waits() {
        let celo = ChainProfile::celo();
        for (body, code) in [
            (r#"{"StatusCode": 0}"#, 0),
            (r#"{"StatusCode": 5}"#, 5),
            (r#"{"StatusCode": -1}"#, -1),
            ("{}", 0),
            ("null", 0),
        ] {
            assert_eq!(
                answer(&celo, 418, body),
                Err(DaServerError::RefusalCode(code))
            );
        }
        let long = format!(r#"{{"StatusCode": 1, "Msg": "{}"}}"#, "x".repeat(5_000));
        for body in [
            "",
            "teapot",
            "[1]",
            r#"{"StatusCode": "1"}"#,
            r#"{"StatusCode": 1.5}"#,
            r#"{"StatusCode": 1, "Msg": 7}"#,
            &long,
        ] {
            let answer = answer(&celo, 418, body);
            assert!(
                matches!(answer, Err(DaServerError::RefusalBody(_))),
                "{body}"
            );
        }
    }
}
