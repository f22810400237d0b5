//! The roles of a devnet, and the command that each is run by.
//!
//! A role is a child process with ordinary flags. Whoever ends one can start it again by hand with the
//! very command that was printed, or run another program in its place.

use super::{
    folder::Layout,
    options::DataAvailability,
    ports::{Port, Ports},
};
use crate::{ChainKeys, Programs};
use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// A role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// L1: anvil, and the server in front of it.
    L1,
    /// The sequencer's execution engine.
    Engine,
    /// The sequencer.
    Node,
    /// The batcher.
    Batcher,
    /// The second node's execution engine.
    VerifierEngine,
    /// The second node, which derives the chain from L1 alone.
    Verifier,
}

impl Role {
    /// All of them, in the order in which they are started.
    pub const ALL: [Self; 6] = [
        Self::L1,
        Self::Engine,
        Self::VerifierEngine,
        Self::Node,
        Self::Verifier,
        Self::Batcher,
    ];

    /// Its name, and that of its log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::L1 => "l1",
            Self::Engine => "engine",
            Self::Node => "node",
            Self::Batcher => "batcher",
            Self::VerifierEngine => "verifier-engine",
            Self::Verifier => "verifier",
        }
    }

    /// The subcommands of `doppio` that it is.
    const fn subcommands(self) -> &'static [&'static str] {
        match self {
            Self::L1 => &["devnet", "l1"],
            Self::Engine | Self::VerifierEngine => &["engine"],
            Self::Node | Self::Verifier => &["node"],
            Self::Batcher => &["batcher"],
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|role| role.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no role {name}; the roles are {names}")
        })
    }
}

/// A program with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandLine(pub(crate) Vec<String>);

impl fmt::Display for CommandLine {
    /// As a shell takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
        for (place, word) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            if !word.is_empty() && word.chars().all(is_plain) {
                f.write_str(word)?;
            } else {
                write!(f, "'{}'", word.replace('\'', r"'\''"))?;
            }
        }
        Ok(())
    }
}

/// What the commands of all roles follow from.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) ports: &'a Ports,
    pub(crate) programs: &'a Programs,
    pub(crate) keys: &'a ChainKeys,
    pub(crate) data_availability: DataAvailability,
    pub(crate) l1_block_time: u64,
    /// `doppio`.
    pub(crate) doppio: &'a Path,
}

