//! The flags of `doppio engine`. Names and defaults are op-geth's where it has such a flag.

use super::embedded::Database;
use crate::metrics::MetricsArgs;
use clap::Args;
use core::time::Duration;
use doppio_engine::{BuildSettings, EngineSettings, PoolLimits};
use doppio_protocol::duration::parse_duration;
use doppio_rpc::Limits;
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

/// Run the execution engine: the rollup node drives it over the Engine API, everybody reads the
/// chain over JSON-RPC. Stops on SIGINT and SIGTERM
#[derive(Debug, Args)]
pub(crate) struct EngineArgs {
    /// Folder of the database and the JWT secret; made if it does not exist
    #[arg(long, env = "DOPPIO_ENGINE_DATADIR", value_name = "DIR")]
    pub(super) datadir: PathBuf,

    /// The chain's genesis.json, as op-geth takes it
    #[arg(long, env = "DOPPIO_ENGINE_GENESIS", value_name = "FILE")]
    pub(super) genesis: PathBuf,

    /// The accounts of genesis.json, if they are in a file of their own
    #[arg(
        long = "genesis.alloc",
        env = "DOPPIO_ENGINE_GENESIS_ALLOC",
        value_name = "FILE"
    )]
    pub(super) genesis_alloc: Option<PathBuf>,

    /// Memory for the database's cache, in MiB
    #[arg(
        long = "db.cache",
        env = "DOPPIO_ENGINE_DB_CACHE",
        value_name = "MIB",
        default_value_t = 1024
    )]
    pub(super) db_cache: usize,

    #[command(flatten)]
    pub(super) serve: ServeArgs,

    #[command(flatten)]
    pub(super) auth: AuthArgs,

    #[command(flatten)]
    pub(super) metrics: MetricsArgs,

    /// Run all checks of files, database and addresses, print each with its remedy, and end: with
    /// success only if the engine would start
    #[arg(long = "check", env = "DOPPIO_ENGINE_CHECK")]
    pub(super) check: bool,

    /// What is logged to stderr: a level (error, warn, info, debug, trace) or directives such as
    /// info,doppio_engine=debug
    #[arg(
        long = "log",
        env = "DOPPIO_LOG",
        value_name = "FILTER",
        default_value = "info",
        help_heading = "Logging"
    )]
    pub(super) log: String,
}

impl EngineArgs {
    /// Where the chain is kept.
    pub(super) fn database(&self) -> Database<'_> {
        Database {
            folder: &self.datadir,
            genesis: &self.genesis,
            alloc: self.genesis_alloc.as_deref(),
            cache_mib: self.db_cache,
        }
    }

    /// The file of the JWT secret.
    pub(super) fn secret_path(&self) -> PathBuf {
        match &self.auth.authrpc_jwtsecret {
            Some(file) => file.clone(),
            None => self.datadir.join("jwtsecret"),
        }
    }
}

impl AuthArgs {
    /// Where the Engine API is served.
    pub(super) const fn address(&self) -> SocketAddr {
        SocketAddr::new(self.authrpc_addr, self.authrpc_port)
    }
}

// What an engine serves to everybody, and how it makes blocks: also of one within a node.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(super) http: HttpArgs,

    #[command(flatten)]
    pub(super) ws: WsArgs,

    #[command(flatten)]
    pub(super) limits: LimitArgs,

    #[command(flatten)]
    pub(super) pool: PoolArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "HTTP")]
pub(super) struct HttpArgs {
    /// Serve JSON-RPC over HTTP
    #[arg(long = "http", env = "DOPPIO_ENGINE_HTTP")]
    pub(super) http: bool,

    /// Address to listen on
    #[arg(
        long = "http.addr",
        env = "DOPPIO_ENGINE_HTTP_ADDR",
        value_name = "IP",
        default_value = "127.0.0.1"
    )]
    pub(super) http_addr: IpAddr,

    /// Port to listen on; 0 for a free one
    #[arg(
        long = "http.port",
        env = "DOPPIO_ENGINE_HTTP_PORT",
        value_name = "PORT",
        default_value_t = 8545
    )]
    pub(super) http_port: u16,

    /// Namespaces to offer: debug, eth, miner, net, txpool, web3
    #[arg(
        long = "http.api",
        env = "DOPPIO_ENGINE_HTTP_API",
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "eth,net,web3"
    )]
    pub(super) http_api: Vec<String>,

    /// Origins of pages whose scripts may call; * for any
    #[arg(
        long = "http.corsdomain",
        env = "DOPPIO_ENGINE_HTTP_CORSDOMAIN",
        value_name = "LIST",
        value_delimiter = ','
    )]
    pub(super) http_corsdomain: Vec<String>,

    /// Host names that requests may be for; * for any. IP addresses always may
    #[arg(
        long = "http.vhosts",
        env = "DOPPIO_ENGINE_HTTP_VHOSTS",
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "localhost"
    )]
    pub(super) http_vhosts: Vec<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "WebSocket")]
