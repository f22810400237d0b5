//! The flags of `doppio node`. Names, environment and defaults are op-node's where it has such a flag.

use super::chain::{NodeChainArgs, parse_bool};
use crate::{engine::ServeArgs, log::LogFormat};
use clap::{ArgAction, Args};
use core::time::Duration;
use doppio_l1::RpcKind;
use doppio_protocol::duration::parse_duration;
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

/// Run the rollup node: it derives the L2 chain from L1 and drives an execution engine, and makes
/// blocks if it is the sequencer. Takes op-node's place: flags, environment (OP_NODE_*) and RPC are
/// the same. Stops on SIGINT and SIGTERM
#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    #[command(flatten)]
    pub(super) chain: NodeChainArgs,

    #[command(flatten)]
    pub(super) l1: L1Args,

    #[command(flatten)]
    pub(super) l2: L2Args,

    #[command(flatten)]
    pub(super) embedded: EmbeddedArgs,

    #[command(flatten)]
    pub(super) sequencer: SequencerArgs,

    #[command(flatten)]
    pub(super) derivation: DerivationArgs,

    #[command(flatten)]
    pub(super) altda: AltDaArgs,

    #[command(flatten)]
    pub(super) rpc: RpcArgs,

    #[command(flatten)]
    pub(super) metrics: NodeMetricsArgs,

    #[command(flatten)]
    pub(super) log: LogArgs,

    #[command(flatten)]
    pub(super) ignored: IgnoredArgs,

    #[command(flatten)]
    pub(super) compare: CompareArgs,

    /// Run all checks of the configuration, of L1 and of the engine, print each with its remedy, and
    /// exit: with 0 only if the node would start
    #[arg(long, env = "DOPPIO_NODE_CHECK")]
    pub(super) check: bool,
}

// How L1 is reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "L1")]
pub(crate) struct L1Args {
    /// JSON-RPC endpoints of L1, the preferred first; another is asked where one fails or lies
    #[arg(
        id = "l1",
        long = "l1",
        env = "DOPPIO_NODE_L1_ETH_RPC",
        value_name = "URL,...",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:8545"
    )]
    pub(super) endpoints: Vec<String>,

    /// Beacon nodes, where blobs come from, the preferred first
    #[arg(
        id = "l1.beacon",
        long = "l1.beacon",
        env = "DOPPIO_NODE_L1_BEACON",
        value_name = "URL,...",
        value_delimiter = ','
    )]
    pub(super) beacon: Vec<String>,

    /// Asked for blobs that the beacon nodes do not have any more, for example archivers
    #[arg(
        id = "l1.beacon-fallbacks",
        long = "l1.beacon-fallbacks",
        visible_alias = "l1.beacon-archiver",
        env = "DOPPIO_NODE_L1_BEACON_FALLBACKS",
        value_name = "URL,...",
        value_delimiter = ','
    )]
    pub(super) beacon_fallbacks: Vec<String>,

    /// A header for each request to the beacon nodes, as Name: value
    #[arg(
        id = "l1.beacon-header",
        long = "l1.beacon-header",
        env = "DOPPIO_NODE_L1_BEACON_HEADER",
        value_name = "HEADER"
    )]
    pub(super) beacon_header: Option<String>,

    /// Start without a beacon node: for chains that never use blobs
    #[arg(id = "l1.beacon.ignore", long = "l1.beacon.ignore", env = "DOPPIO_NODE_L1_BEACON_IGNORE", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL")]
    pub(super) beacon_ignore: bool,

    /// Seconds of a slot, where the beacon node cannot say; 0 to ask it
    #[arg(
        id = "l1.beacon.slot-duration-override",
        long = "l1.beacon.slot-duration-override",
        env = "DOPPIO_NODE_L1_BEACON_SLOT_DURATION_OVERRIDE",
        value_name = "SECONDS",
        default_value = "0"
    )]
    pub(super) beacon_slot_duration_override: u64,

    /// Kind of the L1 endpoints, which says how receipts are fetched: alchemy, quicknode, infura,
    /// parity, nethermind, debug_geth, erigon, basic, any, standard
    #[arg(id = "l1.rpckind", long = "l1.rpckind", env = "DOPPIO_NODE_L1_RPC_KIND", value_name = "KIND", default_value = "standard", value_parser = parse_kind)]
    pub(super) rpckind: RpcKind,

    /// Most requests at a time to one endpoint
    #[arg(
        id = "l1.max-concurrency",
        long = "l1.max-concurrency",
        env = "DOPPIO_NODE_L1_MAX_CONCURRENCY",
        value_name = "N",
        default_value = "10"
    )]
    pub(super) max_concurrency: usize,

    /// Most calls a second to one endpoint; 0 for any
    #[arg(
        id = "l1.rpc-rate-limit",
        long = "l1.rpc-rate-limit",
        env = "DOPPIO_NODE_L1_RPC_RATE_LIMIT",
        value_name = "N",
        default_value = "0"
    )]
    pub(super) rpc_rate_limit: f64,

    /// Most calls in one request
    #[arg(
        id = "l1.rpc-max-batch-size",
        long = "l1.rpc-max-batch-size",
        env = "DOPPIO_NODE_L1_RPC_MAX_BATCH_SIZE",
        value_name = "N",
        default_value = "20"
    )]
    pub(super) rpc_max_batch_size: usize,

    /// Most L1 blocks that are kept; 0 for two thirds of the sequencing window
    #[arg(
        id = "l1.cache-size",
        long = "l1.cache-size",
        env = "DOPPIO_NODE_L1_CACHE_SIZE",
        value_name = "BLOCKS",
        default_value = "900"
    )]
    pub(super) cache_size: usize,

    /// How often L1 is asked for its head
    #[arg(id = "l1.http-poll-interval", long = "l1.http-poll-interval", env = "DOPPIO_NODE_L1_HTTP_POLL_INTERVAL", value_name = "DURATION", default_value = "12s", value_parser = parse_duration)]
    pub(super) http_poll_interval: Duration,

    /// How often L1 is asked for its safe and finalized blocks
    #[arg(id = "l1.epoch-poll-interval", long = "l1.epoch-poll-interval", env = "DOPPIO_NODE_L1_EPOCH_POLL_INTERVAL", value_name = "DURATION", default_value = "6m24s", value_parser = parse_duration)]
    pub(super) epoch_poll_interval: Duration,
}

