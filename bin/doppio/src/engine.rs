//! `doppio engine`: the execution engine as a process of its own.

use crate::output::CommandError;
use clap::Args;
use doppio_engine::{
    Engine, EngineApi, EngineSettings, Genesis, Store,
    rpc::{ChainApi, JwtSecret, Limits, Listen, MethodSet, Server, Settings, Transport},
};
use serde_json::Value;
use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex},
};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, level_filters::LevelFilter};
use tracing_subscriber::EnvFilter;

/// Run the execution engine: the rollup node drives it over the Engine API, everybody reads the
/// chain over JSON-RPC. Stops on SIGINT and SIGTERM
#[derive(Debug, Args)]
pub(crate) struct EngineArgs {
    /// Folder of the database and the JWT secret; made if it does not exist
    #[arg(long, env = "DOPPIO_ENGINE_DATADIR", value_name = "DIR")]
    datadir: PathBuf,

    /// The chain's genesis.json, as op-geth takes it
    #[arg(long, env = "DOPPIO_ENGINE_GENESIS", value_name = "FILE")]
    genesis: PathBuf,

    /// The accounts of genesis.json, if they are in a file of their own
    #[arg(
        long = "genesis.alloc",
        env = "DOPPIO_ENGINE_GENESIS_ALLOC",
        value_name = "FILE"
    )]
    genesis_alloc: Option<PathBuf>,

    /// Memory for the database's cache, in MiB
    #[arg(
        long = "db.cache",
        env = "DOPPIO_ENGINE_DB_CACHE",
        value_name = "MIB",
        default_value_t = 1024
    )]
    db_cache: usize,

    #[command(flatten)]
    http: HttpArgs,

    #[command(flatten)]
    ws: WsArgs,

    #[command(flatten)]
    auth: AuthArgs,

    #[command(flatten)]
    limits: LimitArgs,

    /// What is logged to stderr: a level (error, warn, info, debug, trace) or directives such as
    /// info,doppio_engine=debug
    #[arg(
        long = "log",
        env = "DOPPIO_LOG",
        value_name = "FILTER",
        default_value = "info",
        help_heading = "Logging"
    )]
    log: String,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "HTTP")]
struct HttpArgs {
    /// Serve JSON-RPC over HTTP
    #[arg(long = "http", env = "DOPPIO_ENGINE_HTTP")]
    http: bool,

    /// Address to listen on
    #[arg(
        long = "http.addr",
        env = "DOPPIO_ENGINE_HTTP_ADDR",
        value_name = "IP",
        default_value = "127.0.0.1"
    )]
    http_addr: IpAddr,

    /// Port to listen on; 0 for a free one
    #[arg(
        long = "http.port",
        env = "DOPPIO_ENGINE_HTTP_PORT",
        value_name = "PORT",
        default_value_t = 8545
    )]
    http_port: u16,

    /// Namespaces to offer: eth, net, web3, debug
    #[arg(
        long = "http.api",
        env = "DOPPIO_ENGINE_HTTP_API",
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "eth,net,web3"
    )]
    http_api: Vec<String>,

    /// Origins of pages whose scripts may call; * for any
    #[arg(
        long = "http.corsdomain",
        env = "DOPPIO_ENGINE_HTTP_CORSDOMAIN",
        value_name = "LIST",
        value_delimiter = ','
    )]
    http_corsdomain: Vec<String>,

    /// Host names that requests may be for; * for any. IP addresses always may
    #[arg(
        long = "http.vhosts",
        env = "DOPPIO_ENGINE_HTTP_VHOSTS",
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "localhost"
    )]
    http_vhosts: Vec<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "WebSocket")]
struct WsArgs {
    /// Serve JSON-RPC over WebSocket
    #[arg(long = "ws", env = "DOPPIO_ENGINE_WS")]
    ws: bool,

    /// Address to listen on
    #[arg(
        long = "ws.addr",
        env = "DOPPIO_ENGINE_WS_ADDR",
        value_name = "IP",
        default_value = "127.0.0.1"
    )]
    ws_addr: IpAddr,

    /// Port to listen on; 0 for a free one
    #[arg(
        long = "ws.port",
        env = "DOPPIO_ENGINE_WS_PORT",
        value_name = "PORT",
        default_value_t = 8546
    )]
    ws_port: u16,

    /// Namespaces to offer: eth, net, web3, debug
    #[arg(
        long = "ws.api",
        env = "DOPPIO_ENGINE_WS_API",
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "eth,net,web3"
    )]
    ws_api: Vec<String>,

    /// Origins of pages whose scripts may connect; * for any
    #[arg(
        long = "ws.origins",
        env = "DOPPIO_ENGINE_WS_ORIGINS",
        value_name = "LIST",
        value_delimiter = ','
    )]
    ws_origins: Vec<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Engine API (HTTP and WebSocket, with JWT)")]