pub(super) struct WsArgs {
    /// Serve JSON-RPC over WebSocket
    #[arg(long = "ws", env = "DOPPIO_ENGINE_WS")]
    pub(super) ws: bool,

    /// Address to listen on
    #[arg(
        long = "ws.addr",
        env = "DOPPIO_ENGINE_WS_ADDR",
        value_name = "IP",
        default_value = "127.0.0.1"
    )]
    pub(super) ws_addr: IpAddr,

    /// Port to listen on; 0 for a free one
    #[arg(
        long = "ws.port",
        env = "DOPPIO_ENGINE_WS_PORT",
        value_name = "PORT",
        default_value_t = 8546
    )]
    pub(super) ws_port: u16,

    /// Namespaces to offer: debug, eth, miner, net, txpool, web3
    #[arg(
        long = "ws.api",
        env = "DOPPIO_ENGINE_WS_API",
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "eth,net,web3"
    )]
    pub(super) ws_api: Vec<String>,

    /// Origins of pages whose scripts may connect; * for any
    #[arg(
        long = "ws.origins",
        env = "DOPPIO_ENGINE_WS_ORIGINS",
        value_name = "LIST",
        value_delimiter = ','
    )]
    pub(super) ws_origins: Vec<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Engine API (HTTP and WebSocket, with JWT)")]