// How the engine is reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "L2: an execution engine of its own")]
pub(crate) struct L2Args {
    /// The engine's authenticated endpoint (op-geth, op-reth, doppio engine)
    #[arg(
        id = "l2",
        long = "l2",
        env = "DOPPIO_NODE_L2_ENGINE_RPC",
        value_name = "URL"
    )]
    pub(super) engine: Option<String>,

    /// File of the secret that the node shares with the engine, 64 hex digits; made if it does not
    /// exist
    #[arg(
        id = "l2.jwt-secret",
        long = "l2.jwt-secret",
        env = "DOPPIO_NODE_L2_ENGINE_AUTH",
        value_name = "FILE"
    )]
    pub(super) jwt_secret: Option<PathBuf>,

    /// Longest time for a call of the engine
    #[arg(id = "l2.engine-rpc-timeout", long = "l2.engine-rpc-timeout", env = "DOPPIO_NODE_L2_ENGINE_RPC_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    pub(super) engine_rpc_timeout: Duration,

    /// After a start, believe the safe head without walking back to it
    #[arg(id = "l2.skip-sync-start-check", long = "l2.skip-sync-start-check", env = "DOPPIO_NODE_L2_SKIP_SYNC_START_CHECK", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL")]
    pub(super) skip_sync_start_check: bool,
}

// The engine in this process.
#[derive(Debug, Args)]
#[command(next_help_heading = "L2: the embedded engine")]
pub(crate) struct EmbeddedArgs {
    /// The chain's genesis.json with its accounts, as op-geth takes it: runs the engine within this
    /// process, instead of --l2
    #[arg(
        id = "genesis",
        long = "genesis",
        env = "DOPPIO_NODE_GENESIS",
        value_name = "FILE"
    )]
    pub(super) genesis: Option<PathBuf>,

    /// The accounts of genesis.json, if they are in a file of their own
    #[arg(
        id = "genesis.alloc",
        long = "genesis.alloc",
        env = "DOPPIO_NODE_GENESIS_ALLOC",
        value_name = "FILE"
    )]
    pub(super) genesis_alloc: Option<PathBuf>,

    /// Folder of the embedded engine's database
    #[arg(
        id = "datadir",
        long = "datadir",
        env = "DOPPIO_NODE_DATADIR",
        value_name = "DIR"
    )]
    pub(super) datadir: Option<PathBuf>,

    /// Memory for the database's cache, in MiB. With the default, the node and its engine stay
    /// within 512 MiB while they catch up
    #[arg(
        id = "db.cache",
        long = "db.cache",
        env = "DOPPIO_NODE_DB_CACHE",
        value_name = "MIB",
        default_value = "128"
    )]
    pub(super) db_cache: usize,

    #[command(flatten)]
    pub(super) serve: ServeArgs,
}

