//! The flags of whoever sends transactions to L1. Names and defaults are the op-stack's.

use crate::{node::chain::parse_bool, output::CommandError};
use alloy_primitives::Address;
use clap::{ArgAction, Args};
use core::time::Duration;
use doppio_l1::txmgr::{
    LocalSigner, RemoteOptions, RemoteSigner, Signer, TlsFiles, TxmgrOptions,
    machine::{Options, Settings},
};
use doppio_protocol::{config::ChainConfig, duration::parse_duration};
use std::{fs, path::PathBuf, sync::Arc};

/// The path of op-service's default account of a mnemonic.
const HD_PATH: &str = "m/44'/60'/0'/0/0";
const WEI_PER_GWEI: f64 = 1e9;
const WEI_PER_ETHER: f64 = 1e18;

// Who signs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Account on L1: one of private key, mnemonic, keystore and signer")]
pub(crate) struct SignerArgs {
    /// The account's private key, 64 hex digits
    #[arg(long = "private-key", value_name = "KEY", hide_env_values = true)]
    pub(crate) private_key: Option<String>,

    /// Words from which the account's key follows
    #[arg(long = "mnemonic", value_name = "WORDS", hide_env_values = true)]
    pub(crate) mnemonic: Option<String>,

    /// Which of the mnemonic's keys, such as m/44'/60'/0'/0/0
    #[arg(
        long = "hd-path",
        visible_alias = "sequencer-hd-path",
        value_name = "PATH"
    )]
    pub(crate) hd_path: Option<String>,

    /// An encrypted key file, as geth's accounts are
    #[arg(long = "keystore", value_name = "FILE")]
    pub(crate) keystore: Option<PathBuf>,

    /// File with the key file's password
    #[arg(long = "keystore.password-file", value_name = "FILE")]
    pub(crate) keystore_password_file: Option<PathBuf>,

    /// A signer elsewhere, that has eth_signTransaction as op-signer does
    #[arg(id = "signer_endpoint", long = "signer.endpoint", value_name = "URL")]
    pub(crate) endpoint: Option<String>,

    /// The account that the signer signs for
    #[arg(id = "signer_address", long = "signer.address", value_name = "ADDRESS")]
    pub(crate) address: Option<String>,

    /// Headers for each request to the signer, as Name=value
    #[arg(
        id = "signer_header",
        long = "signer.header",
        value_name = "HEADER",
        hide_env_values = true
    )]
    pub(crate) header: Vec<String>,

    /// Show the signer a certificate
    #[arg(id = "signer_tls", long = "signer.tls.enabled", value_name = "BOOL", action = ArgAction::Set, value_parser = parse_bool, default_value = "true")]
    pub(crate) tls: bool,

    /// Authorities that may have signed the signer's certificate
    #[arg(
        id = "signer_tls_ca",
        long = "signer.tls.ca",
        value_name = "FILE",
        default_value = "tls/ca.crt"
    )]
    pub(crate) tls_ca: PathBuf,

    /// Our certificate
    #[arg(
        id = "signer_tls_cert",
        long = "signer.tls.cert",
        value_name = "FILE",
        default_value = "tls/tls.crt"
    )]
    pub(crate) tls_cert: PathBuf,

    /// Our certificate's key
    #[arg(
        id = "signer_tls_key",
        long = "signer.tls.key",
        value_name = "FILE",
        default_value = "tls/tls.key"
    )]
    pub(crate) tls_key: PathBuf,
}

