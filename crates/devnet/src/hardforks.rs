//! Forks, of L2 and of L1, as the genesis files want them.

use doppio_protocol::config::{Fork, ForkTimes};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// When the forks of L2 activate, in seconds after the chain's first block. A fork that has no time
/// never activates.
///
/// The default: all until Isthmus with the first block, Jovian 20 seconds later. The contracts of
/// supersim's L2 are Isthmus's. So a later fork that is there from the first block works, but its
/// upgrade transactions never run, and L1 attributes in its layout fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkSchedule(BTreeMap<Fork, u64>);

impl Default for ForkSchedule {
    fn default() -> Self {
        Self::at_genesis(Fork::Isthmus).with(Fork::Jovian, Some(20))
    }
}

impl ForkSchedule {
    /// All forks until this one with the first block, the later ones never.
    pub fn at_genesis(last: Fork) -> Self {
        let active = Fork::ALL.into_iter().filter(|fork| *fork <= last);
        Self(active.map(|fork| (fork, 0)).collect())
    }

    /// The same with another time of one fork; none for never.
    #[must_use]
    pub fn with(mut self, fork: Fork, after: Option<u64>) -> Self {
        match after {
            Some(after) => self.0.insert(fork, after),
            None => self.0.remove(&fork),
        };
        self
    }

    /// Seconds from the first block to the fork; none for never.
    pub fn after(&self, fork: Fork) -> Option<u64> {
        self.0.get(&fork).copied()
    }

    /// The times for a chain that begins at `genesis_time`. With the first block is written as 0.
    pub fn times(&self, genesis_time: u64) -> ForkTimes {
        let mut times = ForkTimes::default();
        for (fork, after) in &self.0 {
            let time = match after {
                0 => 0,
                after => genesis_time.saturating_add(*after),
            };
            times.set(*fork, Some(time));
        }
        times
    }
}

/// Ethereum's fork that comes with one of L2's, as genesis.json names it.
const fn ethereum_fork(fork: Fork) -> Option<&'static str> {
    match fork {
        Fork::Canyon => Some("shanghai"),
        Fork::Ecotone => Some("cancun"),
        Fork::Isthmus => Some("prague"),
        Fork::Karst => Some("osaka"),
        _ => None,
    }
}

/// supersim's genesis.json of an L2, with other forks and at another time.
pub(crate) fn l2_genesis(mut genesis: Value, forks: &ForkSchedule, time: u64) -> Value {
    let times = forks.times(time);
    if let Some(config) = genesis.get_mut("config").and_then(Value::as_object_mut) {
        config.remove("interopTime");
        for fork in Fork::ALL {
            let name = fork.name().to_lowercase();
            for name in ethereum_fork(fork).into_iter().chain([&*name]) {
                let key = format!("{name}Time");
                match times.time(fork) {
                    Some(time) => config.insert(key, json!(time)),
                    None => config.remove(&key),
                };
            }
        }
    }
    if let Some(fields) = genesis.as_object_mut() {
        set_time(fields, time);
        if !times.active(Fork::Ecotone, time) {
            fields.remove("blobGasUsed");
            fields.remove("excessBlobGas");
        }
        // the header of the first block has the form of its own fork
        if times.active(Fork::Jovian, time) {
            let holocene = fields.get("extraData").and_then(Value::as_str);
            let parameters = holocene.and_then(|text| text.strip_prefix("0x00"));
            let parameters = parameters.unwrap_or_default();
            let extra_data = format!("0x01{parameters}{:016x}", 0);
            fields.insert("extraData".to_owned(), json!(extra_data));
        } else if !times.active(Fork::Holocene, time) {
            fields.insert("extraData".to_owned(), json!("0x"));
        }
    }
    genesis
}

fn set_time(fields: &mut Map<String, Value>, time: u64) {
    fields.insert("timestamp".to_owned(), json!(format!("{time:#x}")));
}

/// A fork of L1, from the first block on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum L1Hardfork {
    /// Blobs.
    Cancun,
    /// SetCode transactions; twice as many blobs.
    Prague,
    /// Cell proofs with blobs.
    Osaka,
    /// Up to 15 blobs in a block.
    Bpo1,
    /// Up to 21 blobs in a block: Ethereum's mainnet in 2026.
    #[default]
    Bpo2,
}

/// Name, target of blobs, most blobs, update fraction of the blob base fee (EIP-4844, 7691, 7892).
const L1_FORKS: [(L1Hardfork, &str, u64, u64, u64); 5] = [
    (L1Hardfork::Cancun, "cancun", 3, 6, 3_338_477),
    (L1Hardfork::Prague, "prague", 6, 9, 5_007_716),
    (L1Hardfork::Osaka, "osaka", 6, 9, 5_007_716),
    (L1Hardfork::Bpo1, "bpo1", 10, 15, 8_346_193),
    (L1Hardfork::Bpo2, "bpo2", 14, 21, 11_684_671),
];