impl Plan<'_> {
    /// The command of a role. `program` runs instead of `doppio` if it is given; `more` are arguments
    /// behind its own.
    pub(crate) fn command(
        &self,
        role: Role,
        program: Option<&PathBuf>,
        more: impl Iterator<Item = String>,
    ) -> CommandLine {
        let mut words = match program {
            Some(program) => vec![program.display().to_string()],
            None => {
                let doppio = self.doppio.display().to_string();
                let names = role.subcommands().iter().map(|name| (*name).to_owned());
                std::iter::once(doppio).chain(names).collect()
            }
        };
        words.extend(match role {
            Role::L1 => self.l1(),
            Role::Engine => self.engine(role, Port::L2, Port::EngineAuth, true),
            Role::VerifierEngine => self.engine(role, Port::VerifierL2, Port::VerifierAuth, false),
            Role::Node => self.node(role, Port::Node, Port::EngineAuth, true),
            Role::Verifier => self.node(role, Port::Verifier, Port::VerifierAuth, false),
            Role::Batcher => self.batcher(program.is_some()),
        });
        words.extend(more);
        CommandLine(words)
    }

    fn number(&self, port: Port) -> String {
        self.ports.number(port).to_string()
    }

    fn l1(&self) -> Vec<String> {
        let text = |path: &Path| path.display().to_string();
        flags([
            ("--dir", text(&self.layout.data(Role::L1))),
            ("--port", self.number(Port::L1)),
            ("--block-time", self.l1_block_time.to_string()),
            ("--anvil", text(&self.programs.anvil)),
            ("--supersim", text(&self.programs.supersim)),
        ])
    }

    fn engine(&self, role: Role, http: Port, auth: Port, has_ws: bool) -> Vec<String> {
        const NAMESPACES: &str = "eth,net,web3,debug,txpool,miner";
        let mut words = flags([
            ("--datadir", self.layout.data(role).display().to_string()),
            ("--genesis", self.layout.chain_file("genesis.json")),
            ("--db.cache", "128".to_owned()),
            ("--authrpc.port", self.number(auth)),
            ("--authrpc.jwtsecret", self.layout.chain_file("jwt")),
            ("--http.port", self.number(http)),
            ("--http.api", NAMESPACES.to_owned()),
            ("--http.corsdomain", "*".to_owned()),
        ]);
        words.push("--http".to_owned());
        if has_ws {
            words.push("--ws".to_owned());
            words.extend(flags([
                ("--ws.port", self.number(Port::L2Ws)),
                ("--ws.api", NAMESPACES.to_owned()),
                ("--ws.origins", "*".to_owned()),
            ]));
        }
        words
    }

    fn node(&self, role: Role, own: Port, engine: Port, is_sequencer: bool) -> Vec<String> {
        let l1 = self.ports.url(Port::L1);
        let safe_heads = self.layout.data(role).join("safedb");
        let mut words = flags([
            ("--l1", l1.clone()),
            ("--l1.beacon", l1),
            ("--l1.http-poll-interval", "500ms".to_owned()),
            ("--l1.epoch-poll-interval", "2s".to_owned()),
            ("--l2", self.ports.url(engine)),
            ("--l2.jwt-secret", self.layout.chain_file("jwt")),
            ("--rollup.config", self.layout.chain_file("rollup.json")),
            (
                "--rollup.l1-chain-config",
                self.layout.chain_file("l1-chain-config.json"),
            ),
            ("--rpc.addr", "127.0.0.1".to_owned()),
            ("--rpc.port", self.number(own)),
            ("--safedb.path", safe_heads.display().to_string()),
        ]);
        words.extend(["--rpc.enable-admin", "--p2p.disable"].map(str::to_owned));
        if is_sequencer {
            words.push("--sequencer.enabled".to_owned());
            words.extend(flags([("--sequencer.l1-confs", "1".to_owned())]));
        }
        words
    }

    fn batcher(&self, is_foreign: bool) -> Vec<String> {
        let mut words = flags([
            ("--l1-eth-rpc", self.ports.url(Port::L1)),
            ("--l2-eth-rpc", self.ports.url(Port::L2)),
            ("--rollup-rpc", self.ports.url(Port::Node)),
            ("--private-key", self.keys.batcher.key_hex()),
            (
                "--data-availability-type",
                self.data_availability.name().to_owned(),
            ),
            ("--poll-interval", "500ms".to_owned()),
            // in L1 blocks: what users do is on L1 soon
            ("--max-channel-duration", "2".to_owned()),
            ("--sub-safety-margin", "4".to_owned()),
            ("--num-confirmations", "1".to_owned()),
            ("--rpc.addr", "127.0.0.1".to_owned()),
            ("--rpc.port", self.number(Port::Batcher)),
        ]);
        words.push("--rpc.enable-admin".to_owned());
        if !is_foreign {
            // op-batcher takes L1's forks from elsewhere, and has no such flag
            let file = self.layout.chain_file("l1-chain-config.json");
            words.extend(flags([("--rollup.l1-chain-config", file)]));
        }
        words
    }
}

fn flags<const N: usize>(pairs: [(&str, String); N]) -> Vec<String> {
    pairs
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_what_a_shell_takes_for_the_same_words() {
        let words = [
            "/a b/doppio",
            "--http.corsdomain",
            "*",
            "it's",
            "",
            "--l1=http://127.0.0.1:8545",
        ];
        let line = CommandLine(words.map(str::to_owned).into());
        let script = format!("printf '%s\\n' {line}");
        let output = std::process::Command::new("/bin/sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed.lines().collect::<Vec<_>>(), words);
    }

    #[test]
    fn roles_are_known_by_their_names() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
        }
        let error = "sequencer".parse::<Role>().unwrap_err();
        assert!(error.contains("verifier-engine"), "{error}");
    }
}
