//! How much a streamer keeps.

/// Bounds of memory. None of them changes what comes out, only what is read twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Blocks ahead of the next that are kept.
    pub waiting_blocks: u64,
    /// Bytes of them.
    pub waiting_bytes: usize,
    /// L2 blocks ahead of the next of which batches are kept.
    pub ahead: u64,
    /// Batches that are kept for one number.
    pub per_number: usize,
    /// Batches that are kept with one L1 origin.
    pub per_origin: usize,
    /// Bytes of all batches.
    pub batch_bytes: usize,
    /// L1 blocks that are kept.
    pub l1_blocks: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            waiting_blocks: 1024,
            waiting_bytes: 64 << 20,
            ahead: 4096,
            per_number: 16,
            per_origin: 2048,
            batch_bytes: 64 << 20,
            l1_blocks: 64,
        }
    }
}
