//! `doppio engine --check`, and the same for the engine within a node.

use super::{
    args::{EngineArgs, ServeArgs},
    embedded::Database,
};
use crate::check::{self, Addresses};
use doppio_checks::Check;
use doppio_engine::{Genesis, Store, StoreError};
use std::{fs, net::SocketAddr};

/// What can be offered over HTTP and WebSocket.
const NAMESPACES: [&str; 6] = ["debug", "eth", "miner", "net", "txpool", "web3"];
/// Memory for a database that is only looked at, in bytes.
const CACHE: usize = 16 << 20;

impl EngineArgs {
    /// All checks of an engine in a process of its own.
    pub(super) fn checks(&self) -> Vec<Check> {
        let mut checks = database(&self.database());
        let secret = self.secret_path();
        checks.push(check::secret("JWT secret", &secret, "--authrpc.jwtsecret"));
        checks.extend(namespaces(&self.serve));
        let mut addresses = Addresses::default();
        addresses.add("Engine API", self.auth.address(), "--authrpc.port");
        listening(&self.serve, &mut addresses);
        if let Some(address) = self.metrics.listen() {
            addresses.add("metrics", address, "--metrics.port");
        }
        checks.extend(addresses.into_checks());
        checks
    }
}

/// The genesis, the folder, and the database if there is one. What does not exist is not made.
pub(crate) fn database(database: &Database<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    let genesis = match database.genesis() {
        Ok((genesis, _)) => {
            let found = format!(
                "chain {}, first block {}",
                genesis.spec.chain_id, genesis.hash
            );
            checks.push(Check::good("genesis", found));
            Some(genesis)
        }
        Err(error) => {
            let remedy = "Give the chain's genesis.json with its accounts by --genesis, and by \
                          --genesis.alloc where those are in a file of their own";
            checks.push(Check::failure("genesis", error.to_string(), remedy));
            None
        }
    };
    checks.push(check::folder("data folder", database.folder, "--datadir"));
    let file = database.file();
    if !fs::exists(&file).unwrap_or(true) {
        checks.push(Check::good(
            "database",
            format!("{} will be made", file.display()),
        ));
    } else if let Some(genesis) = genesis {
        checks.push(stored(database, &genesis));
    }
    checks
}

/// A database that exists.
fn stored(database: &Database<'_>, genesis: &Genesis) -> Check {
    const NAME: &str = "database";
    let file = database.file();
    let error = match Store::open(&file, genesis, CACHE) {
        Ok(_) => return Check::good(NAME, file.display().to_string()),
        Err(error) => error,
    };
    let remedy = match &error {
        StoreError::InUse(_) => "Stop the other engine, or give this one a folder of its own",
        StoreError::Schema { .. } => {
            "Take the release that wrote it, or delete it and let the node derive the chain again"
        }
        StoreError::Genesis { .. } => {
            "Give this chain's genesis.json with --genesis, or another folder with --datadir"
        }
        // the error says it
        _ => "",
    };
    Check::failure(NAME, error.to_string(), remedy)
}

/// Namespaces that are asked for and that there are not.
pub(crate) fn namespaces(serve: &ServeArgs) -> Vec<Check> {
    let asked = [
        ("HTTP namespaces", serve.http.http, &serve.http.http_api),
        ("WebSocket namespaces", serve.ws.ws, &serve.ws.ws_api),
    ];
    let asked = asked.into_iter().filter(|(_, is_served, _)| *is_served);
    asked
        .map(|(name, _, namespaces)| {
            let unknown: Vec<&str> = namespaces
                .iter()
                .map(|namespace| &**namespace)
                .filter(|namespace| !NAMESPACES.contains(namespace))
                .collect();
            if unknown.is_empty() {
                Check::good(name, namespaces.join(","))
            } else {
                Check::warning(
                    name,
                    format!("there is no {}", unknown.join(",")),
                    format!("Offer some of {}", NAMESPACES.join(",")),
                )
            }
        })
        .collect()
}

/// The addresses at which everybody is served.
pub(crate) fn listening(serve: &ServeArgs, addresses: &mut Addresses) {
    let (http, ws) = (&serve.http, &serve.ws);
    if http.http {
        let address = SocketAddr::new(http.http_addr, http.http_port);
        addresses.add("HTTP", address, "--http.port");
    }
    if ws.ws {
        let address = SocketAddr::new(ws.ws_addr, ws.ws_port);
        addresses.add("WebSocket", address, "--ws.port");
    }
}
