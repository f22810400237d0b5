//! The transaction manager over sockets: a small L1 with genuine blocks, and signers.

mod sending;
mod sidecars;
mod signers;
mod sim;
