//! RLP of EigenDA's structures: lists of fields in order, each read strictly and to its end.

use crate::coordinates::{G1Coordinates, G2Coordinates};
use alloy_primitives::{B256, Bytes, U256};
use doppio_protocol::rlp::{
    self, Item, RlpError, header_length, next_element, next_item, put_list_header,
};

/// The fields of a list that are still to be read.
#[derive(Debug)]
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Reads something that must take all bytes.
    pub(crate) fn whole<T>(
        bytes: &'a [u8],
        read: impl FnOnce(&mut Self) -> Result<T, RlpError>,
    ) -> Result<T, RlpError> {
        let mut fields = Self(bytes);
        let value = read(&mut fields)?;
        if fields.0.is_empty() {
            Ok(value)
        } else {
            Err(RlpError::WrongElementCount)
        }
    }

    /// The next field.
    fn item(&mut self) -> Result<Item<'a>, RlpError> {
        if self.0.is_empty() {
            return Err(RlpError::WrongElementCount);
        }
        next_item(&mut self.0)
    }

    /// Reads a list whose elements `read` must use up.
    pub(crate) fn list<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, RlpError>,
    ) -> Result<T, RlpError> {
        let payload = self.item()?.list()?;
        Self::whole(payload, read)
    }

    /// Reads a list of any number of elements of one kind.
    pub(crate) fn list_of<T>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, RlpError>,
    ) -> Result<Vec<T>, RlpError> {
        let mut payload = self.item()?.list()?;
        let mut elements = Vec::new();
        while let Some(item) = next_element(&mut payload)? {
            elements.push(Self::whole(item.raw, &read)?);
        }
        Ok(elements)
    }

    pub(crate) fn bytes(&mut self) -> Result<Bytes, RlpError> {
        Ok(Bytes::copy_from_slice(self.item()?.string()?))
    }

    pub(crate) fn hash(&mut self) -> Result<B256, RlpError> {
        Ok(B256::from(*self.item()?.fixed::<32>()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, RlpError> {
        let item = self.item()?;
        u32::try_from(item.u64()?).map_err(|_| RlpError::WrongLength(item.payload.len()))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, RlpError> {
        let item = self.item()?;
        u16::try_from(item.u64()?).map_err(|_| RlpError::WrongLength(item.payload.len()))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, RlpError> {
        let item = self.item()?;
        u8::try_from(item.u64()?).map_err(|_| RlpError::WrongLength(item.payload.len()))
    }

    pub(crate) fn u32s(&mut self) -> Result<Vec<u32>, RlpError> {
        self.list_of(Self::u32)
    }

    fn u256(&mut self) -> Result<U256, RlpError> {
        Ok(U256::from_be_slice(self.item()?.uint(32)?))
    }

    pub(crate) fn g1(&mut self) -> Result<G1Coordinates, RlpError> {
        self.list(|fields| {
            Ok(G1Coordinates {
                x: fields.u256()?,
                y: fields.u256()?,
            })
        })
    }

    pub(crate) fn g2(&mut self) -> Result<G2Coordinates, RlpError> {
        let pair = |fields: &mut Self| fields.list(|fields| Ok([fields.u256()?, fields.u256()?]));
        self.list(|fields| {
            Ok(G2Coordinates {
                x: pair(fields)?,
                y: pair(fields)?,
            })
        })
    }
}

/// RLP as it is written.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    /// Writes a list of what `write` writes.
    pub(crate) fn list(&mut self, write: impl FnOnce(&mut Self)) {
        let mut payload = Self::default();
        write(&mut payload);
        self.0
            .reserve(header_length(payload.0.len()) + payload.0.len());
        put_list_header(payload.0.len(), &mut self.0);
        self.0.append(&mut payload.0);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        rlp::put_string(bytes, &mut self.0);
    }

    pub(crate) fn number(&mut self, number: u64) {
        rlp::put_u64(number, &mut self.0);
    }

    pub(crate) fn numbers(&mut self, numbers: &[u32]) {
        self.list(|out| numbers.iter().for_each(|n| out.number((*n).into())));
    }

    fn u256(&mut self, number: &U256) {
        rlp::put_uint(&number.to_be_bytes::<32>(), &mut self.0);
    }

    pub(crate) fn g1(&mut self, point: &G1Coordinates) {
        self.list(|out| {
            out.u256(&point.x);
            out.u256(&point.y);
        });
    }

    pub(crate) fn g2(&mut self, point: &G2Coordinates) {
        self.list(|out| {
            for coordinate in [&point.x, &point.y] {
                out.list(|out| coordinate.iter().for_each(|part| out.u256(part)));
            }
        });
    }
}
