//! Who brings transactions to L1: the transaction manager, or nobody.

use crate::{dry_run::DryRun, meters};
use alloy_primitives::Address;
use doppio_batcher::{Payload, Submission, TxId, TxOutcome};
use doppio_l1::txmgr::{
    News, Outcomes, Outgoing, TxSender,
    machine::{FailReason, Inclusion, Outcome, RequestId},
};
use doppio_protocol::blob::{Blob, encode_blob};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};
use tracing::{info, warn};

/// Requests whose end is remembered: a deep reorganisation of L1 may yet take one back.
const REMEMBERED: usize = 1024;

/// What became of a transaction, for the batcher.
pub(crate) type Became = (TxId, TxOutcome);

/// Brings transactions to L1.
#[derive(Debug)]
pub(crate) enum Poster {
    /// It does.
    Live(Box<Live>),
    /// It only says that it would.
    Dry(Box<DryRun>),
}

/// The transaction manager, as the batcher uses it.
#[derive(Debug)]
pub(crate) struct Live {
    sender: TxSender,
    outcomes: Outcomes,
    inbox: Address,
    requests: BTreeMap<RequestId, TxId>,
    /// Outcomes that are known without anybody's answer.
    known: VecDeque<Became>,
}

impl Live {
    pub(crate) const fn new(sender: TxSender, outcomes: Outcomes, inbox: Address) -> Self {
        Self {
            sender,
            outcomes,
            inbox,
            requests: BTreeMap::new(),
            known: VecDeque::new(),
        }
    }

    pub(crate) const fn sender(&self) -> &TxSender {
        &self.sender
    }

    fn submit(&mut self, submission: Submission) {
        let Submission {
            id,
            payload,
            cost,
            channel,
            frames,
            blocks,
        } = submission;
        let bytes = payload.len();
        let kind = meters::da_name(payload.kind());
        let outgoing = match outgoing(self.inbox, payload) {
            Ok(outgoing) => outgoing,
            Err(reason) => {
                self.known.push_back((id, TxOutcome::Failed(reason)));
                return;
            }
        };
        let blobs = outgoing.blobs.len();
        match self.sender.send(outgoing) {
            Ok(request) => {
                info!(
                    tx = id.0, %channel, ?frames, ?blocks, kind, bytes, blobs, cost,
                    "transaction goes to L1"
                );
                meters::submitted(kind, bytes);
                self.requests.insert(request, id);
                while self.requests.len() > REMEMBERED {
                    self.requests.pop_first();
                }
            }
            Err(error) => self
                .known
                .push_back((id, TxOutcome::Failed(error.to_string()))),
        }
    }

    fn abandon(&self, ids: &[TxId]) {
        // the first takes all after it along
        let first = self
            .requests
            .iter()
            .find_map(|(request, id)| ids.contains(id).then_some(*request));
        if let Some(request) = first {
            self.sender.cancel(request);
        }
    }

    async fn next(&mut self) -> Option<Became> {
        loop {
            if let Some(known) = self.known.pop_front() {
                return Some(known);
            }
            let (request, outcome) = match self.outcomes.next().await? {
                News::Outcome(request, outcome) => (request, outcome),
                // the transaction manager has logged it
                News::Notice(_) => continue,
            };
            let Some(id) = self.requests.get(&request).copied() else {
                continue;
            };
            if let Some(outcome) = told(id, outcome) {
                return Some((id, outcome));
            }
        }
    }
}

/// What an outcome means to the batcher; none if it changes nothing yet.
fn told(id: TxId, outcome: Outcome) -> Option<TxOutcome> {
    let included = |inclusion: Inclusion| Some(TxOutcome::Included(inclusion.block));
    match outcome {
        Outcome::Included(inclusion) => {
            info!(
                tx = id.0, block = %inclusion.block, hash = %inclusion.tx_hash,
                cost = inclusion.cost(), "transaction is on L1"
            );
            included(inclusion)
        }
        Outcome::Confirmed(inclusion) => {
            meters::transaction("success");
            included(inclusion)
        }
        Outcome::Reverted(inclusion) => {
            meters::transaction("failed");
            warn!(
                tx = id.0, block = %inclusion.block, hash = %inclusion.tx_hash,
                "transaction reverted on L1: what does the inbox address hold?"
            );
            included(inclusion)
        }
        Outcome::ReorgedOut(block) => {
            warn!(tx = id.0, %block, "L1 was reorganised, and no longer has a transaction");
            Some(TxOutcome::ReorgedOut)
        }
        Outcome::GivingUp(reason) => {
            warn!(tx = id.0, %reason, "transaction is given up");
            None
        }
        Outcome::Cancelled => {
            meters::transaction("failed");
            Some(TxOutcome::Cancelled)
        }
        // whether it will be mined is not known, and nobody asks any more
        Outcome::Failed(FailReason::Closed) => None,
        Outcome::Failed(reason) => {
            meters::transaction("failed");
            warn!(tx = id.0, %reason, "transaction failed");
            Some(TxOutcome::Failed(reason.to_string()))
        }
    }
}

fn outgoing(inbox: Address, payload: Payload) -> Result<Outgoing, String> {
    match payload {
        Payload::Calldata(data) => Ok(Outgoing::calldata(inbox, data)),
        Payload::Blobs(blobs) => {
            if let Some(last) = blobs.last() {
                meters::blob_bytes(last.len());
            }
            let blobs: Result<Vec<Arc<Blob>>, _> = blobs
                .iter()
                .map(|data| encode_blob(data).map(Arc::from))
                .collect();
            let blobs = blobs.map_err(|error| error.to_string())?;
            Ok(Outgoing::blobs(inbox, blobs))
        }
    }
}

impl Poster {
    pub(crate) fn submit(&mut self, submission: Submission) {
        match self {
            Self::Live(live) => live.submit(submission),
            Self::Dry(dry) => dry.submit(submission),
        }
    }

    pub(crate) fn abandon(&mut self, ids: &[TxId]) {
        match self {
            Self::Live(live) => live.abandon(ids),
            Self::Dry(dry) => dry.abandon(ids),
        }
    }

    /// What becomes of a transaction next; none once nothing will. Can be dropped and asked again.
    pub(crate) async fn next(&mut self) -> Option<Became> {
        match self {
            Self::Live(live) => live.next().await,
            Self::Dry(dry) => dry.next().await,
        }
    }
}
