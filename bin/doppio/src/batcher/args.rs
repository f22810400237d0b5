//! The flags of `doppio batcher`. Names, environment and defaults are op-batcher's where it has such a
//! flag; variables are named after the flags (`crate::environment`).

use crate::{
    log::LogFormat,
    node::chain::{NodeChainArgs, parse_bool},
    txmgr_args::{SignerArgs, TxmgrArgs},
};
use clap::{ArgAction, Args};
use core::time::Duration;
use doppio_protocol::duration::parse_duration;
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

/// How variables of these flags begin.
pub(crate) const ENVIRONMENT: &str = "DOPPIO_BATCHER_";

/// Run the batcher: it brings the sequencer's blocks to L1, in channels, as blobs or calldata. Takes
/// op-batcher's place: flags, environment (OP_BATCHER_*) and RPC are the same. Stops on SIGINT and
/// SIGTERM, once what is on its way is on L1
#[derive(Debug, Args)]
pub(crate) struct BatcherArgs {
    #[command(flatten)]
    pub(super) endpoints: EndpointArgs,

    #[command(flatten)]
    pub(super) chain: NodeChainArgs,

    #[command(flatten)]
    pub(super) posting: PostingArgs,

    #[command(flatten)]
    pub(super) channels: ChannelArgs,

    #[command(flatten)]
    pub(super) throttle: ThrottleArgs,

    #[command(flatten)]
    pub(super) signer: SignerArgs,

    #[command(flatten)]
    pub(super) txmgr: TxmgrArgs,

    #[command(flatten)]
    pub(super) rpc: BatcherRpcArgs,

    #[command(flatten)]
    pub(super) log: BatcherLogArgs,

    #[command(flatten)]
    pub(super) ignored: IgnoredArgs,

    /// Run all checks of the configuration, of L1 and of the sequencer, print each with its remedy,
    /// and exit: with 0 only if the batcher would start
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, value_parser = parse_bool, default_value = "false")]
    pub(super) check: bool,

    /// Beside a batcher that runs: read the same blocks, sign and send nothing, and say what would
    /// have been posted, when and at what cost, beside what the other one posts. Needs no account
    #[arg(long = "dry-run", value_name = "BOOL", action = ArgAction::Set, value_parser = parse_bool, default_value = "false")]
    pub(super) dry_run: bool,
}

// Who is asked.
#[derive(Debug, Args)]
#[command(next_help_heading = "Endpoints")]
pub(crate) struct EndpointArgs {
    /// JSON-RPC endpoints of L1, the preferred first; transactions are handed to all of them
    #[arg(
        long = "l1-eth-rpc",
        value_name = "URL,...",
        value_delimiter = ',',
        num_args = 1,
        action = ArgAction::Set,
        required = true
    )]
    pub(super) l1: Vec<String>,

    /// JSON-RPC endpoints of the sequencers' execution engines
    #[arg(
        long = "l2-eth-rpc",
        value_name = "URL,...",
        value_delimiter = ',',
        num_args = 1,
        action = ArgAction::Set,
        required = true
    )]
    pub(super) l2: Vec<String>,

    /// The sequencers' rollup nodes, in the order of --l2-eth-rpc. Of several, the one that makes
    /// blocks is followed
    #[arg(
        long = "rollup-rpc",
        value_name = "URL,...",
        value_delimiter = ',',
        num_args = 1,
        action = ArgAction::Set,
        required = true
    )]
    pub(super) rollup: Vec<String>,

    /// How often it is asked whether it still does
    #[arg(long = "active-sequencer-check-duration", value_name = "DURATION", default_value = "5s", value_parser = parse_duration)]
    pub(super) active_sequencer_check: Duration,

    /// How often the sequencer is asked for new blocks, and L1 for its head
    #[arg(long = "poll-interval", value_name = "DURATION", default_value = "6s", value_parser = parse_duration)]
    pub(super) poll_interval: Duration,

    /// Begin only once the rollup node has read L1 up to the head, or to the newest transaction of
    /// the batcher's among the last --check-recent-txs-depth blocks
    #[arg(long = "wait-node-sync", value_name = "BOOL", action = ArgAction::Set, value_parser = parse_bool, default_value = "false")]
    pub(super) wait_node_sync: bool,

    /// L1 blocks, at most 128, in which a transaction of the batcher's is looked for
    #[arg(
        long = "check-recent-txs-depth",
        value_name = "BLOCKS",
        default_value = "0"
    )]
    pub(super) check_recent_txs_depth: u64,
}

