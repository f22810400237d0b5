//! What must hold before a batcher starts.

use alloy_primitives::{Address, U256};
use doppio_batcher::BatcherOptions;
use doppio_checks::Check;
use doppio_l1::{
    L1Source,
    verify::{BlockAt, Label},
};
use doppio_l2::ActiveSequencer;
use doppio_protocol::config::{BatchAuth, ChainConfig};
use doppio_rpc::{CallError, Caller, code};
use serde_json::json;
use std::sync::Arc;

/// Below this an account cannot do much: 0.1 ether.
const LOW_FUNDS: U256 = U256::from_limbs([100_000_000_000_000_000, 0, 0, 0]);

/// What is checked against what.
#[derive(Debug)]
pub struct BatcherChecks<'a> {
    /// The chain.
    pub chain: &'a ChainConfig,
    /// Its L1.
    pub l1: &'a L1Source,
    /// Its sequencers.
    pub sequencers: &'a ActiveSequencer,
    /// What the machine is to do.
    pub options: &'a BatcherOptions,
    /// Who sends; none for a dry run.
    pub account: Option<Address>,
    /// Where the account's state is asked for.
    pub l1_rpc: &'a dyn Caller,
    /// Who builds blocks, if they are throttled.
    pub builders: &'a [Arc<dyn Caller>],
}

