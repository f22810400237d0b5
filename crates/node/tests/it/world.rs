//! What stands around a driver: a recorded L1 that grows and may be reorganised, and an engine.

use alloy_primitives::{B256, keccak256};
use doppio_derive::{Found, L2Label, Lookup, Request, Response};
use doppio_engine::{Engine, EngineApi, EngineSettings, Genesis, Store, View};
use doppio_node::{
    Driver, DriverError, DriverOptions, EngineAnswer, EngineCall, EngineError, Event, Heads,
    Millis, Next, SequencerAnswer, SequencerNeed, engine_answer, engine_request,
};
use doppio_protocol::{config::ChainConfig, l1::L1Block, l2::L2Block};
use doppio_recorded::{OpenOptions, RecordedChain};
use doppio_test_vectors::Vectors;
use std::sync::{Arc, Mutex};

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
}

/// When things fail, the same each time.
pub(crate) struct Failures {
    state: u64,
    /// One in so many calls fails; 0 for none.
    pub(crate) one_in: u64,
}

impl Failures {
    fn now(&mut self) -> bool {
        self.state += 1;
        let hash = keccak256(self.state.to_be_bytes());
        self.one_in > 0 && u64::from(hash[0]) % self.one_in == 0
    }
}

/// A driver and what stands around it.
pub(crate) struct World<'a> {
    pub(crate) recorded: &'a Recorded,
    pub(crate) driver: Driver,
    pub(crate) engine: Arc<View>,
    api: EngineApi,
    /// The L1 chain as it is now.
    pub(crate) l1: Vec<L1Block>,
    pub(crate) events: Vec<Event>,
    pub(crate) failures: Failures,
    /// Milliseconds since the Unix epoch.
    pub(crate) now: Millis,
    /// L1 blocks that derivation was given.
    pub(crate) l1_read: usize,
}

impl<'a> World<'a> {
    /// A node at genesis, whose L1 has its first block.
    pub(crate) fn new(recorded: &'a Recorded) -> Self {
        let store = Store::in_memory(&recorded.genesis).unwrap();
        let settings = EngineSettings::default();
        let engine = Engine::new(recorded.genesis.clone(), store, &settings).unwrap();
        Self {
            recorded,
            driver: Driver::new(Arc::clone(&recorded.chain.chain), DriverOptions::default()),
            engine: Arc::clone(engine.view()),
            api: EngineApi::new(Arc::new(Mutex::new(engine))),
            l1: recorded.l1[..1].to_vec(),
            events: Vec::new(),
            failures: Failures {
                state: 0,
                one_in: 0,
            },
            now: 0,
            l1_read: 0,
        }
    }

    fn chain(&self) -> &ChainConfig {
        &self.recorded.chain.chain
    }

    /// The node is started again; the engine goes on.
    pub(crate) fn restart(&mut self) {
        let chain = Arc::clone(&self.recorded.chain.chain);
        self.driver = Driver::new(chain, DriverOptions::default());
        self.tell_l1();
    }

    /// L1 has these blocks now.
    pub(crate) fn set_l1(&mut self, blocks: Vec<L1Block>) {
        self.l1 = blocks;
        self.tell_l1();
    }

    pub(crate) fn tell_l1(&mut self) {
        let head = self.l1.last().unwrap().header.block_ref();
        self.driver.l1_head(head);
    }

    pub(crate) fn heads(&self) -> Heads {
        *self.driver.heads().unwrap()
    }

    /// The engine's canonical block of a height.
    pub(crate) fn l2(&self, number: u64) -> Option<L2Block> {
        let hash = self.engine.store().canonical(number).unwrap()?;
        self.l2_by_hash(hash)
    }

    fn l2_by_hash(&self, hash: B256) -> Option<L2Block> {
        let store = self.engine.store();
        Some(L2Block {
            hash,
            header: store.header(hash).unwrap()?,
            transactions: store.transactions(hash).unwrap()?,
        })
    }

    fn l1_block(&self, number: u64) -> Option<&L1Block> {
        self.l1.iter().find(|block| block.header.number == number)
    }

    fn lookup(&self, lookup: Lookup) -> Found {
        let labels = self.engine.labels();
        let l2 = |hash: B256| {
            let block = self.l2_by_hash(hash)?;
            Some(Found::L2(block.block_ref(self.chain()).unwrap()))
        };
        let found = match lookup {
            Lookup::L1ByHash(hash) => self
                .l1
                .iter()
                .find(|block| block.header.hash == hash)
                .map(|block| Found::L1(block.header.block_ref())),
            Lookup::L1ByNumber(number) => self
                .l1_block(number)
                .map(|block| Found::L1(block.header.block_ref())),
            Lookup::L2ByHash(hash) => l2(hash),
            Lookup::L2ByNumber(number) => {
                self.engine.store().canonical(number).unwrap().and_then(l2)
            }
            Lookup::L2ByLabel(L2Label::Unsafe) => l2(labels.head),
            Lookup::L2ByLabel(L2Label::Safe) => l2(labels.safe),
            Lookup::L2ByLabel(L2Label::Finalized) => l2(labels.finalized),
            Lookup::SystemConfig(hash) => self
                .l2_by_hash(hash)
                .map(|block| Found::SystemConfig(block.system_config(self.chain()).unwrap())),
        };
        found.unwrap_or(Found::Nothing)
    }

