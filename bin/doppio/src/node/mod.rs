//! `doppio node`: the rollup node.

mod args;
pub(crate) mod chain;
mod check;
mod not_here;

pub(crate) use args::{L1Args, NodeArgs};
pub(crate) use not_here::refuse as refuse_what_is_not_here;

use crate::{
    engine::{Database, Embedded},
    log, metrics,
    output::CommandError,
    signals,
};
use args::L2Args;
use doppio_derive::{FinalityOptions, SyncStartOptions};
use doppio_l1::{BeaconOptions, L1Options, L1Source};
use doppio_l2::L2Client;
use doppio_node::{DriverOptions, SequencerOptions};
use doppio_node_service::{
    AdminApi, AdminState, Checks, CompareOptions, Comparison, DaOptions, DaSource, MeteredEngine,
    Node, NodeApi, NodeDifference, NodeHandle, NodeOptions, Polling, SafeDb, SequencerSettings,
    meter_call, meter_l1,
};
use doppio_protocol::config::ChainConfig;
use doppio_rpc::{
    Caller, Client, ClientOptions, Http, JwtSecret, Listen, MethodSet, Server, Target,
};
use serde_json::json;
use std::{
    future::pending,
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tracing::{info, warn};

/// What the node calls itself.
const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"), "-doppio");

/// Runs the command.
pub(crate) fn run(args: &NodeArgs) -> Result<ExitCode, CommandError> {
    let set_log = log::start(&args.log.level, args.log.format, args.log.color)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let within = runtime.enter();
    let address = SocketAddr::new(args.metrics.addr, args.metrics.port);
    metrics::start((args.metrics.enabled && !args.check).then_some(address))?;
    drop(within);
    runtime.block_on(serve(args, set_log))
}

async fn serve(args: &NodeArgs, set_log: log::SetLog) -> Result<ExitCode, CommandError> {
    not_here::warn_of_ignored(&args.ignored);
    not_here::check(args)?;
    let chain = args.chain.read()?;
    for warning in &chain.warnings {
        warn!("{warning}");
    }
    let chain = chain.config;
    info!(
        l2 = chain.rollup.l2_chain_id, l1 = chain.rollup.l1_chain_id,
        profile = chain.profile.name, config_id = %chain.config_id(), "configuration"
    );
    let l1 = l1_source(&args.l1, &chain)?;
    let mut local = Vec::new();
    if args.check {
        let has_engine;
        (local, has_engine) = check::local(args)?;
        if !has_engine {
            // it is part of the node: nothing can be said of the rest
            return Ok(crate::check::print(&local));
        }
    }
    let embedded = embedded(args)?;
    let l2 = Arc::new(L2Client::new(
        Arc::clone(&chain),
        Arc::new(MeteredEngine(match &embedded {
            Some(engine) => Arc::new(engine.caller()),
            None => engine_client(&args.l2)?,
        })),
    ));
    let checks = Checks {
        chain: &chain,
        l1: &l1,
        l2: &l2,
        has_beacon: !args.l1.beacon.is_empty() || args.l1.beacon_ignore,
        has_da_server: args.altda.da_server.is_some(),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let checks = checks.run(now).await;
    if args.check {
        local.extend(checks);
        return Ok(crate::check::print(&local));
    }
    crate::check::log(&checks)?;
    let da = match &args.altda.da_server {
        None => None,
        Some(server) => Some(DaSource::new(&DaOptions {
            server: server.clone(),
            timeout: args.altda.get_timeout,
        })?),
    };
    let safe_db = match &args.derivation.safedb {
        None => None,
        Some(folder) => Some(Arc::new(SafeDb::open(folder)?)),
    };
    let running = match &embedded {
        None => None,
        Some(engine) => Some(engine.serve(&args.embedded.serve).await?),
    };
    let mut node = Node::start(chain, l1, l2, da, safe_db, options(args))?;
    let servers = servers(args, node.handle(), set_log).await?;
    let handle = node.handle().clone();
    let comparison = comparison(args, &handle)?;
    let mut difference = None;
    let ended = tokio::select! {
        ended = node.ended() => ended,
        found = comparison => {
            difference = Some(found);
            handle.stop().await;
            node.ended().await
        }
        signal = signals::wait() => {
            signal?;
            handle.stop().await;
            node.ended().await
        }
    };
    for server in servers {
        server.stop().await;
    }
    if let Some(running) = running {
        running.stop().await;
    }
    ended?;
    info!("stopped");
    difference.map_or(Ok(ExitCode::SUCCESS), |difference| Err(difference.into()))
}

/// Compares with another node, if one is named. Ends only at a difference, and if that is asked for.
fn comparison(
    args: &NodeArgs,
    node: &NodeHandle,
) -> Result<impl Future<Output = NodeDifference> + use<>, CommandError> {
    let comparison = match &args.compare.compare {
        None => None,
        Some(url) => {
            let other = Client::new(Http::new(), Target::parse(url)?, ClientOptions::default());
            let options = CompareOptions {
                interval: args.compare.interval,
                halt: args.compare.halt,
            };
            Some(Comparison::new(node.clone(), Arc::new(other), options))
        }
    };
    Ok(async move {
        match comparison {
            Some(comparison) => comparison.run().await,
            None => pending().await,
        }
    })
}

pub(crate) fn l1_source(args: &L1Args, chain: &ChainConfig) -> Result<L1Source, CommandError> {
    let window = usize::try_from(chain.rollup.seq_window_size).unwrap_or(usize::MAX);
    let options = L1Options {
        endpoints: args.endpoints.clone(),
        rpc_kind: args.rpckind,
        max_concurrency: args.max_concurrency,
        rate_limit: Some(args.rpc_rate_limit).filter(|limit| *limit > 0.0),
        max_batch: args.rpc_max_batch_size,
        cache_blocks: match args.cache_size {
            0 => window.saturating_mul(2) / 3,
            blocks => blocks,
        },
        beacon: BeaconOptions {
            endpoints: args.beacon.clone(),
            fallbacks: args.beacon_fallbacks.clone(),
            header: args.beacon_header.clone(),
            slot_duration: Some(args.beacon_slot_duration_override).filter(|slot| *slot > 0),
        },
        meter: meter_l1,
        ..L1Options::default()
    };
    Ok(L1Source::new(Arc::new(chain.rollup.clone()), options)?)
}

/// Where the embedded engine keeps its chain, if a genesis is given.
fn database(args: &NodeArgs) -> Result<Option<Database<'_>>, CommandError> {
    let embedded = &args.embedded;
    let Some(genesis) = &embedded.genesis else {
        if args.l2.engine.is_none() {
            return Err(
                "there is no execution engine: give one with --l2 URL and --l2.jwt-secret FILE, \
                 or run one within this process with --genesis FILE and --datadir DIR, where the \
                 chain's genesis.json with its accounts is at hand"
                    .into(),
            );
        }
        return Ok(None);
    };
    if args.l2.engine.is_some() {
        return Err("--l2 and --genesis are both given: one engine or the other".into());
    }
    let folder = embedded.datadir.as_deref();
    Ok(Some(Database {
        folder: folder.ok_or("--genesis needs --datadir DIR, where the chain is kept")?,
        genesis,
        alloc: embedded.genesis_alloc.as_deref(),
        cache_mib: embedded.db_cache,
    }))
}

/// The engine within this process, if a genesis is given.
fn embedded(args: &NodeArgs) -> Result<Option<Embedded>, CommandError> {
    let database = database(args)?;
    let open = |database| Embedded::open(&database, &args.embedded.serve);
    database.map(open).transpose()
}

/// An engine elsewhere.
fn engine_client(args: &L2Args) -> Result<Arc<dyn Caller>, CommandError> {
    let url = args.engine.as_deref().unwrap_or_default();
    let file = args.jwt_secret.as_deref();
    let file = file.ok_or(
        "--l2 needs --l2.jwt-secret FILE: the secret that the engine has as --authrpc.jwtsecret",
    )?;
    let secret = JwtSecret::read_or_create(file)?;
    let options = ClientOptions {
        timeout: args.engine_rpc_timeout,
        ..ClientOptions::default()
    };
    let target = Target::parse(url).map_err(|error| format!("--l2: {error}"))?;
    let client = Client::new(Http::new(), target, options);
    Ok(Arc::new(client.with_secret(secret)))
}

fn options(args: &NodeArgs) -> NodeOptions {
    let unless_zero = |value: u64| Some(value).filter(|value| *value > 0);
    let sequencer = &args.sequencer;
    let millis = sequencer.sealing_duration.as_millis();
    NodeOptions {
        driver: DriverOptions {
            sync_start: SyncStartOptions {
                skip_check: args.l2.skip_sync_start_check,
                offset_el_safe: args.derivation.offset_el_safe.as_secs(),
            },
            finality: FinalityOptions {
                lookback: unless_zero(args.derivation.finality_lookback),
                delay: unless_zero(args.derivation.finality_delay),
            },
            l1_confirmations: args.derivation.l1_confs,
            window_warning: args.derivation.window_warning,
        },
        polling: Polling {
            head: args.l1.http_poll_interval,
            epoch: args.l1.epoch_poll_interval,
        },
        sequencer: sequencer.enabled.then_some(SequencerSettings {
            options: SequencerOptions {
                sealing_duration: u64::try_from(millis).unwrap_or(u64::MAX),
                max_safe_lag: sequencer.max_safe_lag,
                recover: sequencer.recover,
                posting_margin: sequencer.posting_margin,
            },
            l1_confs: sequencer.l1_confs,
            use_finalized: sequencer.use_finalized,
            stopped: sequencer.stopped,
        }),
        admin_state: args.rpc.admin_state.clone().map(AdminState::new),
    }
}

async fn servers(
    args: &NodeArgs,
    node: &NodeHandle,
    set_log: log::SetLog,
) -> Result<Vec<Server>, CommandError> {
    let public: Arc<dyn MethodSet> = Arc::new(NodeApi::new(node.clone(), VERSION));
    let admin: Arc<dyn MethodSet> = Arc::new(AdminApi::new(node.clone(), set_log));
    let listen = |address| Listen {
        // whoever reaches the port may ask: as op-node
        hosts: vec!["*".to_owned()],
        origins: vec!["*".to_owned()],
        health: Some(json!({ "version": VERSION }).to_string()),
        meter: meter_call,
        ..Listen::at(address)
    };
    let mut sets = vec![public];
    let mut servers = Vec::new();
    match args.rpc.admin_addr {
        None if args.rpc.enable_admin => sets.push(admin),
        None => {}
        Some(address) => {
            let secret = match &args.rpc.admin_token {
                None => None,
                Some(file) => Some(JwtSecret::read_or_create(file)?),
            };
            let listen = Listen {
                secret,
                ..listen(address)
            };
            let server = Server::start(&listen, &[admin]).await?;
            info!(address = %server.address(), "admin RPC");
            servers.push(server);
        }
    }
    let address = SocketAddr::new(args.rpc.addr, args.rpc.port);
    let server = Server::start(&listen(address), &sets).await?;
    info!(address = %server.address(), "RPC");
    servers.push(server);
    Ok(servers)
}
