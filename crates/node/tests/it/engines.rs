//! The engines that stand behind a driver: the embedded one, and a model that executes nothing.

use alloy_consensus::{SignableTransaction, TxEip1559, constants::EMPTY_ROOT_HASH};
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, keccak256};
use doppio_engine::{Engine, EngineApi, EngineSettings, Genesis, Store, View};
use doppio_node::{
    EngineAnswer, EngineCall, EngineError, EngineStatus, engine_answer, engine_request,
};
use doppio_protocol::{
    attributes::PayloadAttributes,
    config::ChainConfig,
    extra_data::{Eip1559Params, HeaderParams},
    l2::L2Block,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

/// The blocks that an engine has names for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Labels {
    pub(crate) head: B256,
    pub(crate) safe: B256,
    pub(crate) finalized: B256,
}

/// An engine of the tests.
pub(crate) trait TestEngine {
    /// A call of the Engine API.
    fn call(&mut self, chain: &ChainConfig, call: &EngineCall) -> EngineAnswer;
    /// A block, canonical or not.
    fn block(&self, hash: B256) -> Option<L2Block>;
    /// The canonical block of a height.
    fn canonical(&self, number: u64) -> Option<B256>;
    fn labels(&self) -> Labels;
}

/// The embedded engine, called through the Engine API's JSON.
pub(crate) struct Embedded {
    pub(crate) view: Arc<View>,
    api: EngineApi,
}

impl Embedded {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        let store = Store::in_memory(genesis).unwrap();
        let engine = Engine::new(genesis.clone(), store, &EngineSettings::default()).unwrap();
        Self {
            view: Arc::clone(engine.view()),
            api: EngineApi::new(Arc::new(Mutex::new(engine))),
        }
    }
}

impl TestEngine for Embedded {
    fn call(&mut self, chain: &ChainConfig, call: &EngineCall) -> EngineAnswer {
        let (method, params) = engine_request(chain, call);
        let answer = self
            .api
            .call(method, params)
            .map_err(|error| (error.code, error.message));
        engine_answer(chain, call, answer).unwrap()
    }

    fn block(&self, hash: B256) -> Option<L2Block> {
        let store = self.view.store();
        Some(L2Block {
            hash,
            header: store.header(hash).unwrap()?,
            transactions: store.transactions(hash).unwrap()?,
        })
    }

    fn canonical(&self, number: u64) -> Option<B256> {
        self.view.store().canonical(number).unwrap()
    }

    fn labels(&self) -> Labels {
        let labels = self.view.labels();
        Labels {
            head: labels.head,
            safe: labels.safe,
            finalized: labels.finalized,
        }
    }
}

/// A transaction of a user; different numbers give different ones. Nobody looks at its signature.
pub(crate) fn user_transaction(number: u64) -> Bytes {
    let transaction = TxEip1559 {
        chain_id: crate::l1::L2_CHAIN_ID,
        nonce: number,
        to: TxKind::Call(Address::repeat_byte(7)),
        ..TxEip1559::default()
    };
    let signed = transaction.into_signed(Signature::test_signature());
    signed.encoded_2718().into()
}

/// A transaction with which no block is valid.
pub(crate) fn invalid_transaction() -> Bytes {
    user_transaction(u64::MAX)
}

/// An engine that executes nothing: a block's state root is a hash of what is in it. Its answers are
/// those of op-geth.
pub(crate) struct Model {
    chain: Arc<ChainConfig>,
    blocks: HashMap<B256, L2Block>,
    canonical: BTreeMap<u64, B256>,
    pub(crate) labels: Labels,
    jobs: HashMap<[u8; 8], (B256, Arc<PayloadAttributes>)>,
    last_job: u64,
    /// Whether a user sends a transaction for every block.
    pub(crate) users: bool,
    transactions: u64,
}

impl Model {
    pub(crate) fn new(chain: &Arc<ChainConfig>) -> Self {
        let genesis = &chain.rollup.genesis;
        let mut block = L2Block {
            hash: genesis.l2.hash,
            ..L2Block::default()
        };
        block.header.number = genesis.l2.number;
        block.header.timestamp = genesis.l2_time;
        let hash = block.hash;
        Self {
            chain: Arc::clone(chain),
            canonical: BTreeMap::from([(block.header.number, hash)]),
            blocks: HashMap::from([(hash, block)]),
            labels: Labels {
                head: hash,
                safe: hash,
                finalized: hash,
            },
            jobs: HashMap::new(),
            last_job: 0,
            users: true,
            transactions: 0,
        }
    }

    fn number(&self, hash: B256) -> Option<u64> {
        self.blocks.get(&hash).map(|block| block.header.number)
    }

    /// The engine is started again, and has lost all blocks above a height, what it was building, and
    /// which block was safe.
    pub(crate) fn restart(&mut self, kept: u64) {
        self.blocks.retain(|_, block| block.header.number <= kept);
        self.canonical.retain(|number, _| *number <= kept);
        self.jobs.clear();
        self.labels.head = *self.canonical.values().last().unwrap();
        self.labels.safe = self.labels.finalized;
    }

