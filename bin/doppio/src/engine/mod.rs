//! `doppio engine`: the execution engine as a process of its own.

mod args;

pub(crate) use args::EngineArgs;

use crate::{metrics, output::CommandError};
use alloy_primitives::U256;
use core::time::Duration;
use doppio_engine::{
    Engine, EngineApi, Genesis, Store, View, meter_call,
    rpc::{ChainApi, Settings},
};
use doppio_rpc::{JwtSecret, Limits, Listen, MethodSet, Server, Transport};
use serde_json::Value;
use std::{
    fs,
    io::IsTerminal,
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::spawn_blocking,
    time::sleep,
};
use tracing::{error, info, level_filters::LevelFilter};
use tracing_subscriber::EnvFilter;

/// How often at most transactions that come in are added to the block that is being built.
const TOP_UP_INTERVAL: Duration = Duration::from_millis(50);

/// Runs the command.
pub(crate) fn run(args: &EngineArgs) -> Result<ExitCode, CommandError> {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(&args.log)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // no colours in a file
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let within = runtime.enter();
    metrics::start(&args.metrics)?;
    drop(within);
    let (engine, settings) = open(args)?;
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
        evm_timeout: Some(args.limits.evmtimeout).filter(|time| !time.is_zero()),
        trace_timeout: args.limits.trace_timeout,
        max_trace_bytes: args.limits.max_trace_bytes,
        max_log_blocks: args.limits.max_log_blocks,
        max_logs: args.limits.max_logs,
        max_fee_history: args.limits.max_fee_history,
        max_fee_percentiles: args.limits.max_fee_percentiles,
        max_proof_keys: args.limits.max_proof_keys,
        max_filters: args.limits.max_filters,
        tx_fee_cap: wei(args.limits.txfeecap),
        ..Settings::default()
    };
    fs::create_dir_all(&args.datadir)
        .map_err(|error| format!("{}: {error}", args.datadir.display()))?;
    let file = args.datadir.join("engine.redb");
    let store = Store::open(&file, &genesis, args.db_cache.saturating_mul(1 << 20))?;
    let (chain_id, hash) = (genesis.spec.chain_id, genesis.hash);
    let engine = Engine::new(genesis, store, &args.pool.settings())?;
    info!(chain_id, genesis = %hash, head = %engine.labels().head, database = %file.display(), "chain opened");
    Ok((engine, settings))
}

async fn serve(args: &EngineArgs, engine: Engine, settings: Settings) -> Result<(), CommandError> {
    let view = Arc::clone(engine.view());
    let engine = Arc::new(Mutex::new(engine));
    let top_up = tokio::spawn(top_up(Arc::clone(&view), Arc::clone(&engine)));
    let api = |namespaces: &[&str]| -> Arc<dyn MethodSet> {
        let view = Arc::clone(&view);
        Arc::new(ChainApi::new(view, settings.clone(), namespaces))
    };
    let mut servers = vec![authenticated(args, &engine, &api(&["eth", "miner"])).await?];
    if args.http.http {
        let namespaces: Vec<_> = args.http.http_api.iter().map(|name| &**name).collect();
        let listen = Listen {
            transport: Transport::Http,
            limits: args.limits.limits(),
            hosts: args.http.http_vhosts.clone(),
            origins: args.http.http_corsdomain.clone(),
            meter: meter_call,
            ..Listen::at(SocketAddr::new(args.http.http_addr, args.http.http_port))
        };
        let server = Server::start(&listen, &[api(&namespaces)]).await?;
        info!(address = %server.address(), api = %args.http.http_api.join(","), "HTTP");
        servers.push(server);
    }
    if args.ws.ws {
        let namespaces: Vec<_> = args.ws.ws_api.iter().map(|name| &**name).collect();
        let listen = Listen {
            transport: Transport::WebSocket,
            limits: args.limits.limits(),
            // a WebSocket is checked by its origin
            hosts: vec!["*".to_owned()],
            origins: args.ws.ws_origins.clone(),
            meter: meter_call,
            ..Listen::at(SocketAddr::new(args.ws.ws_addr, args.ws.ws_port))
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
    top_up.abort();
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
        limits: Limits {
            request_bytes: args.auth.authrpc_max_request_bytes,
            response_bytes: args.auth.authrpc_max_response_bytes,
            batch: args.auth.authrpc_batch_request_limit,
            connections: args.auth.authrpc_max_connections,
            ..Limits::ENGINE
        },
        hosts: args.auth.authrpc_vhosts.clone(),
        origins: vec!["localhost".to_owned()],
        secret: Some(secret),
        meter: meter_call,
        ..Listen::at(SocketAddr::new(
            args.auth.authrpc_addr,
            args.auth.authrpc_port,
        ))
    };
    let engine_api =
        EngineApi::new(Arc::clone(engine)).with_max_bodies(args.auth.authrpc_max_bodies);
    let engine_api: Arc<dyn MethodSet> = Arc::new(engine_api);
    let server = Server::start(&listen, &[engine_api, Arc::clone(eth)]).await?;
    info!(address = %server.address(), secret = %file.display(), "Engine API");
    Ok(server)
}

/// Adds transactions that come into the pool to the block that is being built, so that little is
/// left to do when it is fetched.
async fn top_up(view: Arc<View>, engine: Arc<Mutex<Engine>>) {
    let mut pending = view.news().pending.watch();
    while pending.changed().await.is_ok() {
        let engine = Arc::clone(&engine);
        let filled = spawn_blocking(move || {
            let mut engine = engine.lock().unwrap_or_else(PoisonError::into_inner);
            engine.top_up()
        });
        if let Ok(Err(error)) = filled.await {
            error!(%error, "the block that is being built is lost");
        }
        sleep(TOP_UP_INTERVAL).await;
    }
}

/// Ether in wei. What is no amount is none.
fn wei(ether: f64) -> U256 {
    U256::try_from(ether * 1e18).unwrap_or_default()
}
