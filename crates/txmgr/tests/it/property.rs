//! For any schedule of blocks, reorganisations, refusals, fees, lost answers and restarts.

use crate::model::{Fate, GWEI, World, world};
use doppio_txmgr::{Event, FailReason, Outcome, RequestId, TxKind};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const FIRST_BASE_FEE: u128 = 10 * GWEI;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Send {
        is_blob: bool,
        estimates: bool,
    },
    Mine {
        room: usize,
    },
    Reorg {
        depth: usize,
        blocks: usize,
        loses: bool,
    },
    Pass {
        seconds: u64,
    },
    BaseFee {
        gwei: u128,
    },
    Excess {
        units: u64,
    },
    Fates(Vec<Fate>),
    Refusals(Vec<Option<&'static str>>),
    DropPool,
    Cancel {
        which: usize,
    },
    Restart,
    Close,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Answered),
        2 => Just(Fate::Late),
        1 => Just(Fate::Silence),
        1 => Just(Fate::Fails),
        1 => Just(Fate::Lost),
    ]
}

fn refusal() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![
        2 => Just(None),
        1 => Just(Some("internal error")),
        1 => Just(Some("replacement transaction underpriced")),
        1 => Just(Some("nonce too low")),
        1 => Just(Some("nonce too high")),
        1 => Just(Some("txpool is full")),
        1 => Just(Some("oversized data")),
        1 => Just(Some("address already reserved")),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (any::<bool>(), any::<bool>())
            .prop_map(|(is_blob, estimates)| Step::Send { is_blob, estimates }),
        12 => (0usize..4).prop_map(|room| Step::Mine { room }),
        3 => (1usize..8, 0usize..9, any::<bool>())
            .prop_map(|(depth, blocks, loses)| Step::Reorg { depth, blocks, loses }),
        6 => (1u64..70).prop_map(|seconds| Step::Pass { seconds }),
        2 => (1u128..60).prop_map(|gwei| Step::BaseFee { gwei }),
        1 => (0u64..90).prop_map(|units| Step::Excess { units }),
        4 => prop::collection::vec(fate(), 1..12).prop_map(Step::Fates),
        2 => prop::collection::vec(refusal(), 1..4).prop_map(Step::Refusals),
        1 => Just(Step::DropPool),
        2 => any::<usize>().prop_map(|which| Step::Cancel { which }),
    ]
}

fn step_or_restart() -> impl Strategy<Value = Step> {
    prop_oneof![
        40 => step(),
        2 => Just(Step::Restart),
        1 => Just(Step::Close),
    ]
}

/// What is known of a request.
struct Sent {
    id: RequestId,
    life: usize,
}

pub(crate) struct Run {
    pub(crate) world: World,
    sent: Vec<Sent>,
    life: usize,
    is_closed: bool,
}

impl Run {
    pub(crate) fn new(budget: Option<u128>) -> Self {
        let world = world(|options| {
            options.settings.fee_limit_threshold = None;
            options.max_fee_per_hour = budget;
            options.max_pending = 6;
        });
        Self {
            world,
            sent: Vec::new(),
            life: 0,
            is_closed: false,
        }
    }

    pub(crate) fn take(&mut self, step: &Step) {
        let world = &mut self.world;
        match step {
            Step::Send { is_blob, estimates } => {
                let kind = if *is_blob {
                    TxKind::Blob
                } else {
                    TxKind::Plain
                };
                let gas = (!estimates).then_some(100_000);
                let id = world.send_with(kind, gas);
                self.sent.push(Sent {
                    id,
                    life: self.life,
                });
            }
            Step::Mine { room } => {
                world.room = *room;
                world.pass(12_000);
                world.mine();
                world.announce();
                world.run();
            }
            Step::Reorg {
                depth,
                blocks,
                loses,
            } => {
                world.unwind(*depth, *loses);
                world.room = 2;
                for block in 0..*blocks {
                    if block % 2 == 0 {
                        world.add_block(vec![]);
                    } else {
                        world.mine();
                    }
                }
                if *blocks > 0 {
                    world.announce();
                    world.run();
                }
            }
            Step::Pass { seconds } => world.pass(seconds * 1000),
            Step::BaseFee { gwei } => world.base_fee = gwei * GWEI,
            Step::Excess { units } => world.excess = 333_847 * units,
            Step::Fates(fates) => world.fates = fates.clone().into(),
            Step::Refusals(refusals) => world.refusals = refusals.clone().into(),
            Step::DropPool => world.pool.clear(),
            Step::Cancel { which } => {
                if let Some(at) = which.checked_rem(self.sent.len()) {
                    let id = self.sent[at].id;
                    world.handle(Event::Cancel(id));
                    world.run();
                }
            }
            Step::Restart => {
                world.restart();
                self.life += 1;
                self.is_closed = false;
            }
            Step::Close => {
                world.handle(Event::Close);
                world.run();
                self.is_closed = true;
            }
        }
    }