// What is posted.
#[derive(Debug, Args)]
#[command(next_help_heading = "Posting")]
pub(crate) struct PostingArgs {
    /// calldata, blobs, or auto: whichever is cheaper
    #[arg(
        long = "data-availability-type",
        value_name = "KIND",
        default_value = "calldata"
    )]
    pub(super) da_type: String,

    /// Most transactions on their way at a time; 0 for any
    #[arg(long = "max-pending-tx", value_name = "N", default_value = "1")]
    pub(super) max_pending_tx: u64,

    /// Longest calldata of a transaction, in bytes
    #[arg(
        long = "max-l1-tx-size-bytes",
        value_name = "BYTES",
        default_value = "120000"
    )]
    pub(super) max_l1_tx_size: u64,

    /// Blobs in a transaction, 1 to 6
    #[arg(long = "target-num-frames", value_name = "N", default_value = "1")]
    pub(super) target_num_frames: u64,

    /// L1 blocks before a channel's time-out, or a sequencing window's end, by which its data is to
    /// be on L1
    #[arg(
        long = "sub-safety-margin",
        value_name = "BLOCKS",
        default_value = "10"
    )]
    pub(super) sub_safety_margin: u64,

    /// Post nothing before admin_startBatcher
    #[arg(long = "stopped", value_name = "BOOL", action = ArgAction::Set, value_parser = parse_bool, default_value = "false")]
    pub(super) stopped: bool,
}

// How channels are made.
#[derive(Debug, Args)]
#[command(next_help_heading = "Channels")]
pub(crate) struct ChannelArgs {
    /// L1 blocks that a channel is open at most; 0 for any
    #[arg(
        long = "max-channel-duration",
        value_name = "BLOCKS",
        default_value = "0"
    )]
    pub(super) max_channel_duration: u64,

    /// 0 or singular: a batch for each block; 1 or span: one for many blocks
    #[arg(long = "batch-type", value_name = "TYPE", default_value = "singular")]
    pub(super) batch_type: String,

    /// Blocks in a span batch; 0 for any
    #[arg(
        long = "max-blocks-per-span-batch",
        value_name = "BLOCKS",
        default_value = "0"
    )]
    pub(super) max_blocks_per_span_batch: u64,

    /// shadow, ratio or none: how it is known that a channel is full
    #[arg(long = "compressor", value_name = "KIND", default_value = "shadow")]
    pub(super) compressor: String,

    /// zlib, brotli, brotli-9, brotli-10, brotli-11, or adaptive: brotli, as well as there is time
    #[arg(
        long = "compression-algo",
        value_name = "ALGORITHM",
        default_value = "zlib"
    )]
    pub(super) compression_algo: String,

    /// What compression is thought to leave of a byte, for --compressor ratio
    #[arg(
        long = "approx-compr-ratio",
        value_name = "RATIO",
        default_value = "0.6"
    )]
    pub(super) approx_compr_ratio: f64,

    /// Blocks that are held in memory until they are safe, in MiB of transactions
    #[arg(long = "max-loaded-mib", value_name = "MIB", default_value = "512")]
    pub(super) max_loaded_mib: u64,
}

