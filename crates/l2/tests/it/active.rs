//! Which of several sequencers is followed.

use crate::{blocks::chain, endpoint::Endpoint};
use core::time::Duration;
use doppio_l2::{ActiveSequencer, L2Client, RollupNode, Sequencer};
use serde_json::json;
use std::sync::Arc;
use tokio::time;

const METHOD: &str = "admin_sequencerActive";
const EVERY: Duration = Duration::from_secs(5);

fn sequencer(rollup: &Arc<Endpoint>) -> Option<Sequencer> {
    let l2 = L2Client::new(chain()?.chain, Endpoint::new([]));
    Some(Sequencer {
        rollup: RollupNode::new(Arc::clone(rollup) as _),
        l2: Arc::new(l2),
    })
}

#[tokio::test]
async fn a_single_sequencer_is_taken_without_a_question() {
    let endpoint = Endpoint::new([]);
    let Some(only) = sequencer(&endpoint) else {
        return;
    };
    ActiveSequencer::new(vec![only], EVERY).get().await.unwrap();
    assert!(endpoint.take_asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_several_the_one_that_makes_blocks_is_followed_when_it_changes_too() {
    let endpoints = [false, true, false].map(|active| Endpoint::new([(METHOD, json!(active))]));
    let mut nodes = Vec::new();
    for endpoint in &endpoints {
        match sequencer(endpoint) {
            Some(node) => nodes.push(node),
            None => return,
        }
    }
    let active = ActiveSequencer::new(nodes, EVERY);
    let followed = async || {
        active.get().await.unwrap();
        let asked: Vec<usize> = endpoints.iter().map(|one| one.take_asked().len()).collect();
        asked
    };
    assert_eq!(followed().await, [1, 1, 0]);
    // it was asked just now
    assert_eq!(followed().await, [0, 0, 0]);
    time::advance(EVERY).await;
    assert_eq!(followed().await, [0, 1, 0]);
    endpoints[1].answer(METHOD, json!(false));
    endpoints[0].answer(METHOD, json!(true));
    time::advance(EVERY).await;
    assert_eq!(followed().await, [1, 1, 1]);
    endpoints[0].answer(METHOD, json!(false));
    time::advance(EVERY).await;
    let error = active.get().await.unwrap_err().to_string();
    assert!(error.contains("none of the 3"), "{error}");
}
