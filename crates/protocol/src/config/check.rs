//! What a rollup configuration must satisfy before it is used.

use super::{CommitmentType, Fork, RollupConfig};
use alloy_primitives::{Address, B256};
use thiserror::Error;

/// A rule that a rollup configuration breaks. Every message names the key.
// spec: opstack 1.1
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum CheckError {
    #[error("block_time is 0")]
    BlockTimeZero,
    #[error("block_time is {0} s; more than a day between two L2 blocks cannot be meant")]
    BlockTimeTooLarge(u64),
    #[error("channel_timeout is 0; a channel needs at least one L1 block")]
    ChannelTimeoutZero,
    #[error("seq_window_size is {0}, but a sequencing window has at least 2 L1 blocks")]
    SequencingWindowTooSmall(u64),
    #[error("max_sequencer_drift is 0 (it is required even where Fjord is active at genesis)")]
    SequencerDriftZero,
    #[error("genesis.l1.hash is zero")]
    GenesisL1HashZero,
    #[error("genesis.l2.hash is zero")]
    GenesisL2HashZero,
    #[error("genesis.l1.hash and genesis.l2.hash are equal")]
    GenesisHashesEqual,
    #[error("genesis.l2_time is 0")]
    GenesisTimeZero,
    #[error("genesis.system_config.batcherAddr is zero")]
    BatcherZero,
    #[error("genesis.system_config.scalar is zero")]
    ScalarZero,
    #[error("genesis.system_config.gasLimit is 0")]
    GasLimitZero,
    #[error("batch_inbox_address is zero")]
    InboxZero,
    #[error("deposit_contract_address is zero")]
    DepositContractZero,
    #[error("l1_chain_id is 0")]
    L1ChainIdZero,
    #[error("l2_chain_id is 0")]
    L2ChainIdZero,
    #[error("l1_chain_id and l2_chain_id are equal")]
    ChainIdsEqual,
    #[error("{later} is set, but {earlier} before it is not")]
    ForkMissing { earlier: Fork, later: Fork },
    #[error("{later} is set to {later_time}, before {earlier} at {earlier_time}")]
    ForkOrder {
        earlier: Fork,
        earlier_time: u64,
        later: Fork,
        later_time: u64,
    },
    #[error("alt_da.da_challenge_contract_address is zero, but Keccak commitments need it")]
    KeccakWithoutChallengeContract,
    #[error("alt_da.da_challenge_contract_address is set, but Generic commitments have none")]
    GenericWithChallengeContract,
    #[error("alt_da.da_max_input_size is set, but bounds Keccak commitments only")]
    GenericWithMaxInputSize,
    #[error("alt_da.da_max_input_size is 0")]
    MaxInputSizeZero,
    #[error(
        "alt_da.da_challenge_window and da_resolve_window must not be 0 \
         (a chain without challenges sets both to 1)"
    )]
    AltDaWindowZero,
    #[error("espresso_time and espresso_enforcement_time are both set; they are two generations")]
    EspressoGenerations,
    #[error("batch_authenticator_address is missing or zero, but batches are authenticated by it")]
    AuthenticatorMissing,
    #[error("espresso_time {espresso} is before Ecotone")]
    EspressoBeforeEcotone { espresso: u64 },
}