// How transactions are brought to L1.
#[derive(Debug, Args)]
#[command(next_help_heading = "Transactions")]
pub(crate) struct TxmgrArgs {
    /// L1 blocks after which a transaction is taken for final, its own counted
    #[arg(
        long = "num-confirmations",
        value_name = "BLOCKS",
        default_value = "10"
    )]
    pub(crate) num_confirmations: u64,

    /// Answers "nonce too low" after which a transaction is given up
    #[arg(
        long = "safe-abort-nonce-too-low-count",
        value_name = "N",
        default_value = "3"
    )]
    pub(crate) safe_abort_nonce_too_low_count: u64,

    /// How many times the fee that L1 suggests a replacement may pay
    #[arg(
        long = "fee-limit-multiplier",
        value_name = "N",
        env = "DOPPIO_BATCHER_TXMGR_FEE_LIMIT_MULTIPLIER",
        default_value = "5"
    )]
    pub(crate) fee_limit_multiplier: u64,

    /// Fees below this have no such limit, in gwei
    #[arg(
        long = "txmgr.fee-limit-threshold",
        value_name = "GWEI",
        default_value = "100"
    )]
    pub(crate) fee_limit_threshold: f64,

    /// What may be spent within an hour, in ether; 0 for any
    #[arg(
        long = "txmgr.max-fee-per-hour",
        value_name = "ETHER",
        default_value = "0"
    )]
    pub(crate) max_fee_per_hour: f64,

    /// The least base fee that is reckoned with, in gwei
    #[arg(long = "txmgr.min-basefee", value_name = "GWEI", default_value = "1")]
    pub(crate) min_basefee: f64,

    /// The highest base fee at which a transaction is made, in gwei; 0 for any
    #[arg(long = "txmgr.max-basefee", value_name = "GWEI", default_value = "0")]
    pub(crate) max_basefee: f64,

    /// The least tip, in gwei
    #[arg(long = "txmgr.min-tip-cap", value_name = "GWEI", default_value = "1")]
    pub(crate) min_tip_cap: f64,

    /// The highest tip at which a transaction is made, in gwei; 0 for any
    #[arg(long = "txmgr.max-tip-cap", value_name = "GWEI", default_value = "0")]
    pub(crate) max_tip_cap: f64,

    /// How often a transaction that is not mined is handed in again
    #[arg(long = "txmgr.rebroadcast-interval", value_name = "DURATION", default_value = "12s", value_parser = parse_duration)]
    pub(crate) rebroadcast_interval: Duration,

    /// How long it may wait before it pays more
    #[arg(long = "resubmission-timeout", value_name = "DURATION", default_value = "48s", value_parser = parse_duration)]
    pub(crate) resubmission_timeout: Duration,

    /// Longest time for a request to L1
    #[arg(long = "network-timeout", value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    pub(crate) network_timeout: Duration,

    /// How long is waited before a question is asked again
    #[arg(long = "txmgr.retry-interval", value_name = "DURATION", default_value = "1s", value_parser = parse_duration)]
    pub(crate) retry_interval: Duration,

    /// Longest time in which a transaction is to be mined; 0 for any
    #[arg(long = "txmgr.send-timeout", env = "DOPPIO_BATCHER_TXMGR_TX_SEND_TIMEOUT", value_name = "DURATION", default_value = "0s", value_parser = parse_duration)]
    pub(crate) send_timeout: Duration,

    /// Longest time until a pool has taken it
    #[arg(long = "txmgr.not-in-mempool-timeout", env = "DOPPIO_BATCHER_TXMGR_TX_NOT_IN_MEMPOOL_TIMEOUT", value_name = "DURATION", default_value = "2m", value_parser = parse_duration)]
    pub(crate) not_in_mempool_timeout: Duration,

    /// How often receipts are asked for
    #[arg(long = "txmgr.receipt-query-interval", value_name = "DURATION", default_value = "12s", value_parser = parse_duration)]
    pub(crate) receipt_query_interval: Duration,

    /// Words in which an L1 node says that it has a transaction already, beyond those that are known
    #[arg(
        long = "txmgr.already-published-custom-errs",
        value_name = "WORDS,...",
        value_delimiter = ','
    )]
    pub(crate) already_published_custom_errs: Vec<String>,

    /// L1 time from which blobs are proven by cells (EIP-7594); default: what is known of the L1
    #[arg(long = "txmgr.cell-proof-time", value_name = "TIME")]
    pub(crate) cell_proof_time: Option<u64>,

    /// Tips for blobs follow those of recent transactions with blobs
    #[arg(long = "txmgr.blob-tip-cap-dynamic", value_name = "BOOL", action = ArgAction::Set, value_parser = parse_bool, default_value = "false")]
    pub(crate) blob_tip_cap_dynamic: bool,

    /// Which of their tips, in percent
    #[arg(
        long = "txmgr.blob-tip-cap-percentile",
        value_name = "PERCENT",
        default_value = "60"
    )]
    pub(crate) blob_tip_cap_percentile: u8,

    /// How many of the newest L1 blocks are looked at for it
    #[arg(
        long = "txmgr.blob-tip-cap-range",
        value_name = "BLOCKS",
        default_value = "20"
    )]
    pub(crate) blob_tip_cap_range: u64,

    /// How often it is tried again to have a transaction signed, or its gas estimated
    #[arg(long = "txmgr.max-retries", value_name = "N", default_value = "10")]
    pub(crate) max_retries: u64,
}

/// Amounts are given as decimal fractions.
fn wei(flag: &str, amount: f64, unit: f64) -> Result<u128, CommandError> {
    let wei = (amount * unit).round();
    // far below what 128 bits hold, and far above what there is
    if !(0.0..=1e30).contains(&wei) {
        return Err(format!("{flag} {amount}: an amount is a number from 0 on").into());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it was checked"
    )]
    Ok(wei as u128)
}