    /// What derivation asks for; none if it is not there.
    fn answer(&self, request: &Request) -> Option<Response> {
        let by_hash = |hash: &B256| {
            let found = self.l1.iter().find(|block| block.header.hash == *hash);
            found.map(|block| Response::L1Block(block.clone()))
        };
        let chain = &self.recorded.chain;
        match request {
            Request::L1Block(hash) | Request::AuthBlock(hash) => by_hash(hash),
            Request::Blobs { blobs, .. } => blobs
                .iter()
                .map(|blob| chain.blob(&blob.versioned_hash))
                .collect::<Option<Vec<_>>>()
                .map(Response::Blobs),
            Request::Payload(payload) => {
                let bytes = chain.payload(&payload.commitment.encode())?;
                Some(Response::Payload {
                    id: payload.id,
                    answer: doppio_derive::PayloadAnswer::Payload(bytes.clone()),
                })
            }
            Request::LaterL1Block(number) => self
                .l1_block(*number)
                .map(|block| Response::L1Block(block.clone())),
            Request::L2Block(number) => self
                .l2(*number)
                .map(|block| Response::L2Block(Box::new(block))),
        }
    }

    /// What the sequencer lacks.
    fn sequence(&mut self, need: &SequencerNeed) -> Result<(), DriverError> {
        let by_hash = |hash: B256| self.l1.iter().find(|block| block.header.hash == hash);
        let answer = match need {
            SequencerNeed::Origins(head) => {
                let origin = head.l1_origin;
                SequencerAnswer::Origins {
                    current: by_hash(origin.hash).map(|block| block.header.block_ref()),
                    next: self
                        .l1_block(origin.number + 1)
                        .map(|block| block.header.block_ref()),
                }
            }
            SequencerNeed::Epoch { head, origin } => {
                let parent = self.l2_by_hash(*head).unwrap();
                SequencerAnswer::Epoch {
                    config: Box::new(parent.system_config(self.chain()).unwrap()),
                    block: Box::new(by_hash(*origin).unwrap().clone()),
                }
            }
        };
        self.driver.sequence(&answer)
    }

    /// Lets time pass until a time, with L1 blocks that appear at theirs; `seen` is called whenever
    /// the driver waits.
    pub(crate) fn run_until(&mut self, end: Millis, l1: &[L1Block]) -> Result<(), DriverError> {
        loop {
            let seconds = self.now / 1_000;
            let visible: Vec<_> = l1
                .iter()
                .take_while(|block| block.header.timestamp <= seconds)
                .cloned()
                .collect();
            if visible.len() > self.l1.len() {
                self.set_l1(visible);
            }
            self.run()?;
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

    /// A call of the engine, through the Engine API's JSON.
    fn call(&self, call: &EngineCall) -> EngineAnswer {
        let (method, params) = engine_request(self.chain(), call);
        let answer = self
            .api
            .call(method, params)
            .map_err(|error| (error.code, error.message));
        engine_answer(self.chain(), call, answer).unwrap()
    }

    /// Does what the driver asks for until it waits.
    pub(crate) fn run(&mut self) -> Result<(), DriverError> {
        for _ in 0..1_000_000 {
            let next = self.driver.step(self.now)?;
            // asked again, it says the same
            assert_eq!(self.driver.step(self.now)?, next);
            self.events.extend(self.driver.events());
            if matches!(next, Next::Wait { .. }) {
                return Ok(());
            }
            if self.failures.now() {
                // nobody answers, or the engine says that it cannot now
                if matches!(next, Next::Engine(_)) {
                    let error = EngineError::Temporary("busy".to_owned());
                    self.driver.engine(EngineAnswer::Error(error))?;
                }
                continue;
            }
            match next {
                Next::Lookup(lookup) => self.driver.found(self.lookup(lookup)).unwrap(),
                Next::Derivation(request) => {
                    let Some(response) = self.answer(&request) else {
                        // L1 has moved on: what it was reading is gone
                        self.driver.reset(format!("{request:?} is not there"));
                        continue;
                    };
                    self.driver.supply(response).unwrap();
                }
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
                Next::Wait { .. } => unreachable!(),
                Next::Sequence(need) => self.sequence(&need)?,
            }
        }
        panic!("the driver does not come to rest");
    }

    /// How many events are of a kind.
    pub(crate) fn count(&self, kind: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| kind(event)).count()
    }
}