// How blocks are made.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sequencer")]
pub(crate) struct SequencerArgs {
    /// Make blocks
    #[arg(id = "sequencer.enabled", long = "sequencer.enabled", env = "DOPPIO_NODE_SEQUENCER_ENABLED", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL")]
    pub(super) enabled: bool,

    /// Make none before admin_startSequencer
    #[arg(id = "sequencer.stopped", long = "sequencer.stopped", env = "DOPPIO_NODE_SEQUENCER_STOPPED", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL")]
    pub(super) stopped: bool,

    /// How deep an L1 block must be to become an origin
    #[arg(
        id = "sequencer.l1-confs",
        long = "sequencer.l1-confs",
        env = "DOPPIO_NODE_SEQUENCER_L1_CONFS",
        value_name = "BLOCKS",
        default_value = "4"
    )]
    pub(super) l1_confs: u64,

    /// Only finalized L1 blocks become origins
    #[arg(id = "sequencer.use-finalized", long = "sequencer.use-finalized", env = "DOPPIO_NODE_SEQUENCER_USE_FINALIZED", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL")]
    pub(super) use_finalized: bool,

    /// How far the unsafe head may be ahead of the safe one before no more blocks are made; 0 for
    /// any
    #[arg(
        id = "sequencer.max-safe-lag",
        long = "sequencer.max-safe-lag",
        env = "DOPPIO_NODE_SEQUENCER_MAX_SAFE_LAG",
        value_name = "BLOCKS",
        default_value = "0"
    )]
    pub(super) max_safe_lag: u64,

    /// Every block takes the next L1 origin as soon as it may, and no users' transactions
    #[arg(id = "sequencer.recover", long = "sequencer.recover", env = "DOPPIO_NODE_SEQUENCER_RECOVER", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL")]
    pub(super) recover: bool,

    /// L1 blocks that it may take to bring a block's data to L1: later in its sequencing window, a
    /// block has no transactions of users, which would be lost; default: a quarter of the window
    #[arg(
        id = "sequencer.posting-margin",
        long = "sequencer.posting-margin",
        env = "DOPPIO_NODE_SEQUENCER_POSTING_MARGIN",
        value_name = "BLOCKS"
    )]
    pub(super) posting_margin: Option<u64>,

    /// How long before its time a block is sealed
    #[arg(id = "sequencer.sealing-duration", long = "sequencer.sealing-duration", env = "DOPPIO_NODE_SEQUENCER_SEALING_DURATION", value_name = "DURATION", default_value = "50ms", value_parser = parse_duration)]
    pub(super) sealing_duration: Duration,
}

// How the chain is derived.
#[derive(Debug, Args)]
#[command(next_help_heading = "Derivation")]
pub(crate) struct DerivationArgs {
    /// How far derivation stays behind L1's head
    #[arg(
        id = "verifier.l1-confs",
        long = "verifier.l1-confs",
        env = "DOPPIO_NODE_VERIFIER_L1_CONFS",
        value_name = "BLOCKS",
        default_value = "0"
    )]
    pub(super) l1_confs: u64,

    /// L1 blocks before the end of a sequencing window at which a missing batch is warned of;
    /// default: half of the window
    #[arg(
        id = "verifier.window-warning",
        long = "verifier.window-warning",
        env = "DOPPIO_NODE_VERIFIER_WINDOW_WARNING",
        value_name = "BLOCKS"
    )]
    pub(super) window_warning: Option<u64>,

    /// L1 blocks that are remembered for finality; 0 for what the chain needs
    #[arg(
        id = "finality.lookback",
        long = "finality.lookback",
        env = "DOPPIO_NODE_FINALITY_LOOKBACK",
        value_name = "BLOCKS",
        default_value = "0"
    )]
    pub(super) finality_lookback: u64,

    /// L1 blocks between two attempts to make blocks final while catching up; 0 for 64
    #[arg(
        id = "finality.delay",
        long = "finality.delay",
        env = "DOPPIO_NODE_FINALITY_DELAY",
        value_name = "BLOCKS",
        default_value = "0"
    )]
    pub(super) finality_delay: u64,

    /// Folder of the safe-head database, which optimism_safeHeadAtL1Block and superroot_atTimestamp
    /// need; none without
    #[arg(
        id = "safedb.path",
        long = "safedb.path",
        env = "DOPPIO_NODE_SAFEDB_PATH",
        value_name = "DIR"
    )]
    pub(super) safedb: Option<PathBuf>,

    /// consensus-layer. Syncing by the execution layer needs P2P, which is not here yet
    #[arg(
        id = "syncmode",
        long = "syncmode",
        env = "DOPPIO_NODE_SYNCMODE",
        value_name = "MODE",
        default_value = "consensus-layer"
    )]
    pub(super) syncmode: String,

    /// How far safe and finalized head are set behind the engine's head if it has lost them
    #[arg(id = "syncmode.offset-el-safe", long = "syncmode.offset-el-safe", env = "DOPPIO_NODE_SYNCMODE_OFFSET_EL_SAFE", value_name = "DURATION", default_value = "12h", value_parser = parse_duration)]
    pub(super) offset_el_safe: Duration,
}

