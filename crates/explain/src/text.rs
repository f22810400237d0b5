//! The tree as indented text, for people.

use crate::{
    Form,
    tree::{
        Attempt, Batch, BatchContent, Blob, Break, Channel, Commitment, CommitmentKind,
        Compression, Content, Explanation, Frame, Inbox, Item, Listed, Missing, SingularBatch,
        SpanBatch, SpanBlock, Transaction, TxFields,
    },
};
use alloy_primitives::U256;
use core::fmt::{self, Display, Write};

/// Breaks repeated at the end.
const MAX_BREAKS: usize = 10;

/// A number with its digits in groups.
pub(crate) fn number(n: impl Display) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// So many things; `plural` is what more than one is called.
pub(crate) fn count(n: u64, one: &str, plural: &str) -> String {
    if n == 1 {
        format!("1 {one}")
    } else {
        format!("{} {plural}", number(n))
    }
}

pub(crate) fn bytes(n: u64) -> String {
    count(n, "byte", "bytes")
}

pub(crate) fn write(explanation: &Explanation, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = Text {
        explanation,
        out: f,
        indent: 0,
    };
    text.whole()
}

pub(crate) struct Text<'a, 'b> {
    explanation: &'a Explanation,
    out: &'a mut fmt::Formatter<'b>,
    indent: usize,
}

impl Text<'_, '_> {
    pub(crate) fn line(&mut self, text: impl Display) -> fmt::Result {
        for _ in 0..self.indent {
            self.out.write_str("  ")?;
        }
        writeln!(self.out, "{text}")
    }

    pub(crate) fn inside(&mut self, write: impl FnOnce(&mut Self) -> fmt::Result) -> fmt::Result {
        self.indent += 1;
        write(self)?;
        self.indent -= 1;
        Ok(())
    }

    /// Says that a node breaks.
    fn broken(&mut self, position: Option<usize>) -> fmt::Result {
        let Some(broken) = self.explanation.broken(position) else {
            return Ok(());
        };
        self.one_break("BREAKS ", broken)
    }

    fn one_break(&mut self, word: &str, broken: &Break) -> fmt::Result {
        self.line(format_args!("{word}{broken}"))?;
        if !broken.effect.is_empty() {
            self.inside(|text| text.line(format_args!("=> {}", broken.effect)))?;
        }
        Ok(())
    }

    fn list<T>(
        &mut self,
        list: &Listed<T>,
        plural: &str,
        mut write: impl FnMut(&mut Self, &T) -> fmt::Result,
    ) -> fmt::Result {
        list.items.iter().try_for_each(|item| write(self, item))?;
        match list.omitted() {
            0 => Ok(()),
            omitted => self.line(format_args!(
                "… {} more {plural}; --all or --json tells them",
                number(omitted)
            )),
        }
    }

    fn whole(&mut self) -> fmt::Result {
        let size = bytes(self.explanation.bytes);
        match (&self.explanation.form, &self.explanation.content) {
            (Some(form), content) => {
                self.line(format_args!("{}, {size}", form_title(*form)))?;
                if let Some(content) = content {
                    self.inside(|text| text.content(content))?;
                }
                self.summary()
            }
            (None, _) => {
                self.line(format_args!(
                    "{size} that fit no form. Tried, in this order:"
                ))?;
                self.inside(|text| text.attempts())
            }
        }
    }

    fn attempts(&mut self) -> fmt::Result {
        for Attempt { form, broken } in &self.explanation.tried {
            match broken {
                Some(broken) => self.line(format_args!("{form}: {broken}"))?,
                None => self.line(format_args!("{form}: nothing speaks for it"))?,
            }
        }
        Ok(())
    }

    fn summary(&mut self) -> fmt::Result {
        let explanation = self.explanation;
        match explanation.break_count {
            0 if explanation.sound => self.line("all of it reads"),
            0 => self.line("the limit on work was reached before the end"),
            breaks => {
                self.line(format_args!("{}:", count(breaks, "break", "breaks")))?;
                let shown = explanation.breaks.len().min(MAX_BREAKS);
                for broken in &explanation.breaks[..shown] {
                    self.inside(|text| text.one_break("", broken))?;
                }
                match breaks - shown as u64 {
                    0 => Ok(()),
                    more => self.inside(|text| text.line(format_args!("… {} more", number(more)))),
                }
            }
        }
    }

