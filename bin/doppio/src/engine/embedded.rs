//! An engine in this process: its database, and what it serves to everybody.

use super::args::ServeArgs;
use crate::output::CommandError;
use alloy_primitives::U256;
use core::time::Duration;
use doppio_engine::{
    Engine, EngineApi, Genesis, Store, View, meter_call,
    rpc::{ChainApi, Settings},
};
use doppio_rpc::{InProcess, Listen, MethodSet, Server, Transport};
use serde_json::Value;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::sleep,
};
use tracing::{error, info};

/// How often at most transactions that come in are added to the block that is being built.
const TOP_UP_INTERVAL: Duration = Duration::from_millis(50);

/// Where the chain is kept, and what it begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Database<'a> {
    /// Made if it does not exist.
    pub(crate) folder: &'a Path,
    pub(crate) genesis: &'a Path,
    /// The accounts of the genesis, if they are in a file of their own.
    pub(crate) alloc: Option<&'a Path>,
    pub(crate) cache_mib: usize,
}

impl Database<'_> {
    /// The database's file.
    pub(super) fn file(&self) -> PathBuf {
        self.folder.join("engine.redb")
    }

    /// The first block, and the file that it is from.
    pub(super) fn genesis(&self) -> Result<(Genesis, Value), CommandError> {
        let json = read(self.genesis)?;
        let alloc = self.alloc.map(read).transpose()?;
        let genesis = Genesis::parse(&json, alloc.as_deref())
            .map_err(|error| format!("{}: {error}", self.genesis.display()))?;
        Ok((genesis, serde_json::from_str(&json)?))
    }
}

/// An engine in this process.
pub(crate) struct Embedded {
    pub(crate) engine: Arc<Mutex<Engine>>,
    view: Arc<View>,
    settings: Settings,
}

/// What an engine serves to everybody. It ends when this is dropped.
pub(crate) struct Running {
    servers: Vec<Server>,
    top_up: JoinHandle<()>,
}

impl Running {
    /// Ends it: calls that run are answered.
    pub(crate) async fn stop(self) {
        self.top_up.abort();
        for server in self.servers {
            server.stop().await;
        }
    }
}

/// Reads a file; an error names it.
fn read(path: &Path) -> Result<String, CommandError> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

impl Embedded {
    /// Opens the database, or makes it.
    pub(crate) fn open(database: &Database<'_>, serve: &ServeArgs) -> Result<Self, CommandError> {
        let (genesis, json) = database.genesis()?;
        let limits = &serve.limits;
        let settings = Settings {
            chain_config: json.get("config").cloned().unwrap_or_default(),
            first_block: genesis.header.number,
            gas_cap: limits.gascap,
            evm_timeout: Some(limits.evmtimeout).filter(|time| !time.is_zero()),
            trace_timeout: limits.trace_timeout,
            max_trace_bytes: limits.max_trace_bytes,
            max_log_blocks: limits.max_log_blocks,
            max_logs: limits.max_logs,
            max_fee_history: limits.max_fee_history,
            max_fee_percentiles: limits.max_fee_percentiles,
            max_proof_keys: limits.max_proof_keys,
            max_filters: limits.max_filters,
            tx_fee_cap: wei(limits.txfeecap),
            ..Settings::default()
        };
        let folder = database.folder;
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let file = database.file();
        let store = Store::open(&file, &genesis, database.cache_mib.saturating_mul(1 << 20))?;
        let (chain_id, hash) = (genesis.spec.chain_id, genesis.hash);
        let engine = Engine::new(genesis, store, &serve.pool.settings())?;
        info!(chain_id, genesis = %hash, head = %engine.labels().head, database = %file.display(), "chain opened");
        let view = Arc::clone(engine.view());
        Ok(Self {
            engine: Arc::new(Mutex::new(engine)),
            view,
            settings,
        })
    }

    /// The methods of some namespaces that read the chain.
    pub(crate) fn methods(&self, namespaces: &[&str]) -> Arc<dyn MethodSet> {
        let view = Arc::clone(&self.view);
        Arc::new(ChainApi::new(view, self.settings.clone(), namespaces))
    }

    /// All that a rollup node calls, without a socket between.
    pub(crate) fn caller(&self) -> InProcess {
        let api: Arc<dyn MethodSet> = Arc::new(EngineApi::new(Arc::clone(&self.engine)));
        let sets = vec![api, self.methods(&["eth", "debug"])];
        InProcess::new("the embedded engine", sets)
    }

    /// Serves everybody, and keeps the block that is being built up to date.
    pub(crate) async fn serve(&self, args: &ServeArgs) -> Result<Running, CommandError> {
        let mut servers = Vec::new();
        let named = |names: &[String]| {
            let names: Vec<_> = names.iter().map(|name| &**name).collect();
            self.methods(&names)
        };
        if args.http.http {
            let listen = Listen {
                transport: Transport::Http,
                limits: args.limits.limits(),
                hosts: args.http.http_vhosts.clone(),
                origins: args.http.http_corsdomain.clone(),
                meter: meter_call,
                ..Listen::at(SocketAddr::new(args.http.http_addr, args.http.http_port))
            };
            let server = Server::start(&listen, &[named(&args.http.http_api)]).await?;
            info!(address = %server.address(), api = %args.http.http_api.join(","), "HTTP");
            servers.push(server);
        }
        if args.ws.ws {
            let listen = Listen {
                transport: Transport::WebSocket,
                limits: args.limits.limits(),
                // a WebSocket is checked by its origin
                hosts: vec!["*".to_owned()],
                origins: args.ws.ws_origins.clone(),
                meter: meter_call,
                ..Listen::at(SocketAddr::new(args.ws.ws_addr, args.ws.ws_port))
            };
            let server = Server::start(&listen, &[named(&args.ws.ws_api)]).await?;
            info!(address = %server.address(), api = %args.ws.ws_api.join(","), "WebSocket");
            servers.push(server);
        }
        let (view, engine) = (Arc::clone(&self.view), Arc::clone(&self.engine));
        Ok(Running {
            servers,
            top_up: tokio::spawn(top_up(view, engine)),
        })
    }
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
