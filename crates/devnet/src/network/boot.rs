//! How a devnet comes up: one role after the other, each once those answer that it asks.

use super::{
    NetworkError, Screen,
    description::{self, Description},
    folder::NetworkFolder,
    ladder::{height, status},
    npm,
    options::NetworkOptions,
    ports::{Port, Ports},
    roles::{Plan, Role},
    supervisor::Supervisor,
};
use crate::{
    Chain, ChainKeys, ChainOptions, DevnetError, L1_CHAIN_ID, L1Hardfork, L2_CHAIN_IDS,
    ROLLUP_START, Rpc, Supersim, chain::ChainSource, hardforks,
};
use doppio_protocol::config::RollupConfig;
use serde_json::{Value, json};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};
use tokio::net::TcpStream;

/// How long a role may take until it answers.
const PATIENCE: Duration = Duration::from_secs(120);
/// Time between two questions whether it does.
const POLL: Duration = Duration::from_millis(50);
/// Longest time for an answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Seconds between blocks of L2 and of L1, unless others are asked for.
const BLOCK_TIME: u64 = 1;
const L1_BLOCK_TIME: u64 = 2;

/// A devnet that runs.
#[derive(Debug)]
pub(crate) struct Booted {
    pub(crate) supervisor: Supervisor,
    pub(crate) ports: Ports,
    pub(crate) node: Rpc,
    pub(crate) verifier: Rpc,
    /// The chain was there already.
    pub(crate) goes_on: bool,
}

/// Starts all roles, and waits until they answer and there is an L2 block.
pub(crate) async fn boot(
    options: &NetworkOptions,
    screen: &mut Screen,
) -> Result<Booted, NetworkError> {
    options.check()?;
    let own = options.folder.clone();
    let path = own.clone().unwrap_or_else(|| options.home.join("devnet"));
    let folder = NetworkFolder::take(&path, own.is_none())?;
    let goes_on = folder.goes_on;
    let layout = folder.layout.clone();
    let settings = Settings::of(options, &folder)?;
    let ports = Ports::choose(options.ports, &options.own_ports)?;
    let programs = npm::programs(&options.home, &mut |text| screen.line(text))?;
    let chain_id = L2_CHAIN_IDS.first().copied().unwrap_or_default();
    let keys = ChainKeys::of(chain_id)?;
    let plan = Plan {
        layout: &layout,
        ports: &ports,
        programs: &programs,
        keys: &keys,
        data_availability: options.data_availability,
        l1_block_time: settings.l1_block_time,
        doppio: &options.doppio,
    };
    screen.line(format!(
        "A chain on blocks of {} s over L1 blocks of {} s, its data in {}, {} {}",
        settings.block_time,
        settings.l1_block_time,
        options.data_availability.name(),
        if goes_on { "goes on in" } else { "begins in" },
        layout.folder().display(),
    ));
    let mut supervisor = Supervisor::new(folder, &plan, options);
    let rpc = |port| Rpc::new(&ports.url(port));
    let (l1, node, verifier) = (rpc(Port::L1)?, rpc(Port::Node)?, rpc(Port::Verifier)?);

    let mut starter = Starter {
        supervisor: &mut supervisor,
        screen,
    };
    starter.start(Role::L1)?;
    let start = async || {
        let start = l1.block(ROLLUP_START).await;
        start.map_err(|error| error.to_string())
    };
    let start = starter.wait(Role::L1, start).await?;

    let supersim = Supersim::open(&programs.supersim)?;
    let contracts = description::contracts(&supersim.contracts(chain_id)?);
    let rollup_path = layout.chain().join("rollup.json");
    if !goes_on {
        let genesis = supersim.genesis(L1_CHAIN_ID)?;
        let source = ChainSource {
            l1: &l1,
            supersim,
            l1_config: &hardforks::l1_config(genesis, L1Hardfork::default()),
        };
        let chain = ChainOptions {
            chain_id,
            forks: options.schedule()?,
            block_time: settings.block_time,
            ..ChainOptions::default()
        };
        Chain::write(source, &layout.chain(), chain).await?;
    }
    let rollup = read_rollup(&rollup_path)?;
    if rollup.genesis.l1 != start.id() {
        return Err(NetworkError::OtherL1 {
            folder: layout.folder().to_owned(),
            expected: rollup.genesis.l1.to_string(),
            found: start.to_string(),
        });
    }
    starter.supervisor.describe(Description::new(
        &ports,
        layout.folder(),
        &rollup,
        &contracts,
        settings.l1_block_time,
        options.data_availability,
    )?)?;

    let engines = [
        (Role::Engine, Port::L2, Port::EngineAuth),
        (Role::VerifierEngine, Port::VerifierL2, Port::VerifierAuth),
    ];
    for (role, ..) in engines {
        starter.start(role)?;
    }
    for (role, public, engine_api) in engines {
        let public = rpc(public)?;
        let answers = async || {
            listens(ports.number(engine_api)).await?;
            let genesis: Value =
                answer(public.call("eth_getBlockByNumber", json!(["0x0", false]))).await?;
            match genesis.get("hash") {
                Some(hash) if *hash == json!(rollup.genesis.l2.hash) => Ok(()),
                hash => Err(format!("its first block is {hash:?}")),
            }
        };
        starter.wait(role, answers).await?;
    }
    let nodes = [(Role::Node, &node), (Role::Verifier, &verifier)];
    for (role, _) in nodes {
        starter.start(role)?;
    }
    for (role, rpc) in nodes {
        if starter.supervisor.has(role) {
            starter
                .wait(role, async || status(rpc).await.map(drop))
                .await?;
        }
    }
    starter.start(Role::Batcher)?;
    if starter.supervisor.has(Role::Batcher) {
        let port = ports.number(Port::Batcher);
        starter
            .wait(Role::Batcher, async || listens(port).await)
            .await?;
    }
    if starter.supervisor.has(Role::Node) {
        let first = async || match height(&status(&node).await?, "/unsafe_l2/number") {
            Some(number) if number > 0 => Ok(()),
            _ => Err("there is no L2 block yet".to_owned()),
        };
        starter.wait(Role::Node, first).await?;
    }
    supervisor.set_ready()?;
    Ok(Booted {
        supervisor,
        ports,
        node,
        verifier,
        goes_on,
    })
}

