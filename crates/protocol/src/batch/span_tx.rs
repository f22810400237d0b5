//! One transaction of a span batch, put back together.
//!
//! A span batch holds a transaction's RLP fields apart from its nonce, gas, recipient and
//! signature. Because only canonical RLP is accepted, fields are never decoded into numbers: their
//! encodings are checked and copied.

use super::{POST_EXEC_TX_TYPE, SET_CODE_TX_TYPE, SpanParams, TransactionListBuilder};
use crate::rlp::{self, Item, RlpError};
use thiserror::Error;

/// Type byte of Celo's CIP-64 transactions.
const CELO_DYNAMIC_FEE_V2: u8 = 0x7b;

/// Why a transaction cannot be put together.
// spec: opstack 2.7 |1 |2 |3 |4 |5
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TxFieldError {
    /// A type that span batches of this chain do not hold.
    #[error("type {0:#04x} is not allowed in span batches")]
    Type(u8),
    /// A field is not what its type has there.
    #[error("field {field}: {error}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// What is wrong with it.
        error: RlpError,
    },
    /// A SetCode transaction that creates a contract.
    #[error("a SetCode transaction has no recipient")]
    SetCodeWithoutRecipient,
}

/// The fields of a transaction that stand apart from its data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope<'a> {
    pub(super) nonce: u64,
    pub(super) gas: u64,
    /// 20 bytes, or none for a creation.
    pub(super) to: Option<&'a [u8]>,
    pub(super) y_parity: bool,
    /// Of a legacy transaction: whether its signature names the chain (EIP-155).
    pub(super) is_protected: bool,
    pub(super) r: &'a [u8],
    pub(super) s: &'a [u8],
    pub(super) chain_id: u64,
}

