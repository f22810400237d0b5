//! The alt-DA challenge contract: what its events and its `resolve` call say.
//!
//! Whoever doubts that the data behind a Keccak commitment exists can challenge it on L1. Someone
//! then answers with the data itself, or the commitment expires and never counts.

use crate::commitment::{Commitment, CommitmentError};
use alloy_primitives::{B256, Bytes, Log, U256, b256};
use thiserror::Error;

/// Topic 0 of `ChallengeStatusChanged(uint256 indexed,bytes,uint8)`.
// spec: opstack 3.15
pub const CHALLENGE_STATUS_CHANGED: B256 =
    b256!("c5d8c630ba2fdacb1db24c4599df78c7fb8cf97b5aecde34939597f6697bb1ad");

/// What a challenge's event says has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeChange {
    /// Someone challenged.
    Challenged,
    /// Someone answered; the call's own data is the answer.
    Resolved,
}

/// An event of the challenge contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeEvent {
    /// The challenged commitment.
    pub commitment: Commitment,
    /// Height of the L1 block that includes the commitment.
    pub inclusion: u64,
    /// What happened.
    pub change: ChallengeChange,
}

/// Why a log of the challenge contract says nothing that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ChallengeError {
    /// Another event.
    #[error("log is not ChallengeStatusChanged")]
    Event,
    /// Not two topics.
    #[error("challenge log has {0} topics instead of 2")]
    Topics(usize),
    /// The height fits no block.
    #[error("challenged block number does not fit 64 bits")]
    Inclusion,
    /// Not the ABI encoding of its fields.
    #[error("{0} is not ABI-encoded")]
    Abi(&'static str),
    /// The commitment.
    #[error("challenged commitment: {0}")]
    Commitment(#[from] CommitmentError),
    /// A status that no event announces.
    #[error("challenge status {0} is not known")]
    Status(u8),
    /// An answer to a challenge that nobody made.
    #[error("nobody has challenged the commitment")]
    NotChallenged,
    /// The answer is not what was challenged.
    #[error("the data does not hash to the challenged commitment")]
    Mismatch,
}

/// Reads a log of the challenge contract.
// spec: opstack 3.15
pub fn decode_challenge_log(log: &Log) -> Result<ChallengeEvent, ChallengeError> {
    let topics = log.topics();
    if topics.first() != Some(&CHALLENGE_STATUS_CHANGED) {
        return Err(ChallengeError::Event);
    }
    let [_, inclusion] = topics else {
        return Err(ChallengeError::Topics(topics.len()));
    };
    let inclusion =
        u64::try_from(U256::from_be_bytes(inclusion.0)).map_err(|_| ChallengeError::Inclusion)?;
    let data = &log.data.data;
    let commitment = dynamic_bytes(data, 0).ok_or(ChallengeError::Abi("challenged commitment"))?;
    let commitment = Commitment::decode(&data.slice_ref(commitment))?;
    let status = word(data, 1)
        .and_then(|status| u8::try_from(status).ok())
        .ok_or(ChallengeError::Abi("challenge status"))?;
    let change = match status {
        1 => ChallengeChange::Challenged,
        2 => ChallengeChange::Resolved,
        other => return Err(ChallengeError::Status(other)),
    };
    Ok(ChallengeEvent {
        commitment,
        inclusion,
        change,
    })
}

/// Reads the data out of the call `resolve(uint256,bytes,bytes)`, checked against the Keccak
/// commitment that it answers for.
// spec: opstack 3.15
pub fn decode_resolve_call(
    calldata: &Bytes,
    commitment: &Commitment,
) -> Result<Bytes, ChallengeError> {
    // op-node reads the arguments whatever the selector is: the contract has emitted the event
    let arguments = calldata
        .get(4..)
        .ok_or(ChallengeError::Abi("resolve call"))?;
    dynamic_bytes(arguments, 1).ok_or(ChallengeError::Abi("challenged commitment"))?;
    let data = dynamic_bytes(arguments, 2)
        .filter(|data| !data.is_empty())
        .ok_or(ChallengeError::Abi("resolve data"))?;
    match commitment {
        Commitment::Keccak(hash) if alloy_primitives::keccak256(data) != *hash => {
            Err(ChallengeError::Mismatch)
        }
        _ => Ok(calldata.slice_ref(data)),
    }
}

/// The `index`-th word of ABI-encoded arguments.
fn word(arguments: &[u8], index: usize) -> Option<U256> {
    arguments
        .get(index * 32..index * 32 + 32)
        .map(U256::from_be_slice)
}

/// The byte string that the `index`-th word points to. Padding is not looked at: go-ethereum's
/// decoder, whose verdict counts, does not either.
fn dynamic_bytes(arguments: &[u8], index: usize) -> Option<&[u8]> {
    let offset = usize::try_from(word(arguments, index)?).ok()?;
    let tail = arguments.get(offset..)?;
    let length = usize::try_from(word(tail, 0)?).ok()?;
    tail.get(32..)?.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Address, keccak256};
    use proptest::prelude::*;

    fn pad(bytes: &[u8]) -> Vec<u8> {
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len().next_multiple_of(32), 0);
        padded
    }

    fn words(words: &[u64]) -> Vec<u8> {
        words
            .iter()
            .flat_map(|word| U256::from(*word).to_be_bytes::<32>())
            .collect()
    }

    fn log(commitment: &[u8], status: u64, inclusion: B256) -> Log {
        let data = [
            words(&[64, status, commitment.len() as u64]),
            pad(commitment),
        ]
        .concat();
        let topics = vec![CHALLENGE_STATUS_CHANGED, inclusion];
        Log::new_unchecked(Address::ZERO, topics, data.into())
    }

    #[test]
    fn topic_is_the_hash_of_the_event() {
        assert_eq!(
            CHALLENGE_STATUS_CHANGED,
            keccak256("ChallengeStatusChanged(uint256,bytes,uint8)")
        );
    }

    #[test]
    fn an_event_names_commitment_inclusion_and_change() {
        let commitment = Commitment::Keccak(B256::repeat_byte(7));
        let inclusion = B256::from(U256::from(42));
        for (status, change) in [
            (1, ChallengeChange::Challenged),
            (2, ChallengeChange::Resolved),
        ] {
            let event = decode_challenge_log(&log(&commitment.encode(), status, inclusion));
            let commitment = commitment.clone();
            assert_eq!(
                event,
                Ok(ChallengeEvent {
                    commitment,
                    inclusion: 42,
                    change
                })
            );
        }
    }

    #[test]
    fn each_malformed_log_is_refused_by_its_rule() {
        let good = Commitment::Keccak(B256::repeat_byte(7)).encode();
        let at = B256::from(U256::from(42));
        let check = |log: &Log, error| assert_eq!(decode_challenge_log(log), Err(error));
        check(&log(&good, 0, at), ChallengeError::Status(0));
        check(&log(&good, 3, at), ChallengeError::Status(3));
        check(
            &log(&good, 256, at),
            ChallengeError::Abi("challenge status"),
        );
        check(
            &log(&good, 1, B256::repeat_byte(1)),
            ChallengeError::Inclusion,
        );
        check(
            &log(&good[..32], 1, at),
            ChallengeError::Commitment(CommitmentError::KeccakLength(31)),
        );
        let mut other_event = log(&good, 1, at);
        other_event.data.set_topics_unchecked(vec![at, at]);
        check(&other_event, ChallengeError::Event);
        let mut topics = log(&good, 1, at);
        topics
            .data
            .set_topics_unchecked(vec![CHALLENGE_STATUS_CHANGED, at, at]);
        check(&topics, ChallengeError::Topics(3));
        let mut short = log(&good, 1, at);
        short.data.data = short.data.data.slice(..96);
        check(&short, ChallengeError::Abi("challenged commitment"));
    }

    fn resolve_call(commitment: &[u8], data: &[u8]) -> Bytes {
        let data_offset = 96 + 32 + commitment.len().next_multiple_of(32) as u64;
        [
            vec![0xaa; 4],
            words(&[42, 96, data_offset, commitment.len() as u64]),
            pad(commitment),
            words(&[data.len() as u64]),
            pad(data),
        ]
        .concat()
        .into()
    }

    #[test]
    fn a_resolve_call_holds_the_data_and_nothing_else_counts() {
        let data = b"the input".as_slice();
        let commitment = Commitment::Keccak(keccak256(data));
        let call = resolve_call(&commitment.encode(), data);
        let decode = |call: Bytes| decode_resolve_call(&call, &commitment);
        assert_eq!(decode(call.clone()), Ok(Bytes::from_static(b"the input")));
        assert_eq!(
            decode(resolve_call(&commitment.encode(), b"another input")),
            Err(ChallengeError::Mismatch)
        );
        assert_eq!(
            decode(resolve_call(&commitment.encode(), b"")),
            Err(ChallengeError::Abi("resolve data"))
        );
        assert_eq!(
            decode(Bytes::from_static(&[1, 2, 3])),
            Err(ChallengeError::Abi("resolve call"))
        );
        assert_eq!(
            decode(call.slice(..call.len() - 32)),
            Err(ChallengeError::Abi("resolve data"))
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            topics in proptest::collection::vec(any::<[u8; 32]>(), 0..4),
            data in proptest::collection::vec(any::<u8>(), 0..256),
        ) {
            let topics = core::iter::once(CHALLENGE_STATUS_CHANGED)
                .chain(topics.into_iter().map(B256::from))
                .collect();
            let data = Bytes::from(data);
            let _ = decode_resolve_call(&data, &Commitment::Keccak(B256::ZERO));
            let _ = decode_challenge_log(&Log::new_unchecked(Address::ZERO, topics, data));
        }
    }
}