// How block builders are slowed down when L1 does not take what they make.
#[derive(Debug, Args)]
#[command(next_help_heading = "Throttling")]
pub(crate) struct ThrottleArgs {
    /// step, linear, quadratic or pid
    #[arg(
        long = "throttle.controller-type",
        value_name = "TYPE",
        default_value = "quadratic"
    )]
    pub(super) controller_type: String,

    /// Bytes that are not safe from which on it is throttled; 0 for never
    #[arg(
        long = "throttle.unsafe-da-bytes-lower-threshold",
        value_name = "BYTES",
        default_value = "3200000"
    )]
    pub(super) lower_threshold: u64,

    /// Bytes that are not safe at which it is throttled most
    #[arg(
        long = "throttle.unsafe-da-bytes-upper-threshold",
        value_name = "BYTES",
        default_value = "12800000"
    )]
    pub(super) upper_threshold: u64,

    /// Longest transaction when throttled most
    #[arg(
        long = "throttle.tx-size-lower-limit",
        value_name = "BYTES",
        default_value = "150"
    )]
    pub(super) tx_size_lower: u64,

    /// Longest transaction when throttled least
    #[arg(
        long = "throttle.tx-size-upper-limit",
        value_name = "BYTES",
        default_value = "20000"
    )]
    pub(super) tx_size_upper: u64,

    /// Most data of a block when throttled most
    #[arg(
        long = "throttle.block-size-lower-limit",
        value_name = "BYTES",
        default_value = "2000"
    )]
    pub(super) block_size_lower: u64,

    /// Most data of a block at any time
    #[arg(
        long = "throttle.block-size-upper-limit",
        value_name = "BYTES",
        default_value = "130000"
    )]
    pub(super) block_size_upper: u64,

    /// Block builders that are throttled as well as --l2-eth-rpc
    #[arg(
        long = "throttle.additional-endpoints",
        value_name = "URL,...",
        value_delimiter = ',',
        num_args = 1,
        action = ArgAction::Set
    )]
    pub(super) additional_endpoints: Vec<String>,

    /// Of the PID controller
    #[arg(long = "throttle.pid-kp", value_name = "K", default_value = "0.33")]
    pub(super) pid_kp: f64,

    /// Of the PID controller
    #[arg(long = "throttle.pid-ki", value_name = "K", default_value = "0.01")]
    pub(super) pid_ki: f64,

    /// Of the PID controller
    #[arg(long = "throttle.pid-kd", value_name = "K", default_value = "0.05")]
    pub(super) pid_kd: f64,

    /// Of the PID controller
    #[arg(
        long = "throttle.pid-integral-max",
        value_name = "MAX",
        default_value = "1000"
    )]
    pub(super) pid_integral_max: f64,

    /// Of the PID controller
    #[arg(
        long = "throttle.pid-output-max",
        value_name = "MAX",
        default_value = "1"
    )]
    pub(super) pid_output_max: f64,

    /// Of the PID controller
    #[arg(long = "throttle.pid-sample-time", value_name = "DURATION", default_value = "2s", value_parser = parse_duration)]
    pub(super) pid_sample_time: Duration,
}

// What is served.
#[derive(Debug, Args)]
#[command(next_help_heading = "RPC and metrics")]
pub(crate) struct BatcherRpcArgs {
    /// Address to listen on
    #[arg(
        id = "rpc_addr",
        long = "rpc.addr",
        value_name = "IP",
        default_value = "0.0.0.0"
    )]
    pub(super) addr: IpAddr,

    /// Port to listen on; 0 for a free one
    #[arg(
        id = "rpc_port",
        long = "rpc.port",
        value_name = "PORT",
        default_value = "8545"
    )]
    pub(super) port: u16,

    /// Serve admin_* and txmgr_* as well
    #[arg(id = "rpc_enable_admin", long = "rpc.enable-admin", value_name = "BOOL", action = ArgAction::Set, value_parser = parse_bool, default_value = "false")]
    pub(super) enable_admin: bool,

    /// Serve admin_* and txmgr_* here, and not on --rpc.addr
    #[arg(id = "rpc_admin_addr", long = "rpc.admin-addr", value_name = "IP:PORT")]
    pub(super) admin_addr: Option<SocketAddr>,

    /// File of a secret, 64 hex digits, with which callers of --rpc.admin-addr make their JWT
    #[arg(id = "rpc_admin_token", long = "rpc.admin-token", value_name = "FILE")]
    pub(super) admin_token: Option<PathBuf>,

    /// Serve Prometheus metrics over HTTP
    #[arg(long = "metrics.enabled", value_name = "BOOL", action = ArgAction::Set, value_parser = parse_bool, default_value = "false")]
    pub(super) metrics_enabled: bool,

    /// Address of the metrics
    #[arg(long = "metrics.addr", value_name = "IP", default_value = "0.0.0.0")]
    pub(super) metrics_addr: IpAddr,

    /// Port of the metrics
    #[arg(long = "metrics.port", value_name = "PORT", default_value = "7300")]
    pub(super) metrics_port: u16,
}