// Where the data behind commitments comes from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Alt-DA")]
pub(crate) struct AltDaArgs {
    /// Accepted for compatibility: rollup.json says it
    #[arg(id = "altda.enabled", long = "altda.enabled", env = "DOPPIO_NODE_ALTDA_ENABLED", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL", hide = true)]
    pub(super) enabled: bool,

    /// The DA server
    #[arg(
        id = "altda.da-server",
        long = "altda.da-server",
        env = "DOPPIO_NODE_ALTDA_DA_SERVER",
        value_name = "URL"
    )]
    pub(super) da_server: Option<String>,

    /// Longest time for a request to it; 0 for 30 s
    #[arg(id = "altda.get-timeout", long = "altda.get-timeout", env = "DOPPIO_NODE_ALTDA_GET_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    pub(super) get_timeout: Duration,

    /// Accepted for compatibility
    #[arg(id = "altda.verify-on-read", long = "altda.verify-on-read", env = "DOPPIO_NODE_ALTDA_VERIFY_ON_READ", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "true", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL", hide = true)]
    pub(super) verify_on_read: bool,

    /// Accepted for compatibility: rollup.json says which commitments there are
    #[arg(id = "altda.da-service", long = "altda.da-service", env = "DOPPIO_NODE_ALTDA_DA_SERVICE", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL", hide = true)]
    pub(super) da_service: bool,
}

// What is served.
#[derive(Debug, Args)]
#[command(next_help_heading = "RPC")]
pub(crate) struct RpcArgs {
    /// Address to listen on
    #[arg(
        id = "rpc.addr",
        long = "rpc.addr",
        env = "DOPPIO_NODE_RPC_ADDR",
        value_name = "IP",
        default_value = "0.0.0.0"
    )]
    pub(super) addr: IpAddr,

    /// Port to listen on; 0 for a free one
    #[arg(
        id = "rpc.port",
        long = "rpc.port",
        env = "DOPPIO_NODE_RPC_PORT",
        value_name = "PORT",
        default_value = "9545"
    )]
    pub(super) port: u16,

    /// Serve admin_* as well
    #[arg(id = "rpc.enable-admin", long = "rpc.enable-admin", env = "DOPPIO_NODE_RPC_ENABLE_ADMIN", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL")]
    pub(super) enable_admin: bool,

    /// Serve admin_* here, and not on --rpc.addr
    #[arg(
        id = "rpc.admin-addr",
        long = "rpc.admin-addr",
        env = "DOPPIO_NODE_RPC_ADMIN_ADDR",
        value_name = "IP:PORT"
    )]
    pub(super) admin_addr: Option<SocketAddr>,

    /// File of a secret, 64 hex digits, with which callers of --rpc.admin-addr make their JWT
    #[arg(
        id = "rpc.admin-token",
        long = "rpc.admin-token",
        env = "DOPPIO_NODE_RPC_ADMIN_TOKEN",
        value_name = "FILE"
    )]
    pub(super) admin_token: Option<PathBuf>,

    /// File that keeps over a restart whether the sequencer was started or stopped
    #[arg(
        id = "rpc.admin-state",
        long = "rpc.admin-state",
        env = "DOPPIO_NODE_RPC_ADMIN_STATE",
        value_name = "FILE"
    )]
    pub(super) admin_state: Option<PathBuf>,
}

