//! What the chain's own failures are to a caller.

use crate::{state::StateError, store::StoreError, trie::TrieError};
use doppio_rpc::RpcError;

macro_rules! internal_errors {
    ($($error:ty),*) => {
        $(impl From<$error> for RpcError {
            fn from(error: $error) -> Self {
                Self::internal(error.to_string())
            }
        })*
    };
}

internal_errors!(StateError, StoreError, TrieError);
