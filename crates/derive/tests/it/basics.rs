//! What everything else stands on: that the world of the tests works.

use crate::support::*;
use doppio_protocol::config::Fork;

#[test]
fn blocks_that_the_sequencer_makes_are_derived_again() {
    for fork in [Fork::Regolith, Fork::Granite, Fork::Holocene, Fork::Karst] {
        for form in [BatchForm::Singular, BatchForm::Span] {
            if form == BatchForm::Span && fork < Fork::Delta {
                continue;
            }
            let chain = chain(rollup(fork));
            let mut l1 = L1::new(&chain);
            l1.add_empty(3);
            let mut sequencer = Sequencer::new(&l1);
            let batches: Vec<_> = (0..12).map(|n| sequencer.block([l2_tx(n)])).collect();
            let item = match form {
                BatchForm::Singular => singular_item(1, &batches),
                BatchForm::Span => item(1, &[span(&chain, 100, &batches)]),
            };
            l1.add([L1Tx::inbox(item)]);
            let mut node = Node::new(&l1);
            node.run_to_end();
            assert_eq!(node.reasons(), [], "{fork} {form:?}");
            assert_eq!(
                node.pipeline.safe_head(),
                &sequencer.head,
                "{fork} {form:?}"
            );
        }
    }
}
