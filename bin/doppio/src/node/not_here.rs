//! What op-node can do and this release cannot: refused, with that said, and never passed over in
//! silence. What op-node itself ignores is ignored.

use super::args::{IgnoredArgs, NodeArgs};
use crate::output::CommandError;
use tracing::warn;

/// Flags of op-node that ask for what is not here, by how they begin, and what that is.
const NOT_HERE: [(&str, &str); 3] = [
    ("p2p.", "P2P"),
    ("conductor.", "op-conductor"),
    ("experimental.", "op-node's experimental API"),
];

/// Refuses flags that ask for what is not here. They are many, and are not even defined.
pub(crate) fn refuse(arguments: impl Iterator<Item = String>) -> Result<(), String> {
    for argument in arguments {
        let Some(flag) = argument.strip_prefix("--") else {
            continue;
        };
        let name = flag.split('=').next().unwrap_or_default();
        if ["p2p.disable", "conductor.enabled"].contains(&name) {
            continue;
        }
        let found = NOT_HERE.iter().find(|(begins, _)| name.starts_with(begins));
        if let Some((_, what)) = found {
            return Err(format!(
                "--{name}: {what} is not in this release. Leave the flag out; blocks come from L1, \
                 from this node's own sequencer, and by admin_postUnsafePayload"
            ));
        }
    }
    Ok(())
}

/// Refuses values that ask for what is not here.
pub(super) fn check(args: &NodeArgs) -> Result<(), CommandError> {
    let ignored = &args.ignored;
    if ignored.conductor_enabled {
        return Err("--conductor.enabled: op-conductor is not in this release".into());
    }
    if ignored.l2_follow_source.is_some() {
        return Err(
            "--l2.follow.source: this node derives the chain itself and believes no other".into(),
        );
    }
    if ignored.interop_dependency_set.is_some() {
        return Err("--interop.dependency-set: interop is not in this release".into());
    }
    if args.derivation.syncmode != "consensus-layer" || ignored.l2_engine_sync {
        return Err(format!(
            "--syncmode {}: only consensus-layer is in this release; syncing by the execution \
             layer needs P2P",
            args.derivation.syncmode
        )
        .into());
    }
    if !ignored.p2p_disable {
        warn!(
            "there is no P2P in this release (--p2p.disable says that this is known): unsafe blocks \
             of others come by admin_postUnsafePayload only"
        );
    }
    Ok(())
}

/// Says which flags change nothing although they ask for something.
pub(super) fn warn_of_ignored(ignored: &IgnoredArgs) {
    let switches = [
        (
            ignored.l1_trustrpc,
            "--l1.trustrpc: everything from L1 is checked all the same; it costs little here",
        ),
        (
            ignored.fetch_withdrawal_root_from_state,
            "--fetch-withdrawal-root-from-state: the header has the root from Isthmus on, and its hash covers it",
        ),
        (
            ignored.pprof_enabled,
            "--pprof.enabled: there is no pprof here",
        ),
        (
            ignored.heartbeat_enabled,
            "--heartbeat.enabled: op-node has none either",
        ),
    ];
    for (is_set, words) in switches {
        if is_set {
            warn!("{words}");
        }
    }
}
