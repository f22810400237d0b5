//! The recording itself: L1 block by L1 block.

use crate::{
    error::RecordError,
    follow::{Follow, Source, Verdict},
    l1::L1Reader,
    l2::L2Reader,
    peers::{L2At, Peers},
    range::Range,
};
use alloy_primitives::{B256, Bytes};
use doppio_derive::{PayloadAnswer, Pipeline, foresee_commitments};
use doppio_l1::L1Error;
use doppio_protocol::{
    blob::Blob, block::BlockId, commitment::Commitment, config::ChainConfig, l1::L1Block,
    l2::L2Block,
};
use doppio_recorded::{RecordedL2Block, RecordedPayload, RecordingWriter, Start};
use doppio_rpc::Http;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// Of how many L2 blocks one has its output root recorded.
const OUTPUT_EVERY: u64 = 20;

/// What is recorded.
#[derive(Clone, Copy, Debug)]
pub struct RecordOptions {
    /// The L2 block that is safe already; the first one that is derived comes after it.
    pub from: u64,
    /// The last L2 block; none for the rollup node's safe head.
    pub to: Option<u64>,
}

/// How far a recording is.
#[derive(Clone, Copy, Debug)]
pub struct RecordProgress {
    /// The newest L1 block.
    pub l1: u64,
    /// The first, and the last that may come.
    pub l1_range: (u64, u64),
    /// The newest L2 block.
    pub l2: u64,
}

/// What was recorded.
#[derive(Clone, Debug, Default)]
pub struct RecordSummary {
    /// L1 blocks.
    pub l1_blocks: u64,
    /// L2 blocks of the range.
    pub l2_blocks: u64,
    /// L2 blocks before it, which derivation looks up.
    pub looked_up: u64,
    /// Blobs.
    pub blobs: u64,
    /// Payloads of commitments.
    pub payloads: u64,
    /// Safe heads, by L1 block.
    pub safe_heads: u64,
    /// Output roots.
    pub output_roots: u64,
    /// L2 blocks that derivation gives alike.
    pub equal: u64,
    /// L2 blocks that derivation gives otherwise, and the first of them in words.
    pub different: u64,
    /// See there.
    pub first_difference: Option<String>,
    /// What the recording lacks, one sentence each.
    pub notes: Vec<String>,
}

/// Records a chain into `folder`, whose files of configuration are written already.
///
/// # Errors
///
/// If the range is none, a node does not give what it must, or a file cannot be written. The folder
/// has its name only once it is whole.
pub async fn record(
    peers: &Peers,
    chain: &Arc<ChainConfig>,
    options: &RecordOptions,
    folder: RecordingWriter,
    mut progress: impl FnMut(RecordProgress),
) -> Result<RecordSummary, RecordError> {
    let range = Range::find(peers, chain, options).await?;
    let mut recorder = Recorder::new(peers.clone(), Arc::clone(chain), folder, range);
    recorder.begin().await?;
    let range = &recorder.range;
    let (first_l1, last_l1) = (range.first_l1, range.last_l1);
    let mut l1 = L1Reader::new(peers.clone(), first_l1, last_l1);
    let pipeline = Pipeline::new(Arc::clone(chain), range.start);
    let mut follow = Follow::new(peers.clone(), pipeline);
    while let Some((block, json)) = l1.next().await? {
        recorder.folder.l1_block(&json)?;
        recorder.summary.l1_blocks += 1;
        let number = block.header.number;
        if number >= recorder.range.start.l1_start.number {
            let blobs = recorder.data(&block).await?;
            follow.l1_block(&block, &blobs, &mut recorder).await?;
            recorder.safe_head(number).await?;
        }
        progress(RecordProgress {
            l1: number,
            l1_range: (first_l1, last_l1),
            l2: recorder.l2.tip(),
        });
        // the rollup node does not say where the range ends on L1: where derivation says
        if recorder.range.safe_heads.is_err()
            && (follow.safe_head() >= recorder.range.last_l2 || is_past(&follow))
        {
            break;
        }
    }
    recorder.finish(follow).await
}

/// Whether derivation has come to the block after the last one.
fn is_past(follow: &Follow) -> bool {
    follow.has_ended() && follow.verdict.stopped.is_none()
}

struct Recorder {
    peers: Peers,
    chain: Arc<ChainConfig>,
    http: Http,
    folder: RecordingWriter,
    range: Range,
    l2: L2Reader,
    /// Blocks before the range that are recorded.
    looked_up: BTreeSet<u64>,
    /// What the DA server says of the commitments of the L1 block that is read.
    answers: HashMap<Bytes, PayloadAnswer>,
    /// Commitments whose payloads are recorded.
    payloads: HashSet<Bytes>,
    has_outputs: bool,
    summary: RecordSummary,
}