impl RollupConfig {
    /// Checks the values of the configuration.
    // spec: opstack 1.1
    pub fn check(&self) -> Result<(), CheckError> {
        const DAY: u64 = 24 * 60 * 60;
        let genesis = &self.genesis;
        let system = &genesis.system_config;
        let rules = [
            (self.block_time == 0, CheckError::BlockTimeZero),
            (
                self.block_time > DAY,
                CheckError::BlockTimeTooLarge(self.block_time),
            ),
            (self.channel_timeout == 0, CheckError::ChannelTimeoutZero),
            (
                self.seq_window_size < 2,
                CheckError::SequencingWindowTooSmall(self.seq_window_size),
            ),
            (
                self.max_sequencer_drift == 0,
                CheckError::SequencerDriftZero,
            ),
            (genesis.l1.hash.is_zero(), CheckError::GenesisL1HashZero),
            (genesis.l2.hash.is_zero(), CheckError::GenesisL2HashZero),
            (
                genesis.l1.hash == genesis.l2.hash,
                CheckError::GenesisHashesEqual,
            ),
            (genesis.l2_time == 0, CheckError::GenesisTimeZero),
            (system.batcher.is_zero(), CheckError::BatcherZero),
            (system.scalar == B256::ZERO, CheckError::ScalarZero),
            (system.gas_limit == 0, CheckError::GasLimitZero),
            (self.batch_inbox_address.is_zero(), CheckError::InboxZero),
            (
                self.deposit_contract_address.is_zero(),
                CheckError::DepositContractZero,
            ),
            (
                self.l1_chain_id == self.l2_chain_id,
                CheckError::ChainIdsEqual,
            ),
            (self.l1_chain_id == 0, CheckError::L1ChainIdZero),
            (self.l2_chain_id == 0, CheckError::L2ChainIdZero),
        ];
        if let Some((_, error)) = rules.into_iter().find(|(broken, _)| *broken) {
            return Err(error);
        }
        self.check_alt_da()?;
        self.check_forks()?;
        self.check_espresso()
    }

    // spec: opstack 1.1, opstack-2026-09 1 *3
    fn check_alt_da(&self) -> Result<(), CheckError> {
        let Some(alt_da) = &self.alt_da else {
            return Ok(());
        };
        let contract = alt_da.da_challenge_contract_address;
        match alt_da.da_commitment_type {
            CommitmentType::Keccak if contract.is_zero() => {
                return Err(CheckError::KeccakWithoutChallengeContract);
            }
            CommitmentType::Generic if !contract.is_zero() => {
                return Err(CheckError::GenericWithChallengeContract);
            }
            CommitmentType::Generic if alt_da.da_max_input_size.is_some() => {
                return Err(CheckError::GenericWithMaxInputSize);
            }
            _ => {}
        }
        if alt_da.da_max_input_size == Some(0) {
            return Err(CheckError::MaxInputSizeZero);
        }
        if alt_da.da_challenge_window == 0 || alt_da.da_resolve_window == 0 {
            return Err(CheckError::AltDaWindowZero);
        }
        Ok(())
    }

    /// Regolith to Isthmus must be set in order and without holes. The later ones are not
    /// compared: op-node does not either.
    fn check_forks(&self) -> Result<(), CheckError> {
        for pair in Fork::ALL.windows(2) {
            let (earlier, later) = (pair[0], pair[1]);
            if later > Fork::Isthmus {
                break;
            }
            match (self.forks.time(earlier), self.forks.time(later)) {
                (None, Some(_)) => return Err(CheckError::ForkMissing { earlier, later }),
                (Some(earlier_time), Some(later_time)) if earlier_time > later_time => {
                    return Err(CheckError::ForkOrder {
                        earlier,
                        earlier_time,
                        later,
                        later_time,
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }

    // spec: opstack 2.9 |7
    fn check_espresso(&self) -> Result<(), CheckError> {
        if self.espresso_time.is_some() && self.espresso_enforcement_time.is_some() {
            return Err(CheckError::EspressoGenerations);
        }
        if self
            .espresso_time
            .or(self.espresso_enforcement_time)
            .is_some()
            && self
                .batch_authenticator_address
                .unwrap_or(Address::ZERO)
                .is_zero()
        {
            return Err(CheckError::AuthenticatorMissing);
        }
        match self.espresso_time {
            Some(espresso) if !self.active(Fork::Ecotone, espresso) => {
                Err(CheckError::EspressoBeforeEcotone { espresso })
            }
            _ => Ok(()),
        }
    }
}
