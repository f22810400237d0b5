//! What stands around a driver: an L1 that grows and may be reorganised, an engine, a batcher.

use crate::{
    engines::{Embedded, Labels, Model, TestEngine},
    l1::{Batcher, Form, post_as},
};
use alloy_primitives::{B256, Bytes, keccak256};
use doppio_derive::{Found, L2Label, Lookup, PayloadAnswer, Request, Response};
use doppio_engine::Genesis;
use doppio_node::{
    Driver, DriverError, DriverOptions, EngineAnswer, EngineCall, EngineError, Event, Heads,
    Millis, Next, SequencerAnswer, SequencerNeed, SequencerOptions,
};
use doppio_protocol::{config::ChainConfig, l1::L1Block, l2::L2Block};
use doppio_recorded::{OpenOptions, RecordedChain};
use doppio_test_vectors::Vectors;
use std::{collections::BTreeMap, sync::Arc};

/// A recorded chain.
pub(crate) struct Recorded {
    pub(crate) chain: RecordedChain,
    pub(crate) l1: Vec<L1Block>,
    pub(crate) genesis: Genesis,
}

impl Recorded {
    /// Opens a chain; none, and said loudly, without the vectors.
    pub(crate) fn open(name: &str) -> Option<Self> {
        let vectors = Vectors::find("recorded")?;
        let chain = RecordedChain::open(&vectors.path(name), OpenOptions::default()).unwrap();
        let l1 = chain.l1_blocks().unwrap().map(Result::unwrap).collect();
        let (genesis, alloc) = chain.genesis().unwrap();
        let genesis = Genesis::parse(&genesis, alloc.as_deref()).unwrap();
        Some(Self { chain, l1, genesis })
    }

    /// The recorded L2 block of a height.
    pub(crate) fn l2(&self, number: u64) -> Option<Arc<L2Block>> {
        let block = self.chain.l2_block(number)?;
        Some(Arc::new(block.decode().unwrap()))
    }

    /// The recorded L1 without anything in the inbox.
    pub(crate) fn quiet_l1(&self) -> Vec<L1Block> {
        let mut l1 = self.l1.clone();
        for block in &mut l1 {
            block.inbox.clear();
        }
        l1
    }
}

/// When things fail, the same each time.
pub(crate) struct Failures {
    pub(crate) state: u64,
    /// One in so many calls fails; 0 for none.
    pub(crate) one_in: u64,
}

impl Failures {
    /// A number that nobody foresees.
    pub(crate) fn number(&mut self) -> u64 {
        self.state += 1;
        u64::from(keccak256(self.state.to_be_bytes())[0])
    }

    fn now(&mut self) -> bool {
        let number = self.number();
        self.one_in > 0 && number.is_multiple_of(self.one_in)
    }
}

/// Answers a call of the engine in its place, if it has an answer.
type Intercept<E> = Box<dyn FnMut(&mut E, &EngineCall) -> Option<EngineAnswer>>;

/// A driver and what stands around it.
pub(crate) struct World<'a, E = Embedded> {
    pub(crate) chain: Arc<ChainConfig>,
    recorded: Option<&'a Recorded>,
    pub(crate) driver: Driver,
    pub(crate) options: DriverOptions,
    pub(crate) engine: E,
    /// The L1 chain as it is now.
    pub(crate) l1: Vec<L1Block>,
    /// Blocks that were on it once: L1 nodes keep them by their hashes.
    orphans: Vec<L1Block>,
    pub(crate) events: Vec<Event>,
    pub(crate) failures: Failures,
    /// Milliseconds since the Unix epoch.
    pub(crate) now: Millis,
    /// L1 blocks that derivation was given.
    pub(crate) l1_read: usize,
    /// Who posts what the sequencer makes.
    pub(crate) batcher: Option<Batcher>,
    /// L1 blocks that the sequencer stays behind L1's head with its origins.
    pub(crate) sequencer_confirmations: u64,
    /// What is behind commitments.
    pub(crate) payloads: BTreeMap<Vec<u8>, Bytes>,
    /// How often the engine was called, by method.
    pub(crate) calls: BTreeMap<&'static str, usize>,
    pub(crate) intercept: Option<Intercept<E>>,
}

impl<'a> World<'a> {
    /// A node at genesis of a recorded chain, whose L1 has its first block.
    pub(crate) fn new(recorded: &'a Recorded) -> Self {
        let chain = Arc::clone(&recorded.chain.chain);
        let engine = Embedded::new(&recorded.genesis);
        let mut world = World::with_engine(chain, engine, recorded.l1[..1].to_vec());
        world.recorded = Some(recorded);
        world
    }

