//! The DA server of a chain whose batches are commitments.

use crate::recorded::Recorded;
use doppio_test_chain::{Fake, Role, Rules};

/// `StorageGetError` of op-node's end-to-end tests: while the server fails the safe head stays, whatever
/// the failure; nothing is skipped; and it goes on when the server does.
#[test]
fn a_da_server_that_fails_is_waited_for_and_nothing_is_skipped() {
    let Some(recorded) = Recorded::open("altda-span-brotli", "da") else {
        return;
    };
    let l1 = Fake::start(&recorded.chain, Rules::default());
    // the last is told first
    let failures = vec![
        (503, "retry-after: 1", ""),
        (429, "", ""),
        (500, "", "the disperser is away"),
        (404, "", "not found"),
        (404, "", "not found"),
    ];
    let rules = Rules {
        instead: failures.clone(),
        ..Rules::default()
    };
    let da = Fake::start_as(Role::Da, &recorded.chain, rules);
    let mut command = recorded.command("data", &[&l1.url], &[]);
    command.args(["--altda.enabled", "--altda.da-server", &da.url]);
    let mut node = recorded.start("node", command);
    for count in 1..=failures.len() {
        recorded.deadline.wait("the server is asked", || {
            node.process.assert_running();
            let asked = da.requests();
            if asked >= count {
                Ok(())
            } else {
                Err(format!("{asked} times"))
            }
        });
        // the first block after genesis is in the first batch, whose data is not there
        assert_eq!(node.head("safe_l2").unwrap(), 0, "after {count} failures");
    }
    recorded.assert_derived(&mut node);
    let log = node.process.log();
    for status in [500, 429, 503] {
        let said = format!("the DA server answers with HTTP status {status}");
        assert!(log.contains(&said), "{said}: {log}");
    }
    // each piece of data was asked for until it was there, and then no more
    let mut asked = da.log.lock().unwrap().clone();
    let count = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), count);
}
