//! An L1 of one account: blocks, a pool with geth's rules, and a machine that is driven over them.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use doppio_protocol::{
    L1BlockRef,
    block::BlockId,
    config::{BlobSchedule, BlobScheduleStep, L1Fork},
};
use doppio_txmgr::{
    Account, Action, Event, Inclusion, L1Head, Millis, Notice, Options, Outcome, PoolTx, Published,
    RequestId, SidecarVersion, SignFailure, Signed, Suggestion, TxKind, TxManager, TxRequest,
    UnsignedTx,
};
use std::collections::{BTreeMap, HashMap, VecDeque};

pub(crate) const GWEI: u128 = 1_000_000_000;
pub(crate) const ME: Address = Address::repeat_byte(0xaa);
pub(crate) const INBOX: Address = Address::repeat_byte(0xff);
/// When the model begins: on a whole second.
pub(crate) const START: Millis = 1_800_000_000_000;
const BLOCK_TIME: Millis = 12_000;

#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) number: u64,
    pub(crate) hash: B256,
    pub(crate) parent: B256,
    pub(crate) time: u64,
    pub(crate) base_fee: u128,
    pub(crate) excess: u64,
    pub(crate) txs: Vec<B256>,
}

/// What happens to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is answered at once.
    Answered,
    /// The answer comes when the machine is driven again.
    Late,
    /// It is done, and no answer ever comes.
    Silence,
    /// Whoever is asked says that there is no answer; a transaction got through all the same.
    Fails,
    /// The same, and a transaction got nowhere.
    Lost,
}

/// What became of a signed transaction.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) tx: UnsignedTx,
    pub(crate) hash: B256,
}

pub(crate) struct World {
    pub(crate) manager: TxManager,
    pub(crate) now: Millis,
    pub(crate) chain: Vec<Block>,
    pub(crate) pool: BTreeMap<u64, B256>,
    pub(crate) txs: HashMap<B256, UnsignedTx>,
    /// All that was signed, in order.
    pub(crate) signed: Vec<Made>,
    /// All that was handed in, in order.
    pub(crate) handed_in: Vec<(B256, SidecarVersion)>,
    pub(crate) outcomes: BTreeMap<RequestId, Vec<Outcome>>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) base_fee: u128,
    pub(crate) excess: u64,
    pub(crate) tip: u128,
    /// Most transactions of the account in a block.
    pub(crate) room: usize,
    /// What happens to the next questions; answered once there are none.
    pub(crate) fates: VecDeque<Fate>,
    /// What is said of the account's nonce next, by endpoints that are behind.
    pub(crate) behind: VecDeque<u64>,
    /// What the pool says to the next transactions; its own word once there are none.
    pub(crate) refusals: VecDeque<Option<&'static str>>,
    pub(crate) gas: Result<u64, String>,
    pub(crate) sign_failures: VecDeque<SignFailure>,
    /// Whether the pool tells what is in it.
    pub(crate) pool_is_open: bool,
    pub(crate) reverts: bool,
    late: Vec<Event>,
    pub(crate) asked: Vec<&'static str>,
    salt: u64,
    next_id: u64,
}

/// A schedule by which blobs cost 1 wei, and more with excess.
pub(crate) fn schedule() -> BlobSchedule {
    BlobSchedule::new(vec![BlobScheduleStep {
        fork: L1Fork::Cancun,
        time: 0,
        update_fraction: 3_338_477,
    }])
}

pub(crate) fn options() -> Options {
    let mut options = Options::new(900, ME);
    options.blob_schedule = schedule();
    options.num_confirmations = 3;
    options.max_pending = 0;
    options.remembered_blocks = 16;
    options
}

/// A machine over a chain of some blocks on which the account has sent nothing, after the first
/// questions are answered.
pub(crate) fn world(change: impl FnOnce(&mut Options)) -> World {
    let mut world = unstarted(change);
    world.announce();
    world.run();
    world
}

