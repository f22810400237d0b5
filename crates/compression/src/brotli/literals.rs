//! The inner loop for literals.
//!
//! Much of what rollups post can not be compressed: signatures, hashes, amounts. Their bytes are
//! literals, and nearly all of them have codewords of eight bits. So it can be guessed where the
//! next few codewords begin. They are then looked up in a row, all at once; a row in which a
//! codeword turns out to be shorter or longer, or to belong to another tree, is dropped and decoded
//! one by one.

use super::context::{ContextLookup, LOOKUPS};
use super::header::Trees;
use super::header::root::LITERALS as ROOT;
use super::ring::Writer;
use crate::bits::{Register, index, low_byte};
use crate::prefix::{SUBTABLE, TOTAL_BITS, code_bits, value};

/// Length of a row. The usual length is eight bits at most, so a refill of the register is enough.
const ROW: u32 = 7;

/// A refill brings 56 bits, enough for three literals of any length.
const SURE: usize = 3;

/// Number of literals that can be decoded with `bytes` bytes of input left, however long their
/// codewords are. All are far enough from the end that op-node's decoder does not notice it.
pub(super) const fn count_for(bytes: usize) -> usize {
    bytes.saturating_sub(64) * 8 / 15
}

/// What the tree of a literal depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contexts {
    /// Nothing: all contexts have the same tree.
    None,
    /// The two bytes before. Where the part of the last one has to be looked up.
    Lookup,
    /// The two bytes before. The part of the last one is in its table entry, from bit 24 on.
    Entry,
}

/// How literals are decoded in one block type.
#[derive(Debug)]
pub(super) struct LiteralBlock {
    /// For each context where the table of its tree starts; and, from bit 24 on, the length of
    /// nearly all codewords of the tree, if there is such a length.
    trees: [u32; 64],
    lookup: &'static ContextLookup,
    contexts: Contexts,
}

impl Default for LiteralBlock {
    fn default() -> Self {
        Self {
            trees: [0; 64],
            lookup: &LOOKUPS[0],
            contexts: Contexts::None,
        }
    }
}

/// Where a tree's table starts, in an entry of [`LiteralBlock::trees`].
const START: u32 = 0xff_ffff;

/// The two bytes before a literal, as far as they matter.
#[derive(Clone, Copy)]
struct Before {
    /// The last one, and its part of the context.
    p1: u8,
    context: u8,
    p2: u8,
}

impl LiteralBlock {
    /// `map` has the tree of each context. `has_contexts` tells that the table entries of literals
    /// hold contexts for this mode.
    pub(super) fn new(mode: u8, map: &[u8], trees: &Trees, has_contexts: bool) -> Self {
        let entry = |&tree: &u8| {
            let tree = usize::from(tree);
            trees.starts[tree] | trees.strides[tree] << 24
        };
        let mut block = Self {
            lookup: &LOOKUPS[usize::from(mode)],
            ..Self::default()
        };
        for (place, tree) in block.trees.iter_mut().zip(map) {
            *place = entry(tree);
        }
        block.contexts = if map.iter().all(|tree| *tree == map[0]) {
            Contexts::None
        } else if has_contexts {
            Contexts::Entry
        } else {
            Contexts::Lookup
        };
        block
    }

    /// All literals have the same tree.
    pub(super) fn is_plain(&self) -> bool {
        self.contexts == Contexts::None
    }

    #[inline(always)]
    fn before(&self, (p1, p2): (u8, u8)) -> Before {
        Before {
            p1,
            context: self.lookup.last[usize::from(p1)],
            p2,
        }
    }

    #[inline(always)]
    fn tree(&self, before: Before) -> u32 {
        let context = before.context | self.lookup.before[usize::from(before.p2)];
        self.trees[usize::from(context & 63)]
    }

    /// Where the table for the literal after `p2`, `p1` starts.
    pub(super) fn table_start(&self, p1: u8, p2: u8) -> usize {
        (self.tree(self.before((p1, p2))) & START) as usize
    }

