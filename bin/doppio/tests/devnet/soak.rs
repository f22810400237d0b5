//! A long time under load: nothing is missing, the nodes agree, and memory does not grow.

use crate::{
    net::{Devnet, LIMIT, can_run},
    process::{Deadline, Folder, say},
};
use std::{collections::BTreeMap, env, fs, sync::mpsc, thread, time::Duration};

/// Names how long, such as `24m`.
const VARIABLE: &str = "DOPPIO_SOAK";
/// Time between two looks at the memory.
const LOOK: Duration = Duration::from_secs(15);
const MIB: u64 = 1 << 20;

/// Memory that a process has, in bytes.
fn memory(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

/// The most of a part of the looks.
fn most(looks: &[u64]) -> u64 {
    looks.iter().copied().max().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_for_a_long_time_nothing_is_lost_and_memory_does_not_grow() {
    let test = "a long time under load";
    let Ok(time) = env::var(VARIABLE) else {
        say(&format!(
            "\n*** NOT TESTED: {test}: {VARIABLE} is not set ***"
        ));
        return;
    };
    if !can_run(test) {
        return;
    }
    let folder = Folder::new("devnet-soak");
    // what the databases keep in memory may grow up to a limit: here that is soon reached
    let flags = [
        "--block-time=1",
        "--arg=engine=--db.cache=16",
        "--arg=verifier-engine=--db.cache=16",
    ];
    let mut devnet = Devnet::start(&folder, "net", &flags.map(str::to_owned));
    let mut processes = BTreeMap::from([("devnet".to_owned(), devnet.id())]);
    for role in devnet.description["roles"].as_object().unwrap().keys() {
        processes.insert(role.clone(), devnet.process_of(role));
    }
    let (stop, stopped) = mpsc::channel::<()>();
    let watch = thread::spawn(move || {
        let mut looks: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        while let Err(mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(LOOK) {
            for (role, id) in &processes {
                looks.entry(role.clone()).or_default().push(memory(*id));
            }
        }
        looks
    });
    devnet.traffic("20", &time);
    devnet.deadline = Deadline::after(LIMIT);
    drop(stop);
    let looks = watch.join().unwrap();
    let height = devnet.transact(0).await;
    devnet.assert_same(height).await;
    say(&format!("both nodes have the same {height} blocks"));
    for (role, looks) in &looks {
        // the first third fills caches
        let (first, rest) = looks.split_at(looks.len() / 3);
        let (middle, last) = rest.split_at(rest.len() / 2);
        let [first, middle, last] = [first, middle, last].map(|part| most(part) / MIB);
        say(&format!(
            "{role}: {first} MiB in the first third, {middle} MiB in the second, {last} MiB in the last"
        ));
        assert!(last <= middle + middle / 8 + 8, "{role} grows");
    }
    assert!(devnet.stop().success(), "{}", devnet.screen());
}
