//! What traffic consists of: which transaction is next, and its bytes. It follows from a seed.

use crate::{Account, Call, Deposit, contracts::abi};
use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};

/// Wrapped ether, an ERC-20 that each OP chain has.
pub(super) const WETH: Address = address!("4200000000000000000000000000000000000006");
/// Init code of a contract that stores the second word of its calldata at the first:
/// `sstore(calldataload(0), calldataload(32))`.
pub(super) const STORE: [u8; 17] = [
    0x67, 0x60, 0x20, 0x35, 0x60, 0x00, 0x35, 0x55, 0x00, // the code: push8
    0x60, 0x00, 0x52, // mstore at 0, right-aligned
    0x60, 0x08, 0x60, 0x18, 0xf3, // return the last 8 bytes
];
/// Bytes of code that a contract of traffic has at most.
const MAX_CODE: u64 = 4_000;
/// Bytes of large calldata.
const CALLDATA: std::ops::Range<u64> = 5_000..40_000;
/// Gas that a deposit may use on L2.
const DEPOSIT_GAS: u64 = 100_000;

/// A kind of transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Transfer,
    Token,
    Storage,
    Contract,
    Calldata,
    Deposit,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::Transfer,
        Self::Token,
        Self::Storage,
        Self::Contract,
        Self::Calldata,
        Self::Deposit,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Token => "token",
            Self::Storage => "storage",
            Self::Contract => "contract",
            Self::Calldata => "calldata",
            Self::Deposit => "deposit",
        }
    }

    /// How many of a hundred are of this kind.
    const fn share(self) -> u64 {
        match self {
            Self::Transfer => 50,
            Self::Token => 20,
            Self::Storage => 16,
            Self::Contract => 5,
            Self::Calldata => 6,
            Self::Deposit => 3,
        }
    }

    fn of_percent(percent: u64) -> Self {
        let mut left = percent;
        for kind in Self::ALL {
            match left.checked_sub(kind.share()) {
                None => return kind,
                Some(rest) => left = rest,
            }
        }
        Self::Transfer
    }
}

/// The transactions of an account, one after the other.
#[derive(Debug)]
pub(super) struct Mix {
    seed: B256,
    count: u64,
    portal: Address,
    /// The account's contract that stores.
    store: Address,
}

impl Mix {
    pub(super) fn new(seed: u64, account: Account, portal: Address, store: Address) -> Self {
        let seed = keccak256([account.address.as_slice(), &seed.to_be_bytes()].concat());
        Self {
            seed,
            count: 0,
            portal,
            store,
        }
    }

    fn random(&self, what: u8) -> B256 {
        let mut bytes = self.seed.to_vec();
        bytes.extend(self.count.to_be_bytes());
        bytes.push(what);
        keccak256(bytes)
    }

    /// A number from 0 below `limit`.
    fn number(&self, what: u8, limit: u64) -> u64 {
        let word = U256::from_be_bytes(self.random(what).0);
        (word % U256::from(limit.max(1))).to()
    }

    /// Bytes that no compression makes shorter.
    fn noise(&self, length: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut word = self.random(9);
        while (bytes.len() as u64) < length {
            bytes.extend(word);
            word = keccak256(word);
        }
        bytes.truncate(usize::try_from(length).unwrap_or_default());
        bytes
    }

    /// The next transaction.
    pub(super) fn draw(&mut self) -> (Kind, Call) {
        self.count += 1;
        let kind = Kind::of_percent(self.number(0, 100));
        // half of them to accounts that nobody has seen
        let to = match self.number(1, 2) {
            0 => Address::from_word(self.random(2)),
            _ => Address::from_word(U256::from(self.number(3, 1000) + 0xd0_0000).into()),
        };
        let wei = U256::from(self.number(4, 1_000_000) + 1);
        let call = match kind {
            Kind::Transfer => Call::transfer(to, wei),
            Kind::Token => {
                let words = [to.into_word(), wei.into()];
                Call::contract(WETH, abi("transfer(address,uint256)", &words, None))
                    .with_gas(120_000)
            }
            Kind::Storage => {
                let slot = B256::from(U256::from(self.number(5, 500)));
                let data = [slot, self.random(6)].concat();
                Call::contract(self.store, data.into()).with_gas(120_000)
            }
            Kind::Contract => Call::creation(self.creation()),
            Kind::Calldata => {
                let length = CALLDATA.start + self.number(7, CALLDATA.end - CALLDATA.start);
                Call::data(to, self.noise(length).into())
            }
            Kind::Deposit => {
                let deposit = Deposit {
                    to: Some(to),
                    mint: wei,
                    value: wei,
                    gas: DEPOSIT_GAS,
                    data: Bytes::new(),
                };
                deposit.call_portal(self.portal)
            }
        };
        (kind, call)
    }

    /// Init code of a contract that stops at once.
    fn creation(&self) -> Bytes {
        let length = 1 + self.number(8, MAX_CODE);
        let [high, low] = u16::try_from(length).unwrap_or(1).to_be_bytes();
        // codecopy(0, 12, length); return(0, length)
        let mut code = vec![
            0x61, high, low, 0x80, 0x60, 0x0c, 0x60, 0x00, 0x39, 0x60, 0x00, 0xf3,
        ];
        // stop; code that begins with 0xef would be refused
        code.push(0);
        code.extend(self.noise(length - 1));
        code.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn mix(seed: u64) -> Mix {
        let account = Account::user(100).unwrap();
        Mix::new(
            seed,
            account,
            Address::repeat_byte(1),
            Address::repeat_byte(2),
        )
    }

    #[test]
    fn each_kind_has_its_share_and_a_seed_gives_the_same_again() {
        assert_eq!(Kind::ALL.map(Kind::share).iter().sum::<u64>(), 100);
        let (mut first, mut again, mut other) = (mix(1), mix(1), mix(2));
        let mut counts = BTreeMap::new();
        let mut differ = false;
        for _ in 0..2000 {
            let (kind, call) = first.draw();
            assert_eq!(again.draw(), (kind, call.clone()));
            differ |= other.draw() != (kind, call.clone());
            *counts.entry(kind).or_insert(0_u64) += 1;
            match kind {
                Kind::Deposit => assert_eq!(call.to, Some(Address::repeat_byte(1))),
                Kind::Contract => assert_eq!((call.to, call.data[12]), (None, 0)),
                Kind::Calldata => assert!(CALLDATA.contains(&(call.data.len() as u64))),
                _ => {}
            }
        }
        assert!(differ);
        for kind in Kind::ALL {
            let (found, expected) = (counts[&kind], kind.share() * 20);
            assert!(
                found.abs_diff(expected) < expected / 2 + 10,
                "{kind:?}: {found}"
            );
        }
    }
}