    pub(crate) fn recorded(&self) -> &'a Recorded {
        self.recorded.unwrap()
    }
}

impl World<'_, Model> {
    /// A sequencer on a made-up chain, and a batcher whose data is on L1 at once; as of a time of the
    /// plan.
    pub(crate) fn sequencer(
        chain: &Arc<ChainConfig>,
        plan: &[L1Block],
        form: Form,
        l1_blocks: usize,
    ) -> Self {
        let mut world = Self::model(chain, plan);
        world.start_sequencing(SequencerOptions::default());
        world.batcher = Some(Batcher::new(form, 0));
        let end = plan[l1_blocks].header.timestamp * 1_000;
        world.run_until(end, plan).unwrap();
        world
    }

    /// A node that reads an L1 to its end.
    pub(crate) fn verifier(chain: &Arc<ChainConfig>, l1: &[L1Block]) -> Self {
        let mut world = Self::model(chain, l1);
        world.set_l1(l1.to_vec());
        world.run().unwrap();
        world
    }

    /// A node at genesis of a made-up chain.
    pub(crate) fn model(chain: &Arc<ChainConfig>, l1: &[L1Block]) -> Self {
        World::with_engine(Arc::clone(chain), Model::new(chain), l1[..1].to_vec())
    }
}

impl<'a, E: TestEngine> World<'a, E> {
    fn with_engine(chain: Arc<ChainConfig>, engine: E, l1: Vec<L1Block>) -> Self {
        let options = DriverOptions::default();
        Self {
            recorded: None,
            driver: Driver::new(Arc::clone(&chain), options),
            options,
            engine,
            l1,
            orphans: Vec::new(),
            events: Vec::new(),
            failures: Failures {
                state: 0,
                one_in: 0,
            },
            now: 0,
            l1_read: 0,
            batcher: None,
            sequencer_confirmations: 0,
            payloads: BTreeMap::new(),
            calls: BTreeMap::new(),
            intercept: None,
            chain,
        }
    }

    /// The node is started again; the engine goes on.
    pub(crate) fn restart(&mut self) {
        self.driver = Driver::new(Arc::clone(&self.chain), self.options);
        self.tell_l1();
    }

    /// Starts at the time of the first block, and makes blocks.
    pub(crate) fn start_sequencing(&mut self, options: SequencerOptions) {
        self.now = self.now.max(self.chain.rollup.genesis.l2_time * 1_000);
        self.tell_l1();
        self.run().unwrap();
        let head = self.heads().unsafe_head.hash;
        self.driver.start_sequencing(options, head).unwrap();
    }

    /// L1 has these blocks now.
    pub(crate) fn set_l1(&mut self, blocks: Vec<L1Block>) {
        let before = core::mem::replace(&mut self.l1, blocks);
        let is_orphan = |block: &(usize, L1Block)| {
            let now = self.l1.get(block.0);
            now.is_none_or(|now| now.header.hash != block.1.header.hash)
        };
        let orphans = before.into_iter().enumerate().filter(is_orphan);
        self.orphans.extend(orphans.map(|(_, block)| block));
        self.tell_l1();
    }

    pub(crate) fn tell_l1(&mut self) {
        let head = self.l1.last().unwrap().header.block_ref();
        self.driver.l1_head(head);
    }

    pub(crate) fn heads(&self) -> Heads {
        *self.driver.heads().unwrap()
    }

    pub(crate) fn labels(&self) -> Labels {
        self.engine.labels()
    }

    pub(crate) fn canonical(&self, number: u64) -> Option<B256> {
        self.engine.canonical(number)
    }

    /// The engine's canonical block of a height.
    pub(crate) fn l2(&self, number: u64) -> Option<L2Block> {
        self.engine.block(self.canonical(number)?)
    }

    pub(crate) fn l1_block(&self, number: u64) -> Option<&L1Block> {
        let first = self.l1.first()?.header.number;
        let index = usize::try_from(number.checked_sub(first)?).unwrap();
        self.l1.get(index)
    }

    fn l1_by_hash(&self, hash: B256) -> Option<&L1Block> {
        // the newest are asked for most
        let mut blocks = self.l1.iter().rev().chain(&self.orphans);
        blocks.find(|block| block.header.hash == hash)
    }

