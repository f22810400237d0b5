//! The walk through the layers: where it stands, what broke, how much was told.

use crate::{
    Form, Options,
    form::{self, Reading},
    rules::{effect, execution_effect, rule},
    tree::{Break, Content, Listed},
};
use alloy_primitives::Bytes;
use core::fmt::Display;
use doppio_derive::DropReason;

/// How far a reading got before it broke. Readings in different forms are compared by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// Nothing speaks for the form.
    #[default]
    Nothing,
    /// Something does, but it could be chance.
    Something,
    /// A commitment of a known kind.
    Commitment,
    /// Frames.
    Frames,
    /// Batches.
    Batch,
    /// Transactions.
    Transaction,
}

/// One walk through some bytes.
#[derive(Debug)]
pub(crate) struct Walker<'a> {
    pub(crate) options: &'a Options,
    /// Where the walk began.
    start: String,
    /// The lists and positions on the way to where it stands.
    steps: Vec<(&'static str, u64)>,
    /// Breaks that stand before those of this walk in the explanation.
    breaks_before: usize,
    pub(crate) breaks: Vec<Break>,
    pub(crate) break_count: u64,
    pub(crate) depth: Depth,
    /// Entries told in all lists.
    listed: usize,
    /// The walk is inside of an entry that is not told: what is in there is not told either,
    /// unless it breaks.
    quiet: bool,
    /// Bytes read out of all channels.
    pub(crate) decompressed: u64,
    /// A channel was left unread.
    pub(crate) unread: bool,
}

/// A byte of some layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At(pub(crate) u64, pub(crate) &'static str);

/// The layers that bytes are counted in.
pub(crate) const ITEM: &str = "the item";
pub(crate) const BLOB: &str = "the blob";
pub(crate) const COMMITMENT: &str = "the commitment";
pub(crate) const CHANNEL: &str = "the channel";
pub(crate) const DECOMPRESSED: &str = "the decompressed channel";
pub(crate) const BATCH: &str = "the batch";
pub(crate) const TRANSACTION: &str = "the transaction";

impl<'a> Walker<'a> {
    /// A walk through what stands at `path` of the tree, behind so many breaks.
    pub(crate) const fn new(options: &'a Options, path: String, breaks_before: usize) -> Self {
        Self {
            options,
            start: path,
            steps: Vec::new(),
            breaks_before,
            breaks: Vec::new(),
            break_count: 0,
            depth: Depth::Nothing,
            listed: 0,
            quiet: false,
            decompressed: 0,
            unread: false,
        }
    }

    /// Whether the entry that is being read will be told.
    pub(crate) const fn is_told(&self) -> bool {
        !self.quiet
    }

    pub(crate) fn reach(&mut self, depth: Depth) {
        self.depth = self.depth.max(depth);
    }

    /// Reads one entry of a list, and tells it if there is room, or if it breaks.
    pub(crate) fn entry<T>(
        &mut self,
        name: &'static str,
        list: &mut Listed<T>,
        limit: usize,
        read: impl FnOnce(&mut Self, u64) -> T,
    ) {
        let total = self.options.detail.total;
        let index = list.count;
        list.count += 1;
        let told = !self.quiet && list.items.len() < limit && self.listed < total;
        let breaks_before = self.break_count;
        let quiet = core::mem::replace(&mut self.quiet, !told);
        self.steps.push((name, index));
        let item = read(self, index);
        self.steps.pop();
        self.quiet = quiet;
        if told || (self.break_count > breaks_before && self.listed < total) {
            self.listed += 1;
            list.items.push(item);
        }
    }

    /// Notes a break for which derivation has a reason, here or in a field of this place.
    pub(crate) fn break_for(
        &mut self,
        reason: &DropReason,
        field: impl Display,
        at: Option<At>,
    ) -> Option<usize> {
        let effect = effect(reason, self.options.rules.in_order);
        self.note(|walk| Break {
            path: walk.path_of(field),
            offset: at.map(|At(offset, _)| offset),
            layer: at.map_or("", |At(_, layer)| layer),
            reason: Some(reason.name()),
            rule: rule(reason),
            message: reason.to_string(),
            effect,
        })
    }

    /// Notes that the bytes do not have the form that they are read in.
    pub(crate) fn break_form(&mut self, rule: &'static str, message: String) -> Option<usize> {
        self.note(|walk| Break {
            path: walk.path_of(""),
            offset: None,
            layer: "",
            reason: None,
            rule,
            message,
            effect: "",
        })
    }

    /// Notes a transaction that derivation passes on and the execution layer refuses.
    pub(crate) fn break_in_execution(
        &mut self,
        rule: &'static str,
        message: impl Display,
    ) -> Option<usize> {
        let effect = execution_effect(self.options.rules.in_order);
        self.note(|walk| Break {
            path: walk.path_of(""),
            offset: Some(0),
            layer: TRANSACTION,
            reason: None,
            rule,
            message: message.to_string(),
            effect,
        })
    }

    /// Notes a break; its position, unless there are too many.
    pub(crate) fn note(&mut self, make: impl FnOnce(&Self) -> Break) -> Option<usize> {
        self.break_count += 1;
        if self.breaks.len() >= self.options.detail.total {
            return None;
        }
        let broken = make(self);
        self.breaks.push(broken);
        Some(self.breaks_before + self.breaks.len() - 1)
    }

    /// Where the walk stands, and a field there.
    fn path_of(&self, field: impl Display) -> String {
        let mut path = self.start.clone();
        let steps = self
            .steps
            .iter()
            .map(|(name, index)| format!("{name}[{index}]"));
        for step in steps.chain([field.to_string()]) {
            if !path.is_empty() && !step.is_empty() {
                path.push('.');
            }
            path.push_str(&step);
        }
        path
    }

    /// Reads bytes inside of this place, in a form of their own.
    pub(crate) fn read_inside(&mut self, field: &str, form: Form, data: &[Bytes]) -> Reading {
        let path = self.path_of(field);
        let breaks_before = self.breaks_before + self.breaks.len();
        form::read(form, data, self.options, path, breaks_before)
    }

    /// The form of bytes inside of this place.
    pub(crate) fn detect_inside(
        &mut self,
        field: &str,
        forms: &[Form],
        data: &[Bytes],
    ) -> Option<Form> {
        let path = self.path_of(field);
        let (reading, _) = form::detect(forms, data, self.options, &path);
        reading.map(|reading| reading.form)
    }

    /// Takes over what [`Walker::read_inside`] read. Nothing may have been noted in between.
    pub(crate) fn take_over(&mut self, reading: Reading) -> Option<Box<Content>> {
        self.break_count += reading.break_count;
        self.breaks.extend(reading.breaks);
        self.unread |= reading.unread;
        self.reach(reading.depth);
        reading.content.map(Box::new)
    }
}