    fn content(&mut self, content: &Content) -> fmt::Result {
        match content {
            Content::Blob(blob) => self.blob(blob),
            Content::Inbox(inbox) => self.inbox(inbox),
            Content::Commitment(commitment) => self.commitment(commitment),
            Content::Channel(channel) => self.channel_content(channel),
            Content::Batch(batch) => self.batch(batch),
            Content::Transaction(transaction) => self.transaction(transaction),
        }
    }

    fn blob(&mut self, blob: &Blob) -> fmt::Result {
        self.line(format_args!(
            "encoding version {}, {} of data",
            blob.version,
            bytes(blob.length)
        ))?;
        self.broken(blob.broken)?;
        if let (Some(form), Some(data)) = (blob.form, &blob.data) {
            self.line(format_args!("{}", form_title(form)))?;
            self.inside(|text| text.content(data))?;
        }
        Ok(())
    }

    fn inbox(&mut self, inbox: &Inbox) -> fmt::Result {
        self.list(&inbox.items, "items", Self::item)?;
        self.list(&inbox.channels, "channels", Self::channel)
    }

    fn item(&mut self, item: &Item) -> fmt::Result {
        let version = match item.version {
            Some(version) => format!("derivation version {version}"),
            None => "no derivation version".to_owned(),
        };
        let index = item.index;
        let size = bytes(item.length);
        let frames = match (&item.commitment, item.frames.count) {
            (None, frames) if frames > 0 || item.version == Some(0) => {
                format!(", {}", count(frames, "frame", "frames"))
            }
            _ => String::new(),
        };
        self.line(format_args!("item {index}: {version}, {size}{frames}"))?;
        self.inside(|text| {
            if let Some(commitment) = &item.commitment {
                text.commitment(commitment)?;
            }
            text.list(&item.frames, "frames", Self::frame)?;
            text.broken(item.broken)
        })
    }

    fn frame(&mut self, frame: &Frame) -> fmt::Result {
        let last = if frame.is_last { ", the last one" } else { "" };
        self.line(format_args!(
            "frame {}: number {} of channel {}, {} of data{last}",
            frame.index,
            frame.number,
            frame.channel,
            bytes(frame.length)
        ))?;
        self.inside(|text| text.broken(frame.broken))
    }

    fn commitment(&mut self, commitment: &Commitment) -> fmt::Result {
        let version = if commitment.with_version {
            ""
        } else {
            ", without derivation version byte"
        };
        match &commitment.kind {
            CommitmentKind::Keccak { hash } => {
                self.line(format_args!("Keccak commitment {hash}{version}"))
            }
            CommitmentKind::Generic {
                layer,
                name,
                length,
                certificate,
            } => {
                let name = name.unwrap_or("unknown");
                self.line(format_args!(
                    "generic commitment{version}; DA layer {layer:#04x} ({name}), {}",
                    bytes(*length)
                ))?;
                let Some(certificate) = certificate else {
                    return Ok(());
                };
                self.inside(|text| text.certificate(certificate))
            }
        }
    }

    fn channel(&mut self, channel: &Channel) -> fmt::Result {
        match &channel.id {
            Some(id) => self.line(format_args!("channel {id}"))?,
            None => self.line("channel")?,
        }
        self.inside(|text| text.channel_content(channel))
    }

    fn channel_content(&mut self, channel: &Channel) -> fmt::Result {
        if let Some(frames) = channel.frames {
            let there = count(frames, "frame", "frames");
            let missing = match &channel.missing {
                Some(missing) => format!("incomplete: {}", missing_frames(missing)),
                None => "complete".to_owned(),
            };
            self.line(format_args!("{there}, {missing}"))?;
        }
        self.broken(channel.broken)?;
        if channel.unread {
            return self.line("not opened: the limit on work was reached");
        }
        let Some(compression) = channel.compression else {
            return Ok(());
        };
        let (compressed, read) = (bytes(channel.length), bytes(channel.decompressed));
        let batches = count(channel.batches.count, "batch", "batches");
        match compression {
            Compression::None => self.line(format_args!("decompressed: {read} read, {batches}"))?,
            Compression::Zlib => self.line(format_args!(
                "zlib: {compressed}, {read} decompressed, {batches}"
            ))?,
            Compression::Brotli => self.line(format_args!(
                "brotli: {compressed}, {read} decompressed, {batches}"
            ))?,
        }
        self.list(&channel.batches, "batches", Self::batch)
    }

