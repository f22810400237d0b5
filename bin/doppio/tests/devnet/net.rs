//! A devnet that runs, and what is common to all tests.

use crate::process::{Deadline, Folder, say};
use alloy_primitives::B256;
use doppio_devnet::{Account, Call, PEERS_VARIABLE, Programs, Rpc, Wallet};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// How long a test may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);
/// How long processes may take to end.
const END: Duration = Duration::from_secs(30);

/// The command.
pub(crate) fn doppio() -> Command {
    Command::new(env!("CARGO_BIN_EXE_doppio"))
}

/// Whether npm's packages are there; if not, that is said loudly.
pub(crate) fn can_run(test: &str) -> bool {
    match Programs::find() {
        Ok(_) => true,
        Err(error) => {
            say(&format!("\n*** NOT TESTED: {test}: {error} ***"));
            false
        }
    }
}

/// A program in the folder that `DOPPIO_PEERS` names; none, and said loudly, if it is not there.
pub(crate) fn peer(name: &str, test: &str) -> Option<PathBuf> {
    let folder = env::var_os(PEERS_VARIABLE).map(PathBuf::from);
    let peer = folder.map(|folder| folder.join(name));
    let found = peer.filter(|peer| peer.is_file());
    if found.is_none() {
        say(&format!(
            "\n*** NOT TESTED: {test}: there is no {name} in {PEERS_VARIABLE} ***"
        ));
    }
    found
}

/// A devnet that runs.
pub(crate) struct Devnet {
    child: Child,
    /// Its folder.
    pub(crate) path: PathBuf,
    /// What it prints.
    screen: PathBuf,
    pub(crate) description: Value,
    pub(crate) deadline: Deadline,
}

impl Devnet {
    /// Starts one, and waits until it is ready.
    pub(crate) fn start(folder: &Folder, name: &str, flags: &[String]) -> Self {
        let begin = Instant::now();
        let mut devnet = Self::begin(folder, name, flags);
        devnet.wait_until_ready();
        say(&format!("{name} is ready after {:?}", begin.elapsed()));
        devnet
    }

    /// Starts one.
    pub(crate) fn begin(folder: &Folder, name: &str, flags: &[String]) -> Self {
        let path = folder.path(name);
        let screen = folder.path(&format!("{name}.screen"));
        let mut command = doppio();
        command
            .args(["devnet", "--ports", "free", "--dir"])
            .arg(&path)
            .args(flags);
        let file = File::create(&screen).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        Self {
            child: command.spawn().unwrap(),
            path,
            screen,
            description: Value::Null,
            deadline: Deadline::after(LIMIT),
        }
    }

    /// Waits until devnet.json says that it is ready, and is this one's.
    pub(crate) fn wait_until_ready(&mut self) {
        let (path, id) = (self.path.join("devnet.json"), self.child.id());
        self.description = self.deadline.wait("the devnet is ready", || {
            let ended = self.child.try_wait().unwrap();
            let screen = fs::read_to_string(&self.screen).unwrap();
            assert!(ended.is_none(), "the devnet has ended: {ended:?}\n{screen}");
            let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
            let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            match value["ready"] == json!(true) && value["process"] == json!(id) {
                true => Ok(value),
                false => Err(screen),
            }
        });
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far.
    pub(crate) fn screen(&self) -> String {
        fs::read_to_string(&self.screen).unwrap()
    }

    /// A string of devnet.json.
    pub(crate) fn text(&self, pointer: &str) -> String {
        let value = self.description.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("no {pointer}")).to_owned()
    }

    pub(crate) fn rpc(&self, pointer: &str) -> Rpc {
        Rpc::new(&self.text(pointer)).unwrap()
    }

    /// The process of a role.
    pub(crate) fn process_of(&self, role: &str) -> u32 {
        let id = self.description["roles"][role]["process"].as_u64();
        u32::try_from(id.unwrap_or_else(|| panic!("{role} does not run"))).unwrap()
    }

    /// The command of a role, as devnet.json has it.
    pub(crate) fn command_of(&self, role: &str) -> Vec<String> {
        serde_json::from_value(self.description["roles"][role]["command"].clone()).unwrap()
    }

