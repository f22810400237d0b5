//! Whole derivation: L1 blocks to attributes of L2 blocks.

use crate::{
    Failure, batches,
    rounds::{self, Competitor, Times, measure},
    table::{Table, milliseconds, per_second, ratio},
};
use alloy_primitives::Address;
use doppio_oracle::{
    Chain, Reach, channels,
    kona::{self, World},
    ours::{self, Derivation},
};
use std::{hint::black_box, sync::Arc};

/// op-node 1.19.6 in L2 blocks a second, in memory, on one core. Not measured here: it is a Go
/// program, and was measured once, when the chains were recorded.
const OP_NODE: [(&str, u32); 2] = [
    ("calldata-singular-zlib", 8_700),
    ("blobs-span-brotli-jovian", 7_300),
];

/// Measures every chain.
pub(crate) fn run(chains: &[(&'static str, Chain)]) -> Result<(), Failure> {
    let table = Table::new(
        "Whole derivation",
        &[
            "chain",
            "who",
            "L2 blocks",
            "min ms",
            "median ms",
            "L2 blocks/s",
            "Doppio is",
        ],
    );
    for (name, chain) in chains {
        whole(name, chain, &table)?;
        beside_kona(name, chain, &table)?;
    }
    Ok(())
}

/// The whole chain, beside what no derivation can do without.
fn whole(name: &str, chain: &Chain, table: &Table) -> Result<(), Failure> {
    let derivation = chain.derive(Reach::WHOLE)?;
    let channels = channels(chain, &derivation);
    let mut competitors = vec![
        Competitor::new("Doppio", || doppio(chain, Reach::WHOLE, &derivation)),
        Competitor::new("limit", || {
            recover_senders(chain);
            channels.iter().map(batches::decompress).sum()
        }),
    ];
    if let Some(mut library) = batches::libraries(&channels).into_iter().next() {
        competitors.push(Competitor::new(
            "limit with a library's decompressor",
            move || {
                recover_senders(chain);
                library.run()
            },
        ));
    }
    let times = measure(rounds::count(), &mut competitors);
    let blocks = derivation.blocks.len();
    let doppio = &times[0];
    row(table, name, "Doppio", blocks, doppio, String::new());
    for (limit, times) in competitors.iter().zip(&times).skip(1) {
        let of_limit = format!("{:.2}x of it", ratio(doppio.min(), times.min()));
        row(table, name, limit.name, blocks, times, of_limit);
    }
    for (_, op_node) in OP_NODE.iter().filter(|(chain, _)| *chain == name) {
        let ours = f64::from(u32::try_from(blocks)?) / doppio.min().as_secs_f64();
        let faster = format!("{:.1}x as fast", ours / f64::from(*op_node));
        let [none, who] = ["", "op-node"].map(str::to_owned);
        let speed = op_node.to_string();
        let blocks = blocks.to_string();
        table.row(&[
            name.to_owned(),
            who,
            blocks,
            none.clone(),
            none,
            speed,
            faster,
        ]);
    }
    Ok(())
}

/// As far as kona can follow.
fn beside_kona(name: &str, chain: &Chain, table: &Table) -> Result<(), Failure> {
    let Some(reach) = Reach::of_kona(&chain.recorded.chain) else {
        return Ok(());
    };
    let world = World::open(chain, reach)?;
    let ours = chain.derive(reach)?;
    let theirs = kona::derive(chain, &world, reach)?;
    assert_eq!(ours.blocks, theirs.blocks, "{name}");
    let blocks = ours.blocks.len();
    let mut competitors = [
        Competitor::new("Doppio", || doppio(chain, reach, &ours)),
        Competitor::new("kona", || kona_derive(&world, &theirs)),
    ];
    let times = measure(rounds::count(), &mut competitors);
    let part = if reach.is_whole() {
        name.to_owned()
    } else {
        format!("{name}, cut")
    };
    let [doppio, kona] = &times[..] else {
        return Err("two competitors have two times".into());
    };
    if !reach.is_whole() {
        row(table, &part, "Doppio", blocks, doppio, String::new());
    }
    let faster = format!("{:.1}x as fast", ratio(kona.min(), doppio.min()));
    row(table, &part, "kona-derive", blocks, kona, faster);
    Ok(())
}

fn row(table: &Table, chain: &str, who: &str, blocks: usize, times: &Times, ratio: String) {
    table.row(&[
        chain.to_owned(),
        who.to_owned(),
        blocks.to_string(),
        milliseconds(times.min()),
        milliseconds(times.median()),
        per_second(blocks, times.min()),
        ratio,
    ]);
}

fn doppio(chain: &Chain, reach: Reach, derivation: &Derivation) -> usize {
    let mut engine = ours::Script::new(&derivation.outcomes);
    let end = chain.drive(reach, &mut engine);
    assert!(end.is_ok() && engine.blocks == derivation.blocks.len());
    engine.blocks
}

fn kona_derive(world: &Arc<World>, derivation: &kona::Derivation) -> usize {
    let mut engine = kona::Script::new(&derivation.actions);
    let end = kona::drive(world, &mut engine);
    assert!(end.is_ok() && engine.blocks == derivation.blocks.len());
    engine.blocks
}

/// Recovers the sender of each inbox transaction.
fn recover_senders(chain: &Chain) {
    let l1_chain_id = chain.recorded.chain.rollup.l1_chain_id;
    for block in &chain.l1 {
        for inbox in &block.inbox {
            let sender: Option<Address> = inbox.transaction.sender(l1_chain_id);
            black_box(sender);
        }
    }
}
