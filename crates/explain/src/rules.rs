//! Which rule a break cites, and what derivation does then.

use doppio_compression::{ReadError, ReadErrorKind};
use doppio_derive::DropReason;
use doppio_protocol::{
    batch::{BatchError, SpanDecodeError, SpanField},
    frame::FrameError,
};

/// The rule of the specification that a reason stands for: the one of [`DropReason::rule`], or
/// where the reason says more, the very row.
pub(crate) const fn rule(reason: &DropReason) -> &'static str {
    match reason {
        DropReason::Frames(FrameError::Empty | FrameError::Version(_)) => "opstack 2.1 |3",
        DropReason::Frames(FrameError::NoFrames) => "opstack 2.1 |1",
        DropReason::Commitment(_) => "opstack 2.1 |2",
        DropReason::ChannelRead(ReadError {
            kind: ReadErrorKind::OverBudget { .. },
            ..
        }) => "opstack 2.8 |1",
        DropReason::BatchDecode(BatchError::Singular(_)) => "opstack 2.6",
        DropReason::BatchDecode(BatchError::Span(error)) => span_rule(error),
        DropReason::SpanTransactions(_) => "opstack 2.7",
        other => other.rule(),
    }
}

/// The row of a span batch's field.
const fn span_rule(error: &SpanDecodeError) -> &'static str {
    let field = match error {
        SpanDecodeError::Truncated(field)
        | SpanDecodeError::Varint(field, _)
        | SpanDecodeError::TooMany(field)
        | SpanDecodeError::ExcessBits(field) => *field,
        SpanDecodeError::Empty => SpanField::BlockCount,
        SpanDecodeError::NotAList(_) | SpanDecodeError::TxTooLong(_) => SpanField::TxDatas,
    };
    match field {
        SpanField::RelTimestamp => "opstack 2.7 #1",
        SpanField::L1OriginNum => "opstack 2.7 #2",
        SpanField::ParentCheck => "opstack 2.7 #3",
        SpanField::L1OriginCheck => "opstack 2.7 #4",
        SpanField::BlockCount => "opstack 2.7 #5",
        SpanField::OriginBits => "opstack 2.7 #6",
        SpanField::BlockTxCounts => "opstack 2.7 #7",
        SpanField::ContractCreationBits => "opstack 2.7 #8",
        SpanField::YParityBits => "opstack 2.7 #9",
        SpanField::TxSigs => "opstack 2.7 #10",
        SpanField::TxTos => "opstack 2.7 #11",
        SpanField::TxDatas => "opstack 2.7 #12",
        SpanField::TxNonces => "opstack 2.7 #13",
        SpanField::TxGases => "opstack 2.7 #14",
        SpanField::ProtectedBits => "opstack 2.7 #15",
    }
}

/// What derivation does with what breaks.
pub(crate) const fn effect(reason: &DropReason, in_order: bool) -> &'static str {
    match reason {
        DropReason::FrameOrder(_) | DropReason::FrameWithoutChannel | DropReason::Frame(_) => {
            "the frame is left out"
        }
        DropReason::ChannelReplaced | DropReason::ChannelTooLarge | DropReason::ChannelOpen(_) => {
            "the whole channel is dropped"
        }
        DropReason::ChannelRead(_) | DropReason::BatchDecode(_) => {
            "the rest of the channel is dropped; what stands before it counts"
        }
        DropReason::SpanBeforeDelta | DropReason::SpanTransactions(_) => {
            "the batch is dropped; the channel goes on behind it"
        }
        DropReason::Batch(_) if in_order => {
            "the block is dropped, and the rest of its channel with it"
        }
        DropReason::Batch(_) => "the batch is dropped",
        _ => "the whole item is ignored",
    }
}

/// The rule about transactions that derivation passes on and the execution layer cannot read.
// spec: opstack 3.8
pub(crate) const EXECUTION_RULE: &str = "opstack 3.8";

/// What becomes of a block with such a transaction.
pub(crate) const fn execution_effect(in_order: bool) -> &'static str {
    if in_order {
        "the execution layer refuses the block: only its deposits stay, and the rest of its \
         channel is dropped"
    } else {
        "the execution layer refuses the block"
    }
}
