//! The execution engine: `doppio engine`, a process of its own, and the one within a node.

mod args;
mod check;
mod embedded;

pub(crate) use args::{EngineArgs, ServeArgs};
pub(crate) use check::{
    database as check_database, listening as check_addresses, namespaces as check_namespaces,
};
pub(crate) use embedded::{Database, Embedded};

use crate::{
    log::{self, LogFormat},
    metrics,
    output::CommandError,
    signals,
};
use doppio_engine::{EngineApi, meter_call};
use doppio_rpc::{JwtSecret, Limits, Listen, MethodSet, Server};
use std::{process::ExitCode, sync::Arc};
use tracing::info;

/// Runs the command.
pub(crate) fn run(args: &EngineArgs) -> Result<ExitCode, CommandError> {
    log::start(&args.log, LogFormat::Text, None)?;
    if args.check {
        return Ok(crate::check::print(&args.checks()));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let within = runtime.enter();
    metrics::start(args.metrics.listen())?;
    drop(within);
    let engine = Embedded::open(&args.database(), &args.serve)?;
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
    let file = args.secret_path();
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
        ..Listen::at(args.auth.address())
    };
    let engine_api =
        EngineApi::new(Arc::clone(&engine.engine)).with_max_bodies(args.auth.authrpc_max_bodies);
    let engine_api: Arc<dyn MethodSet> = Arc::new(engine_api);
    let server = Server::start(&listen, &[engine_api, engine.methods(&["eth", "miner"])]).await?;
    info!(address = %server.address(), secret = %file.display(), "Engine API");
    Ok(server)
}
