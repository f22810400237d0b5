//! Environment variables of the roles: those of the op-stack's programs are read too.
//!
//! A flag of the node that names `DOPPIO_NODE_X` takes `OP_NODE_X` where that alone is set, so that
//! an operator can put Doppio in op-node's place and leave the environment as it is. The same holds
//! for op-batcher.

use clap::{Arg, Command};
use std::ffi::OsString;

/// Our prefixes, and whose names are read as well.
const PREFIXES: [(&str, &str); 2] = [
    ("DOPPIO_NODE_", "OP_NODE_"),
    ("DOPPIO_BATCHER_", "OP_BATCHER_"),
];

/// The command, whose arguments read what is set of their variable's two names. A variable that is
/// set to nothing is not set, as in op-node: deployments pass on variables that they do not have.
pub(crate) fn with_op_stack_names(
    command: Command,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Command {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    command
        .mut_args(|arg| {
            let name = arg.get_env().and_then(|name| name.to_str());
            let Some(names) = name.and_then(both_names) else {
                return arg;
            };
            match names.iter().find(|name| is_set(name)) {
                Some(name) => arg.env(name),
                // kept where neither is set, for the help to name it
                None if names.first().is_none_or(|ours| variable(ours).is_none()) => arg,
                None => arg.env(None::<&'static str>),
            }
        })
        .mut_subcommands(|command| with_op_stack_names(command, variable))
}

/// A variable of ours, and what the op-stack's program calls it.
fn both_names(ours: &str) -> Option<[String; 2]> {
    PREFIXES.iter().find_map(|(prefix, theirs)| {
        let rest = ours.strip_prefix(prefix)?;
        Some([ours.to_owned(), format!("{theirs}{rest}")])
    })
}

/// Names variables after flags, as the op-stack's programs do: `--txmgr.min-tip-cap` is read from
/// `PREFIX_TXMGR_MIN_TIP_CAP`. A flag that has a variable already keeps it.
pub(crate) fn named_after_flags(command: Command, prefix: &str) -> Command {
    command.mut_args(|arg| match (arg.get_env(), arg.get_long()) {
        (None, Some(long)) if !["help", "version"].contains(&long) => {
            let name = long.to_uppercase().replace(['.', '-'], "_");
            arg.env(format!("{prefix}{name}"))
        }
        _ => arg,
    })
}

/// What flags that are true or false have in common, by their value's name `BOOL`: they may be given
/// bare or as `--flag=false`, as with the op-stack's programs.
pub(crate) fn with_switches(command: Command) -> Command {
    let is_switch = |arg: &Arg| {
        let names = arg.get_value_names().unwrap_or_default();
        names.iter().any(|name| *name == "BOOL")
    };
    command.mut_args(|arg| {
        if is_switch(&arg) {
            arg.num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
        } else {
            arg
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let command = with_op_stack_names(command, &|name| {
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

    #[test]
    fn a_flag_names_its_variable_and_an_irregular_one_keeps_its_own() {
        let command = Command::new("batcher")
            .arg(Arg::new("a").long("txmgr.min-tip-cap"))
            .arg(Arg::new("b").long("odd").env("DOPPIO_BATCHER_ODD_NAME"));
        let command = named_after_flags(command, "DOPPIO_BATCHER_");
        let names: Vec<_> = command
            .get_arguments()
            .map(|arg| arg.get_env().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "DOPPIO_BATCHER_TXMGR_MIN_TIP_CAP",
                "DOPPIO_BATCHER_ODD_NAME"
            ]
        );
    }

    #[test]
    fn a_switch_is_given_bare_or_with_a_value_and_takes_no_word_behind_it() {
        let command = || {
            let switch = Arg::new("stopped")
                .long("stopped")
                .value_name("BOOL")
                .default_value("false");
            with_switches(Command::new("batcher").arg(switch).arg(Arg::new("word")))
        };
        let read = |arguments: &[&str]| -> (String, Option<String>) {
            let found = command().get_matches_from(arguments);
            let get = |id| found.get_one::<String>(id).cloned();
            (get("stopped").unwrap(), get("word"))
        };
        assert_eq!(read(&["batcher"]), ("false".into(), None));
        assert_eq!(read(&["batcher", "--stopped"]), ("true".into(), None));
        assert_eq!(
            read(&["batcher", "--stopped=false"]),
            ("false".into(), None)
        );
        assert_eq!(
            read(&["batcher", "--stopped", "x"]),
            ("true".into(), Some("x".into()))
        );
    }
}