/// What a chain that has begun has settled.
#[derive(Clone, Copy, Debug)]
struct Settings {
    block_time: u64,
    l1_block_time: u64,
}

impl Settings {
    fn of(options: &NetworkOptions, folder: &NetworkFolder) -> Result<Self, NetworkError> {
        let asked = Self {
            block_time: options.block_time.unwrap_or(BLOCK_TIME),
            l1_block_time: options.l1_block_time.unwrap_or(L1_BLOCK_TIME),
        };
        if !folder.goes_on {
            return Ok(asked);
        }
        let layout = &folder.layout;
        let file = layout.description();
        let text = fs::read_to_string(&file).unwrap_or_default();
        let description: Value = serde_json::from_str(&text).unwrap_or_default();
        let rollup = read_rollup(&layout.chain().join("rollup.json"))?;
        let had = Self {
            block_time: rollup.block_time,
            l1_block_time: height(&description, "/l1/block_time").unwrap_or(asked.l1_block_time),
        };
        let changed = [
            ("--fork", !options.forks.is_empty()),
            (
                "--block-time",
                options
                    .block_time
                    .is_some_and(|time| time != had.block_time),
            ),
            (
                "--l1-block-time",
                options
                    .l1_block_time
                    .is_some_and(|time| time != had.l1_block_time),
            ),
        ];
        match changed.into_iter().find(|(_, is_changed)| *is_changed) {
            Some((flag, _)) => Err(NetworkError::Settled {
                flag,
                folder: layout.folder().to_owned(),
            }),
            None => Ok(had),
        }
    }
}

fn read_rollup(path: &std::path::Path) -> Result<RollupConfig, NetworkError> {
    let text = fs::read_to_string(path).map_err(DevnetError::io(path))?;
    let parsed = RollupConfig::parse(&text, false).map_err(|error| {
        let error = std::io::Error::new(std::io::ErrorKind::InvalidData, error.to_string());
        DevnetError::io(path)(error)
    })?;
    Ok(parsed.config)
}

/// Starts roles and waits for them.
struct Starter<'a> {
    supervisor: &'a mut Supervisor,
    screen: &'a mut Screen,
}

impl Starter<'_> {
    /// Starts a role, and says with which command.
    fn start(&mut self, role: Role) -> Result<(), NetworkError> {
        if let Some((command, is_without)) = self.supervisor.command(role) {
            let not_here = if is_without {
                " (not started here)"
            } else {
                ""
            };
            self.screen.line(format!("{role}{not_here}: {command}"));
        }
        self.supervisor.start(role)
    }

    /// Waits until a role answers: without end, if somebody else starts it.
    async fn wait<T>(
        &mut self,
        role: Role,
        mut ask: impl AsyncFnMut() -> Result<T, String>,
    ) -> Result<T, NetworkError> {
        let begin = Instant::now();
        let is_here = self.supervisor.has(role);
        let mut is_told = is_here;
        loop {
            let reason = match ask().await {
                Ok(answer) => return Ok(answer),
                Err(reason) => reason,
            };
            self.supervisor.check()?;
            if is_here && begin.elapsed() >= PATIENCE {
                return Err(NetworkError::NotReady {
                    role,
                    after: PATIENCE,
                    reason,
                    log: self.supervisor.log(role),
                });
            }
            if !is_told && begin.elapsed() >= Duration::from_secs(1) {
                is_told = true;
                self.screen
                    .line(format!("waiting for somebody to start {role}: {reason}"));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Whether something listens on a port of this machine.
async fn listens(port: u16) -> Result<(), String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match tokio::time::timeout(ANSWER, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("port {port}: {error}")),
        Err(_) => Err(format!("port {port}: no answer in {ANSWER:?}")),
    }
}

async fn answer(call: impl Future<Output = Result<Value, DevnetError>>) -> Result<Value, String> {
    match tokio::time::timeout(ANSWER, call).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer in {ANSWER:?}")),
    }
}