struct AuthArgs {
    /// Address to listen on
    #[arg(
        long = "authrpc.addr",
        env = "DOPPIO_ENGINE_AUTHRPC_ADDR",
        value_name = "IP",
        default_value = "127.0.0.1"
    )]
    authrpc_addr: IpAddr,

    /// Port to listen on; 0 for a free one
    #[arg(
        long = "authrpc.port",
        env = "DOPPIO_ENGINE_AUTHRPC_PORT",
        value_name = "PORT",
        default_value_t = 8551
    )]
    authrpc_port: u16,

    /// Host names that requests may be for; * for any. IP addresses always may
    #[arg(
        long = "authrpc.vhosts",
        env = "DOPPIO_ENGINE_AUTHRPC_VHOSTS",
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "localhost"
    )]
    authrpc_vhosts: Vec<String>,

    /// File of the JWT secret, 64 hex digits; made if it does not exist. Default: jwtsecret in the
    /// data folder
    #[arg(
        long = "authrpc.jwtsecret",
        env = "DOPPIO_ENGINE_AUTHRPC_JWTSECRET",
        value_name = "FILE"
    )]
    authrpc_jwtsecret: Option<PathBuf>,
}

/// Limits of the public servers. Those of the Engine API are fixed, as geth's are.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// Largest request, in bytes
    #[arg(long = "rpc.max-request-bytes", env = "DOPPIO_ENGINE_RPC_MAX_REQUEST_BYTES", value_name = "N", default_value_t = Limits::PUBLIC.request_bytes)]
    max_request_bytes: u32,

    /// Largest response, in bytes, of a call or a batch
    #[arg(long = "rpc.max-response-bytes", env = "DOPPIO_ENGINE_RPC_MAX_RESPONSE_BYTES", value_name = "N", default_value_t = Limits::PUBLIC.response_bytes, value_parser = clap::value_parser!(u32).range(65_536..))]
    max_response_bytes: u32,

    /// Most calls of a batch
    #[arg(long = "rpc.batch-request-limit", env = "DOPPIO_ENGINE_RPC_BATCH_REQUEST_LIMIT", value_name = "N", default_value_t = Limits::PUBLIC.batch)]
    batch_request_limit: u32,

    /// Most connections at once, of each server
    #[arg(long = "rpc.max-connections", env = "DOPPIO_ENGINE_RPC_MAX_CONNECTIONS", value_name = "N", default_value_t = Limits::PUBLIC.connections)]
    max_connections: u32,

    /// Most gas of eth_call and eth_estimateGas
    #[arg(
        long = "rpc.gascap",
        env = "DOPPIO_ENGINE_RPC_GASCAP",
        value_name = "GAS",
        default_value_t = 50_000_000
    )]
    gascap: u64,

    /// Most blocks that one eth_getLogs may cover
    #[arg(
        long = "rpc.max-log-blocks",
        env = "DOPPIO_ENGINE_RPC_MAX_LOG_BLOCKS",
        value_name = "N",
        default_value_t = 100_000
    )]
    max_log_blocks: u64,

    /// Most logs that one eth_getLogs may find
    #[arg(
        long = "rpc.max-logs",
        env = "DOPPIO_ENGINE_RPC_MAX_LOGS",
        value_name = "N",
        default_value_t = 20_000
    )]
    max_logs: usize,
}

/// Runs the command.
pub(crate) fn run(args: &EngineArgs) -> Result<ExitCode, CommandError> {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(&args.log)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let (engine, settings) = open(args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(args, engine, settings))?;
    Ok(ExitCode::SUCCESS)
}