    pub(crate) fn lookup(&self, lookup: Lookup) -> Found {
        let labels = self.engine.labels();
        let l2 = |hash: B256| {
            let block = self.engine.block(hash)?;
            Some(Found::L2(block.block_ref(&self.chain).unwrap()))
        };
        let l1 = |block: &L1Block| Found::L1(block.header.block_ref());
        let found = match lookup {
            Lookup::L1ByHash(hash) => self.l1_by_hash(hash).map(l1),
            Lookup::L1ByNumber(number) => self.l1_block(number).map(l1),
            Lookup::L2ByHash(hash) => l2(hash),
            Lookup::L2ByNumber(number) => self.engine.canonical(number).and_then(l2),
            Lookup::L2ByLabel(L2Label::Unsafe) => l2(labels.head),
            Lookup::L2ByLabel(L2Label::Safe) => l2(labels.safe),
            Lookup::L2ByLabel(L2Label::Finalized) => l2(labels.finalized),
            Lookup::SystemConfig(hash) => self
                .engine
                .block(hash)
                .map(|block| Found::SystemConfig(block.system_config(&self.chain).unwrap())),
        };
        found.unwrap_or(Found::Nothing)
    }

    /// What derivation asks for; none if it is not there.
    fn answer(&self, request: &Request) -> Option<Response> {
        let by_hash = |hash| self.l1_by_hash(hash).cloned().map(Response::L1Block);
        match request {
            Request::L1Block(hash) | Request::AuthBlock(hash) => by_hash(*hash),
            Request::Blobs { blobs, .. } => blobs
                .iter()
                .map(|blob| self.recorded?.chain.blob(&blob.versioned_hash))
                .collect::<Option<Vec<_>>>()
                .map(Response::Blobs),
            Request::Payload(payload) => {
                let commitment = payload.commitment.encode();
                let recorded = |recorded: &'a Recorded| recorded.chain.payload(&commitment);
                let made_up = self.payloads.get(commitment.as_ref() as &[u8]);
                let bytes = made_up.or_else(|| self.recorded.and_then(recorded))?;
                Some(Response::Payload {
                    id: payload.id,
                    answer: PayloadAnswer::Payload(bytes.clone()),
                })
            }
            Request::LaterL1Block(number) => self.l1_block(*number).cloned().map(Response::L1Block),
            Request::L2Block(number) => self
                .l2(*number)
                .map(|block| Response::L2Block(Box::new(block))),
        }
    }

    /// What the sequencer lacks.
    pub(crate) fn sequencer_answer(&self, need: &SequencerNeed) -> SequencerAnswer {
        match need {
            SequencerNeed::Origins(head) => {
                let origin = head.l1_origin;
                SequencerAnswer::Origins {
                    current: self
                        .l1_by_hash(origin.hash)
                        .map(|block| block.header.block_ref()),
                    next: self
                        .l1_block(origin.number + 1 + self.sequencer_confirmations)
                        .and_then(|_| self.l1_block(origin.number + 1))
                        .map(|block| block.header.block_ref()),
                }
            }
            SequencerNeed::Epoch { head, origin } => {
                let parent = self.engine.block(*head).unwrap();
                SequencerAnswer::Epoch {
                    config: Box::new(parent.system_config(&self.chain).unwrap()),
                    block: Box::new(self.l1_by_hash(*origin).unwrap().clone()),
                }
            }
        }
    }

    /// L1 gets its next block of a plan, with what the batcher posts.
    pub(crate) fn grow(&mut self, plan: &L1Block) {
        let mut block = plan.clone();
        if let (Some(batcher), Some(heads)) = (&mut self.batcher, self.driver.heads()) {
            let data = batcher.next(&self.chain, &self.engine, &heads.safe, &heads.unsafe_head);
            let genesis = &self.chain.rollup.genesis.system_config;
            let from = batcher.address.unwrap_or(genesis.batcher);
            if let Some(data) = data {
                post_as(&self.chain, &mut block, from, data);
            }
        }
        self.l1.push(block);
        self.tell_l1();
    }

    /// Lets time pass until a time, with L1 blocks that appear at theirs.
    pub(crate) fn run_until(&mut self, end: Millis, plan: &[L1Block]) -> Result<(), DriverError> {
        self.run_until_each(end, plan, |_| Ok(()))
    }

    /// The same, and `each` is called whenever the driver waits.
    pub(crate) fn run_until_each(
        &mut self,
        end: Millis,
        plan: &[L1Block],
        mut each: impl FnMut(&mut Self) -> Result<(), DriverError>,
    ) -> Result<(), DriverError> {
        loop {
            while let Some(next) = plan.get(self.l1.len())
                && next.header.timestamp * 1_000 <= self.now
            {
                self.grow(next);
            }
            self.run()?;
            each(self)?;
            if self.now >= end {
                return Ok(());
            }
            let next = match self.driver.step(self.now)? {
                Next::Wait { until: Some(until) } if until <= self.now + 1_000 => until,
                _ => self.now + 1_000,
            };
            self.now = next.min(end);
        }
    }