    fn batch(&mut self, batch: &Batch) -> fmt::Result {
        let (index, size) = (batch.index, bytes(batch.length));
        let at = format!("{size} at byte {}", number(batch.offset));
        match &batch.content {
            BatchContent::Singular(singular) => {
                self.line(format_args!("batch {index}: singular, {at}"))?;
                self.inside(|text| {
                    text.trailing(batch)?;
                    text.broken(batch.broken)?;
                    text.singular(singular)
                })
            }
            BatchContent::Span(span) => {
                let blocks = count(span.blocks.count, "block", "blocks");
                self.line(format_args!("batch {index}: span of {blocks}, {at}"))?;
                self.inside(|text| {
                    text.trailing(batch)?;
                    text.broken(batch.broken)?;
                    text.span(span)
                })
            }
            BatchContent::Broken { batch_type, fields } => {
                let kind = match batch_type {
                    None => "empty".to_owned(),
                    Some(0) => "singular".to_owned(),
                    Some(1) => "span".to_owned(),
                    Some(other) => format!("type {other:#04x}"),
                };
                self.line(format_args!("batch {index}: {kind}, {at}"))?;
                self.inside(|text| {
                    fields.iter().try_for_each(|field| {
                        text.line(format_args!("{:<24}{}", field.name, field.value))
                    })?;
                    text.broken(batch.broken)
                })
            }
        }
    }

    fn trailing(&mut self, batch: &Batch) -> fmt::Result {
        match batch.trailing {
            0 => Ok(()),
            trailing => {
                let trailing = bytes(trailing);
                self.line(format_args!(
                    "{trailing} behind the last field, not looked at"
                ))
            }
        }
    }

    fn singular(&mut self, batch: &SingularBatch) -> fmt::Result {
        self.line(format_args!("parent        {}", batch.parent_hash))?;
        self.line(format_args!(
            "L1 origin     {} {}",
            batch.epoch_number, batch.epoch_hash
        ))?;
        self.line(format_args!("time          {}", batch.timestamp))?;
        self.line(format_args!(
            "transactions  {}",
            number(batch.transactions.count)
        ))?;
        self.inside(|text| text.list(&batch.transactions, "transactions", Self::transaction))
    }

    fn span(&mut self, span: &SpanBatch) -> fmt::Result {
        let time = match span.timestamp {
            Some(time) => format!("{time}, "),
            None => String::new(),
        };
        self.line(format_args!(
            "first block   {time}{} s after L2 genesis",
            number(span.rel_timestamp)
        ))?;
        self.line(format_args!("parent check  {}", span.parent_check))?;
        self.line(format_args!(
            "L1 origins    {} to {}, {} set",
            span.first_l1_origin_number,
            span.l1_origin_number,
            count(span.origin_changes, "origin bit", "origin bits"),
        ))?;
        self.line(format_args!("origin check  {}", span.l1_origin_check))?;
        self.line(format_args!(
            "transactions  {}",
            number(span.transaction_count)
        ))?;
        if !span.rebuilt && span.transaction_count > 0 {
            self.line(
                "The chain id is not known (--rollup.config or --l2-chain-id): transactions that \
                 name it",
            )?;
            self.line("cannot be put together, and are told without chain id, hash and sender.")?;
        }
        self.list(&span.blocks, "blocks", Self::block)
    }

    fn block(&mut self, block: &SpanBlock) -> fmt::Result {
        let time = match (block.timestamp, block.time_offset) {
            (Some(time), _) => format!("time {time}, "),
            (None, Some(offset)) => format!("{} s after the first, ", number(offset)),
            (None, None) => String::new(),
        };
        let new = if block.origin_bit { " (new)" } else { "" };
        self.line(format_args!(
            "block {}: {time}L1 origin {}{new}, {}",
            block.index,
            block.epoch_number,
            count(block.transactions.count, "transaction", "transactions")
        ))?;
        self.inside(|text| text.list(&block.transactions, "transactions", Self::transaction))
    }

    fn transaction(&mut self, transaction: &Transaction) -> fmt::Result {
        let kind = match transaction.tx_type {
            None => "no type".to_owned(),
            Some(0) => "legacy".to_owned(),
            Some(tx_type) => match type_name(tx_type) {
                Some(name) => format!("{tx_type:#04x} ({name})"),
                None => format!("{tx_type:#04x}"),
            },
        };
        let hash = match transaction.hash {
            Some(hash) => format!(" {hash}"),
            None => String::new(),
        };
        let size = bytes(transaction.length);
        self.line(format_args!(
            "tx {}:{hash} {kind}, {size}",
            transaction.index
        ))?;
        self.inside(|text| {
            text.broken(transaction.broken)?;
            if let Some(fields) = &transaction.fields {
                text.fields(fields)?;
            }
            match &transaction.data {
                Some(data) => {
                    text.line("its data is inbox data")?;
                    text.inside(|text| text.content(data))
                }
                None => Ok(()),
            }
        })
    }

