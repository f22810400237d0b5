//! Recorded chains behind sockets, and what can be wrong with whoever serves them. For tests only.

#![expect(
    clippy::missing_panics_doc,
    reason = "a test whose data or calls do not fit is to panic"
)]

mod chain;
mod http;
mod l1;
mod l2;
mod lies;
mod proxy;
mod server;

pub use chain::Chain;
pub use http::Message;
pub use l1::commitment;
pub use lies::{all_nodes, alterations, changed, is_read};
pub use proxy::{Asked, Change, Proxy};
pub use server::{Alter, Fake, Role, Rules};
