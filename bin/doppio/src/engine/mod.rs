//! The execution engine: `doppio engine`, a process of its own, and the one within a node.

mod args;
mod embedded;

pub(crate) use args::{EngineArgs, ServeArgs};
pub(crate) use embedded::{Database, Embedded};

use crate::{
    log::{self, LogFormat},
    metrics,
    output::CommandError,
    signals,
};
use doppio_engine::{EngineApi, meter_call};
use doppio_rpc::{JwtSecret, Limits, Listen, MethodSet, Server};
use std::{net::SocketAddr, process::ExitCode, sync::Arc};
use tracing::info;

/// Runs the command.
pub(crate) fn run(args: &EngineArgs) -> Result<ExitCode, CommandError> {
    log::start(&args.log, LogFormat::Text, None)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let within = runtime.enter();
    metrics::start(args.metrics.listen())?;
    drop(within);
    let database = Database {
        folder: &args.datadir,
        genesis: &args.genesis,
        alloc: args.genesis_alloc.as_deref(),
        cache_mib: args.db_cache,
    };
    let engine = Embedded::open(&database, &args.serve)?;
    runtime.block_on(serve(args, engine))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(args: &EngineArgs, engine: Embedded) -> Result<(), CommandError> {
    let authenticated = authenticated(args, &engine).await?;
    let running = engine.serve(&args.serve).await?;
    signals::wait().await?;
    running.stop().await;
    authenticated.stop().await;
    info!("stopped");
    Ok(())
}

async fn authenticated(args: &EngineArgs, engine: &Embedded) -> Result<Server, CommandError> {
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
        EngineApi::new(Arc::clone(&engine.engine)).with_max_bodies(args.auth.authrpc_max_bodies);
    let engine_api: Arc<dyn MethodSet> = Arc::new(engine_api);
    let server = Server::start(&listen, &[engine_api, engine.methods(&["eth", "miner"])]).await?;
    info!(address = %server.address(), secret = %file.display(), "Engine API");
    Ok(server)
}
