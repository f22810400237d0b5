//! How HotShot commits to structures: a string of bytes in which names stand before values, hashed
//! with keccak-256.
// spec: espresso 3.1

use alloy_primitives::Keccak256;

/// Ends a name: two bytes that no text holds, so that a name is never taken for a value.
const END_OF_NAME: [u8; 2] = [0xc0, 0x7f];

/// A commitment in the making.
#[derive(Clone, Debug)]
pub struct Builder(Keccak256);

impl Builder {
    /// Begins with the structure's name.
    pub fn new(name: &str) -> Self {
        Self(Keccak256::new()).name(name)
    }

    /// A name on its own.
    pub fn name(self, name: &str) -> Self {
        self.fixed(name.as_bytes()).fixed(&END_OF_NAME)
    }

    /// Bytes whose number is known.
    pub fn fixed(mut self, bytes: &[u8]) -> Self {
        self.0.update(bytes);
        self
    }

    /// A number of 64 bits.
    pub fn u64(self, number: u64) -> Self {
        self.fixed(&number.to_le_bytes())
    }

    /// A number of 16 bits.
    pub fn u16(self, number: u16) -> Self {
        self.fixed(&number.to_le_bytes())
    }

    /// Bytes, with their number before them.
    pub fn var(self, bytes: &[u8]) -> Self {
        self.u64(bytes.len() as u64).fixed(bytes)
    }

    /// A named number.
    pub fn u64_field(self, name: &str, number: u64) -> Self {
        self.name(name).u64(number)
    }

    /// A named commitment, or other named bytes whose number is known.
    pub fn field(self, name: &str, commitment: &[u8]) -> Self {
        self.name(name).fixed(commitment)
    }

    /// Named bytes, with their number before them.
    pub fn var_field(self, name: &str, bytes: &[u8]) -> Self {
        self.name(name).var(bytes)
    }

    /// A named commitment, or the number 0.
    pub fn optional(self, name: &str, commitment: Option<&[u8; 32]>) -> Self {
        match commitment {
            Some(commitment) => self.field(name, commitment),
            None => self.u64_field(name, 0),
        }
    }

    /// The commitment.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().0
    }
}