    /// Presses Ctrl-C, and waits for the end: its status. Nothing is left.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        let all = descendants(self.id());
        assert!(all.len() > 6, "{all:?}");
        kill("INT", self.id());
        let deadline = Deadline::after(END);
        let status = deadline.wait("the devnet ends", || {
            let ended = self.child.try_wait().unwrap();
            ended.ok_or_else(|| fs::read_to_string(&self.screen).unwrap())
        });
        assert_all_end(&all);
        status
    }

    /// Kills everything at once.
    pub(crate) fn kill_all(&mut self) {
        let all = descendants(self.id());
        kill("KILL", self.id());
        for id in self.description["roles"].as_object().unwrap().values() {
            if let Some(id) = id["process"].as_u64() {
                kill("KILL", u32::try_from(id).unwrap());
            }
        }
        self.child.wait().unwrap();
        assert_all_end(&all);
    }

    /// Waits for a command's end by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = self.deadline;
        deadline.wait("the devnet ends", || {
            let ended = self.child.try_wait().unwrap();
            ended.ok_or_else(|| fs::read_to_string(&self.screen).unwrap())
        })
    }

    /// Asks again and again until there is an answer.
    pub(crate) async fn until<T>(
        &self,
        what: &str,
        mut ask: impl AsyncFnMut() -> Result<T, String>,
    ) -> T {
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(error) => self.deadline.check(what, &error),
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    /// Height of a head of a node.
    pub(crate) async fn head(&self, node: &str, head: &str) -> Result<u64, String> {
        let rpc = self.rpc(&format!("/{node}/rollup_rpc"));
        let status = rpc.call("optimism_syncStatus", json!([])).await;
        let status = status.map_err(|error| error.to_string())?;
        let number = status[head]["number"].as_u64();
        number.ok_or_else(|| format!("no {head}: {status}"))
    }

    /// Waits until a head of a node is at least at a height.
    pub(crate) async fn reach(&self, node: &str, head: &str, height: u64) {
        self.until(
            &format!("{head} of {node} is {height}"),
            async || match self.head(node, head).await? {
                found if found >= height => Ok(()),
                found => Err(format!("it is {found}")),
            },
        )
        .await;
    }

    /// A block of L2.
    pub(crate) async fn block(&self, node: &str, number: u64) -> Value {
        let rpc = self.rpc(&format!("/{node}/rpc"));
        let params = json!([format!("{number:#x}"), false]);
        rpc.call("eth_getBlockByNumber", params).await.unwrap()
    }

    /// Both nodes have the same blocks up to a height that is safe in both: block by block.
    pub(crate) async fn assert_same(&self, last: u64) {
        for node in ["l2", "verifier"] {
            self.reach(node, "safe_l2", last).await;
        }
        let (ours, theirs) = (self.rpc("/l2/rpc"), self.rpc("/verifier/rpc"));
        for number in 0..=last {
            let raw = async |rpc: &Rpc| -> String {
                let params = json!([format!("{number:#x}")]);
                rpc.get("debug_getRawBlock", params).await.unwrap()
            };
            let (ours, theirs) = (raw(&ours).await, raw(&theirs).await);
            assert!(ours.len() > 500 && ours == theirs, "block {number} differs");
        }
    }

    /// A user of L2 or, with "l1", of L1.
    pub(crate) fn user(&self, chain: &str, index: u32) -> Wallet {
        let id = self.description[chain]["chain_id"].as_u64().unwrap();
        let rpc = self.rpc(&format!("/{chain}/rpc"));
        Wallet::new(rpc, id, Account::user(index).unwrap())
    }

    /// Load of all kinds: what became of it. Nothing of it may be missing.
    pub(crate) fn traffic(&self, rate: &str, time: &str) -> Value {
        let traffic = doppio()
            .args(["devnet", "traffic", "--json", "--rate", rate, "--for", time])
            .arg("--dir")
            .arg(&self.path)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&traffic.stderr);
        let summary: Value = serde_json::from_slice(&traffic.stdout).expect(&text);
        say(&format!("traffic: {summary}"));
        assert!(traffic.status.success(), "{text}");
        let count = |name: &str| summary[name].as_u64().unwrap();
        assert_eq!(count("sent"), count("included"), "{summary}");
        assert_eq!(count("failed"), 0, "{summary}");
        summary
    }

    /// A user's transaction goes into an L2 block: the block's height.
    pub(crate) async fn transact(&self, index: u32) -> u64 {
        let user = self.user("l2", index);
        let call = Call::data(user.account().address, vec![0x5a; 100].into());
        let hash: B256 = self
            .until("the engine takes a transaction", async || {
                user.send(&call).await.map_err(|error| error.to_string())
            })
            .await;
        let receipt = user.rpc().wait_for(hash, Duration::from_secs(60)).await;
        receipt.unwrap().succeeded().unwrap().block_number
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        // the roles end with it
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            say(&format!("--- the devnet ---\n{}", self.screen()));
        }
    }
}

/// Sends a signal.
pub(crate) fn kill(signal: &str, id: u32) {
    let status = Command::new("kill")
        .args(["-s", signal, &id.to_string()])
        .stderr(Stdio::null())
        .status();
    status.unwrap();
}

/// Parents of all processes.
fn parents() -> BTreeMap<u32, u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parent = |id: u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // behind the name, which may have spaces: state, parent
        let (_, rest) = stat.rsplit_once(')')?;
        Some((id, rest.split_whitespace().nth(1)?.parse().ok()?))
    };
    ids.filter_map(parent).collect()
}

/// All processes that a process has started, and they in turn.
pub(crate) fn descendants(id: u32) -> BTreeSet<u32> {
    let parents = parents();
    let mut found = BTreeSet::from([id]);
    loop {
        let before = found.len();
        for (child, parent) in &parents {
            if found.contains(parent) {
                found.insert(*child);
            }
        }
        if found.len() == before {
            found.remove(&id);
            return found;
        }
    }
}

/// Whether a process runs. One that only waits for its parent to look has no command line.
pub(crate) fn runs(id: u32) -> bool {
    fs::read(Path::new("/proc").join(id.to_string()).join("cmdline"))
        .is_ok_and(|line| !line.is_empty())
}

/// None of these runs any more, very soon.
pub(crate) fn assert_all_end(ids: &BTreeSet<u32>) {
    Deadline::after(END).wait("all processes have ended", || {
        let left: Vec<_> = ids.iter().filter(|id| runs(**id)).collect();
        match left.is_empty() {
            true => Ok(()),
            false => Err(format!("{left:?}")),
        }
    });
}