pub(crate) fn unstarted(change: impl FnOnce(&mut Options)) -> World {
    let mut options = options();
    change(&mut options);
    let genesis = Block {
        number: 100,
        hash: keccak256("genesis"),
        parent: B256::ZERO,
        time: START / 1000,
        base_fee: 10 * GWEI,
        excess: 0,
        txs: Vec::new(),
    };
    World {
        manager: TxManager::new(options).unwrap(),
        now: START,
        chain: vec![genesis],
        pool: BTreeMap::new(),
        txs: HashMap::new(),
        signed: Vec::new(),
        handed_in: Vec::new(),
        outcomes: BTreeMap::new(),
        notices: Vec::new(),
        base_fee: 10 * GWEI,
        excess: 0,
        tip: GWEI,
        room: 1000,
        fates: VecDeque::new(),
        behind: VecDeque::new(),
        refusals: VecDeque::new(),
        gas: Ok(50_000),
        sign_failures: VecDeque::new(),
        pool_is_open: true,
        reverts: false,
        late: Vec::new(),
        asked: Vec::new(),
        salt: 0,
        next_id: 0,
    }
}

fn hash_of(tx: &UnsignedTx) -> B256 {
    keccak256(format!("{tx:?}"))
}

impl World {
    pub(crate) fn kind(&self, hash: &B256) -> TxKind {
        self.txs[hash].kind()
    }

    /// Transactions of the account on the chain.
    pub(crate) fn nonce(&self) -> u64 {
        self.chain.iter().map(|block| block.txs.len() as u64).sum()
    }

    pub(crate) fn head(&self) -> &Block {
        self.chain.last().unwrap()
    }

    pub(crate) fn blob_base_fee(&self) -> u128 {
        let fee = schedule().blob_base_fee(self.now / 1000, self.excess);
        u128::try_from(fee.unwrap()).unwrap()
    }

    /// Tells the machine of the newest block.
    pub(crate) fn announce(&mut self) {
        let block = self.head().clone();
        self.handle(Event::Head(L1Head {
            block: L1BlockRef {
                hash: block.hash,
                number: block.number,
                parent_hash: block.parent,
                timestamp: block.time,
            },
            base_fee: block.base_fee,
            excess_blob_gas: Some(block.excess),
        }));
    }

    pub(crate) fn handle(&mut self, event: Event) {
        self.manager.handle(self.now, event);
    }

    /// Does what the machine wants, until it wants nothing more.
    pub(crate) fn run(&mut self) {
        for event in std::mem::take(&mut self.late) {
            self.handle(event);
        }
        for _ in 0..100_000 {
            let Some(action) = self.manager.next_action(self.now) else {
                return;
            };
            self.perform(action);
        }
        panic!("the machine does not come to rest");
    }

    /// Lets time pass, with stops wherever the machine wants one.
    pub(crate) fn pass(&mut self, time: Millis) {
        let end = self.now + time;
        while let Some(timer) = self.manager.next_timer()
            && timer <= end
        {
            assert!(timer > self.now, "a timer in the past");
            self.now = timer;
            self.run();
        }
        self.now = end;
        self.run();
    }

    /// A request with its own data; with blobs or without.
    pub(crate) fn send(&mut self, kind: TxKind) -> RequestId {
        self.send_with(kind, Some(100_000))
    }

    pub(crate) fn send_with(&mut self, kind: TxKind, gas_limit: Option<u64>) -> RequestId {
        let id = RequestId(self.next_id);
        self.next_id += 1;
        let blob_hashes = match kind {
            TxKind::Plain => Vec::new(),
            TxKind::Blob => vec![keccak256(id.0.to_be_bytes())],
        };
        let request = TxRequest {
            to: Some(INBOX),
            value: U256::ZERO,
            data: Bytes::copy_from_slice(&id.0.to_be_bytes()),
            blob_hashes,
            gas_limit,
        };
        self.handle(Event::Send { id, request });
        self.run();
        id
    }