fn unless_zero(amount: u128) -> Option<u128> {
    Some(amount).filter(|amount| *amount > 0)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl SignerArgs {
    /// Who signs.
    pub(crate) fn signer(&self, timeout: Duration) -> Result<Arc<dyn Signer>, CommandError> {
        let given = [
            self.private_key.is_some(),
            self.mnemonic.is_some(),
            self.keystore.is_some(),
            self.endpoint.is_some(),
        ];
        if given.iter().filter(|given| **given).count() != 1 {
            return Err(
                "which account? Give exactly one of --private-key, --mnemonic, --keystore and \
                 --signer.endpoint"
                    .into(),
            );
        }
        if let Some(key) = &self.private_key {
            let key = key.trim();
            let key = key.strip_prefix("0x").unwrap_or(key);
            return Ok(Arc::new(LocalSigner::from_hex(key)?));
        }
        if let Some(words) = &self.mnemonic {
            let path = self.hd_path.as_deref().unwrap_or(HD_PATH);
            return Ok(Arc::new(LocalSigner::from_mnemonic(words, path)?));
        }
        if let Some(file) = &self.keystore {
            let password = match &self.keystore_password_file {
                None => String::new(),
                Some(file) => fs::read_to_string(file)
                    .map_err(|error| format!("{}: {error}", file.display()))?,
            };
            let password = password.trim_end_matches(['\r', '\n']);
            return Ok(Arc::new(LocalSigner::from_keystore(file, password)?));
        }
        let address = self.address.as_deref();
        let address = address.ok_or("--signer.endpoint needs --signer.address")?;
        let address: Address = address
            .parse()
            .map_err(|error| format!("--signer.address {address}: {error}"))?;
        let options = RemoteOptions {
            endpoint: self.endpoint.clone().unwrap_or_default(),
            address,
            headers: self.header.clone(),
            tls: self.tls.then(|| TlsFiles {
                ca: self.tls_ca.clone(),
                cert: self.tls_cert.clone(),
                key: self.tls_key.clone(),
            }),
            timeout,
        };
        Ok(Arc::new(RemoteSigner::new(&options)?))
    }
}

impl TxmgrArgs {
    /// The least tip, in wei.
    pub(crate) fn least_tip(&self) -> Result<u128, CommandError> {
        wei("--txmgr.min-tip-cap", self.min_tip_cap, WEI_PER_GWEI)
    }

    /// How transactions are sent.
    pub(crate) fn options(
        &self,
        chain: &ChainConfig,
        max_pending: u64,
        poll_interval: Duration,
        metrics_namespace: &'static str,
    ) -> Result<TxmgrOptions, CommandError> {
        let gwei = |flag, amount| wei(flag, amount, WEI_PER_GWEI);
        let defaults = TxmgrOptions::new(chain.rollup.l1_chain_id, metrics_namespace);
        let threshold = gwei("--txmgr.fee-limit-threshold", self.fee_limit_threshold)?;
        let spend = wei(
            "--txmgr.max-fee-per-hour",
            self.max_fee_per_hour,
            WEI_PER_ETHER,
        )?;
        // op-service's way to say never
        let cell_proof_time = self.cell_proof_time.filter(|time| *time != u64::MAX);
        Ok(TxmgrOptions {
            machine: Options {
                blob_schedule: chain.l1_blob_schedule.clone(),
                settings: Settings {
                    min_base_fee: gwei("--txmgr.min-basefee", self.min_basefee)?,
                    min_tip_cap: self.least_tip()?,
                    fee_limit_threshold: unless_zero(threshold),
                    rebroadcast_interval: millis(self.rebroadcast_interval),
                    resubmission_timeout: millis(self.resubmission_timeout),
                    blob_tip_cap_dynamic: self.blob_tip_cap_dynamic,
                    ..Settings::default()
                },
                max_pending,
                num_confirmations: self.num_confirmations,
                safe_abort_nonce_too_low_count: self.safe_abort_nonce_too_low_count,
                fee_limit_multiplier: self.fee_limit_multiplier,
                max_base_fee: unless_zero(gwei("--txmgr.max-basefee", self.max_basefee)?),
                max_tip_cap: unless_zero(gwei("--txmgr.max-tip-cap", self.max_tip_cap)?),
                max_fee_per_hour: unless_zero(spend),
                retry_interval: millis(self.retry_interval),
                max_retries: self.max_retries,
                send_timeout: millis(self.send_timeout),
                not_in_mempool_timeout: millis(self.not_in_mempool_timeout),
                receipt_query_interval: millis(self.receipt_query_interval),
                already_published: self.already_published_custom_errs.clone(),
                cell_proof_time: cell_proof_time.or(defaults.machine.cell_proof_time),
                blob_tip_cap_percentile: self.blob_tip_cap_percentile,
                blob_tip_cap_range: self.blob_tip_cap_range,
                ..defaults.machine
            },
            poll_interval,
            ..defaults
        })
    }
}