impl L1Hardfork {
    /// Its name, as anvil's `--hardfork` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cancun => "cancun",
            Self::Prague => "prague",
            Self::Osaka => "osaka",
            Self::Bpo1 => "bpo1",
            Self::Bpo2 => "bpo2",
        }
    }
}

/// The configuration of such an L1, as go-ethereum writes it.
pub(crate) fn l1_config(genesis: Value, hardfork: L1Hardfork) -> Value {
    let mut genesis = l1_genesis(genesis, hardfork, 0);
    genesis
        .get_mut("config")
        .map(Value::take)
        .unwrap_or_default()
}

/// supersim's genesis.json of L1, with other forks and at another time.
pub(crate) fn l1_genesis(mut genesis: Value, hardfork: L1Hardfork, time: u64) -> Value {
    if let Some(config) = genesis.get_mut("config").and_then(Value::as_object_mut) {
        let mut schedule = Map::new();
        for (fork, name, target, max, fraction) in L1_FORKS {
            if fork <= hardfork {
                config.insert(format!("{name}Time"), json!(0));
                let entry =
                    json!({"target": target, "max": max, "baseFeeUpdateFraction": fraction});
                schedule.insert(name.to_owned(), entry);
            }
        }
        config.insert("blobSchedule".to_owned(), Value::Object(schedule));
    }
    if let Some(fields) = genesis.as_object_mut() {
        set_time(fields, time);
    }
    genesis
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Programs, Supersim};
    use doppio_engine::Genesis;
    use doppio_protocol::config::RollupConfig;
    use doppio_test_vectors::Vectors;

    #[test]
    fn a_schedule_counts_from_the_first_block() {
        let schedule = ForkSchedule::default().with(Fork::Delta, Some(7));
        let times = schedule.times(1000);
        assert_eq!(times.time(Fork::Regolith), Some(0));
        assert_eq!(times.time(Fork::Delta), Some(1007));
        assert_eq!(times.time(Fork::Jovian), Some(1020));
        assert_eq!(times.time(Fork::Karst), None);
        assert_eq!(
            schedule
                .with(Fork::Jovian, None)
                .times(1000)
                .time(Fork::Jovian),
            None
        );
    }

    /// `01 ‖ denominator ‖ elasticity ‖ minimum base fee`, as go-ethereum's op-geth writes it.
    #[test]
    fn extra_data_has_the_form_of_the_first_blocks_fork() {
        let genesis = json!({"config": {"interopTime": 0, "jovianTime": 5}, "extraData": "0x00000000fa00000006", "excessBlobGas": "0x0"});
        let extra_data =
            |forks: &ForkSchedule| l2_genesis(genesis.clone(), forks, 9)["extraData"].clone();
        let jovian = ForkSchedule::at_genesis(Fork::Jovian);
        assert_eq!(extra_data(&jovian), "0x01000000fa000000060000000000000000");
        assert_eq!(extra_data(&ForkSchedule::default()), "0x00000000fa00000006");
        assert_eq!(extra_data(&ForkSchedule::at_genesis(Fork::Granite)), "0x");
        let early = l2_genesis(genesis, &ForkSchedule::at_genesis(Fork::Canyon), 9);
        let expected = json!({"config": {"regolithTime": 0, "canyonTime": 0, "shanghaiTime": 0}, "extraData": "0x", "timestamp": "0x9"});
        assert_eq!(early, expected);
    }

    /// The hashes are op-geth's, of chains that were made with other tools: one has all forks one
    /// after the other, one Jovian later.
    #[test]
    fn the_first_blocks_of_recorded_chains_come_out_again() {
        let Some(vectors) = Vectors::find("recorded") else {
            return;
        };
        let supersim = Supersim::open(&Programs::find().unwrap().supersim).unwrap();
        let genesis = supersim.genesis(901).unwrap();
        let mut chains = 0;
        for name in vectors.list("") {
            if !vectors.path(&name).join("rollup.json").is_file() {
                continue;
            }
            let rollup = vectors.text(format!("{name}/rollup.json"));
            let rollup = RollupConfig::parse(&rollup, true).unwrap().config;
            let begin = rollup.genesis.l2_time;
            let mut forks = ForkSchedule(BTreeMap::new());
            for fork in Fork::ALL {
                let after = rollup
                    .forks
                    .time(fork)
                    .map(|time| time.saturating_sub(begin));
                forks = forks.with(fork, after);
            }
            assert_eq!(forks.times(begin), rollup.forks, "{name}");
            let ours = l2_genesis(genesis.clone(), &forks, begin).to_string();
            let ours = Genesis::parse(&ours, None).unwrap();
            assert_eq!(ours.hash, rollup.genesis.l2.hash, "{name}");
            chains += 1;
        }
        assert!(chains >= 8, "{chains}");
    }
}