    /// The request whose payload a transaction is; none for what does nothing, or is of others.
    pub(crate) fn payload(&self, hash: &B256) -> Option<RequestId> {
        let tx = &self.txs[hash];
        let id = <[u8; 8]>::try_from(tx.data.as_ref()).ok()?;
        (tx.to == Some(INBOX)).then(|| RequestId(u64::from_be_bytes(id)))
    }

    /// Requests whose payload is on the chain, in order.
    pub(crate) fn landed(&self) -> Vec<RequestId> {
        let hashes = self.chain.iter().flat_map(|block| &block.txs);
        hashes.filter_map(|hash| self.payload(hash)).collect()
    }

    pub(crate) fn outcomes(&self, id: RequestId) -> &[Outcome] {
        self.outcomes.get(&id).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn end(&self, id: RequestId) -> Option<&Outcome> {
        self.outcomes(id).last().filter(|one| one.is_final())
    }

    /// Versions of the transaction with this nonce, oldest first.
    pub(crate) fn versions(&self, nonce: u64) -> Vec<&UnsignedTx> {
        let signed = self.signed.iter().map(|made| &made.tx);
        signed.filter(|tx| tx.nonce == nonce).collect()
    }

    // Blocks

    fn may_be_mined(&self, tx: &UnsignedTx) -> bool {
        let pays_gas = tx.fees.fee_cap >= self.base_fee;
        let pays_blobs = tx.blob_hashes.is_empty() || tx.fees.blob_fee_cap >= self.blob_base_fee();
        pays_gas && pays_blobs
    }

    /// A block with what the pool has for it.
    pub(crate) fn mine(&mut self) {
        let mut txs = Vec::new();
        let mut nonce = self.nonce();
        while txs.len() < self.room
            && let Some(hash) = self.pool.get(&nonce)
            && self.may_be_mined(&self.txs[hash])
        {
            txs.push(*hash);
            self.pool.remove(&nonce);
            nonce += 1;
        }
        self.add_block(txs);
    }

    pub(crate) fn add_block(&mut self, txs: Vec<B256>) {
        self.salt += 1;
        let parent = self.head().clone();
        self.chain.push(Block {
            number: parent.number + 1,
            hash: keccak256(format!("{} {}", parent.hash, self.salt)),
            parent: parent.hash,
            time: self.now / 1000,
            base_fee: self.base_fee,
            excess: self.excess,
            txs,
        });
    }

    /// Blocks, one after the other, each told.
    pub(crate) fn blocks(&mut self, count: usize) {
        for _ in 0..count {
            self.pass(BLOCK_TIME);
            self.mine();
            self.announce();
            self.run();
        }
    }

    /// Takes back blocks. Their transactions are in the pool again, or are gone. Pools take back only
    /// what is of the kind that they have, and plain ones first.
    pub(crate) fn unwind(&mut self, depth: usize, loses: bool) {
        let mut back = Vec::new();
        for _ in 0..depth.min(self.chain.len() - 1) {
            back.extend(self.chain.pop().unwrap().txs);
        }
        if !loses {
            let all = || self.pool.values().chain(&back);
            let has_plain = all().any(|hash| self.kind(hash) == TxKind::Plain);
            let kind = match self.pool.values().next() {
                Some(hash) => self.kind(hash),
                None if has_plain => TxKind::Plain,
                None => TxKind::Blob,
            };
            for hash in back {
                if self.kind(&hash) == kind {
                    self.pool.insert(self.txs[&hash].nonce, hash);
                }
            }
        }
        // Blob pools drop what has a gap before it.
        let next = self.nonce();
        let first_gap = (next..)
            .find(|nonce| !self.pool.contains_key(nonce))
            .unwrap();
        let behind = self.pool.split_off(&first_gap);
        let plain = behind.into_iter();
        let plain = plain.filter(|(_, hash)| self.txs[hash].kind() == TxKind::Plain);
        self.pool.extend(plain);
    }

    /// Somebody else's transaction from the same account.
    pub(crate) fn foreign(&mut self, nonce: u64, kind: TxKind, fee_cap: u128) -> B256 {
        let tx = UnsignedTx {
            chain_id: 900,
            nonce,
            to: Some(Address::repeat_byte(0xee)),
            value: U256::from(1),
            data: Bytes::new(),
            gas_limit: 21_000,
            fees: doppio_txmgr::Fees {
                tip_cap: GWEI,
                fee_cap,
                blob_fee_cap: GWEI,
            },
            blob_hashes: match kind {
                TxKind::Plain => Vec::new(),
                TxKind::Blob => vec![B256::repeat_byte(1)],
            },
        };
        let hash = hash_of(&tx);
        self.txs.insert(hash, tx);
        hash
    }

    // The pool: geth's rules

    fn add(&mut self, hash: B256) -> Result<(), &'static str> {
        let tx = &self.txs[&hash];
        let next = self.nonce();
        if tx.nonce < next {
            return Err("nonce too low: next nonce 7, tx nonce 6");
        }
        let mut in_pool = self.pool.range(next..);
        if in_pool.any(|(_, other)| self.kind(other) != tx.kind()) {
            return Err("address already reserved");
        }
        if self.pool.get(&tx.nonce) == Some(&hash) {
            return Err("already known");
        }
        let is_gapped = (next..tx.nonce).any(|nonce| !self.pool.contains_key(&nonce));
        if is_gapped && tx.kind() == TxKind::Blob {
            return Err("nonce too high: tx nonce 9, gapped nonce 7");
        }
        if let Some(old) = self.pool.get(&tx.nonce) {
            let percent = match tx.kind() {
                TxKind::Plain => 110,
                TxKind::Blob => 200,
            };
            let (old, new) = (self.txs[old].fees, tx.fees);
            let is_more = |old: u128, new: u128| new * 100 >= old * percent && new > old;
            let blobs = tx.kind() == TxKind::Plain || is_more(old.blob_fee_cap, new.blob_fee_cap);
            if !is_more(old.tip_cap, new.tip_cap) || !is_more(old.fee_cap, new.fee_cap) || !blobs {
                return Err("replacement transaction underpriced");
            }
        }
        self.pool.insert(tx.nonce, hash);
        Ok(())
    }

