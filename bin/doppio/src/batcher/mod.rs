//! `doppio batcher`: the batcher.

mod args;
mod options;

pub(crate) use args::{BatcherArgs, ENVIRONMENT};

use crate::{
    check, log, metrics,
    output::{self, CommandError},
    signals,
};
use alloy_primitives::B256;
use args::{EndpointArgs, IgnoredArgs};
use core::time::Duration;
use doppio_batcher_service::{
    AdminApi, BatcherApi, BatcherChecks, BatcherService, NodeSync, Posting, Running,
    ServiceOptions, TxmgrApi, meter_call, recent_transaction,
};
use doppio_l1::{
    L1Options, L1Source,
    txmgr::{self, Signer, TxSender},
};
use doppio_l2::{ActiveSequencer, L2Client, RollupNode, Sequencer};
use doppio_protocol::config::ChainConfig;
use doppio_rpc::{
    Caller, Client, ClientOptions, Http, JwtSecret, Listen, MethodSet, Server, Target,
};
use serde_json::json;
use std::{
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tracing::{info, warn};

/// What the batcher calls itself.
const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"), "-doppio");
const METRICS_NAMESPACE: &str = "op_batcher_default";
/// How long what is under way is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(60);
/// L1 blocks that are looked at for a transaction of ours, at most: op-batcher's bound.
const MOST_RECENT: u64 = 128;

/// Runs the command.
pub(crate) fn run(args: &BatcherArgs) -> Result<ExitCode, CommandError> {
    let set_log = log::start(&args.log.level, args.log.format, args.log.color)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let within = runtime.enter();
    let address = SocketAddr::new(args.rpc.metrics_addr, args.rpc.metrics_port);
    metrics::start(args.rpc.metrics_enabled.then_some(address))?;
    drop(within);
    runtime.block_on(serve(args, set_log))
}

fn caller(url: &str, timeout: Duration) -> Result<Arc<dyn Caller>, CommandError> {
    let options = ClientOptions {
        timeout,
        ..ClientOptions::default()
    };
    Ok(Arc::new(Client::new(
        Http::new(),
        Target::parse(url)?,
        options,
    )))
}

async fn serve(args: &BatcherArgs, set_log: log::SetLog) -> Result<ExitCode, CommandError> {
    refuse_what_is_not_here(&args.ignored)?;
    let timeout = args.txmgr.network_timeout;
    let rollups: Vec<RollupNode> = args
        .endpoints
        .rollup
        .iter()
        .map(|url| Ok(RollupNode::new(caller(url, timeout)?)))
        .collect::<Result<_, CommandError>>()?;
    if rollups.len() != args.endpoints.l2.len() {
        return Err(format!(
            "--rollup-rpc names {} endpoints and --l2-eth-rpc {}: each rollup node needs its \
             execution engine, in the same order",
            rollups.len(),
            args.endpoints.l2.len()
        )
        .into());
    }
    let chain = chain(args, &rollups).await?;
    info!(
        l2 = chain.rollup.l2_chain_id, l1 = chain.rollup.l1_chain_id,
        profile = chain.profile.name, config_id = %chain.config_id(), "configuration"
    );
    let sequencers = sequencers(&args.endpoints, rollups, &chain, timeout)?;
    let l1 = L1Source::new(
        Arc::new(chain.rollup.clone()),
        L1Options {
            endpoints: args.endpoints.l1.clone(),
            timeout,
            ..L1Options::default()
        },
    )?;
    let first = args.endpoints.l1.first().map(String::as_str);
    let l1_rpc = caller(first.unwrap_or_default(), timeout)?;
    let builders = builders(args, timeout)?;
    let batcher = options::batcher(args, seed()?)?;
    let account = if args.dry_run {
        None
    } else {
        Some(args.signer.signer(timeout)?)
    };
    let checks = BatcherChecks {
        chain: &chain,
        l1: &l1,
        sequencers: &sequencers,
        options: &batcher,
        account: account.as_ref().map(|signer| signer.address()),
        l1_rpc: &*l1_rpc,
        builders: &builders,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let checks = checks.run(now).await;
    if args.check {
        return Ok(check::print(&checks));
    }
    check::log(&checks)?;
    let node_sync = node_sync(args, &l1, &chain, account.as_ref()).await?;
    let posting = match account {
        None => Posting::Dry,
        Some(signer) => {
            let pending = args.posting.max_pending_tx;
            let interval = args.endpoints.poll_interval;
            let options = args
                .txmgr
                .options(&chain, pending, interval, METRICS_NAMESPACE)?;
            let (sender, outcomes) = txmgr::start(l1.clone(), signer, options)?;
            Posting::Live(sender, outcomes)
        }
    };
    let sender = match &posting {
        Posting::Live(sender, _) => Some(sender.clone()),
        Posting::Dry => None,
    };
    let options = ServiceOptions {
        poll_interval: args.endpoints.poll_interval,
        node_sync,
        builders,
        least_tip: args.txmgr.least_tip()?,
        patience: PATIENCE,
        version: VERSION,
    };
    let mut running = BatcherService::start(chain, l1, sequencers, posting, batcher, options)?;
    let servers = servers(args, &running, sender.clone(), set_log).await?;
    let ended = tokio::select! {
        ended = running.ended() => ended,
        signal = signals::wait() => {
            signal?;
            running.handle().end().await;
            tokio::select! {
                ended = running.ended() => ended,
                signal = signals::wait() => {
                    signal?;
                    warn!("stopped before what is under way has ended; it may yet be mined");
                    Ok(())
                }
            }
        }
    };
    for server in servers {
        server.stop().await;
    }
    if let Some(summary) = running.dry_run() {
        output::line(serde_json::to_string(&summary)?);
    }
    ended?;
    info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Which chain: by the flags, or by what a rollup node serves.
async fn chain(
    args: &BatcherArgs,
    rollups: &[RollupNode],
) -> Result<Arc<ChainConfig>, CommandError> {
    let mut last = "there is no rollup node (--rollup-rpc)".to_owned();
    for rollup in rollups {
        match rollup.rollup_config().await {
            Ok(served) => {
                let chain = args.chain.read_or_served(rollup.name(), &served)?;
                for warning in &chain.warnings {
                    warn!("{warning}");
                }
                return Ok(chain.config);
            }
            Err(error) => last = error.to_string(),
        }
    }
    Err(format!("no rollup node gives its configuration: {last}. Check --rollup-rpc").into())
}

fn sequencers(
    args: &EndpointArgs,
    rollups: Vec<RollupNode>,
    chain: &Arc<ChainConfig>,
    timeout: Duration,
) -> Result<Arc<ActiveSequencer>, CommandError> {
    let mut sequencers = Vec::new();
    for (rollup, l2) in rollups.into_iter().zip(&args.l2) {
        let l2 = L2Client::new(Arc::clone(chain), caller(l2, timeout)?);
        sequencers.push(Sequencer {
            rollup,
            l2: Arc::new(l2),
        });
    }
    let every = args.active_sequencer_check;
    Ok(Arc::new(ActiveSequencer::new(sequencers, every)))
}

/// Who is throttled; nobody if throttling is off, or nothing may be changed.
fn builders(args: &BatcherArgs, timeout: Duration) -> Result<Vec<Arc<dyn Caller>>, CommandError> {
    if args.dry_run || args.throttle.lower_threshold == 0 {
        return Ok(Vec::new());
    }
    let urls = args.endpoints.l2.iter();
    urls.chain(&args.throttle.additional_endpoints)
        .map(|url| caller(url, timeout))
        .collect()
}

/// What the rollup node must have read of L1 first.
async fn node_sync(
    args: &BatcherArgs,
    l1: &L1Source,
    chain: &ChainConfig,
    account: Option<&Arc<dyn Signer>>,
) -> Result<NodeSync, CommandError> {
    let depth = args.endpoints.check_recent_txs_depth;
    if depth > MOST_RECENT {
        return Err(format!("--check-recent-txs-depth is {depth}: at most {MOST_RECENT}").into());
    }
    if !args.endpoints.wait_node_sync {
        return Ok(NodeSync::NotAwaited);
    }
    let head = l1.head().await?.block_ref().number;
    let recent = match account {
        Some(signer) if depth > 0 => {
            let chain_id = chain.rollup.l1_chain_id;
            recent_transaction(l1, head, depth, chain_id, signer.address()).await?
        }
        _ => Some(head),
    };
    Ok(recent.map_or(NodeSync::NotAwaited, NodeSync::To))
}

async fn servers(
    args: &BatcherArgs,
    running: &Running,
    sender: Option<TxSender>,
    set_log: log::SetLog,
) -> Result<Vec<Server>, CommandError> {
    let mut sets: Vec<Arc<dyn MethodSet>> = vec![Arc::new(BatcherApi::new(VERSION))];
    let mut admin: Vec<Arc<dyn MethodSet>> =
        vec![Arc::new(AdminApi::new(running.handle().clone(), set_log))];
    if let Some(sender) = sender {
        admin.push(Arc::new(TxmgrApi::new(sender)));
    }
    let listen = |address| Listen {
        // whoever reaches the port may ask: as op-batcher
        hosts: vec!["*".to_owned()],
        origins: vec!["*".to_owned()],
        health: Some(json!({ "version": VERSION }).to_string()),
        meter: meter_call,
        ..Listen::at(address)
    };
    let mut servers = Vec::new();
    match args.rpc.admin_addr {
        None if args.rpc.enable_admin => sets.append(&mut admin),
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
            let server = Server::start(&listen, &admin).await?;
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

/// Randomness that makes the names of channels our own.
fn seed() -> Result<B256, CommandError> {
    let mut seed = B256::ZERO;
    getrandom::fill(seed.as_mut_slice()).map_err(|error| format!("no randomness: {error}"))?;
    Ok(seed)
}

fn refuse_what_is_not_here(ignored: &IgnoredArgs) -> Result<(), CommandError> {
    if ignored.altda_enabled || ignored.altda_da_server.is_some() {
        return Err(
            "--altda.*: data layers other than L1 are not in this release of the batcher".into(),
        );
    }
    if ignored.pprof_enabled {
        warn!("--pprof.enabled: there is no pprof here");
    }
    Ok(())
}