/// Reads a file; an error names it.
fn read(path: &PathBuf) -> Result<String, CommandError> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn open(args: &EngineArgs) -> Result<(Engine, Settings), CommandError> {
    let json = read(&args.genesis)?;
    let alloc = args.genesis_alloc.as_ref().map(read).transpose()?;
    let genesis = Genesis::parse(&json, alloc.as_deref())
        .map_err(|error| format!("{}: {error}", args.genesis.display()))?;
    let json: Value = serde_json::from_str(&json)?;
    let settings = Settings {
        chain_config: json.get("config").cloned().unwrap_or_default(),
        first_block: genesis.header.number,
        gas_cap: args.limits.gascap,
        max_log_blocks: args.limits.max_log_blocks,
        max_logs: args.limits.max_logs,
        ..Settings::default()
    };
    fs::create_dir_all(&args.datadir)
        .map_err(|error| format!("{}: {error}", args.datadir.display()))?;
    let file = args.datadir.join("engine.redb");
    let store = Store::open(&file, &genesis, args.db_cache.saturating_mul(1 << 20))?;
    let (chain_id, hash) = (genesis.spec.chain_id, genesis.hash);
    let engine = Engine::new(genesis, store, &EngineSettings::default())?;
    info!(chain_id, genesis = %hash, head = %engine.labels().head, database = %file.display(), "chain opened");
    Ok((engine, settings))
}

async fn serve(args: &EngineArgs, engine: Engine, settings: Settings) -> Result<(), CommandError> {
    let view = Arc::clone(engine.view());
    let engine = Arc::new(Mutex::new(engine));
    let api = |namespaces: &[&str]| -> Arc<dyn MethodSet> {
        let view = Arc::clone(&view);
        Arc::new(ChainApi::new(view, settings.clone(), namespaces))
    };
    let mut servers = vec![authenticated(args, &engine, &api(&["eth"])).await?];
    if args.http.http {
        let namespaces: Vec<_> = args.http.http_api.iter().map(|name| &**name).collect();
        let listen = Listen {
            address: SocketAddr::new(args.http.http_addr, args.http.http_port),
            transport: Transport::Http,
            limits: args.limits.limits(),
            hosts: args.http.http_vhosts.clone(),
            origins: args.http.http_corsdomain.clone(),
            secret: None,
        };
        let server = Server::start(&listen, &[api(&namespaces)]).await?;
        info!(address = %server.address(), api = %args.http.http_api.join(","), "HTTP");
        servers.push(server);
    }
    if args.ws.ws {
        let namespaces: Vec<_> = args.ws.ws_api.iter().map(|name| &**name).collect();
        let listen = Listen {
            address: SocketAddr::new(args.ws.ws_addr, args.ws.ws_port),
            transport: Transport::WebSocket,
            limits: args.limits.limits(),
            // a WebSocket is checked by its origin
            hosts: vec!["*".to_owned()],
            origins: args.ws.ws_origins.clone(),
            secret: None,
        };
        let server = Server::start(&listen, &[api(&namespaces)]).await?;
        info!(address = %server.address(), api = %args.ws.ws_api.join(","), "WebSocket");
        servers.push(server);
    }
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    tokio::select! {
        _ = interrupt.recv() => info!("SIGINT: stopping"),
        _ = terminate.recv() => info!("SIGTERM: stopping"),
    }
    for server in servers {
        server.stop().await;
    }
    info!("stopped");
    Ok(())
}

async fn authenticated(
    args: &EngineArgs,
    engine: &Arc<Mutex<Engine>>,
    eth: &Arc<dyn MethodSet>,
) -> Result<Server, CommandError> {
    let file = match &args.auth.authrpc_jwtsecret {
        Some(file) => file.clone(),
        None => args.datadir.join("jwtsecret"),
    };
    let secret = JwtSecret::read_or_create(&file)?;
    let listen = Listen {
        address: SocketAddr::new(args.auth.authrpc_addr, args.auth.authrpc_port),
        transport: Transport::Both,
        limits: Limits::ENGINE,
        hosts: args.auth.authrpc_vhosts.clone(),
        origins: vec!["localhost".to_owned()],
        secret: Some(secret),
    };
    let engine_api: Arc<dyn MethodSet> = Arc::new(EngineApi::new(Arc::clone(engine)));
    let server = Server::start(&listen, &[engine_api, Arc::clone(eth)]).await?;
    info!(address = %server.address(), secret = %file.display(), "Engine API");
    Ok(server)
}

impl LimitArgs {
    const fn limits(&self) -> Limits {
        Limits {
            request_bytes: self.max_request_bytes,
            response_bytes: self.max_response_bytes,
            batch: self.batch_request_limit,
            connections: self.max_connections,
            ..Limits::PUBLIC
        }
    }
}