    // Answers

    fn perform(&mut self, action: Action) {
        let fate = match &action {
            Action::Outcome { .. } | Action::Notice(_) | Action::Forget(_) => Fate::Answered,
            _ => self.fates.pop_front().unwrap_or(Fate::Answered),
        };
        let fails = matches!(fate, Fate::Fails | Fate::Lost);
        let no_answer = || "no answer".to_owned();
        let event = match action {
            Action::FetchAccount(call) => {
                self.asked.push("account");
                let mut pending = self.nonce();
                let mut account = Account {
                    latest: pending,
                    pending: {
                        while self.pool.contains_key(&pending) {
                            pending += 1;
                        }
                        pending
                    },
                };
                if let Some(nonce) = self.behind.pop_front() {
                    (account.latest, account.pending) = (nonce, nonce);
                }
                Event::Account(call, (!fails).then_some(account))
            }
            Action::FetchTip { call, .. } => {
                self.asked.push("tip");
                let suggestion = Suggestion {
                    tip: self.tip,
                    blob_tip: None,
                };
                Event::Tip(call, (!fails).then_some(suggestion))
            }
            Action::EstimateGas(call, _) => {
                self.asked.push("gas");
                let gas = if fails {
                    Err(no_answer())
                } else {
                    self.gas.clone()
                };
                Event::Gas(call, gas)
            }
            Action::Sign(call, tx) => {
                self.asked.push("sign");
                if let Some(failure) = self.sign_failures.pop_front() {
                    Event::Signed(call, Err(failure))
                } else if fails {
                    Event::Signed(call, Err(SignFailure::Unavailable(no_answer())))
                } else {
                    let hash = hash_of(&tx);
                    self.txs.insert(hash, tx.clone());
                    self.signed.push(Made { tx, hash });
                    let raw = Bytes::copy_from_slice(hash.as_slice());
                    Event::Signed(call, Ok(Signed { hash, raw }))
                }
            }
            Action::Publish {
                call, tx, sidecar, ..
            } => {
                self.asked.push("publish");
                self.handed_in.push((tx.hash, sidecar));
                let published = self.hand_in(tx.hash, fate);
                Event::Published(call, published)
            }
            Action::LookUp(call, hashes) => {
                self.asked.push("look up");
                let found = self.find(&hashes);
                Event::LookedUp(call, if fails { Err(no_answer()) } else { Ok(found) })
            }
            Action::FetchBlockHash(call, height) => {
                self.asked.push("block hash");
                let block = self.chain.iter().find(|block| block.number == height);
                let hash = block.map(|block| block.hash).filter(|_| !fails);
                Event::BlockHash(call, hash)
            }
            Action::LookUpPool(call, from, until) => {
                self.asked.push("pool");
                let found = self.pool.range(from..until).map(|(nonce, hash)| PoolTx {
                    nonce: *nonce,
                    hash: *hash,
                    kind: self.kind(hash),
                    fees: self.txs[hash].fees,
                });
                let is_told = self.pool_is_open && !fails;
                Event::Pool(call, if is_told { found.collect() } else { Vec::new() })
            }
            Action::Outcome { id, outcome } => {
                self.outcomes.entry(id).or_default().push(outcome);
                return;
            }
            Action::Notice(notice) => return self.notices.push(notice),
            Action::Forget(_) => return,
        };
        match fate {
            Fate::Answered | Fate::Fails | Fate::Lost => self.handle(event),
            Fate::Late => self.late.push(event),
            Fate::Silence => {}
        }
    }

