//! Accounts and storage of `eth_getProof`.

use super::{Quantity, VerifyError, parse};
use alloy_consensus::constants::{EMPTY_ROOT_HASH, KECCAK_EMPTY};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_trie::{Nibbles, TrieAccount, proof::verify_proof};
use serde::Deserialize;

/// An account in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Number of transactions sent, or of contracts created.
    pub nonce: u64,
    /// Balance, in wei.
    pub balance: U256,
    /// Root of the storage.
    pub storage_root: B256,
    /// Hash of the code.
    pub code_hash: B256,
}

impl Account {
    /// Whether there is code at the address.
    pub fn has_code(&self) -> bool {
        self.code_hash != KECCAK_EMPTY
    }

    fn encode(&self) -> Vec<u8> {
        alloy_rlp::encode(TrieAccount {
            nonce: self.nonce,
            balance: self.balance,
            storage_root: self.storage_root,
            code_hash: self.code_hash,
        })
    }
}

/// What a proof proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountProof {
    /// The account; none if the state has no account at the address.
    pub account: Option<Account>,
    /// The values of the slots that were asked for, in that order; zero where nothing is stored.
    pub storage: Vec<U256>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProofJson {
    address: Address,
    balance: U256,
    code_hash: B256,
    nonce: Quantity,
    storage_hash: B256,
    account_proof: Vec<Bytes>,
    storage_proof: Vec<SlotJson>,
}

#[derive(Deserialize)]
struct SlotJson {
    key: U256,
    value: U256,
    proof: Vec<Bytes>,
}

/// Reads the answer to `eth_getProof` of an address and storage slots at a block with this state
/// root. None if the answer is `null`.
///
/// # Errors
///
/// If the answer is of another account or of other slots, or a proof does not lead from the state
/// root to what the answer says.
pub fn read_proof(
    state_root: B256,
    address: Address,
    slots: &[B256],
    json: &str,
) -> Result<Option<AccountProof>, VerifyError> {
    let Some(proof) = parse::<Option<ProofJson>>("the proof", json)? else {
        return Ok(None);
    };
    if proof.address != address {
        return Err(VerifyError::OtherAccount {
            asked: address,
            found: proof.address,
        });
    }
    let asked = slots.iter().map(|slot| U256::from_be_bytes(slot.0));
    if !proof.storage_proof.iter().map(|slot| slot.key).eq(asked) {
        return Err(VerifyError::OtherSlots(address));
    }
    let (nonce, balance) = (proof.nonce.0, proof.balance);
    // For an account that is not there, nodes answer with zeros, or with the hashes of nothing.
    let is_absent = nonce == 0
        && balance.is_zero()
        && [B256::ZERO, EMPTY_ROOT_HASH].contains(&proof.storage_hash)
        && [B256::ZERO, KECCAK_EMPTY].contains(&proof.code_hash);
    let account = Account {
        nonce,
        balance,
        storage_root: if is_absent {
            EMPTY_ROOT_HASH
        } else {
            proof.storage_hash
        },
        code_hash: if is_absent {
            KECCAK_EMPTY
        } else {
            proof.code_hash
        },
    };
    let name = || format!("account {address}");
    let prove = |value| {
        verify(
            name,
            state_root,
            address.as_slice(),
            value,
            &proof.account_proof,
        )
    };
    // An empty account may be in the state all the same, on a chain whose genesis put it there.
    let is_there = if is_absent && prove(None).is_ok() {
        false
    } else {
        prove(Some(account.encode()))?;
        true
    };
    let mut storage = Vec::with_capacity(slots.len());
    for (slot, answer) in slots.iter().zip(&proof.storage_proof) {
        let expected = (!answer.value.is_zero()).then(|| alloy_rlp::encode(answer.value));
        let name = || format!("slot {slot} of {address}");
        verify(
            name,
            account.storage_root,
            slot.as_slice(),
            expected,
            &answer.proof,
        )?;
        storage.push(answer.value);
    }
    let account = is_there.then_some(account);
    Ok(Some(AccountProof { account, storage }))
}

fn verify(
    what: impl FnOnce() -> String,
    root: B256,
    key: &[u8],
    value: Option<Vec<u8>>,
    proof: &[Bytes],
) -> Result<(), VerifyError> {
    let key = Nibbles::unpack(keccak256(key));
    verify_proof(root, key, value, proof).map_err(|error| VerifyError::Proof {
        what: what(),
        root,
        reason: error.to_string(),
    })
}
