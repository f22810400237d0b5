//! Numbers in Espresso's JSON: some plain, some as decimal and some as hexadecimal text.
//!
//! Whichever of the three a service sends is read. What is printed is what the services print.
// spec: espresso 2.4

use alloy_primitives::U256;
use serde::{Deserialize, Deserializer, Serializer, de::Error};

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Plain(u64),
    Text(String),
}

fn read<'de, D: Deserializer<'de>>(from: D) -> Result<U256, D::Error> {
    let text = match Number::deserialize(from)? {
        Number::Plain(number) => return Ok(U256::from(number)),
        Number::Text(text) => text,
    };
    let (digits, radix) = match text.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        None => (text.as_str(), 10),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(D::Error::custom(
            "a number has another character than digits",
        ));
    }
    U256::from_str_radix(digits, u64::from(radix))
        .map_err(|_| D::Error::custom("a number has more than 256 bits"))
}

/// 256 bits, printed as decimal text.
pub(crate) mod decimal {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(number: &U256, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(number)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<U256, D::Error> {
        read(from)
    }
}

/// 256 bits that need not be there, printed as decimal text.
pub(crate) mod optional_decimal {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(n: &Option<U256>, to: S) -> Result<S::Ok, S::Error> {
        match n {
            Some(number) => to.collect_str(number),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D>(from: D) -> Result<Option<U256>, D::Error>
    where
        D: Deserializer<'de>,
    {
        #[derive(Deserialize)]
        struct Inner(#[serde(deserialize_with = "read")] U256);
        Ok(Option::<Inner>::deserialize(from)?.map(|inner| inner.0))
    }
}

/// 256 bits, printed as hexadecimal text.
pub(crate) mod hexadecimal {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(number: &U256, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{number:#x}"))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<U256, D::Error> {
        read(from)
    }
}

/// 64 bits, printed as decimal text.
pub(crate) mod decimal_u64 {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(number)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let number = read(from)?;
        u64::try_from(number).map_err(|_| D::Error::custom("a number has more than 64 bits"))
    }
}

/// Bytes, as base64 with padding.
pub(crate) mod base64_bytes {
    use super::*;
    use alloy_primitives::Bytes;
    use base64::{Engine, engine::general_purpose::STANDARD};
    use std::borrow::Cow;

    pub(crate) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = Cow::<'de, str>::deserialize(from)?;
        let bytes = STANDARD.decode(text.as_ref());
        bytes.map(Bytes::from).map_err(D::Error::custom)
    }
}
