//! The contracts that the made chains call, in bytecode.

use alloy_primitives::{Address, B256, U256, address, hex, keccak256};

/// The token.
pub(crate) const TOKEN: Address = address!("00000000000000000000000000000000d0bb1070");
/// The contract that writes storage.
pub(crate) const WRITER: Address = address!("00000000000000000000000000000000d0bb1071");

/// Topic 0 of `Transfer(address,address,uint256)`.
pub(crate) const TRANSFER: &str =
    "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";

/// `transfer(address,uint256)` and `balanceOf(address)` of a token whose balances are a mapping in
/// slot 0. A transfer beyond the balance reverts; a good one leaves a `Transfer` log and returns 1.
pub(crate) fn token() -> Vec<u8> {
    let code = [
        // 00: the selector; on to 1b or 7b, or revert
        "5f3560e01c 80 63a9059cbb 14 601b 57 6370a08231 14 607b 57 5f5ffd".to_owned(),
        // 1b: slot of the caller's balance; the balance; the amount
        "5b 50 335f52 5f602052 60405f20 8054 602435".to_owned(),
        // revert if the balance is less; else take the amount away
        "808210 609057 8091 03 9091 55".to_owned(),
        // the recipient's balance and the amount
        "6004355f52 60405f20 8054 8201 9055".to_owned(),
        // the log
        format!("5f52 600435 33 7f{TRANSFER} 6020 5f a3"),
        "60015f52 60205ff3".to_owned(),
        // 7b: balanceOf
        "5b 6004355f52 5f602052 60405f20 54 5f52 60205ff3".to_owned(),
        // 90: the end of a bad transfer
        "5b 5f5ffd".to_owned(),
    ];
    assemble(&code.concat())
}

/// Writes one value to slots that follow one another. Calldata: first slot, number, value.
pub(crate) fn writer() -> Vec<u8> {
    assemble("5f35 602035 5b 8015601c57 60403582 55 60019003 90600101 90 600556 5b00")
}

fn assemble(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    hex::decode(digits).unwrap_or_default()
}

/// The slot of a holder's balance.
pub(crate) fn balance_slot(holder: Address) -> B256 {
    keccak256([holder.into_word(), B256::ZERO].concat())
}

/// Calldata of a transfer.
pub(crate) fn transfer(to: Address, amount: u64) -> Vec<u8> {
    let amount = B256::from(U256::from(amount));
    [&hex!("a9059cbb")[..], &to.into_word()[..], &amount[..]].concat()
}

/// Calldata of the writer.
pub(crate) fn write(first: u64, number: u64, value: u64) -> Vec<u8> {
    [first, number, value]
        .map(|word| B256::from(U256::from(word)).0)
        .concat()
}
