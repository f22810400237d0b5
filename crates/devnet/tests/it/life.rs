//! How an L1 begins and ends.

use crate::support::{on_demand, start};
use doppio_devnet::{DevL1Options, DevnetError, Mining, Programs, Rpc};
use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Whether a process runs.
fn runs(id: u32) -> bool {
    Path::new(&format!("/proc/{id}/cmdline")).exists()
}

fn wait_until_gone(path: &Path) {
    let start = Instant::now();
    while path.exists() {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{} stays",
            path.display()
        );
        thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn nothing_is_left_when_it_is_dropped() {
    let l1 = on_demand().await;
    let (id, url) = (l1.process_id(), l1.rpc_url().to_owned());
    assert!(runs(id));
    drop(l1);
    assert!(!runs(id));
    let error = Rpc::new(&url).unwrap().block_number().await;
    assert!(error.is_err());
}

#[tokio::test]
async fn an_end_of_its_own_is_told_with_what_it_printed() {
    let l1 = on_demand().await;
    l1.check().unwrap();
    let killed = Command::new("kill")
        .args(["-9", &l1.process_id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    wait_until_ended(&l1);
    let error = l1.check().unwrap_err();
    let DevnetError::Ended { status, output } = error else {
        panic!("{error}");
    };
    assert!(
        status.contains('9') && output.contains("Listening on"),
        "{status} {output}"
    );
}

fn wait_until_ended(l1: &doppio_devnet::DevL1) {
    let start = Instant::now();
    while l1.check().is_ok() {
        assert!(start.elapsed() < Duration::from_secs(10));
        thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let options = DevL1Options {
        state: Some("/nowhere/state.json".into()),
        ..DevL1Options::default()
    };
    let error = doppio_devnet::DevL1::start(options).await.unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, DevnetError::Ended { .. }) && text.contains("/nowhere"),
        "{text}"
    );

    let error = Programs::npm(Path::new("/nowhere"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("/nowhere") && error.contains("npm ci --ignore-scripts"),
        "{error}"
    );
}

/// A test that only the next one runs, in a process of its own.
#[tokio::test]
#[ignore = "the next test runs it"]
async fn an_l1_that_waits_to_be_killed() {
    let l1 = start(DevL1Options {
        mining: Mining::Clock,
        ..DevL1Options::default()
    })
    .await;
    // past the test harness
    let _ = writeln!(std::io::stdout(), "\nanvil is process {}", l1.process_id());
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[test]
fn anvil_does_not_outlive_a_parent_that_is_killed() {
    let mut parent = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "life::an_l1_that_waits_to_be_killed",
            "--ignored",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let id = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("anvil is process ")?.parse::<u32>().ok())
        .unwrap();
    let arguments = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap();
    let mut arguments = arguments.split('\0');
    assert!(arguments.any(|argument| argument == "--cache-path"));
    let folder = Path::new(arguments.next().unwrap()).to_owned();
    assert!(folder.is_dir());
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_until_gone(Path::new(&format!("/proc/{id}/cmdline")));
    wait_until_gone(&folder);
}