    fn fields(&mut self, fields: &TxFields) -> fmt::Result {
        let from = match fields.from {
            Some(from) => format!("from {from} "),
            None => String::new(),
        };
        let to = match fields.to {
            Some(to) => format!("to {to}"),
            None => "creates a contract".to_owned(),
        };
        self.line(format_args!("{from}{to}"))?;
        let mut text = format!(
            "nonce {}, value {}, gas {}",
            fields.nonce,
            amount(fields.value),
            number(fields.gas)
        );
        if let Some(price) = fields.gas_price {
            write!(text, " at {}", amount(price))?;
        }
        if let Some(max) = fields.max_fee {
            write!(text, " at most {}", amount(max))?;
        }
        if let Some(priority) = fields.max_priority_fee {
            write!(text, ", {} of it priority", amount(priority))?;
        }
        if let Some(currency) = fields.fee_currency {
            write!(text, ", in {currency}")?;
        }
        write!(text, ", {} of data", bytes(fields.data_length))?;
        if let Some(selector) = fields.selector {
            write!(text, ", selector {selector}")?;
        }
        self.line(text)
    }
}

const fn form_title(form: Form) -> &'static str {
    match form {
        Form::Blob => "blob",
        Form::Inbox => "inbox data",
        Form::Commitment => "alt-DA commitment",
        Form::Channel => "channel, compressed",
        Form::Decompressed => "channel, decompressed",
        Form::Batch => "batch",
        Form::Transaction => "transaction",
    }
}

const fn type_name(tx_type: u8) -> Option<&'static str> {
    Some(match tx_type {
        1 => "EIP-2930",
        2 => "EIP-1559",
        3 => "EIP-4844",
        4 => "EIP-7702",
        0x7b => "CIP-64",
        0x7d => "PostExec",
        0x7e => "deposit",
        _ => return None,
    })
}

/// An amount: in the largest of the usual units that shows it exactly and short.
fn amount(wei: U256) -> String {
    let units = [
        (U256::from(1_000_000_000_000_000_u64), "ether"),
        (U256::from(1_000_000_u64), "gwei"),
    ];
    for (thousandth, name) in units {
        if wei.is_zero() || wei % thousandth != U256::ZERO {
            continue;
        }
        let thousandths = wei / thousandth;
        let (whole, rest) = thousandths.div_rem(U256::from(1000));
        let rest = format!("{:0>3}", rest.to_string());
        let rest = rest.trim_end_matches('0');
        let point = if rest.is_empty() { "" } else { "." };
        return format!("{}{point}{rest} {name}", number(whole));
    }
    format!("{} wei", number(wei))
}

fn missing_frames(missing: &Missing) -> String {
    let mut parts: Vec<String> = missing
        .ranges
        .iter()
        .map(|(first, last)| {
            if first == last {
                format!("frame {first}")
            } else {
                format!("frames {first} to {last}")
            }
        })
        .collect();
    if missing.end {
        parts.push("the last frame".to_owned());
    }
    let verb = if parts.len() == 1 && !parts[0].starts_with("frames") {
        "is"
    } else {
        "are"
    };
    format!("{} {verb} missing", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        let numbers = [0, 12, 123, 1_234, 123_456, 1_234_567];
        let expected = ["0", "12", "123", "1,234", "123,456", "1,234,567"];
        assert_eq!(numbers.map(number), expected);
    }

    #[test]
    fn an_amount_is_exact_in_whichever_unit() {
        let amounts = [
            (0_u128, "0 wei"),
            (1, "1 wei"),
            (1_000_001, "1,000,001 wei"),
            (1_000_000, "0.001 gwei"),
            (1_500_000_000, "1.5 gwei"),
            (20_000_000_000, "20 gwei"),
            (1_000_000_000_000_000, "0.001 ether"),
            (1_234_000_000_000_000_000_000, "1,234 ether"),
        ];
        for (wei, expected) in amounts {
            assert_eq!(amount(U256::from(wei)), expected);
        }
    }

    #[test]
    fn missing_frames_are_a_sentence() {
        let sentence = |ranges: &[(u16, u16)], end| {
            let ranges = ranges.to_vec();
            missing_frames(&Missing { ranges, end })
        };
        assert_eq!(sentence(&[(0, 0)], false), "frame 0 is missing");
        assert_eq!(sentence(&[(0, 2)], false), "frames 0 to 2 are missing");
        assert_eq!(
            sentence(&[(0, 2), (5, 5)], true),
            "frames 0 to 2, frame 5, the last frame are missing"
        );
    }
}