impl Recorder {
    fn new(peers: Peers, chain: Arc<ChainConfig>, folder: RecordingWriter, range: Range) -> Self {
        let tip = BlockId {
            hash: range.first_l2.hash,
            number: range.first_l2.number,
        };
        Self {
            l2: L2Reader::new(peers.clone(), tip, range.last_l2),
            peers,
            chain,
            http: Http::new(),
            folder,
            range,
            looked_up: BTreeSet::new(),
            answers: HashMap::new(),
            payloads: HashSet::new(),
            has_outputs: true,
            summary: RecordSummary::default(),
        }
    }

    fn note(&mut self, note: String) {
        self.summary.notes.push(note);
    }

    /// Writes where derivation begins.
    async fn begin(&mut self) -> Result<(), RecordError> {
        let start = self.range.start;
        self.folder.start(&Start {
            safe_head: start.safe_head,
            system_config: start.safe_config,
            l1_start: start.l1_start,
            l1_start_config: start.l1_start_config,
        })?;
        if let Err(reason) = self.range.safe_heads.clone() {
            self.note(format!(
                "the rollup node does not know its earlier safe heads ({reason}; op-node keeps \
                 them with --safedb.path): safe heads are not recorded, and the recording ends on \
                 L1 where Doppio's derivation comes to its end"
            ));
        }
        if self.chain.rollup.alt_da.is_some() && self.peers.da.is_none() {
            self.note(
                "no DA server is given (--altda.da-server): payloads are not recorded, without \
                 which nothing can be derived"
                    .to_owned(),
            );
        }
        let first = self.range.first_l2.clone();
        self.write_l2(first).await
    }

