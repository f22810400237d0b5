//! What must hold before a node starts: each check names what is wrong and what to do about it.
//!
//! `--check` runs them all and prints them; a start stops at the first that fails.

use doppio_checks::Check;
use doppio_l1::{L1Source, verify::BlockAt};
use doppio_l2::L2Client;
use doppio_protocol::config::{BatchAuth, ChainConfig, CommitmentType, Fork};
use std::sync::Arc;

/// What is checked against what.
#[derive(Debug)]
pub struct Checks<'a> {
    /// The chain.
    pub chain: &'a Arc<ChainConfig>,
    /// Its L1.
    pub l1: &'a L1Source,
    /// Its execution engine.
    pub l2: &'a L2Client,
    /// Whether there is a beacon node, or `--l1.beacon.ignore`.
    pub has_beacon: bool,
    /// Whether there is a DA server.
    pub has_da_server: bool,
}

impl Checks<'_> {
    /// Runs all of them. `now` is seconds since the Unix epoch.
    pub async fn run(&self, now: u64) -> Vec<Check> {
        let mut checks = self.of_configuration(now);
        checks.push(self.l1_chain_id().await);
        checks.push(self.l1_genesis().await);
        checks.push(self.l2_chain_id().await);
        checks.push(self.l2_genesis().await);
        checks.push(self.engine_methods(now).await);
        checks.push(self.inbox_code().await);
        checks
    }

    /// Those that need nobody's answer.
    fn of_configuration(&self, now: u64) -> Vec<Check> {
        let rollup = &self.chain.rollup;
        let mut checks = vec![Check::good(
            "configuration",
            format!("config id {}", self.chain.config_id()),
        )];
        let commitments = rollup.alt_da.map(|alt_da| alt_da.da_commitment_type);
        checks.push(if commitments.is_none() {
            Check::good("alt-DA", "not used")
        } else if commitments == Some(CommitmentType::Keccak) {
            Check::failure(
                "alt-DA",
                "alt_da.da_commitment_type is KeccakCommitment, and challenges to such commitments are not in this release",
                "Follow this chain with op-node",
            )
        } else if self.has_da_server {
            Check::good("alt-DA", "a DA server is given")
        } else {
            Check::failure(
                "alt-DA",
                "rollup.json has alt_da, and there is no DA source",
                "Give the DA server with --altda.da-server URL",
            )
        });
        let ecotone = rollup.active(Fork::Ecotone, now);
        checks.push(if self.has_beacon {
            Check::good("beacon", "given, or declared unnecessary")
        } else if ecotone {
            Check::failure(
                "beacon",
                "Ecotone is active, and there is no beacon node",
                "Give one with --l1.beacon URL, or --l1.beacon.ignore for a chain that never uses blobs",
            )
        } else {
            Check::warning(
                "beacon",
                "there is no beacon node, and Ecotone will need one",
                "Give one with --l1.beacon URL",
            )
        });
        checks
    }

    /// All endpoints that answer must be of the right chain: one that is not would pass for a
    /// reorganisation when it is asked in another's place.
    async fn l1_chain_id(&self) -> Check {
        const NAME: &str = "L1 chain id";
        let expected = self.chain.rollup.l1_chain_id;
        let ids = self.l1.chain_ids().await;
        let mut silent = Vec::new();
        for (endpoint, id) in &ids {
            match id {
                Ok(id) if *id == expected => {}
                Ok(id) => {
                    return Check::failure(
                        NAME,
                        format!(
                            "l1_chain_id is {expected}, but the L1 endpoint {endpoint} is of chain {id}"
                        ),
                        "Point --l1 to the right chain, or take the rollup.json of this one",
                    );
                }
                Err(failure) => silent.push(format!("{endpoint}: {failure}")),
            }
        }
        let remedy = "Check --l1 and that the node runs";
        if silent.len() == ids.len() {
            return Check::failure(NAME, silent.join("; "), remedy);
        }
        if silent.is_empty() {
            return Check::good(NAME, expected.to_string());
        }
        Check::warning(NAME, silent.join("; "), remedy)
    }

    async fn l1_genesis(&self) -> Check {
        const NAME: &str = "L1 genesis";
        let genesis = self.chain.rollup.genesis.l1;
        match self.l1.header(BlockAt::Number(genesis.number)).await {
            Ok(Some(header)) if header.hash() == genesis.hash => {
                Check::good(NAME, genesis.to_string())
            }
            Ok(Some(header)) => Check::failure(
                NAME,
                format!(
                    "genesis.l1 is {genesis}, but L1's block {} is {}",
                    genesis.number,
                    header.hash()
                ),
                "The L1 endpoint follows another chain: check --l1 and rollup.json",
            ),
            // nodes may have thrown away old blocks
            Ok(None) => Check::warning(
                NAME,
                format!("L1 has no block {}", genesis.number),
                "If the L1 node keeps old blocks, it follows another chain",
            ),
            Err(error) => {
                Check::failure(NAME, error.to_string(), "Check --l1 and that the node runs")
            }
        }
    }

    async fn l2_chain_id(&self) -> Check {
        const NAME: &str = "L2 chain id";
        let expected = self.chain.rollup.l2_chain_id;
        match self.l2.chain_id().await {
            Ok(id) if id == expected => Check::good(NAME, id.to_string()),
            Ok(id) => Check::failure(
                NAME,
                format!("l2_chain_id is {expected}, but the engine is of chain {id}"),
                "Point --l2 to the right engine, or take the rollup.json of this one",
            ),
            Err(error) => Check::failure(
                NAME,
                error.to_string(),
                "Check --l2, --l2.jwt-secret and that the engine runs",
            ),
        }
    }

    async fn l2_genesis(&self) -> Check {
        const NAME: &str = "L2 genesis";
        let genesis = self.chain.rollup.genesis.l2;
        match self.l2.header(BlockAt::Number(genesis.number)).await {
            Ok(Some((hash, _))) if hash == genesis.hash => Check::good(NAME, genesis.to_string()),
            Ok(Some((hash, _))) => Check::failure(
                NAME,
                format!(
                    "genesis.l2 is {genesis}, but the engine's block {} is {hash}",
                    genesis.number
                ),
                "The engine was made from another genesis.json: make its database anew",
            ),
            Ok(None) => Check::warning(
                NAME,
                format!("the engine has no block {}", genesis.number),
                "It may have thrown away old blocks",
            ),
            Err(error) => Check::failure(
                NAME,
                error.to_string(),
                "Check --l2, --l2.jwt-secret and that the engine runs",
            ),
        }
    }

    /// The engine must have the calls of the fork that is in force, and of the one that comes next.
    // spec: opstack 4.1
    async fn engine_methods(&self, now: u64) -> Check {
        const NAME: &str = "engine";
        let methods = match self.l2.capabilities().await {
            Ok(methods) => methods,
            Err(error) => {
                return Check::warning(
                    NAME,
                    format!("it does not say which calls it has: {error}"),
                    "If blocks fail at the next fork, update the engine",
                );
            }
        };
        let needed = [
            (
                Fork::Ecotone,
                ["engine_newPayloadV3", "engine_getPayloadV3"],
            ),
            (
                Fork::Isthmus,
                ["engine_newPayloadV4", "engine_getPayloadV4"],
            ),
            (Fork::Karst, ["engine_newPayloadV4", "engine_getPayloadV5"]),
        ];
        let rollup = &self.chain.rollup;
        for (fork, calls) in needed {
            let Some(time) = rollup.forks.time(fork) else {
                continue;
            };
            for call in calls {
                if methods.iter().any(|method| method == call) {
                    continue;
                }
                let later = if time > now { "will need" } else { "needs" };
                return Check::failure(
                    NAME,
                    format!("it lacks {call}, which {fork:?} (time {time}) {later}"),
                    "Update the engine",
                );
            }
        }
        Check::good(NAME, format!("{}, {} calls", self.l2.name(), methods.len()))
    }

    /// Where a contract decides which batches count, there must be one.
    async fn inbox_code(&self) -> Check {
        const NAME: &str = "inbox";
        let rollup = &self.chain.rollup;
        let head = match self.l1.head().await {
            Ok(head) => head,
            Err(error) => {
                return Check::failure(
                    NAME,
                    error.to_string(),
                    "Check --l1 and that the node runs",
                );
            }
        };
        let now = head.header().timestamp;
        let (what, address) = match self.chain.batch_auth.at(now).rule {
            BatchAuth::Sender => {
                return Check::good(NAME, rollup.batch_inbox_address.to_string());
            }
            BatchAuth::InboxContract { .. } => ("the inbox contract", rollup.batch_inbox_address),
            BatchAuth::AuthEvent { authenticator, .. }
            | BatchAuth::AuthEventCaller { authenticator }
            | BatchAuth::AuthEventCallerDelayed { authenticator } => {
                ("the batch authenticator", authenticator)
            }
        };
        let proof = self.l1.proof(&head, address, &[]).await;
        match proof {
            Ok(Some(proof)) if proof.account.is_some_and(|account| account.has_code()) => {
                Check::good(NAME, format!("{what} is at {address}"))
            }
            Ok(Some(_)) => Check::failure(
                NAME,
                format!("{what} should be at {address}, where L1 has no code"),
                "Check the address in rollup.json, and that the contract is deployed",
            ),
            Ok(None) => Check::warning(NAME, "L1 gives no proof", ""),
            Err(error) => Check::warning(
                NAME,
                format!("whether {what} is there cannot be checked: {error}"),
                "The L1 endpoint lacks eth_getProof",
            ),
        }
    }
}
