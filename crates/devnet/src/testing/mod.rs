//! Equipment for tests. Nothing here is fit for a chain that anybody needs.

mod batcher;

pub use batcher::{BatchForm, BatchOptions, BatchTarget, TestBatcher, encode_channel};
