//! The transaction manager of batcher and proposer, as one pure state machine.
//!
//! ```text
//!   send(request) ─┐                                         ┌─► look up account, tip, gas, pool
//!   L1 heads ──────┤                                         ├─► sign
//!   answers ───────┼──► TxManager: one nonce after another ──┼─► publish
//!   cancel, close ─┘        (a slot for each nonce)          ├─► outcome of a request
//!                                                            └─► notice for the operator
//! ```
//!
//! [`TxManager`] owns the nonces of one account. Each nonce that it ever gave out is a *slot*: a
//! transaction in all its versions, of which at most one is mined. A slot is never forgotten before a
//! transaction with its nonce is mined and buried, so there is no gap and no nonce is used for two
//! things at a time. What goes on in order on L1 are the slots, and so are the requests in them.
//!
//! Time is an argument. Whoever drives the machine does what [`TxManager::next_action`] says, brings
//! the answers by [`TxManager::handle`], and comes back at [`TxManager::next_timer`] at the latest.
//! `doppio-l1` has the shell that does so.

mod budget;
mod failures;
mod fees;
mod manager;
mod options;
mod send_state;
mod slot;
mod vocabulary;

pub use failures::{PublishFailure, classify};
pub use fees::{
    Fees, LimitExceeded, Market, Suggestion, bumped_blob_fee_cap, bumped_fees, check_limits,
    data_gas_limit, first_fees, percentile_tip,
};
pub use manager::TxManager;
pub use options::{Options, OptionsError, Settings, osaka_time_of_public_l1};
pub use send_state::{Critical, SendState};
pub use vocabulary::{
    Account, Action, CallId, Event, FailReason, Inclusion, L1Head, Millis, Notice, Outcome, PoolTx,
    Published, RequestId, SidecarVersion, SignFailure, Signed, TxKind, TxRequest, UnsignedTx,
    ZERO_BLOB_HASH,
};