// What is logged to stderr.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct BatcherLogArgs {
    /// error, warn, info, debug, trace, or directives such as info,doppio_l1=debug
    #[arg(
        id = "log_level",
        long = "log.level",
        value_name = "FILTER",
        default_value = "info"
    )]
    pub(super) level: String,

    /// text or terminal for people, json for programs
    #[arg(id = "log_format", long = "log.format", value_name = "FORMAT", default_value = "text", value_parser = LogFormat::parse)]
    pub(super) format: LogFormat,

    /// Colours; default: where stderr is a terminal
    #[arg(id = "log_color", long = "log.color", value_name = "BOOL", value_parser = parse_bool)]
    pub(super) color: Option<bool>,
}

// op-batcher's flags that have nothing to do here, or not yet.
#[derive(Debug, Args)]
pub(crate) struct IgnoredArgs {
    /// op-batcher's
    #[arg(long = "altda.enabled", value_name = "BOOL", action = ArgAction::Set, value_parser = parse_bool, default_value = "false", hide = true)]
    pub(super) altda_enabled: bool,

    /// op-batcher's
    #[arg(long = "altda.da-server", value_name = "URL", hide = true)]
    pub(super) altda_da_server: Option<String>,

    /// op-batcher's
    #[arg(long = "altda.da-service", value_name = "BOOL", action = ArgAction::Set, value_parser = parse_bool, default_value = "false", hide = true)]
    pub(super) altda_da_service: bool,

    /// op-batcher's
    #[arg(long = "altda.verify-on-read", value_name = "BOOL", action = ArgAction::Set, value_parser = parse_bool, default_value = "true", hide = true)]
    pub(super) altda_verify_on_read: bool,

    /// op-batcher's
    #[arg(long = "altda.put-timeout", value_name = "DURATION", hide = true)]
    pub(super) altda_put_timeout: Option<String>,

    /// op-batcher's
    #[arg(long = "altda.get-timeout", value_name = "DURATION", hide = true)]
    pub(super) altda_get_timeout: Option<String>,

    /// op-batcher's
    #[arg(
        long = "altda.max-concurrent-da-requests",
        value_name = "N",
        hide = true
    )]
    pub(super) altda_max_concurrent: Option<u64>,

    /// op-batcher's
    #[arg(long = "log.pid", value_name = "BOOL", action = ArgAction::Set, value_parser = parse_bool, default_value = "false", hide = true)]
    pub(super) log_pid: bool,

    /// op-batcher's
    #[arg(long = "pprof.enabled", value_name = "BOOL", action = ArgAction::Set, value_parser = parse_bool, default_value = "false", hide = true)]
    pub(super) pprof_enabled: bool,

    /// op-batcher's
    #[arg(long = "pprof.addr", value_name = "IP", hide = true)]
    pub(super) pprof_addr: Option<String>,

    /// op-batcher's
    #[arg(long = "pprof.port", value_name = "PORT", hide = true)]
    pub(super) pprof_port: Option<String>,

    /// op-batcher's
    #[arg(long = "pprof.path", value_name = "PATH", hide = true)]
    pub(super) pprof_path: Option<String>,

    /// op-batcher's
    #[arg(long = "pprof.type", value_name = "TYPE", hide = true)]
    pub(super) pprof_type: Option<String>,
}
