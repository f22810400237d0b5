//! The engines, each in a process of its own: Doppio's, which is this program called again, and
//! op-geth.

use crate::{
    Failure,
    chain::Chain,
    client,
    in_process::{self, CACHE, FILE},
};
use doppio_engine::{
    Engine, EngineApi, EngineSettings, Genesis, Store,
    rpc::{ChainApi, Settings},
};
use doppio_rpc::{JwtSecret, Limits, Listen, MethodSet, Server};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::sleep,
    time::{Duration, Instant},
};

/// The argument that makes this program an engine.
pub(crate) const SERVE: &str = "serve";

/// An engine to measure.
#[derive(Clone, Debug)]
pub(crate) enum Contender {
    Doppio,
    /// op-geth: the program, and flags that make the variant.
    OpGeth {
        name: &'static str,
        program: PathBuf,
        flags: &'static [&'static str],
    },
}

impl Contender {
    /// Doppio and, where `DOPPIO_PEERS` has it, op-geth.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![Self::Doppio];
        let program = std::env::var_os("DOPPIO_PEERS")
            .map(|folder| Path::new(&folder).join("op-geth"))
            .filter(|program| program.is_file());
        let Some(program) = program else {
            eprintln!("*** NOT MEASURED: op-geth; set DOPPIO_PEERS to a folder that has it ***");
            return all;
        };
        for (name, flags) in [
            ("op-geth", &[][..]),
            (
                "op-geth, archive",
                &["--gcmode=archive", "--state.scheme=hash"][..],
            ),
        ] {
            let program = program.clone();
            all.push(Self::OpGeth {
                name,
                program,
                flags,
            });
        }
        all
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Doppio => "Doppio",
            Self::OpGeth { name, .. } => name,
        }
    }

    /// Bytes that its database in a folder takes, while it does not run.
    pub(crate) fn size(&self, folder: &Path) -> Result<u64, Failure> {
        match self {
            Self::Doppio => in_process::used_bytes(folder),
            Self::OpGeth { .. } => size(folder),
        }
    }

    /// Starts it on a fresh folder, at the first block of a chain.
    pub(crate) fn start(&self, folder: &Path, chain: &Chain) -> Result<Running, Failure> {
        fs::create_dir_all(folder)?;
        let genesis = folder.join("genesis.json");
        fs::write(&genesis, &chain.genesis_json)?;
        let secret = folder.join("jwt");
        fs::write(&secret, client::SECRET)?;
        let data = folder.join("data");
        fs::create_dir_all(&data)?;
        // a port that was free a moment ago
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let log = fs::File::create(folder.join("log"))?;
        let mut command = match self {
            Self::Doppio => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg(SERVE).args([&data, &genesis]);
                command.arg(port.to_string());
                command
            }
            Self::OpGeth { program, flags, .. } => {
                let scheme = flags.iter().filter(|flag| flag.starts_with("--state"));
                let done = Command::new(program)
                    .arg("init")
                    .args(scheme)
                    .arg("--datadir")
                    .args([&data, &genesis])
                    .stderr(Stdio::null())
                    .status()?;
                if !done.success() {
                    return Err("op-geth init failed".into());
                }
                let mut command = Command::new(program);
                command.args(*flags).arg("--datadir").arg(&data);
                command.arg("--authrpc.jwtsecret").arg(&secret);
                command.args(["--authrpc.port", &port.to_string()]);
                command.args([
                    "--syncmode=full",
                    "--nodiscover",
                    "--maxpeers=0",
                    "--port=0",
                ]);
                command.args(["--ipcdisable", "--rollup.disabletxpoolgossip=true"]);
                command
            }
        };
        let child = command.stdout(Stdio::null()).stderr(log).spawn()?;
        let running = Running { child, port, data };
        let start = Instant::now();
        while client::head(port).is_err() {
            if start.elapsed() > Duration::from_secs(60) {
                return Err(format!("{} does not answer", self.name()).into());
            }
            sleep(Duration::from_millis(50));
        }
        Ok(running)
    }
}

/// An engine that runs. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    pub(crate) port: u16,
    data: PathBuf,
}

impl Running {
    /// Stops it the friendly way.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        self.child.wait()?;
        Ok(())
    }

    /// Where its database is.
    pub(crate) fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// Time that it has spent on a core so far.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        cpu(&self.child.id().to_string())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // it may have ended
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Time that a process has spent on a core, `self` for this one.
pub(crate) fn cpu(process: &str) -> Result<Duration, Failure> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // utime and stime, the 14th and 15th field; the second is a name in brackets
    let (_, fields) = stat.rsplit_once(')').ok_or("a strange /proc")?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    // Linux counts in hundredths
    Ok(Duration::from_millis(ticks * 10))
}

/// Bytes of the files in a folder.
fn size(folder: &Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() {
            size(&entry.path())?
        } else {
            meta.len()
        };
    }
    Ok(bytes)
}

/// Doppio's engine, until it is killed: what `doppio engine` is, without its flags.
pub(crate) fn serve(arguments: &[String]) -> Result<(), Failure> {
    let [data, genesis, port] = arguments else {
        return Err("serve DATA GENESIS PORT".into());
    };
    let genesis = Genesis::parse(&fs::read_to_string(genesis)?, None)?;
    let store = Store::open(&Path::new(data).join(FILE), &genesis, CACHE)?;
    let engine = Engine::new(genesis, store, &EngineSettings::default())?;
    let view = Arc::clone(engine.view());
    let engine = Arc::new(Mutex::new(engine));
    let listen = Listen {
        limits: Limits::ENGINE,
        secret: Some(JwtSecret::parse(client::SECRET)?),
        ..Listen::at(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?)))
    };
    let eth = ChainApi::new(view, Settings::default(), &["eth"]);
    let sets: [Arc<dyn MethodSet>; 2] = [Arc::new(EngineApi::new(engine)), Arc::new(eth)];
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let _server = Server::start(&listen, &sets).await?;
            std::future::pending().await
        })
}
