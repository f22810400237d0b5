//! What is asked of a devnet.

use super::{
    NetworkError,
    ports::{Port, PortRange},
    roles::Role,
};
use crate::ForkSchedule;
use doppio_protocol::config::Fork;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// Where batches go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataAvailability {
    /// Blobs of L1.
    #[default]
    Blobs,
    /// Calldata of L1.
    Calldata,
}

impl DataAvailability {
    /// Its name, as `--data-availability-type` of a batcher has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blobs => "blobs",
            Self::Calldata => "calldata",
        }
    }
}

/// When a fork activates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForkTime {
    /// The fork.
    pub fork: Fork,
    /// Seconds after the chain's first block; none for never.
    pub after: Option<u64>,
}

/// What a devnet is to be like.
#[derive(Clone, Debug)]
pub struct NetworkOptions {
    /// `doppio`'s executable, which the roles are run by.
    pub doppio: PathBuf,
    /// Where state lives that nobody gave a folder for.
    pub home: PathBuf,
    /// Where this devnet's state is kept. With none it is `devnet` in `home`, and begins anew.
    pub folder: Option<PathBuf>,
    /// Where batches go.
    pub data_availability: DataAvailability,
    /// When forks activate, where that is not [`ForkSchedule::default`]. Of a chain that has begun,
    /// none can be changed.
    pub forks: Vec<ForkTime>,
    /// Seconds between L2 blocks; none for 1, or what the chain has.
    pub block_time: Option<u64>,
    /// Seconds between L1 blocks; none for 2, or what the chain has.
    pub l1_block_time: Option<u64>,
    /// Which ports, unless `own_ports` has another.
    pub ports: PortRange,
    /// Single ports.
    pub own_ports: BTreeMap<Port, u16>,
    /// Roles that are not started here.
    pub without: BTreeSet<Role>,
    /// Roles that are run by another program, which takes the same flags.
    pub programs: BTreeMap<Role, PathBuf>,
    /// More arguments of roles.
    pub arguments: Vec<(Role, String)>,
}

impl NetworkOptions {
    /// The schedule of a new chain.
    pub(crate) fn schedule(&self) -> Result<ForkSchedule, NetworkError> {
        let mut schedule = ForkSchedule::default();
        for time in &self.forks {
            schedule = schedule.with(time.fork, time.after);
        }
        let mut before = Fork::Regolith;
        for later in Fork::ALL {
            let earlier = std::mem::replace(&mut before, later);
            match (schedule.after(earlier), schedule.after(later)) {
                (_, None) => {}
                (Some(first), Some(second)) if first <= second => {}
                (_, Some(_)) => return Err(NetworkError::ForkOrder { earlier, later }),
            }
            if later > Fork::Isthmus && schedule.after(later) == Some(0) {
                return Err(NetworkError::ForkAtGenesis(later));
            }
        }
        Ok(schedule)
    }

    /// Refuses what no devnet can do.
    pub(crate) fn check(&self) -> Result<(), NetworkError> {
        let has_l1 = [
            ("without", self.without.contains(&Role::L1)),
            ("program", self.programs.contains_key(&Role::L1)),
        ];
        match has_l1.into_iter().find(|(_, has)| *has) {
            Some((flag, _)) => Err(NetworkError::L1Replaced { flag }),
            None => self.schedule().map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(forks: &[(Fork, Option<u64>)]) -> NetworkOptions {
        NetworkOptions {
            doppio: "doppio".into(),
            home: ".doppio".into(),
            folder: None,
            data_availability: DataAvailability::default(),
            forks: forks
                .iter()
                .map(|(fork, after)| ForkTime {
                    fork: *fork,
                    after: *after,
                })
                .collect(),
            block_time: None,
            l1_block_time: None,
            ports: PortRange::default(),
            own_ports: BTreeMap::new(),
            without: BTreeSet::new(),
            programs: BTreeMap::new(),
            arguments: Vec::new(),
        }
    }

    #[test]
    fn forks_come_in_order_and_none_that_upgrades_contracts_with_the_first_block() {
        let schedule = options(&[]).schedule().unwrap();
        assert_eq!(schedule, ForkSchedule::default());
        assert_eq!(schedule.after(Fork::Jovian), Some(20));
        let schedule = options(&[(Fork::Karst, Some(40))]).schedule().unwrap();
        assert_eq!(schedule.after(Fork::Karst), Some(40));
        assert!(options(&[(Fork::Jovian, None)]).schedule().is_ok());
        for wrong in [
            &[(Fork::Karst, Some(19))][..],
            &[(Fork::Jovian, None), (Fork::Karst, Some(40))],
            &[(Fork::Isthmus, None)],
        ] {
            let error = options(wrong).schedule().unwrap_err();
            assert!(matches!(error, NetworkError::ForkOrder { .. }), "{error}");
        }
        let error = options(&[(Fork::Jovian, Some(0))]).check().unwrap_err();
        assert!(matches!(error, NetworkError::ForkAtGenesis(Fork::Jovian)));
        let mut without_l1 = options(&[]);
        without_l1.without.insert(Role::L1);
        assert!(without_l1.check().is_err());
    }
}
