//! What `doppio node --check` looks at on this machine.

use super::{args::NodeArgs, database};
use crate::{
    check::{self, Addresses},
    engine::{check_addresses, check_database, check_namespaces},
    output::CommandError,
};
use doppio_checks::{Check, verdict};
use doppio_node_service::AdminState;
use std::net::SocketAddr;

/// Files, folders and addresses; and whether there is an engine to go on with.
pub(super) fn local(args: &NodeArgs) -> Result<(Vec<Check>, bool), CommandError> {
    let mut checks = Vec::new();
    let serve = &args.embedded.serve;
    let database = database(args)?;
    if let Some(database) = &database {
        checks.extend(check_database(database));
    }
    let has_engine = verdict(&checks).is_ok();
    if database.is_some() {
        checks.extend(check_namespaces(serve));
    }
    if let Some(file) = args.l2.jwt_secret.as_deref().filter(|_| database.is_none()) {
        checks.push(check::secret("JWT secret", file, "--l2.jwt-secret"));
    }
    if let Some(file) = &args.rpc.admin_token {
        checks.push(check::secret("admin token", file, "--rpc.admin-token"));
    }
    if let Some(folder) = &args.derivation.safedb {
        checks.push(check::folder("safe heads", folder, "--safedb.path"));
    }
    if let Some(file) = &args.rpc.admin_state {
        checks.push(match AdminState::new(file.clone()).is_sequencing() {
            Ok(kept) => {
                let found = kept.map_or("nothing is kept yet".to_owned(), |is_sequencing| {
                    format!("sequencing: {is_sequencing}")
                });
                Check::good("admin state", found)
            }
            Err(error) => Check::failure(
                "admin state",
                error.to_string(),
                "Give another file with --rpc.admin-state, or delete this one",
            ),
        });
    }
    let mut addresses = Addresses::default();
    let rpc = SocketAddr::new(args.rpc.addr, args.rpc.port);
    addresses.add("RPC", rpc, "--rpc.port");
    if let Some(address) = args.rpc.admin_addr {
        addresses.add("admin RPC", address, "--rpc.admin-addr");
    }
    if database.is_some() {
        check_addresses(serve, &mut addresses);
    }
    if args.metrics.enabled {
        let metrics = SocketAddr::new(args.metrics.addr, args.metrics.port);
        addresses.add("metrics", metrics, "--metrics.port");
    }
    checks.extend(addresses.into_checks());
    Ok((checks, has_engine))
}
