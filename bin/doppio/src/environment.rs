//! Environment variables of the rollup node: op-node's names are read too.
//!
//! A flag of the node that names `DOPPIO_NODE_X` takes `OP_NODE_X` where that alone is set, so that
//! an operator can put Doppio in op-node's place and leave the environment as it is.

use clap::Command;
use std::ffi::OsString;

const OURS: &str = "DOPPIO_NODE_";
const OP_NODES: &str = "OP_NODE_";

/// The command, whose arguments read what is set of their variable's two names. A variable that is
/// set to nothing is not set, as in op-node: deployments pass on variables that they do not have.
pub(crate) fn with_op_node_names(
    command: Command,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Command {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    command
        .mut_args(|arg| {
            let name = arg.get_env().and_then(|name| name.to_str());
            let Some(rest) = name.and_then(|name| name.strip_prefix(OURS)) else {
                return arg;
            };
            let names = [OURS, OP_NODES].map(|prefix| format!("{prefix}{rest}"));
            match names.into_iter().find(|name| is_set(name)) {
                Some(name) => arg.env(name),
                // kept where neither is set, for the help to name it
                None if variable(&format!("{OURS}{rest}")).is_none() => arg,
                None => arg.env(None::<&'static str>),
            }
        })
        .mut_subcommands(|command| with_op_node_names(command, variable))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    /// Which variable is read once these are set.
    fn read(set: &[(&str, &str)]) -> Option<String> {
        let inner = Command::new("node")
            .arg(
                Arg::new("network")
                    .long("network")
                    .env("DOPPIO_NODE_NETWORK"),
            )
            .arg(Arg::new("log").long("log").env("DOPPIO_LOG"));
        let command = Command::new("doppio").subcommand(inner);
        let command = with_op_node_names(command, &|name| {
            let (_, value) = set.iter().find(|(known, _)| *known == name)?;
            Some(value.into())
        });
        let node = command.find_subcommand("node").unwrap();
        let env = |id| {
            let arg = node.get_arguments().find(|arg| arg.get_id() == id).unwrap();
            arg.get_env().map(|name| name.to_str().unwrap().to_owned())
        };
        assert_eq!(env("log").as_deref(), Some("DOPPIO_LOG"));
        env("network")
    }

    #[test]
    fn our_name_comes_before_op_nodes_and_nothing_is_not_set() {
        let (ours, theirs) = ("DOPPIO_NODE_NETWORK", "OP_NODE_NETWORK");
        assert_eq!(read(&[]).as_deref(), Some(ours));
        assert_eq!(read(&[(ours, "a")]).as_deref(), Some(ours));
        assert_eq!(read(&[(theirs, "b")]).as_deref(), Some(theirs));
        assert_eq!(read(&[(ours, "a"), (theirs, "b")]).as_deref(), Some(ours));
        assert_eq!(read(&[(ours, ""), (theirs, "b")]).as_deref(), Some(theirs));
        assert_eq!(read(&[(ours, "")]), None);
        assert_eq!(read(&[(theirs, "")]).as_deref(), Some(ours));
        assert_eq!(read(&[("OP_NODE_LOG", "x")]).as_deref(), Some(ours));
    }
}