    /// Records blobs and payloads of the transactions to the inbox, whether or not they count.
    async fn data(&mut self, block: &L1Block) -> Result<HashMap<B256, Box<Blob>>, RecordError> {
        self.answers.clear();
        let mut found = HashMap::new();
        for inbox in &block.inbox {
            let mut hashes = inbox.transaction.blob_versioned_hashes().to_vec();
            hashes.retain(|hash| !found.contains_key(hash));
            if hashes.is_empty() {
                continue;
            }
            let at = block.header.block_ref();
            let (l1, wanted) = (&self.peers.l1, &hashes);
            let blobs = self
                .peers
                .patiently(|| async { Ok(l1.blobs(&at, wanted).await?) })
                .await;
            match blobs {
                Ok(blobs) => found.extend(hashes.into_iter().zip(blobs)),
                Err(RecordError::L1(error @ L1Error::BlobsMissing { .. })) => {
                    self.note(error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        for (hash, blob) in &found {
            self.folder.blob(block.header.number, *hash, blob)?;
        }
        self.summary.blobs += found.len() as u64;
        for commitment in foresee_commitments(&self.chain, block) {
            // what does not count may be anything; what does is asked for again by derivation
            let _ = self.ask_payload(&commitment, block.header.number).await?;
        }
        Ok(found)
    }

    /// Asks the DA server once, and records what it says; none if it says nothing.
    async fn ask_payload(
        &mut self,
        commitment: &Commitment,
        l1: u64,
    ) -> Result<Option<PayloadAnswer>, RecordError> {
        let key = commitment.encode();
        if let Some(answer) = self.answers.get(&key) {
            return Ok(Some(answer.clone()));
        }
        let Some(server) = &self.peers.da else {
            return Ok(None);
        };
        let profile = &self.chain.profile;
        let asked = self
            .peers
            .payload(&self.http, server, profile, commitment, l1);
        let recorded = match asked.await {
            Ok(PayloadAnswer::Payload(bytes)) => RecordedPayload::Payload(bytes),
            Ok(PayloadAnswer::Dropped(reason)) => RecordedPayload::Dropped(reason),
            Ok(PayloadAnswer::Later | PayloadAnswer::NotFound) | Err(_) => return Ok(None),
        };
        if self.payloads.insert(key.clone()) {
            self.folder.payload(l1, &key, &recorded)?;
            self.summary.payloads += 1;
        }
        let answer = match recorded {
            RecordedPayload::Payload(bytes) => PayloadAnswer::Payload(bytes),
            RecordedPayload::Dropped(reason) => PayloadAnswer::Dropped(reason),
        };
        self.answers.insert(key, answer.clone());
        Ok(Some(answer))
    }

    /// Records the rollup node's safe head, if it knows it.
    async fn safe_head(&mut self, l1: u64) -> Result<(), RecordError> {
        if self.range.safe_heads.is_err() {
            return Ok(());
        }
        let (peers, rollup) = (&self.peers, &self.peers.rollup);
        if let Ok(safe) = peers.patiently(|| rollup.safe_head_at(l1)).await? {
            self.folder.safe_head(l1, safe)?;
            self.summary.safe_heads += 1;
        }
        Ok(())
    }

    /// Records an L2 block, now and then with its output root.
    async fn write_l2(&mut self, mut block: RecordedL2Block) -> Result<(), RecordError> {
        let number = block.number;
        if self.has_outputs && (number.is_multiple_of(OUTPUT_EVERY) || number == self.range.last_l2)
        {
            let (peers, rollup) = (&self.peers, &self.peers.rollup);
            match peers.patiently(|| rollup.output_at(number)).await? {
                Ok(output) => {
                    let rollup = output.block_ref.id();
                    if rollup.hash != block.hash {
                        let hash = block.hash;
                        let engine = BlockId { hash, number };
                        return Err(RecordError::Disagreement {
                            number,
                            engine,
                            rollup,
                        });
                    }
                    block.output_root = Some(output.output_root);
                    block.l1origin = Some(output.block_ref.l1_origin);
                    block.withdrawal_storage_root = Some(output.withdrawal_storage_root);
                    self.summary.output_roots += 1;
                }
                Err(reason) => {
                    self.has_outputs = false;
                    self.note(format!(
                        "output roots are recorded up to L2 block {number} only: the rollup node \
                         says: {reason}"
                    ));
                }
            }
        }
        self.folder.l2_block(&block)?;
        self.summary.l2_blocks += 1;
        Ok(())
    }

    /// Reads on to an L2 block, recording all up to it; none behind the last one.
    async fn read_l2(&mut self, number: u64) -> Result<Option<L2Block>, RecordError> {
        while let Some((recorded, block)) = self.l2.next().await? {
            let is_it = recorded.number == number;
            self.write_l2(recorded).await?;
            if is_it {
                return Ok(Some(block));
            }
        }
        Ok(None)
    }

    /// Records the L2 blocks that derivation did not come to, and ends.
    async fn finish(mut self, follow: Follow) -> Result<RecordSummary, RecordError> {
        let _ = self.read_l2(u64::MAX).await?;
        let safe = follow.safe_head();
        let last = self.range.last_l2;
        let is_past = is_past(&follow);
        let Verdict {
            equal,
            different,
            first_difference,
            stopped,
        } = follow.verdict;
        if let Some(reason) = stopped {
            self.note(format!(
                "Doppio's derivation stopped after L2 block {safe}: {reason}"
            ));
        } else if safe < last && !is_past {
            self.note(format!(
                "Doppio's derivation comes to L2 block {safe} only, of {last}"
            ));
        }
        self.summary.looked_up = self.looked_up.len() as u64;
        let summary = RecordSummary {
            equal,
            different,
            first_difference,
            ..self.summary
        };
        self.folder.finish()?;
        Ok(summary)
    }
}

impl Source for Recorder {
    async fn l2_block(&mut self, number: u64) -> Result<Option<L2Block>, RecordError> {
        if number > self.range.last_l2 {
            return Ok(None);
        }
        if number > self.l2.tip() {
            return self.read_l2(number).await;
        }
        // derived once more, after a span of which a block was refused
        let (_, block) = self.peers.l2_block(L2At::Number(number)).await?;
        Ok(Some(block))
    }

    fn looked_up(&mut self, block: &RecordedL2Block) -> Result<(), RecordError> {
        if self.looked_up.insert(block.number) {
            self.folder.l2_block(block)?;
        }
        Ok(())
    }

    async fn payload(
        &mut self,
        commitment: &Commitment,
        l1: u64,
    ) -> Result<PayloadAnswer, RecordError> {
        if self.peers.da.is_none() {
            return Ok(PayloadAnswer::NotFound);
        }
        if let Some(answer) = self.ask_payload(commitment, l1).await? {
            return Ok(answer);
        }
        // it counts: so it must be found, and a server that fails may recover
        let peers = self.peers.clone();
        let (http, profile) = (self.http.clone(), self.chain.profile.clone());
        let Some(server) = &peers.da else {
            return Ok(PayloadAnswer::NotFound);
        };
        peers
            .patiently(|| async {
                match peers
                    .payload(&http, server, &profile, commitment, l1)
                    .await?
                {
                    PayloadAnswer::Later | PayloadAnswer::NotFound => Err(RecordError::Payload {
                        commitment: commitment.clone(),
                        l1,
                        reason: "it does not have it".to_owned(),
                    }),
                    _ => Ok(()),
                }
            })
            .await?;
        let answer = self.ask_payload(commitment, l1).await?;
        Ok(answer.unwrap_or(PayloadAnswer::NotFound))
    }
}