// Beside another node.
#[derive(Debug, Args)]
#[command(next_help_heading = "Comparison with another node")]
pub(crate) struct CompareArgs {
    /// RPC of another rollup node of the chain, for example the op-node that this one is to replace.
    /// Blocks, outputs and safe heads are compared one by one; a difference is an error in the log
    /// and in the metrics
    #[arg(long = "compare", env = "DOPPIO_NODE_COMPARE", value_name = "URL")]
    pub(super) compare: Option<String>,

    /// How often the other node is asked for its heads
    #[arg(long = "compare.interval", env = "DOPPIO_NODE_COMPARE_INTERVAL", value_name = "DURATION", default_value = "2s", value_parser = parse_duration)]
    pub(super) interval: Duration,

    /// End with a failure at the first difference between safe blocks
    #[arg(long = "compare.halt", env = "DOPPIO_NODE_COMPARE_HALT", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL")]
    pub(super) halt: bool,
}

// Prometheus.
#[derive(Debug, Args)]
#[command(next_help_heading = "Metrics")]
pub(crate) struct NodeMetricsArgs {
    /// Serve Prometheus metrics over HTTP
    #[arg(id = "metrics.enabled", long = "metrics.enabled", env = "DOPPIO_NODE_METRICS_ENABLED", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL")]
    pub(super) enabled: bool,

    /// Address to listen on
    #[arg(
        id = "metrics.addr",
        long = "metrics.addr",
        env = "DOPPIO_NODE_METRICS_ADDR",
        value_name = "IP",
        default_value = "0.0.0.0"
    )]
    pub(super) addr: IpAddr,

    /// Port to listen on
    #[arg(
        id = "metrics.port",
        long = "metrics.port",
        env = "DOPPIO_NODE_METRICS_PORT",
        value_name = "PORT",
        default_value = "7300"
    )]
    pub(super) port: u16,
}

// What is logged to stderr.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct LogArgs {
    /// error, warn, info, debug, trace, or directives such as info,doppio_l1=debug
    #[arg(
        id = "log.level",
        long = "log.level",
        env = "DOPPIO_NODE_LOG_LEVEL",
        value_name = "FILTER",
        default_value = "info"
    )]
    pub(super) level: String,

    /// text or terminal for people, json for programs
    #[arg(id = "log.format", long = "log.format", env = "DOPPIO_NODE_LOG_FORMAT", value_name = "FORMAT", default_value = "text", value_parser = LogFormat::parse)]
    pub(super) format: LogFormat,

    /// Colours; default: where stderr is a terminal
    #[arg(id = "log.color", long = "log.color", env = "DOPPIO_NODE_LOG_COLOR", value_name = "BOOL", value_parser = parse_bool, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(super) color: Option<bool>,
}

// op-node's flags that have nothing to do here. Each is taken, and what it asks for and is not done is
// said.
#[derive(Debug, Args)]
pub(crate) struct IgnoredArgs {
    /// op-node's
    #[arg(id = "l1.trustrpc", long = "l1.trustrpc", env = "DOPPIO_NODE_L1_TRUST_RPC", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL", hide = true)]
    pub(super) l1_trustrpc: bool,

    /// op-node's
    #[arg(id = "l1.beacon.fetch-all-sidecars", long = "l1.beacon.fetch-all-sidecars", env = "DOPPIO_NODE_L1_BEACON_FETCH_ALL_SIDECARS", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL", hide = true)]
    pub(super) l1_beacon_fetch_all_sidecars: bool,

    /// op-node's
    #[arg(id = "syncmode.req-resp", long = "syncmode.req-resp", env = "DOPPIO_NODE_SYNCMODE_REQ_RESP", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL", hide = true)]
    pub(super) syncmode_req_resp: bool,

    /// op-node's
    #[arg(id = "fetch-withdrawal-root-from-state", long = "fetch-withdrawal-root-from-state", env = "DOPPIO_NODE_FETCH_WITHDRAWAL_ROOT_FROM_STATE", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL", hide = true)]
    pub(super) fetch_withdrawal_root_from_state: bool,

    /// op-node's
    #[arg(id = "l2.engine-sync", long = "l2.engine-sync", env = "DOPPIO_NODE_L2_ENGINE_SYNC", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL", hide = true)]
    pub(super) l2_engine_sync: bool,

    /// op-node's
    #[arg(id = "beta.extra-networks", long = "beta.extra-networks", env = "DOPPIO_NODE_BETA_EXTRA_NETWORKS", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL", hide = true)]
    pub(super) beta_extra_networks: bool,