    /// Everything works again, and goes on until it is quiet.
    pub(crate) fn heal(&mut self) {
        let world = &mut self.world;
        world.fates.clear();
        world.refusals.clear();
        world.base_fee = FIRST_BASE_FEE;
        world.excess = 0;
        world.room = 1000;
        world.gas = Ok(50_000);
        // Answers that never come are missed after a while.
        world.blocks(10);
        for _ in 0..1000 {
            world.blocks(1);
            // What waits behind a gap of before a restart is nobody's.
            let is_used_up = world.manager.next_nonce() == Some(world.nonce());
            let is_quiet = world.manager.pending() == 0 && (self.is_closed || is_used_up);
            if is_quiet {
                // and what was reorganised at last is buried
                world.blocks(4);
                if world.manager.pending() == 0 {
                    return;
                }
            }
        }
        panic!(
            "{} requests do not end: {:#?} {:?}",
            world.manager.pending(),
            world.outcomes,
            world.notices.iter().rev().take(5).collect::<Vec<_>>()
        );
    }

    pub(crate) fn check(&self) -> Result<(), TestCaseError> {
        let world = &self.world;
        let landed = world.landed();

        // Nothing lands twice, and what lands is in order within a life.
        let unique: BTreeSet<_> = landed.iter().collect();
        prop_assert_eq!(unique.len(), landed.len(), "landed twice: {:?}", landed);
        let lives: BTreeMap<RequestId, usize> =
            self.sent.iter().map(|sent| (sent.id, sent.life)).collect();
        for life in 0..=self.life {
            let of_life: Vec<_> = landed.iter().filter(|id| lives[id] == life).collect();
            prop_assert!(of_life.is_sorted(), "out of order: {:?}", landed);
        }

        for Sent { id, life } in &self.sent {
            let outcomes = world.outcomes(*id);
            if *life < self.life {
                continue;
            }
            // Steps, and then one end; after that nothing but a deeper reorganisation.
            let mut has_ended = false;
            for outcome in outcomes {
                if has_ended {
                    prop_assert!(matches!(outcome, Outcome::ReorgedOut(_)), "{:?}", outcomes);
                }
                has_ended = outcome.is_final();
            }
            prop_assert!(has_ended, "{id} has no end: {:?}", outcomes);
            let is_there = landed.contains(id);
            match outcomes.last() {
                Some(Outcome::Confirmed(inclusion)) => {
                    prop_assert!(is_there, "{id}: {:?}", outcomes);
                    let hashes = world.chain.iter().flat_map(|block| &block.txs);
                    let count = hashes.filter(|hash| **hash == inclusion.tx_hash).count();
                    prop_assert_eq!(count, 1);
                }
                Some(Outcome::Failed(FailReason::Closed)) => {}
                _ => prop_assert!(!is_there, "{id} landed: {:?}", outcomes),
            }
        }

        // No nonce is left open.
        if !self.is_closed {
            prop_assert_eq!(world.manager.next_nonce(), Some(world.nonce()));
        }
        Ok(())
    }
}

/// What was signed for a nonce pays more each time, and within five times of what L1 asked for in
/// the dearest moment: 60 gwei for gas, and the tip of 1.
fn check_fees(world: &World, dearest: u128) -> Result<(), TestCaseError> {
    for made in &world.signed {
        let fees = made.tx.fees;
        prop_assert!(fees.tip_cap <= 5 * GWEI, "{fees:?}");
        prop_assert!(fees.fee_cap <= 5 * GWEI + 10 * dearest, "{fees:?}");
    }
    Ok(())
}

/// A bound for seeds: `PROPTEST_CASES` sets another.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 2048,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_request_ends_once_in_order_without_gaps(steps in prop::collection::vec(step(), 1..50)) {
        let mut run = Run::new(None);
        for step in &steps {
            run.take(step);
        }
        run.heal();
        run.check()?;
        check_fees(&run.world, 60 * GWEI)?;
    }

    #[test]
    fn a_restart_at_any_time_leaves_no_gap_and_uses_no_nonce_twice(steps in prop::collection::vec(step_or_restart(), 1..50)) {
        let mut run = Run::new(None);
        for step in &steps {
            run.take(step);
        }
        run.heal();
        run.check()?;
    }

    #[test]
    fn no_hour_costs_more_than_its_budget(steps in prop::collection::vec(step(), 1..40), many in 2u128..12) {
        // as much as so many plain transactions offer
        let budget = many * 100_000 * 21 * GWEI;
        let mut run = Run::new(Some(budget));
        for step in &steps {
            run.take(&shallow(step));
            let offered = worst_in_pool(&run.world);
            prop_assert!(offered <= budget, "{} of {}", offered, budget);
        }
    }
}

/// What was confirmed stays so: a budget is for what a reorganisation may still bring back, too.
fn shallow(step: &Step) -> Step {
    match step.clone() {
        Step::Reorg {
            depth,
            blocks,
            loses,
        } => Step::Reorg {
            depth: depth.min(2),
            blocks: blocks.max(depth.min(2)),
            loses,
        },
        step => step,
    }
}

/// What the pool's transactions cost at most.
fn worst_in_pool(world: &World) -> u128 {
    let worst = |hash| {
        let tx = &world.txs[hash];
        tx.fees.worst_cost(tx.gas_limit, tx.blob_hashes.len())
    };
    world.pool.values().map(worst).sum()
}
