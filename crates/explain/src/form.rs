//! Which form bytes have: all forms are tried in order, and the one that explains most is taken.

use crate::{
    Options,
    tree::{Attempt, Break, Content, Explanation},
    walk::{Depth, Walker},
};
use alloy_primitives::Bytes;
use core::{fmt, str::FromStr};
use serde::Serialize;
use thiserror::Error;

/// What bytes may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A blob: exactly 131,072 bytes.
    Blob,
    /// What an inbox transaction carries: 0 and frames, or 1 and an alt-DA commitment.
    Inbox,
    /// An alt-DA commitment without the derivation version byte in front.
    Commitment,
    /// A channel's bytes, compressed.
    Channel,
    /// What a channel decompresses to: RLP strings with a batch in each.
    Decompressed,
    /// One batch: 0 or 1 and its content.
    Batch,
    /// A transaction of L1 or L2 (EIP-2718).
    Transaction,
}

/// A name that is none of a form.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "there is no form {0:?}; known are blob, inbox, commitment, channel, decompressed, batch and \
     transaction"
)]
pub struct UnknownForm(String);

impl Form {
    /// All forms, in the order in which they are tried.
    pub const ALL: [Self; 7] = [
        Self::Blob,
        Self::Inbox,
        Self::Commitment,
        Self::Channel,
        Self::Decompressed,
        Self::Batch,
        Self::Transaction,
    ];

    /// What else a blob may hold, although derivation would not look at it.
    pub(crate) const IN_BLOB: [Self; 5] = [
        Self::Commitment,
        Self::Channel,
        Self::Decompressed,
        Self::Batch,
        Self::Transaction,
    ];

    /// The form's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blob => "blob",
            Self::Inbox => "inbox",
            Self::Commitment => "commitment",
            Self::Channel => "channel",
            Self::Decompressed => "decompressed",
            Self::Batch => "batch",
            Self::Transaction => "transaction",
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Form {
    type Err = UnknownForm;

    fn from_str(name: &str) -> Result<Self, UnknownForm> {
        Self::ALL
            .into_iter()
            .find(|form| form.name() == name)
            .ok_or_else(|| UnknownForm(name.to_owned()))
    }
}

/// Explains data: one item of any form, or the data of several inbox transactions in their order
/// on L1, whose channels are then put together.
///
/// Unless [`Options::form`] says the form, each is tried, in the order of [`Form::ALL`]. The one
/// that gets deepest before it breaks is taken; of those that get equally deep one that does not
/// break, and of those the first. Where none gets anywhere, all are told with where they break.
pub fn explain(data: &[Bytes], options: &Options) -> Explanation {
    let bytes = data.iter().map(|item| item.len() as u64).sum();
    let (reading, tried) = match options.form {
        Some(form) => (
            Some(read(form, data, options, String::new(), 0)),
            Vec::new(),
        ),
        None if data.len() == 1 => detect(&Form::ALL, data, options, ""),
        None => (
            Some(read(Form::Inbox, data, options, String::new(), 0)),
            Vec::new(),
        ),
    };
    match reading {
        Some(reading) => Explanation {
            bytes,
            form: Some(reading.form),
            sound: reading.is_sound(),
            content: reading.content,
            break_count: reading.break_count,
            breaks: reading.breaks,
            tried,
        },
        None => Explanation {
            bytes,
            form: None,
            sound: false,
            content: None,
            break_count: 0,
            breaks: Vec::new(),
            tried,
        },
    }
}

/// What bytes are in some form.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) form: Form,
    pub(crate) content: Option<Content>,
    pub(crate) breaks: Vec<Break>,
    pub(crate) break_count: u64,
    pub(crate) depth: Depth,
    pub(crate) unread: bool,
}

impl Reading {
    pub(crate) const fn is_sound(&self) -> bool {
        self.break_count == 0 && !self.unread
    }
}

/// Reads data in a form. The reading stands at `path` of the tree, behind so many breaks.
pub(crate) fn read(
    form: Form,
    data: &[Bytes],
    options: &Options,
    path: String,
    breaks_before: usize,
) -> Reading {
    let mut walk = Walker::new(options, path, breaks_before);
    // several items in another form than inbox data: one datum in pieces
    let one = || match data {
        [one] => one.clone(),
        several => several.concat().into(),
    };
    let content = match form {
        Form::Blob => walk.blob(&one()).map(Content::Blob),
        Form::Inbox => Some(Content::Inbox(walk.inbox(data))),
        Form::Commitment => walk.commitment(&one()).map(Content::Commitment),
        Form::Channel => Some(Content::Channel(walk.bare_channel(one().into()))),
        Form::Decompressed => Some(Content::Channel(walk.decompressed(&one()))),
        Form::Batch => Some(Content::Batch(walk.batch(0, 0, &one()).0)),
        Form::Transaction => Some(Content::Transaction(walk.bare_transaction(&one()))),
    };
    Reading {
        form,
        content,
        breaks: walk.breaks,
        break_count: walk.break_count,
        depth: walk.depth,
        unread: walk.unread,
    }
}

/// Tries forms; the best reading if any is worth it, and how the others fared.
pub(crate) fn detect(
    forms: &[Form],
    data: &[Bytes],
    options: &Options,
    path: &str,
) -> (Option<Reading>, Vec<Attempt>) {
    let mut best: Option<Reading> = None;
    let mut tried = Vec::new();
    for form in forms {
        let reading = read(*form, data, options, path.to_owned(), 0);
        let rank = |reading: &Reading| (reading.depth, reading.is_sound());
        let is_better = reading.depth > Depth::Nothing
            && best.as_ref().is_none_or(|best| rank(&reading) > rank(best));
        let lost = if is_better {
            best.replace(reading)
        } else {
            Some(reading)
        };
        tried.extend(lost.map(|lost| Attempt {
            form: lost.form,
            broken: lost.breaks.into_iter().next(),
        }));
    }
    let order = |attempt: &Attempt| forms.iter().position(|form| *form == attempt.form);
    tried.sort_by_key(order);
    (best, tried)
}
