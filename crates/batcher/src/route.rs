//! Where data goes.

/// What a byte of a channel costs, in thousandths of a wei.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// As calldata.
    pub calldata: u128,
    /// In blobs.
    pub blobs: u128,
}