    /// A call of the engine.
    pub(crate) fn call(&mut self, call: &EngineCall) -> EngineAnswer {
        let name = match call {
            EngineCall::ForkChoice {
                attributes: None, ..
            } => "forkchoiceUpdated",
            EngineCall::ForkChoice { .. } => "forkchoiceUpdated with attributes",
            EngineCall::GetPayload { .. } => "getPayload",
            EngineCall::NewPayload(_) => "newPayload",
        };
        *self.calls.entry(name).or_default() += 1;
        let intercepted = self
            .intercept
            .as_mut()
            .and_then(|intercept| intercept(&mut self.engine, call));
        intercepted.unwrap_or_else(|| self.engine.call(&self.chain, call))
    }

    /// Does what the driver asks for until it waits.
    pub(crate) fn run(&mut self) -> Result<(), DriverError> {
        for _ in 0..1_000_000 {
            let next = self.driver.step(self.now)?;
            // asked again, it says the same
            assert_eq!(self.driver.step(self.now)?, next);
            self.events.extend(self.driver.events());
            if let Next::Wait { until } = next {
                match until {
                    // a pause between resets
                    Some(until) if self.driver.current_l1().is_none() => {
                        self.now = until;
                        continue;
                    }
                    _ => return Ok(()),
                }
            }
            if self.failures.now() {
                // nobody answers, or the engine says that it cannot now
                if matches!(next, Next::Engine(_)) {
                    let error = EngineError::Temporary("busy".to_owned());
                    self.driver.engine(EngineAnswer::Error(error))?;
                }
                continue;
            }
            self.answer_next(next)?;
        }
        panic!("the driver does not come to rest");
    }

    /// Does what the driver asks for until it asks for something, which is not done; time passes where
    /// the driver waits for a time.
    #[track_caller]
    pub(crate) fn until(&mut self, wanted: impl Fn(&Next) -> bool) -> Next {
        for _ in 0..1_000_000 {
            let next = self.driver.step(self.now).unwrap();
            self.events.extend(self.driver.events());
            if wanted(&next) {
                return next;
            }
            match next {
                Next::Wait { until: None } => panic!("the driver waits for news"),
                Next::Wait { until: Some(until) } => self.now = until,
                next => self.answer_next(next).unwrap(),
            }
        }
        panic!("the driver never asks for it");
    }

    /// Does one thing that the driver asks for.
    pub(crate) fn answer_next(&mut self, next: Next) -> Result<(), DriverError> {
        match next {
            Next::Lookup(lookup) => self.driver.found(self.lookup(lookup)).unwrap(),
            Next::Derivation(request) => match self.answer(&request) {
                Some(response) => self.driver.supply(response).unwrap(),
                // L1 has moved on: what it was reading is gone
                None => self.driver.reset(format!("{request:?} is not there")),
            },
            Next::L1Block(number) => {
                let block = self.l1_block(number).unwrap().clone();
                self.l1_read += 1;
                self.driver.supply(Response::NextL1Block(block)).unwrap();
            }
            Next::L2Block(number) => {
                let block = self.l2(number);
                self.driver.consolidate(block.as_ref())?;
            }
            Next::Engine(call) => {
                let answer = self.call(&call);
                self.driver.engine(answer)?;
            }
            Next::Sequence(need) => self.driver.sequence(&self.sequencer_answer(&need))?,
            Next::Wait { .. } => {}
        }
        Ok(())
    }

    /// Takes the blocks of another node as if they were gossiped.
    pub(crate) fn hear(&mut self, blocks: impl IntoIterator<Item = L2Block>) {
        for block in blocks {
            // what is safe already is refused
            let _ = self.driver.unsafe_block(Arc::new(block));
        }
        self.run().unwrap();
    }

    /// The canonical blocks behind genesis.
    pub(crate) fn chain_of(&self) -> Vec<L2Block> {
        (1..).map_while(|number| self.l2(number)).collect()
    }

    /// How often everything began again.
    pub(crate) fn resets(&self) -> usize {
        self.count(|event| matches!(event, Event::Reset(_)))
    }

    /// How many events are of a kind.
    pub(crate) fn count(&self, kind: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| kind(event)).count()
    }

    /// The blocks of our own that became the head.
    pub(crate) fn sequenced(&self) -> Vec<Arc<L2Block>> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Sequenced(block) => Some(Arc::clone(block)),
                _ => None,
            })
            .collect()
    }
}
