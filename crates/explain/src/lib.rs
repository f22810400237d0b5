//! What bytes hold, layer by layer, or where and by which rule they break.
//!
//! [`explain`] takes bytes that somebody found on L1, in a blob or in a log, and says what an OP
//! Stack node reads in them: inbox data → frames → channels → batches → transactions. The result
//! is a typed tree, [`Explanation`]: it prints as indented text and serialises as JSON. Where the
//! bytes break, it says at which byte, by which rule of the specification, and what derivation
//! does then ([`Break`]); whatever stands before the break is kept.
//!
//! ```text
//!   text ─ input ─► items ─ form (which form is it?) ─► walk ─► tree ─► text, JSON
//!                                       inbox → assembly → channel → batch → transaction
//! ```
//!
//! Of an EigenDA certificate every field is told, and of every check whether it holds, is broken, or
//! needs the state of L1, and which.
//!
//! The verdicts are those of `doppio-derive`, as far as they can be reached without the chain: the
//! reasons are its own type, and the formats are read by `doppio-protocol` and
//! `doppio-compression`. Whether a batch fits the safe head is not looked at.
//!
//! Everything here is pure. No bytes make it panic, the same bytes give the same tree, and work
//! and memory are bounded by [`Options::detail`] and [`Options::max_decompressed`].

mod assembly;
mod batch;
mod broken;
mod certificate;
mod certificate_text;
mod channel;
mod eigenda;
mod form;
mod inbox;
mod input;
mod options;
mod rules;
mod text;
mod transaction;
mod tree;
mod walk;

pub use certificate::{
    BlobContent, CertificateBreak, CertificateCheck, CertificateContent, CheckVerdict,
    FirstCertificate, FirstQuorum, L1State, NonSigner, SignedQuorum, StateOf,
};
pub use form::{Form, UnknownForm, explain};
pub use input::{InputError, parse_hex, parse_input};
pub use options::{AltDa, Chain, Detail, Options, Rules};
pub use tree::{
    Attempt, Batch, BatchContent, Blob, Break, Certificate, Channel, Commitment, CommitmentKind,
    Compression, Content, Explanation, Field, Frame, Inbox, Item, Listed, Missing, SingularBatch,
    SpanBatch, SpanBlock, Transaction, TxFields,
};
