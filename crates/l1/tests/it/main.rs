//! L1 access against recorded L1 chains, served as genuine, broken and hostile endpoints.

mod anvil;
mod beacon;
mod endpoints;
mod fake;
mod follower;
mod genuine;
mod hostile;
mod txmgr;