    /// Decodes as many literals as `out` holds, which come after these two bytes (the last one
    /// first).
    ///
    /// There must be enough input for them, see [`count_for`].
    pub(super) fn decode(
        &self,
        register: &mut Register<'_>,
        tables: &[u32],
        out: &mut [u8],
        last_two: (u8, u8),
    ) {
        match self.contexts {
            Contexts::None => Run::<NONE>(self, tables).decode(register, out, last_two),
            Contexts::Lookup => Run::<LOOKUP>(self, tables).decode(register, out, last_two),
            Contexts::Entry => Run::<ENTRY>(self, tables).decode(register, out, last_two),
        }
    }

    /// Decodes a few literals one by one.
    #[inline(always)]
    pub(super) fn decode_few(
        &self,
        register: &mut Register<'_>,
        tables: &[u32],
        count: usize,
        ring: &mut Writer<'_>,
    ) {
        let is_plain = self.is_plain();
        let mut before = self.before(ring.last_two());
        for _ in 0..count {
            register.refill();
            let tree = if is_plain {
                self.trees[0]
            } else {
                self.tree(before)
            };
            let byte = low_byte(literal(register, tables, tree) >> 16);
            ring.push(byte);
            before = self.before((byte, before.p1));
        }
    }
}

const NONE: u8 = Contexts::None as u8;
const LOOKUP: u8 = Contexts::Lookup as u8;
const ENTRY: u8 = Contexts::Entry as u8;

/// Decodes literals with one kind of [`Contexts`].
struct Run<'a, const CONTEXTS: u8>(&'a LiteralBlock, &'a [u32]);

impl<const CONTEXTS: u8> Run<'_, CONTEXTS> {
    #[inline(always)]
    fn tree(&self, before: Before) -> u32 {
        if CONTEXTS == NONE {
            self.0.trees[0]
        } else {
            self.0.tree(before)
        }
    }

    /// What is before the next literal, after one with this table entry.
    #[inline(always)]
    fn after(&self, before: Before, entry: u32) -> Before {
        let p1 = low_byte(entry >> 16);
        let context = match CONTEXTS {
            NONE => 0,
            LOOKUP => self.0.lookup.last[usize::from(p1)],
            _ => low_byte(entry >> 24),
        };
        Before {
            p1,
            context,
            p2: before.p1,
        }
    }

    #[inline(always)]
    fn decode(&self, register: &mut Register<'_>, out: &mut [u8], last_two: (u8, u8)) {
        let tables = self.1;
        let mut before = self.0.before(last_two);
        // Literals to decode one by one before the next try with a row, and how many it will be
        // if that does not work out.
        let mut wait = 0;
        let mut penalty = ROW as usize;
        let mut at = 0;
        while at < out.len() {
            register.refill();
            let tree = self.tree(before);
            let stride = tree >> 24;
            if wait == 0
                && stride != 0
                && let Some(row) = out[at..].first_chunk_mut::<{ ROW as usize }>()
            {
                let table = &tables[(tree & START) as usize..][..1 << ROOT];
                let mut bits = register.bits;
                let mut next = before;
                let mut unusual = 0;
                let mut other_tree = 0;
                for place in row {
                    other_tree |= tree ^ self.tree(next);
                    let entry = table[index(bits, ROOT)];
                    unusual |= entry ^ stride;
                    bits >>= stride;
                    next = self.after(next, entry);
                    *place = next.p1;
                }
                if unusual & (SUBTABLE | TOTAL_BITS) == 0 && other_tree == 0 {
                    register.drop(stride * ROW);
                    before = next;
                    at += ROW as usize;
                    penalty = ROW as usize;
                    continue;
                }
                wait = penalty;
                penalty = (2 * penalty).min(32 * ROW as usize);
            }
            let count = (out.len() - at).min(SURE);
            for place in &mut out[at..at + count] {
                let entry = literal(register, tables, self.tree(before));
                before = self.after(before, entry);
                *place = before.p1;
            }
            at += count;
            wait = wait.saturating_sub(count);
        }
    }
}

/// Takes a literal, and returns its table entry. There must be 15 bits.
#[inline(always)]
fn literal(register: &mut Register<'_>, tables: &[u32], tree: u32) -> u32 {
    let start = (tree & START) as usize;
    let mut entry = tables[start + register.index(ROOT)];
    if entry & SUBTABLE != 0 {
        register.drop(ROOT);
        entry = tables[start + value(entry) + register.index(code_bits(entry))];
    }
    register.drop(entry);
    entry
}