impl BatcherChecks<'_> {
    /// Runs all. `now` is the time in seconds since the Unix epoch.
    pub async fn run(&self, now: u64) -> Vec<Check> {
        let mut checks = vec![self.options(now), self.l1_chain_id().await];
        checks.extend(self.l2_chain_ids().await);
        checks.push(self.sequencer().await);
        if let Some(account) = self.account {
            checks.push(self.batcher_address(account).await);
            checks.push(self.funds(account).await);
        }
        checks.push(self.inbox().await);
        for builder in self.builders {
            checks.push(builder_check(&**builder).await);
        }
        checks
    }

    fn options(&self, now: u64) -> Check {
        const NAME: &str = "batcher configuration";
        match self.options.check(self.chain, now) {
            Ok(()) => Check::good(NAME, format!("config_id {}", self.chain.config_id())),
            Err(error) => Check::failure(NAME, error.to_string(), ""),
        }
    }

    async fn l1_chain_id(&self) -> Check {
        const NAME: &str = "L1 chain id";
        let expected = self.chain.rollup.l1_chain_id;
        match self.l1.chain_id().await {
            Ok(id) if id == expected => Check::good(NAME, id.to_string()),
            Ok(id) => Check::failure(
                NAME,
                format!("--l1-eth-rpc is chain {id}, the rollup's L1 is chain {expected}"),
                "Give endpoints of the rollup's L1 with --l1-eth-rpc",
            ),
            Err(error) => Check::failure(NAME, error.to_string(), "Check --l1-eth-rpc"),
        }
    }

    async fn l2_chain_ids(&self) -> Vec<Check> {
        const NAME: &str = "L2 chain id";
        let expected = self.chain.rollup.l2_chain_id;
        let mut checks = Vec::new();
        for sequencer in self.sequencers.all() {
            let l2 = &sequencer.l2;
            checks.push(match l2.chain_id().await {
                Ok(id) if id == expected => Check::good(NAME, format!("{id}, {}", l2.name())),
                Ok(id) => Check::failure(
                    NAME,
                    format!(
                        "{} is chain {id}, the rollup is chain {expected}",
                        l2.name()
                    ),
                    "Give endpoints of the same chain with --l2-eth-rpc and --rollup-rpc",
                ),
                Err(error) => Check::failure(NAME, error.to_string(), "Check --l2-eth-rpc"),
            });
        }
        checks
    }

    async fn sequencer(&self) -> Check {
        const NAME: &str = "sequencer";
        let sequencer = match self.sequencers.get().await {
            Ok(sequencer) => sequencer,
            Err(error) => return Check::failure(NAME, error.to_string(), "Check --rollup-rpc"),
        };
        match sequencer.rollup.sync_status().await {
            Ok(status) => Check::good(
                NAME,
                format!(
                    "{}: unsafe head {}, safe head {}",
                    sequencer.rollup.name(),
                    status.unsafe_l2.number,
                    status.local_safe_l2.number
                ),
            ),
            Err(error) => Check::failure(NAME, error.to_string(), "Check --rollup-rpc"),
        }
    }

    /// Whose batches the chain takes, by its newest system configuration.
    async fn batcher_address(&self, account: Address) -> Check {
        const NAME: &str = "batcher's account";
        let remedy = "Give the key of the account that the chain's SystemConfig names \
                      (batcherHash), or have SystemConfig.setBatcherHash name this account";
        let expected = match self.chain.batch_auth.rule {
            BatchAuth::Sender => match self.system_batcher().await {
                Ok(expected) => expected,
                Err(error) => return Check::warning(NAME, error, "Check --l2-eth-rpc"),
            },
            _ => return Check::good(NAME, format!("{account}; the chain takes signed batches")),
        };
        if expected == account {
            return Check::good(NAME, account.to_string());
        }
        Check::failure(
            NAME,
            format!("this is {account}, and the chain takes batches of {expected} only"),
            remedy,
        )
    }

    async fn system_batcher(&self) -> Result<Address, String> {
        let sequencer = self
            .sequencers
            .get()
            .await
            .map_err(|error| error.to_string())?;
        let head = sequencer.l2.header(BlockAt::Label(Label::Latest)).await;
        let head = head.map_err(|error| error.to_string())?;
        let (hash, _) = head.ok_or("there is no L2 block yet")?;
        let config = sequencer.l2.system_config(hash).await;
        let config = config.map_err(|error| error.to_string())?;
        let config = config.ok_or_else(|| format!("L2 block {hash} is gone"))?;
        Ok(config.batcher)
    }

    async fn funds(&self, account: Address) -> Check {
        const NAME: &str = "funds";
        let answer = self
            .l1_rpc
            .call("eth_getBalance", vec![json!(account), json!("latest")])
            .await;
        let balance: Result<U256, String> = match answer {
            Ok(answer) => serde_json::from_value(answer).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match balance {
            Err(error) => Check::warning(NAME, error, "Check --l1-eth-rpc"),
            Ok(U256::ZERO) => Check::failure(
                NAME,
                format!("{account} has no ether on L1"),
                "Send it some: without, nothing can be posted",
            ),
            Ok(balance) if balance < LOW_FUNDS => Check::warning(
                NAME,
                format!("{account} has {balance} wei on L1"),
                "Send it some more",
            ),
            Ok(balance) => Check::good(NAME, format!("{balance} wei")),
        }
    }

    /// Batches of the standard kind go to an account without code: a contract there would cost more
    /// gas than is given, or keep nothing of it.
    async fn inbox(&self) -> Check {
        const NAME: &str = "inbox";
        let inbox = self.chain.rollup.batch_inbox_address;
        let params = vec![json!(inbox), json!("latest")];
        match self.l1_rpc.call("eth_getCode", params).await {
            Err(error) => Check::warning(NAME, error.to_string(), "Check --l1-eth-rpc"),
            Ok(code) => match (code.as_str(), &self.chain.batch_auth.rule) {
                (Some("0x"), _) => Check::good(NAME, inbox.to_string()),
                (Some(_), BatchAuth::Sender) => Check::failure(
                    NAME,
                    format!("there is a contract at {inbox}, and the chain's rule wants none"),
                    "Check batch_inbox_address in the rollup node's rollup.json, and --batch-auth",
                ),
                (Some(_), _) => Check::good(NAME, format!("{inbox}, a contract")),
                (None, _) => Check::warning(
                    NAME,
                    "eth_getCode gives no code".to_owned(),
                    "Check --l1-eth-rpc",
                ),
            },
        }
    }
}

/// Whether a block builder can be throttled. It is called without arguments, so that nothing changes:
/// who has the method says that they are missing.
async fn builder_check(builder: &dyn Caller) -> Check {
    const NAME: &str = "throttling";
    const METHOD: &str = "miner_setMaxDASize";
    match builder.call(METHOD, Vec::new()).await {
        Err(CallError::Rpc { error, .. }) if error.code == code::METHOD_NOT_FOUND => {
            Check::failure(
                NAME,
                format!("{} has no {METHOD}", builder.name()),
                "Open its miner_ methods (--http.api), or leave throttling off with \
                 --throttle.unsafe-da-bytes-lower-threshold 0",
            )
        }
        Ok(_) | Err(CallError::Rpc { .. }) => Check::good(NAME, builder.name().to_owned()),
        Err(error) => Check::warning(NAME, error.to_string(), "Check --l2-eth-rpc"),
    }
}