pub(super) struct AuthArgs {
    /// Address to listen on
    #[arg(
        long = "authrpc.addr",
        env = "DOPPIO_ENGINE_AUTHRPC_ADDR",
        value_name = "IP",
        default_value = "127.0.0.1"
    )]
    pub(super) authrpc_addr: IpAddr,

    /// Port to listen on; 0 for a free one
    #[arg(
        long = "authrpc.port",
        env = "DOPPIO_ENGINE_AUTHRPC_PORT",
        value_name = "PORT",
        default_value_t = 8551
    )]
    pub(super) authrpc_port: u16,

    /// Host names that requests may be for; * for any. IP addresses always may
    #[arg(
        long = "authrpc.vhosts",
        env = "DOPPIO_ENGINE_AUTHRPC_VHOSTS",
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "localhost"
    )]
    pub(super) authrpc_vhosts: Vec<String>,

    /// File of the JWT secret, 64 hex digits; made if it does not exist. Default: jwtsecret in the
    /// data folder
    #[arg(
        long = "authrpc.jwtsecret",
        env = "DOPPIO_ENGINE_AUTHRPC_JWTSECRET",
        value_name = "FILE"
    )]
    pub(super) authrpc_jwtsecret: Option<PathBuf>,

    /// Largest request, in bytes: a payload must fit
    #[arg(long = "authrpc.max-request-bytes", env = "DOPPIO_ENGINE_AUTHRPC_MAX_REQUEST_BYTES", value_name = "N", default_value_t = Limits::ENGINE.request_bytes)]
    pub(super) authrpc_max_request_bytes: u32,

    /// Largest response, in bytes, of a call or a batch
    #[arg(long = "authrpc.max-response-bytes", env = "DOPPIO_ENGINE_AUTHRPC_MAX_RESPONSE_BYTES", value_name = "N", default_value_t = Limits::ENGINE.response_bytes, value_parser = clap::value_parser!(u32).range(65_536..))]
    pub(super) authrpc_max_response_bytes: u32,

    /// Most calls of a batch
    #[arg(long = "authrpc.batch-request-limit", env = "DOPPIO_ENGINE_AUTHRPC_BATCH_REQUEST_LIMIT", value_name = "N", default_value_t = Limits::ENGINE.batch)]
    pub(super) authrpc_batch_request_limit: u32,

    /// Most connections at once
    #[arg(long = "authrpc.max-connections", env = "DOPPIO_ENGINE_AUTHRPC_MAX_CONNECTIONS", value_name = "N", default_value_t = Limits::ENGINE.connections)]
    pub(super) authrpc_max_connections: u32,

    /// Most block bodies that one call may ask for
    #[arg(
        long = "authrpc.max-bodies",
        env = "DOPPIO_ENGINE_AUTHRPC_MAX_BODIES",
        value_name = "N",
        default_value_t = 1024
    )]
    pub(super) authrpc_max_bodies: u64,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitArgs {
    /// Largest request, in bytes
    #[arg(long = "rpc.max-request-bytes", env = "DOPPIO_ENGINE_RPC_MAX_REQUEST_BYTES", value_name = "N", default_value_t = Limits::PUBLIC.request_bytes)]
    pub(super) max_request_bytes: u32,

    /// Largest response, in bytes, of a call or a batch
    #[arg(long = "rpc.max-response-bytes", env = "DOPPIO_ENGINE_RPC_MAX_RESPONSE_BYTES", value_name = "N", default_value_t = Limits::PUBLIC.response_bytes, value_parser = clap::value_parser!(u32).range(65_536..))]
    pub(super) max_response_bytes: u32,

    /// Most calls of a batch
    #[arg(long = "rpc.batch-request-limit", env = "DOPPIO_ENGINE_RPC_BATCH_REQUEST_LIMIT", value_name = "N", default_value_t = Limits::PUBLIC.batch)]
    pub(super) batch_request_limit: u32,

    /// Most connections at once, of each server
    #[arg(long = "rpc.max-connections", env = "DOPPIO_ENGINE_RPC_MAX_CONNECTIONS", value_name = "N", default_value_t = Limits::PUBLIC.connections)]
    pub(super) max_connections: u32,

    /// Most gas of eth_call and eth_estimateGas
    #[arg(
        long = "rpc.gascap",
        env = "DOPPIO_ENGINE_RPC_GASCAP",
        value_name = "GAS",
        default_value_t = 50_000_000
    )]
    pub(super) gascap: u64,

    /// Longest time of eth_call and eth_estimateGas; 0 for as long as it takes
    #[arg(long = "rpc.evmtimeout", env = "DOPPIO_ENGINE_RPC_EVMTIMEOUT", value_name = "DURATION", default_value = "5s", value_parser = parse_duration)]
    pub(super) evmtimeout: Duration,

    /// Longest time for which debug_trace* traces a transaction
    #[arg(long = "rpc.trace-timeout", env = "DOPPIO_ENGINE_RPC_TRACE_TIMEOUT", value_name = "DURATION", default_value = "5s", value_parser = parse_duration)]
    pub(super) trace_timeout: Duration,

    /// Longest answer of debug_trace*, in bytes; a node holds several times as much while it makes
    /// one
    #[arg(
        long = "rpc.max-trace-bytes",
        env = "DOPPIO_ENGINE_RPC_MAX_TRACE_BYTES",
        value_name = "N",
        default_value_t = 25_000_000
    )]
    pub(super) max_trace_bytes: usize,

    /// Most blocks that one eth_getLogs may cover
    #[arg(
        long = "rpc.max-log-blocks",
        env = "DOPPIO_ENGINE_RPC_MAX_LOG_BLOCKS",
        value_name = "N",
        default_value_t = 100_000
    )]
    pub(super) max_log_blocks: u64,

    /// Most logs that one eth_getLogs may find
    #[arg(
        long = "rpc.max-logs",
        env = "DOPPIO_ENGINE_RPC_MAX_LOGS",
        value_name = "N",
        default_value_t = 20_000
    )]
    pub(super) max_logs: usize,

    /// Most blocks of an eth_feeHistory
    #[arg(
        long = "rpc.max-fee-history",
        env = "DOPPIO_ENGINE_RPC_MAX_FEE_HISTORY",
        value_name = "N",
        default_value_t = 1024
    )]
    pub(super) max_fee_history: u64,

    /// Most percentiles of an eth_feeHistory
    #[arg(
        long = "rpc.max-fee-percentiles",
        env = "DOPPIO_ENGINE_RPC_MAX_FEE_PERCENTILES",
        value_name = "N",
        default_value_t = 100
    )]
    pub(super) max_fee_percentiles: usize,

    /// Most storage slots of an eth_getProof
    #[arg(
        long = "rpc.max-proof-keys",
        env = "DOPPIO_ENGINE_RPC_MAX_PROOF_KEYS",
        value_name = "N",
        default_value_t = 1024
    )]
    pub(super) max_proof_keys: usize,

    /// Most filters at once
    #[arg(
        long = "rpc.max-filters",
        env = "DOPPIO_ENGINE_RPC_MAX_FILTERS",
        value_name = "N",
        default_value_t = 10_000
    )]
    pub(super) max_filters: usize,

    /// Most subscriptions of a connection
    #[arg(long = "rpc.max-subscriptions", env = "DOPPIO_ENGINE_RPC_MAX_SUBSCRIPTIONS", value_name = "N", default_value_t = Limits::PUBLIC.subscriptions)]
    pub(super) max_subscriptions: u32,

    /// Most that a transaction that is sent here may pay for its gas, in ether; 0 for any
    #[arg(
        long = "rpc.txfeecap",
        env = "DOPPIO_ENGINE_RPC_TXFEECAP",
        value_name = "ETHER",
        default_value_t = 1.0
    )]
    pub(super) txfeecap: f64,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Pool and block building")]
