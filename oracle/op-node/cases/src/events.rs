//! Logs of the rollup's contracts on L1: deposits and configuration updates, well formed and not.

use crate::{
    l1::{KEYS, PORTAL, SYSTEM_CONFIG},
    random::Random,
};
use alloy_primitives::{Address, B256, Log, U256};
use doppio_protocol::{
    deposit::{DepositTx, encode_deposit_log},
    system_config::CONFIG_UPDATE,
};

/// A deposit.
pub(crate) fn deposit(random: &mut Random) -> Log {
    let length = random.below(80);
    let deposit = DepositTx {
        from: random.address(),
        to: (!random.percent(20)).then(|| random.address()),
        mint: U256::from(random.pick(&[0, 5])),
        value: U256::from(random.next()),
        gas: random.next() >> random.below(64),
        data: random.bytes(length).into(),
        ..DepositTx::default()
    };
    let mut log = encode_deposit_log(PORTAL, &deposit);
    match random.below(12) {
        // dirt that nobody looks at
        0 => log.data.topics_mut_unchecked()[1].0[3] = 7,
        1 => {
            let mut data = log.data.data.to_vec();
            *data.last_mut().expect("not empty") = 1;
            log.data.data = data.into();
        }
        // another event, and another contract
        2 => log.data.topics_mut_unchecked()[0] = random.word(),
        3 => log.address = SYSTEM_CONFIG,
        // a creation flag that is neither 0 nor 1
        4 => {
            let mut data = log.data.data.to_vec();
            data[64 + 72] = 2;
            log.data.data = data.into();
        }
        _ => {}
    }
    log
}

/// A log of the deposit contract that is no deposit: derivation stops.
pub(crate) fn no_deposit(random: &mut Random) -> Log {
    let mut log = deposit(random);
    match random.below(4) {
        0 => {
            log.data.topics_mut_unchecked().pop();
        }
        1 => log.data.topics_mut_unchecked()[3] = B256::with_last_byte(1),
        _ => {
            let mut data = log.data.data.to_vec();
            let at = random.below(data.len());
            random.damage(&mut data);
            data.truncate(at.max(70));
            log.data.data = data.into();
        }
    }
    log
}

/// An update of the system configuration; the new batcher, if it names one.
pub(crate) fn config_update(random: &mut Random, hostility: u64) -> Log {
    let kind = random.below(8) as u8;
    let word = |n: u64| B256::from(U256::from(n));
    let mut words = match kind {
        0 => {
            let key = random.pick(&[KEYS[0], KEYS[0], KEYS[1]]);
            vec![key.address().into_word()]
        }
        1 => {
            let mut scalar = B256::with_last_byte(random.next() as u8);
            scalar[0] = random.pick(&[0, 1, 1, 1, 2]);
            scalar[26] = random.next() as u8;
            if random.percent(15) {
                scalar[random.below(32)] = random.next() as u8;
            }
            vec![word(random.range(0, 300)), scalar]
        }
        2 => vec![word(random.pick(&[
            30_000_000,
            1,
            40_000_000,
            u64::from(u32::MAX),
        ]))],
        3 => vec![Address::repeat_byte(3).into_word()],
        4 => vec![word(random.pick(&[
            0,
            (50 << 32) | 6,
            (1 << 32) | 1,
            7,
            7 << 32,
            u64::MAX,
        ]))],
        5 => vec![random.word()],
        6 => vec![word(random.next() >> random.below(64))],
        _ => vec![word(random.pick(&[0, 1, 400, 65535]))],
    };
    let mut kind_topic = B256::with_last_byte(kind);
    let mut version = B256::ZERO;
    if random.percent(hostility + 10) {
        match random.below(7) {
            0 => kind_topic = B256::with_last_byte(random.pick(&[8, 9, 255])),
            1 => kind_topic.0[random.below(31)] = 1,
            2 => version = B256::with_last_byte(1),
            3 => words.push(B256::ZERO),
            4 => {
                words.pop();
            }
            5 => words[0].0[random.below(32)] ^= 1 << random.below(8),
            _ => words[0] = random.word(),
        }
    }
    let mut data = word(32).to_vec();
    data.extend_from_slice(word(32 * words.len() as u64).as_slice());
    words
        .iter()
        .for_each(|word| data.extend_from_slice(word.as_slice()));
    if random.percent(hostility / 2 + 3) {
        random.damage(&mut data);
    }
    let mut topics = vec![CONFIG_UPDATE, version, kind_topic];
    if random.percent(hostility / 4 + 1) {
        topics.pop();
    }
    let contract = if random.percent(3) {
        PORTAL
    } else {
        SYSTEM_CONFIG
    };
    Log::new_unchecked(contract, topics, data.into())
}