    /// The chain of a head, from the first height at which it is not canonical.
    fn branch(&self, head: B256) -> BTreeMap<u64, B256> {
        let mut branch = BTreeMap::new();
        let mut hash = head;
        while let Some(block) = self.blocks.get(&hash) {
            let number = block.header.number;
            if self.canonical.get(&number) == Some(&hash) {
                break;
            }
            branch.insert(number, hash);
            hash = block.header.parent_hash;
        }
        branch
    }

    fn fork_choice(&mut self, labels: Labels) -> Result<EngineStatus, EngineError> {
        let Some(number) = self.number(labels.head) else {
            return Ok(EngineStatus::Syncing);
        };
        let branch = self.branch(labels.head);
        for (name, hash) in [("safe", labels.safe), ("finalized", labels.finalized)] {
            let at = self.number(hash).filter(|at| *at <= number);
            let on_chain =
                at.is_some_and(|at| branch.get(&at).or(self.canonical.get(&at)) == Some(&hash));
            if !on_chain {
                let reason = format!("{name} block is not on the head's chain");
                return Err(EngineError::InvalidForkChoice(reason));
            }
        }
        self.canonical.retain(|at, _| *at <= number);
        self.canonical.extend(branch);
        self.labels = labels;
        Ok(EngineStatus::Valid)
    }

    fn build(&mut self, parent: B256, attributes: &PayloadAttributes) -> L2Block {
        let mut transactions: Vec<Bytes> = attributes
            .all_transactions()
            .map(Bytes::copy_from_slice)
            .collect();
        if self.users && !attributes.no_tx_pool {
            self.transactions += 1;
            transactions.push(user_transaction(self.transactions));
        }
        // zero stands for the chain's own
        let own = Eip1559Params {
            denominator: 250,
            elasticity: 6,
        };
        let params = HeaderParams {
            eip1559: attributes
                .eip1559
                .filter(|params| !params.is_zero())
                .unwrap_or(own),
            min_base_fee: attributes.min_base_fee.unwrap_or_default(),
        };
        let mut block = L2Block::default();
        let header = &mut block.header;
        header.parent_hash = parent;
        header.number = self.number(parent).unwrap() + 1;
        header.timestamp = attributes.timestamp;
        header.beneficiary = attributes.suggested_fee_recipient;
        header.mix_hash = attributes.prev_randao;
        header.gas_limit = attributes.gas_limit;
        header.parent_beacon_block_root = attributes.parent_beacon_block_root;
        header.withdrawals_root = attributes.has_withdrawals.then_some(EMPTY_ROOT_HASH);
        header.extra_data = params.encode(&self.chain, attributes.timestamp);
        header.state_root = keccak256(transactions.concat());
        block.hash = header.hash_slow();
        block.transactions = transactions;
        block
    }
}

impl TestEngine for Model {
    fn call(&mut self, _chain: &ChainConfig, call: &EngineCall) -> EngineAnswer {
        match call {
            EngineCall::ForkChoice {
                head,
                safe,
                finalized,
                attributes,
            } => {
                let labels = Labels {
                    head: *head,
                    safe: *safe,
                    finalized: *finalized,
                };
                let status = match self.fork_choice(labels) {
                    Ok(status) => status,
                    Err(error) => return EngineAnswer::Error(error),
                };
                let mut payload = None;
                if let Some(attributes) = attributes
                    && status == EngineStatus::Valid
                {
                    let invalid = invalid_transaction();
                    if attributes.transactions.iter().any(|tx| tx == invalid) {
                        let reason = "invalid transaction".to_owned();
                        return EngineAnswer::Error(EngineError::InvalidAttributes(reason));
                    }
                    self.last_job += 1;
                    let id = self.last_job.to_be_bytes();
                    self.jobs.insert(id, (*head, Arc::clone(attributes)));
                    payload = Some(id);
                }
                EngineAnswer::ForkChoice { status, payload }
            }
            EngineCall::GetPayload { id, .. } => match self.jobs.get(id).cloned() {
                Some((parent, attributes)) => {
                    EngineAnswer::Payload(Arc::new(self.build(parent, &attributes)))
                }
                None => EngineAnswer::Error(EngineError::UnknownPayload("unknown".to_owned())),
            },
            EngineCall::NewPayload(block) => {
                let status = if !self.blocks.contains_key(&block.header.parent_hash) {
                    EngineStatus::Syncing
                } else if block.header.hash_slow() != block.hash
                    || block.header.state_root != keccak256(block.transactions.concat())
                    || block.transactions.contains(&invalid_transaction())
                {
                    EngineStatus::Invalid("invalid block".to_owned())
                } else {
                    self.blocks.insert(block.hash, (**block).clone());
                    EngineStatus::Valid
                };
                EngineAnswer::Status(status)
            }
        }
    }

    fn block(&self, hash: B256) -> Option<L2Block> {
        self.blocks.get(&hash).cloned()
    }

    fn canonical(&self, number: u64) -> Option<B256> {
        self.canonical.get(&number).copied()
    }

    fn labels(&self) -> Labels {
        self.labels
    }
}