    fn hand_in(&mut self, hash: B256, fate: Fate) -> Published {
        let unknown = || Published::Unknown(vec!["no connection".to_owned()]);
        if fate == Fate::Lost {
            return unknown();
        }
        if let Some(Some(words)) = self.refusals.pop_front() {
            let words = words.to_owned();
            return match fate {
                // one endpoint refuses it, and another gives no answer
                Fate::Fails => Published::Unknown(vec![words, "no connection".to_owned()]),
                _ => Published::Refused(vec![words]),
            };
        }
        let answer = self.add(hash);
        match (fate, answer) {
            (Fate::Fails, _) => unknown(),
            (_, Ok(())) => Published::Accepted,
            (_, Err(words)) => Published::Refused(vec![words.to_owned()]),
        }
    }

    fn find(&self, hashes: &[B256]) -> Option<Inclusion> {
        let in_block = |block: &Block| {
            let hash = *hashes.iter().find(|hash| block.txs.contains(hash))?;
            let tx = &self.txs[&hash];
            Some(Inclusion {
                tx_hash: hash,
                block: BlockId {
                    hash: block.hash,
                    number: block.number,
                },
                block_time: block.time,
                success: !self.reverts,
                gas_used: 21_000,
                gas_price: tx.fees.fee_cap.min(block.base_fee + tx.fees.tip_cap),
                blob_gas_used: 131_072 * tx.blob_hashes.len() as u64,
                blob_gas_price: 1,
            })
        };
        self.chain.iter().rev().find_map(in_block)
    }

    /// A machine anew, as after a crash. Nothing is kept but the L1.
    pub(crate) fn restart(&mut self) {
        let options = self.manager.options().clone();
        self.manager = TxManager::new(options).unwrap();
        self.late.clear();
        self.announce();
        self.run();
    }
}
