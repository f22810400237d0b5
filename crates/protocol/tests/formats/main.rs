//! What the formats promise, one subject a file. The comments `opstack 11 A` and so on name the
//! list of cases of the specification sheet whose names follow.

#![expect(
    clippy::cast_possible_truncation,
    reason = "patterns are cut to bytes, and numbers of the vectors are known to fit"
)]

mod attributes;
mod blob;
mod channels;
mod commitment;
mod common;
mod config_id;
mod deposits;
mod executor_blocks;
mod extra_data;
mod frames;
mod hostile;
mod l1_blocks;
mod l1_info;
mod networks;
mod op_node;
mod output_roots;
mod overrides;
mod profiles;
mod registry;
mod rollup_config;
mod singular_batch;
mod span_batch;
mod span_raw;
mod span_txs;
mod system_config;
mod upgrades;