/// The fields of a transaction that stand in its data, each still encoded.
#[derive(Clone, Copy, Debug)]
pub(super) enum TxFields<'a> {
    Legacy {
        value: &'a [u8],
        gas_price: &'a [u8],
        data: &'a [u8],
    },
    Typed(TypedFields<'a>),
    PostExec {
        payload: &'a [u8],
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct TypedFields<'a> {
    tx_type: u8,
    value: &'a [u8],
    /// Gas price, or priority fee and maximum fee: adjacent in both forms.
    fees: &'a [u8],
    data: &'a [u8],
    /// Access list, and whatever the type has behind it.
    tail: &'a [u8],
}

/// Takes named fields off a list.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next(&mut self, field: &'static str) -> Result<Item<'a>, TxFieldError> {
        rlp::next_element(&mut self.0)
            .and_then(|item| item.ok_or(RlpError::WrongElementCount))
            .map_err(|error| TxFieldError::Field { field, error })
    }

    /// An integer. Those that the reference decodes into unbounded integers are not bounded here
    /// either: the execution layer refuses what is too large.
    fn uint(&mut self, field: &'static str, max_bytes: usize) -> Result<&'a [u8], TxFieldError> {
        let item = self.next(field)?;
        item.uint(max_bytes)
            .map_err(|error| TxFieldError::Field { field, error })?;
        Ok(item.raw)
    }

    fn string(&mut self, field: &'static str) -> Result<&'a [u8], TxFieldError> {
        let item = self.next(field)?;
        item.string()
            .map_err(|error| TxFieldError::Field { field, error })?;
        Ok(item.raw)
    }

    fn checked(
        &mut self,
        field: &'static str,
        check: impl Fn(&Item<'_>) -> Result<(), RlpError>,
    ) -> Result<(), TxFieldError> {
        let item = self.next(field)?;
        check(&item).map_err(|error| TxFieldError::Field { field, error })
    }

    const fn end(&self) -> Result<(), TxFieldError> {
        match self.0 {
            [] => Ok(()),
            _ => Err(TxFieldError::Field {
                field: "transaction",
                error: RlpError::WrongElementCount,
            }),
        }
    }
}

fn for_each_element(
    mut list: &[u8],
    check: impl Fn(&Item<'_>) -> Result<(), RlpError>,
) -> Result<(), RlpError> {
    while let Some(item) = rlp::next_element(&mut list)? {
        check(&item)?;
    }
    Ok(())
}

/// `[[address, [slot…]]…]`
fn check_access_list(list: &Item<'_>) -> Result<(), RlpError> {
    for_each_element(list.list()?, |entry| {
        let mut entry = entry.list()?;
        rlp::next_item(&mut entry)?.fixed::<20>()?;
        let slots = rlp::next_item(&mut entry)?;
        for_each_element(slots.list()?, |slot| slot.fixed::<32>().map(|_| ()))?;
        if entry.is_empty() {
            Ok(())
        } else {
            Err(RlpError::WrongElementCount)
        }
    })
}

/// `[[chain id, address, nonce, y parity, r, s]…]`
fn check_authorization_list(list: &Item<'_>) -> Result<(), RlpError> {
    for_each_element(list.list()?, |entry| {
        let mut entry = entry.list()?;
        rlp::next_item(&mut entry)?.uint(32)?;
        rlp::next_item(&mut entry)?.fixed::<20>()?;
        rlp::next_item(&mut entry)?.uint(8)?;
        rlp::next_item(&mut entry)?.uint(1)?;
        rlp::next_item(&mut entry)?.uint(32)?;
        rlp::next_item(&mut entry)?.uint(32)?;
        if entry.is_empty() {
            Ok(())
        } else {
            Err(RlpError::WrongElementCount)
        }
    })
}

/// An address or nothing.
fn check_optional_address(item: &Item<'_>) -> Result<(), RlpError> {
    match item.string()?.len() {
        0 | 20 => Ok(()),
        other => Err(RlpError::WrongLength(other)),
    }
}

impl<'a> TxFields<'a> {
    /// Takes one transaction's data off the front of `input`.
    // spec: opstack 2.7 |1 |2 |3 |4 |5, opstack-2026-09 2 *10
    pub(super) fn take(input: &mut &'a [u8], params: &SpanParams) -> Result<Self, TxFieldError> {
        let tx_type = match input.split_first() {
            Some((byte @ 0..=0x7f, rest)) => {
                *input = rest;
                Some(*byte)
            }
            _ => None,
        };
        let list = rlp::next_item(input).map_err(|error| TxFieldError::Field {
            field: "transaction",
            error,
        })?;
        let fields = Fields(list.payload);
        match tx_type {
            None => Self::legacy(fields),
            Some(0x01) => Self::typed(0x01, fields, 1, usize::MAX, |_| Ok(())),
            Some(0x02) => Self::typed(0x02, fields, 2, usize::MAX, |_| Ok(())),
            Some(SET_CODE_TX_TYPE) => Self::typed(SET_CODE_TX_TYPE, fields, 2, 32, |fields| {
                fields.checked("authorizationList", check_authorization_list)
            }),
            Some(CELO_DYNAMIC_FEE_V2) if params.celo_dynamic_fee_v2 => {
                Self::typed(CELO_DYNAMIC_FEE_V2, fields, 2, usize::MAX, |fields| {
                    fields.checked("feeCurrency", check_optional_address)
                })
            }
            Some(POST_EXEC_TX_TYPE) if params.post_exec => Ok(Self::PostExec { payload: list.raw }),
            // spec: opstack-2026-09 2 *11
            Some(other) => Err(TxFieldError::Type(other)),
        }
    }

    fn legacy(mut fields: Fields<'a>) -> Result<Self, TxFieldError> {
        let value = fields.uint("value", usize::MAX)?;
        let gas_price = fields.uint("gasPrice", usize::MAX)?;
        let data = fields.string("data")?;
        fields.end()?;
        Ok(Self::Legacy {
            value,
            gas_price,
            data,
        })
    }

    fn typed(
        tx_type: u8,
        mut fields: Fields<'a>,
        fee_count: usize,
        max_bytes: usize,
        check_rest: impl Fn(&mut Fields<'a>) -> Result<(), TxFieldError>,
    ) -> Result<Self, TxFieldError> {
        const FEES: [&str; 2] = ["maxPriorityFeePerGas", "maxFeePerGas"];
        let value = fields.uint("value", max_bytes)?;
        let from_fees = fields.0;
        for name in &FEES[2 - fee_count..] {
            fields.uint(name, max_bytes)?;
        }
        let fees = &from_fees[..from_fees.len() - fields.0.len()];
        let data = fields.string("data")?;
        let tail = fields.0;
        fields.checked("accessList", check_access_list)?;
        check_rest(&mut fields)?;
        fields.end()?;
        Ok(Self::Typed(TypedFields {
            tx_type,
            value,
            fees,
            data,
            tail,
        }))
    }

    /// Checks the rule about recipients: SetCode transactions have one.
    // spec: opstack 2.7 |4
    pub(super) const fn check_recipient(&self, is_creation: bool) -> Result<(), TxFieldError> {
        match self {
            Self::Typed(TypedFields {
                tx_type: SET_CODE_TX_TYPE,
                ..
            }) if is_creation => Err(TxFieldError::SetCodeWithoutRecipient),
            _ => Ok(()),
        }
    }

    /// Appends the whole transaction, EIP-2718 encoded.
    // spec: opstack 2.7
    pub(super) fn write(
        &self,
        envelope: &Envelope<'_>,
        out: &mut TransactionListBuilder,
    ) -> Result<(), TxFieldError> {
        self.check_recipient(envelope.to.is_none())?;
        let Envelope {
            nonce,
            gas,
            to,
            r,
            s,
            chain_id,
            ..
        } = *envelope;
        let y_parity = u64::from(envelope.y_parity);
        let to = Piece::String(to.unwrap_or_default());
        match *self {
            Self::Legacy {
                value,
                gas_price,
                data,
            } => {
                let v = if envelope.is_protected {
                    2 * u128::from(chain_id) + 35 + u128::from(y_parity)
                } else {
                    27 + u128::from(y_parity)
                };
                write_list(
                    None,
                    &[
                        Piece::Number(nonce.into()),
                        Piece::Encoded(gas_price),
                        Piece::Number(gas.into()),
                        to,
                        Piece::Encoded(value),
                        Piece::Encoded(data),
                        Piece::Number(v),
                        Piece::Word(r),
                        Piece::Word(s),
                    ],
                    out,
                );
            }
            Self::Typed(TypedFields {
                tx_type,
                value,
                fees,
                data,
                tail,
            }) => write_list(
                Some(tx_type),
                &[
                    Piece::Number(chain_id.into()),
                    Piece::Number(nonce.into()),
                    Piece::Encoded(fees),
                    Piece::Number(gas.into()),
                    to,
                    Piece::Encoded(value),
                    Piece::Encoded(data),
                    Piece::Encoded(tail),
                    Piece::Number(y_parity.into()),
                    Piece::Word(r),
                    Piece::Word(s),
                ],
                out,
            ),
            Self::PostExec { payload } => {
                let buffer = out.push_with_length(1 + payload.len());
                buffer.push(POST_EXEC_TX_TYPE);
                buffer.extend_from_slice(payload);
            }
        }
        Ok(())
    }
}

/// A field of a transaction on its way out.
#[derive(Clone, Copy)]
enum Piece<'a> {
    /// RLP already: one field or several.
    Encoded(&'a [u8]),
    /// An integer.
    Number(u128),
    /// An integer by its bytes, with leading zeros.
    Word(&'a [u8]),
    /// A recipient, which is never a single byte.
    String(&'a [u8]),
}

impl Piece<'_> {
    fn encoded_len(&self) -> usize {
        match self {
            Self::Encoded(bytes) => bytes.len(),
            Self::Number(n) => match u64::try_from(*n) {
                Ok(n) => rlp::u64_length(n),
                Err(_) => rlp::uint_length(&n.to_be_bytes()),
            },
            Self::Word(bytes) => rlp::uint_length(bytes),
            Self::String(bytes) => 1 + bytes.len(),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Encoded(bytes) => out.extend_from_slice(bytes),
            Self::Number(n) => rlp::put_uint(&n.to_be_bytes(), out),
            Self::Word(bytes) => rlp::put_uint(bytes, out),
            Self::String(bytes) => rlp::put_string(bytes, out),
        }
    }
}

fn write_list(tx_type: Option<u8>, pieces: &[Piece<'_>], out: &mut TransactionListBuilder) {
    let payload: usize = pieces.iter().map(Piece::encoded_len).sum();
    let type_length = usize::from(tx_type.is_some());
    let buffer = out.push_with_length(type_length + rlp::header_length(payload) + payload);
    buffer.extend(tx_type);
    rlp::put_list_header(payload, buffer);
    pieces.iter().for_each(|piece| piece.write(buffer));
}
