//! What is recorded is what is served, and derives to the same chain.

use crate::support::{Folder, World};
use doppio_protocol::config::{AuthRule, Overrides};
use doppio_recorded::{Replay, ReplayError};

/// Records a part of a chain, and derives it again.
async fn check(world: &World, name: &str, from: u64, to: Option<u64>) {
    let folder = Folder::new(&format!("{name}_{from}"));
    let summary = world.record(&folder, from, to).await.unwrap();
    assert_eq!(summary.notes, Vec::<String>::new(), "{name} from {from}");
    assert_eq!(summary.different, 0, "{name} from {from}");
    let last = to.unwrap_or(world.safe_head());
    assert_eq!(summary.l2_blocks, last - from + 1);
    let report = folder.replay();
    assert!(
        report.all_match(),
        "{name} from {from}: {:#?}",
        report.mismatches
    );
    // but for a span that the last L1 block only begins
    assert_eq!(report.matched, last - from, "{name} from {from}");
    assert_eq!(summary.equal, report.matched);
    assert!(report.safe_heads.0 > 0, "{name} from {from}");
    // word for word what was served
    let recorded = folder.open();
    for number in from..=last {
        let [ours, theirs] =
            [&recorded, &world.chain.recorded].map(|chain| chain.l2_block(number).unwrap());
        assert_eq!(
            (ours.number, ours.hash, &ours.raw),
            (number, theirs.hash, &theirs.raw)
        );
        let has_output = number % 20 == 0 || number == last;
        assert_eq!(ours.output_root.is_some(), has_output, "{number}");
        if theirs.output_root.is_some() && has_output {
            assert_eq!(ours.output_root, theirs.output_root);
            assert_eq!(ours.l1origin, theirs.l1origin);
            assert_eq!(ours.withdrawal_storage_root, theirs.withdrawal_storage_root);
        }
    }
    let outputs = (from..=last).filter(|n| n % 20 == 0 || *n == last).count() as u64;
    assert_eq!(summary.output_roots, outputs);
}

macro_rules! chains {
    ($($test:ident: $chain:literal;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            let Some(world) = World::open($chain) else { return };
            let last = world.safe_head();
            check(&world, $chain, 0, None).await;
            check(&world, $chain, last / 2, Some(last / 2 + 40)).await;
        }
    )*};
}

chains! {
    blobs: "blobs-span-brotli-jovian";
    commitments: "altda-span-brotli";
    all_forks: "all-forks-calldata";
    an_inbox_under_attack: "hostile-inbox";
    authenticated_batches: "espresso-gen2-calldata";
    expired_windows: "expired-windows";
}

/// Every cut of a chain of spans, so that some begin within one.
#[tokio::test(flavor = "multi_thread")]
async fn blocks_that_a_span_is_compared_with_are_recorded_too() {
    let Some(world) = World::open("blobs-span-brotli-jovian") else {
        return;
    };
    let mut looked_up = 0;
    for from in 100..103 {
        let folder = Folder::new(&format!("spans_{from}"));
        let summary = world.record(&folder, from, Some(from + 30)).await.unwrap();
        looked_up += summary.looked_up;
        assert!(folder.replay().all_match());
        let recorded = folder.open();
        let before = recorded
            .l2_blocks
            .iter()
            .filter(|block| block.number < from);
        assert_eq!(before.count() as u64, summary.looked_up);
    }
    assert!(looked_up > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_safe_heads_the_recording_ends_where_derivation_does() {
    let Some(world) = World::open("calldata-singular-zlib") else {
        return;
    };
    let disabled = (-32000, "safe head database not enabled");
    let whole = Folder::new("with_safe_heads");
    let expected = world.record(&whole, 100, Some(140)).await.unwrap();
    world.rollup.rules.lock().unwrap().refused = [("optimism_safeHeadAtL1Block", disabled)].into();
    let folder = Folder::new("without_safe_heads");
    let summary = world.record(&folder, 100, Some(140)).await.unwrap();
    assert_eq!(summary.safe_heads, 0);
    assert_eq!(summary.l1_blocks, expected.l1_blocks);
    assert!(!folder.has("safe.jsonl.gz"));
    let [note] = &summary.notes[..] else {
        panic!("{:?}", summary.notes)
    };
    assert!(note.contains(disabled.1), "{note}");
    assert!(folder.replay().all_match());
}

#[tokio::test(flavor = "multi_thread")]
async fn output_roots_that_the_node_cannot_give_are_left_out() {
    let Some(world) = World::open("calldata-singular-zlib") else {
        return;
    };
    world.rollup.rules.lock().unwrap().refused =
        [("optimism_outputAtBlock", (-32000, "missing trie node"))].into();
    let folder = Folder::new("without_outputs");
    let summary = world.record(&folder, 100, Some(120)).await.unwrap();
    assert_eq!(summary.output_roots, 0);
    assert!(
        summary.notes[0].contains("missing trie node"),
        "{:?}",
        summary.notes
    );
    assert!(folder.replay().all_match());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_da_server_all_but_the_payloads_is_recorded() {
    let Some(mut world) = World::open("altda-span-brotli") else {
        return;
    };
    world.has_da = false;
    let folder = Folder::new("without_da");
    let summary = world.record(&folder, 0, None).await.unwrap();
    assert_eq!((summary.payloads, summary.equal), (0, 0));
    assert_eq!(summary.l2_blocks, world.safe_head() + 1);
    assert!(
        summary.notes[0].contains("--altda.da-server"),
        "{:?}",
        summary.notes
    );
    let error = Replay::new(&folder.open()).run(|_| {}).unwrap_err();
    assert!(matches!(error, ReplayError::Unanswered(_)), "{error}");
}

/// What Doppio thinks of the chain does not change what is recorded.
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_derives_otherwise_is_recorded_all_the_same() {
    let Some(world) = World::open("calldata-singular-zlib") else {
        return;
    };
    let right = Folder::new("right_rules");
    let expected = world.record(&right, 100, Some(140)).await.unwrap();
    // the last 65 bytes taken for a signature, no frame is whole: empty blocks are forced later
    let world = world.with(Overrides {
        batch_auth: Some(AuthRule::InboxContractInline),
        auth_from: Some(0),
        ..Overrides::default()
    });
    let folder = Folder::new("wrong_rules");
    let summary = world.record(&folder, 100, Some(140)).await.unwrap();
    assert_eq!(summary.equal, 0);
    assert!(!summary.notes.is_empty());
    assert_eq!(
        (summary.l1_blocks, summary.l2_blocks, summary.safe_heads),
        (expected.l1_blocks, expected.l2_blocks, expected.safe_heads)
    );
    // and with the right rules the folder gives the chain
    assert_eq!(folder.replay().matched, 40);
}