pub(super) struct PoolArgs {
    /// Most transactions in the pool
    #[arg(long = "txpool.max-transactions", env = "DOPPIO_ENGINE_TXPOOL_MAX_TRANSACTIONS", value_name = "N", default_value_t = PoolLimits::default().transactions)]
    max_transactions: usize,

    /// Most bytes of all transactions in the pool
    #[arg(long = "txpool.max-bytes", env = "DOPPIO_ENGINE_TXPOOL_MAX_BYTES", value_name = "N", default_value_t = PoolLimits::default().bytes)]
    max_bytes: usize,

    /// Most slots of an account in the pool; a transaction takes one for each 32 KiB
    #[arg(long = "txpool.accountslots", env = "DOPPIO_ENGINE_TXPOOL_ACCOUNTSLOTS", value_name = "N", default_value_t = PoolLimits::default().account_slots)]
    account_slots: usize,

    /// How much more a transaction must offer to replace another of the same nonce, in percent
    #[arg(long = "txpool.pricebump", env = "DOPPIO_ENGINE_TXPOOL_PRICEBUMP", value_name = "PERCENT", default_value_t = PoolLimits::default().price_bump)]
    price_bump: u32,

    /// Least priority fee that the pool takes, in wei
    #[arg(long = "txpool.pricelimit", env = "DOPPIO_ENGINE_TXPOOL_PRICELIMIT", value_name = "WEI", default_value_t = PoolLimits::default().min_tip)]
    price_limit: u128,

    /// Least priority fee of transactions that blocks are built from, in wei
    #[arg(long = "miner.gasprice", env = "DOPPIO_ENGINE_MINER_GASPRICE", value_name = "WEI", default_value_t = BuildSettings::default().min_tip)]
    gas_price: u128,

    /// Most gas of a block that is built here, below the limit in its header; 0 for that
    #[arg(long = "miner.effective-gas-limit", env = "DOPPIO_ENGINE_MINER_EFFECTIVE_GAS_LIMIT", value_name = "GAS", default_value_t = BuildSettings::default().gas_ceiling)]
    gas_ceiling: u64,

    /// Longest time that filling a block from the pool takes in all
    #[arg(long = "miner.newpayload-timeout", env = "DOPPIO_ENGINE_MINER_NEWPAYLOAD_TIMEOUT", value_name = "DURATION", default_value = "2s", value_parser = parse_duration)]
    new_payload_timeout: Duration,
}

impl PoolArgs {
    pub(super) const fn settings(&self) -> EngineSettings {
        EngineSettings {
            pool: PoolLimits {
                transactions: self.max_transactions,
                bytes: self.max_bytes,
                account_slots: self.account_slots,
                price_bump: self.price_bump,
                min_tip: self.price_limit,
            },
            building: BuildSettings {
                max_da_transaction: 0,
                max_da_block: 0,
                gas_ceiling: self.gas_ceiling,
                min_tip: self.gas_price,
                max_time: Some(self.new_payload_timeout),
            },
        }
    }
}

impl LimitArgs {
    pub(super) const fn limits(&self) -> Limits {
        Limits {
            request_bytes: self.max_request_bytes,
            response_bytes: self.max_response_bytes,
            batch: self.batch_request_limit,
            connections: self.max_connections,
            subscriptions: self.max_subscriptions,
        }
    }
}