    /// op-node's
    #[arg(id = "heartbeat.enabled", long = "heartbeat.enabled", env = "DOPPIO_NODE_HEARTBEAT_ENABLED", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL", hide = true)]
    pub(super) heartbeat_enabled: bool,

    /// op-node's
    #[arg(id = "pprof.enabled", long = "pprof.enabled", env = "DOPPIO_NODE_PPROF_ENABLED", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL", hide = true)]
    pub(super) pprof_enabled: bool,

    /// op-node's
    #[arg(id = "log.pid", long = "log.pid", env = "DOPPIO_NODE_LOG_PID", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL", hide = true)]
    pub(super) log_pid: bool,

    /// op-node's
    #[arg(id = "p2p.disable", long = "p2p.disable", env = "DOPPIO_NODE_P2P_DISABLE", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL", hide = true)]
    pub(super) p2p_disable: bool,

    /// op-node's
    #[arg(id = "conductor.enabled", long = "conductor.enabled", env = "DOPPIO_NODE_CONDUCTOR_ENABLED", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", value_parser = parse_bool, action = ArgAction::Set, value_name = "BOOL", hide = true)]
    pub(super) conductor_enabled: bool,

    /// op-node's
    #[arg(
        id = "l2.enginekind",
        long = "l2.enginekind",
        env = "DOPPIO_NODE_L2_ENGINE_KIND",
        value_name = "VALUE",
        hide = true
    )]
    pub(super) l2_enginekind: Option<String>,

    /// op-node's
    #[arg(
        id = "l1.runtime-config-reload-interval",
        long = "l1.runtime-config-reload-interval",
        env = "DOPPIO_NODE_L1_RUNTIME_CONFIG_RELOAD_INTERVAL",
        value_name = "VALUE",
        hide = true
    )]
    pub(super) l1_runtime_config_reload_interval: Option<String>,

    /// op-node's
    #[arg(
        id = "heartbeat.moniker",
        long = "heartbeat.moniker",
        env = "DOPPIO_NODE_HEARTBEAT_MONIKER",
        value_name = "VALUE",
        hide = true
    )]
    pub(super) heartbeat_moniker: Option<String>,

    /// op-node's
    #[arg(
        id = "heartbeat.url",
        long = "heartbeat.url",
        env = "DOPPIO_NODE_HEARTBEAT_URL",
        value_name = "VALUE",
        hide = true
    )]
    pub(super) heartbeat_url: Option<String>,

    /// op-node's
    #[arg(
        id = "snapshotlog.file",
        long = "snapshotlog.file",
        env = "DOPPIO_NODE_SNAPSHOT_LOG",
        value_name = "VALUE",
        hide = true
    )]
    pub(super) snapshotlog_file: Option<String>,

    /// op-node's
    #[arg(
        id = "l2.backup-unsafe-sync-rpc",
        long = "l2.backup-unsafe-sync-rpc",
        env = "DOPPIO_NODE_L2_BACKUP_UNSAFE_SYNC_RPC",
        value_name = "VALUE",
        hide = true
    )]
    pub(super) l2_backup_unsafe_sync_rpc: Option<String>,

    /// op-node's
    #[arg(
        id = "pprof.addr",
        long = "pprof.addr",
        env = "DOPPIO_NODE_PPROF_ADDR",
        value_name = "VALUE",
        hide = true
    )]
    pub(super) pprof_addr: Option<String>,

    /// op-node's
    #[arg(
        id = "pprof.port",
        long = "pprof.port",
        env = "DOPPIO_NODE_PPROF_PORT",
        value_name = "VALUE",
        hide = true
    )]
    pub(super) pprof_port: Option<String>,

    /// op-node's
    #[arg(
        id = "interop.dependency-set",
        long = "interop.dependency-set",
        env = "DOPPIO_NODE_INTEROP_DEPENDENCY_SET",
        value_name = "VALUE",
        hide = true
    )]
    pub(super) interop_dependency_set: Option<String>,

    /// op-node's
    #[arg(
        id = "l2.follow.source",
        long = "l2.follow.source",
        env = "DOPPIO_NODE_L2_FOLLOW_SOURCE",
        value_name = "VALUE",
        hide = true
    )]
    pub(super) l2_follow_source: Option<String>,
}

fn parse_kind(name: &str) -> Result<RpcKind, doppio_l1::UnknownRpcKind> {
    name.parse()
}
