//! `--compare` beside a node that differs: alarm, metric, exit status.

use crate::{
    process::{Process, free_ports},
    recorded::{Node, Recorded},
};
use doppio_test_chain::{Alter, Fake, Role, Rules, changed};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    process::Command,
    sync::Arc,
};

/// The L1 blocks that are enough of the chain.
const HEAD: usize = 60;

/// The other node says something else in one place.
struct Case {
    /// What the metric calls it.
    what: &'static str,
    /// What the alarm says.
    field: &'static str,
    alter: fn(&str, &mut Value),
}

/// Alters what is said of block 20.
fn of_block_20(method: &str, answer: &mut Value, pointer: &str) {
    if method == "optimism_outputAtBlock" && answer["blockRef"]["number"] == 20 {
        let place = answer.pointer_mut(pointer).unwrap();
        *place = changed(place).unwrap();
    }
}

/// A difference in what is safe.
const fn safe(field: &'static str, alter: fn(&str, &mut Value)) -> Case {
    Case {
        what: "safe",
        field,
        alter,
    }
}

/// Nothing is safe in the other node.
fn nothing_safe(method: &str, answer: &mut Value) {
    if method == "optimism_syncStatus" {
        for head in ["safe_l2", "local_safe_l2"] {
            answer[head]["number"] = json!(0);
        }
    }
}

const CASES: [Case; 9] = [
    // first: the database is new, and so each height of L1 is compared
    Case {
        what: "safe_head_at_l1",
        field: "the safe head is",
        alter: |method, answer| {
            if method == "optimism_safeHeadAtL1Block" {
                let hash = &mut answer["safeHead"]["hash"];
                *hash = changed(hash).unwrap();
            }
        },
    },
    Case {
        what: "unsafe",
        field: "the block is",
        alter: |method, answer| {
            nothing_safe(method, answer);
            of_block_20(method, answer, "/blockRef/hash");
        },
    },
    safe("the block is", |method, answer| {
        of_block_20(method, answer, "/blockRef/hash")
    }),
    safe("its time is", |method, answer| {
        of_block_20(method, answer, "/blockRef/timestamp")
    }),
    safe("its L1 origin is", |method, answer| {
        of_block_20(method, answer, "/blockRef/l1origin/hash")
    }),
    safe("the state root is", |method, answer| {
        of_block_20(method, answer, "/stateRoot")
    }),
    safe("the withdrawals root is", |method, answer| {
        of_block_20(method, answer, "/withdrawalStorageRoot")
    }),
    safe("the output root is", |method, answer| {
        of_block_20(method, answer, "/outputRoot")
    }),
    Case {
        what: "finalized",
        field: "the block is",
        alter: |method, answer| {
            if method == "optimism_syncStatus" {
                let mut block = answer["safe_l2"].clone();
                block["number"] = json!(10);
                answer["finalized_l2"] = block;
            }
        },
    },
];

fn metric(port: u16, name: &str) -> Option<String> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.rsplit(' ').next()?.to_owned())
}

struct Setting {
    recorded: Recorded,
    l1: Arc<Fake>,
    other: Arc<Fake>,
}

impl Setting {
    fn new(test: &str) -> Option<Self> {
        let recorded = Recorded::open("calldata-singular-zlib", test)?;
        let rules = Rules {
            head: Some(HEAD),
            ..Rules::default()
        };
        let l1 = Fake::start(&recorded.chain, rules);
        let other = Fake::start_as(Role::Rollup, &recorded.chain, Rules::default());
        Some(Self {
            recorded,
            l1,
            other,
        })
    }

    fn command(&self) -> Command {
        let recorded = &self.recorded;
        let mut command = recorded.command("data", &[&self.l1.url], &[]);
        command
            .arg("--safedb.path")
            .arg(recorded.path("safedb"))
            .args(["--compare", &self.other.url, "--compare.interval=100ms"]);
        command
    }

    fn alter(&self, alter: Option<Alter>) {
        self.other.rules.lock().unwrap().alter = alter;
    }
}

#[test]
fn each_kind_of_difference_raises_an_alarm_and_counts() {
    let Some(setting) = Setting::new("compare") else {
        return;
    };
    let deadline = setting.recorded.deadline;
    for (round, case) in CASES.iter().enumerate() {
        setting.alter(Some(Box::new(case.alter)));
        let [port] = free_ports();
        let mut command = setting.command();
        command
            .args(["--metrics.enabled", "--metrics.addr", "127.0.0.1"])
            .args(["--metrics.port", &port.to_string()]);
        let mut node: Node = setting.recorded.start(&format!("node-{round}"), command);
        let name = format!(
            "doppio_node_compare_differences_total{{what=\"{}\"}}",
            case.what
        );
        deadline.wait(&name, || {
            node.process.assert_running();
            let found = metric(port, &name).unwrap_or_default();
            if found.parse::<u64>().is_ok_and(|count| count > 0) {
                Ok(())
            } else {
                Err(node.process.log())
            }
        });
        let log = node.process.log();
        let alarm = if case.what == "unsafe" {
            "the nodes differ"
        } else {
            "THE NODES DIFFER"
        };
        let line = log.lines().find(|line| line.contains(alarm));
        let line = line.unwrap_or_else(|| panic!("{}: {log}", case.what));
        assert!(line.contains(case.field), "{}: {line}", case.what);
        // a node that compares goes on all the same
        node.process.assert_running();
    }
}

/// With `--compare.halt` the first difference in what is safe ends the node, as a failure. What is only
/// unsafe does not.
#[test]
fn with_halt_the_first_difference_in_what_is_safe_ends_the_node_as_a_failure() {
    let Some(setting) = Setting::new("compare-halt") else {
        return;
    };
    let halting = || {
        let mut command = setting.command();
        command.arg("--compare.halt");
        command
    };
    setting.alter(Some(Box::new(|method, answer| {
        nothing_safe(method, answer);
        of_block_20(method, answer, "/outputRoot");
    })));
    let mut node = setting.recorded.start("goes-on", halting());
    setting
        .recorded
        .deadline
        .wait("the difference is seen", || {
            node.process.assert_running();
            let log = node.process.log();
            if log.contains("the nodes differ") {
                Ok(())
            } else {
                Err(log)
            }
        });
    // as if the other node had been mended, and then broke in what is safe
    setting.alter(Some(Box::new(|method, answer| {
        of_block_20(method, answer, "/outputRoot");
    })));
    let status = wait(&mut node.process, setting.recorded.deadline);
    assert!(!status.success());
    let log = node.process.log();
    let said = "error: Safe at height 20: the output root is";
    assert!(log.contains(said), "{log}");
}

fn wait(process: &mut Process, deadline: crate::process::Deadline) -> std::process::ExitStatus {
    deadline.wait("the node ends", || process.ended().ok_or_else(String::new))
}
