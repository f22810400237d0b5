//! What must hold for any bytes: one plain function for each decoder.
//!
//! Each target takes bytes from an adversary and asserts what the decoder promises: it does not
//! panic, what it accepts is written back unchanged where the format is canonical, and what it
//! gives stays within its limits. The tests of this crate run every target over a committed corpus
//! and over random bytes; `fuzz/` drives the same functions with libFuzzer.
//!
//! Allocation is asserted around the targets, by whoever runs them: see [`allowance`].

mod answers;
mod chain;
mod configuration;
mod data;
mod eigenda;
mod engine;
mod espresso;
mod files;
mod pipeline;

/// A target: its name, and the function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("frames", data::frames),
    ("blob", data::blob),
    ("commitment", data::commitment),
    ("channel", data::channel),
    ("singular_batch", data::singular_batch),
    ("span_batch", data::span_batch),
    ("deposit_log", chain::deposit_log),
    ("deposit_tx", chain::deposit_tx),
    ("l1_info", chain::l1_info),
    ("config_update", chain::config_update),
    ("challenge", chain::challenge),
    ("extra_data", chain::extra_data),
    ("l2_block", chain::l2_block),
    ("rollup_config", configuration::rollup_config),
    ("chain_profile", configuration::chain_profile),
    ("l1_chain_config", configuration::l1_chain_config),
    ("da_answer", pipeline::da_answer),
    ("inbox", pipeline::inbox),
    ("explain", pipeline::explain),
    ("transaction", engine::transaction),
    ("trie", engine::trie),
    ("genesis", engine::genesis),
    ("token", engine::token),
    ("engine_call", engine::engine_call),
    ("rpc_call", engine::rpc_call),
    ("l1_block", answers::l1_block),
    ("l1_proof", answers::l1_proof),
    ("beacon_blobs", answers::beacon_blobs),
    ("engine_answer", answers::engine_answers),
    ("l2_answer", answers::l2_answers),
    ("recording", files::recording),
    ("admin_state", files::admin_state),
    ("eigenda_commitment", eigenda::eigenda_commitment),
    ("eigenda_abi", eigenda::eigenda_abi),
    ("eigenda_payload", eigenda::eigenda_payload),
    ("eigenda_bundle", eigenda::eigenda_bundle),
    ("bn254_points", eigenda::bn254_points),
    ("espresso_tagged", espresso::espresso_tagged),
    ("espresso_header", espresso::espresso_header),
    ("espresso_certificates", espresso::espresso_certificates),
    ("espresso_namespace", espresso::espresso_namespace),
    ("espresso_batch", espresso::espresso_batch),
    ("espresso_stream", espresso::espresso_stream),
    ("espresso_proof", espresso::espresso_proof),
];

/// Bytes that a target may have allocated at most at one time for an input of this length.
///
/// Decoders take slices of their input, and copy what they put together once or twice. A channel
/// may be decompressed up to the targets' own limit, [`MAX_RLP_BYTES`], and a brotli stream may ask
/// for a window in its first byte.
pub fn allowance(target: &str, input: usize) -> usize {
    const TABLES: usize = 2 << 20;
    const WINDOW: usize = 16 << 20;
    let decompresses = ["channel", "da_answer", "inbox", "explain"].contains(&target);
    // a string may be held compressed, decompressed, and as a batch's transactions
    TABLES + 64 * input + 3 * MAX_RLP_BYTES + if decompresses { WINDOW } else { 0 }
}

pub use engine::GENESIS;

/// What the targets let a channel decompress to: enough for any rule, and small.
pub const MAX_RLP_BYTES: usize = 1 << 20;
