//! Every target over the committed corpus and over random bytes, within its allowance of memory.
//!
//! One test, because memory is measured for the whole process.

use doppio_fuzz_targets::{TARGETS, Target, allowance};
use peak_alloc::PeakAlloc;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use std::{fs, path::PathBuf};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Runs a target and checks what it allocated.
fn run((name, target): &Target, input: &[u8]) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    target(input);
    let allocated = MEMORY.peak_usage() - before;
    assert!(
        allocated <= allowance(name, input.len()),
        "{name} allocated {allocated} bytes for {} bytes of input",
        input.len()
    );
}

/// The paths in a folder of the corpus, in order.
fn corpus_paths(folder: &str) -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(folder);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
}

/// The corpus of a target.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let paths = corpus_paths(name).into_iter();
    paths.map(|path| fs::read(path).unwrap()).collect()
}

/// Bytes around those of the corpus: cut off, changed, joined.
fn near(corpus: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let one = proptest::sample::select(corpus);
    let edits = proptest::collection::vec((any::<u16>(), any::<u8>()), 0..4);
    (one, edits, any::<u16>(), any::<bool>()).prop_map(|(mut bytes, edits, length, cut)| {
        let size = bytes.len();
        for (at, value) in edits {
            if size > 0 {
                bytes[usize::from(at) % size] = value;
            }
        }
        if cut && size > 0 {
            bytes.truncate(usize::from(length) % size);
        }
        bytes
    })
}

#[test]
fn every_target_holds_for_its_corpus_and_for_bytes_near_it_and_at_random() {
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    // a target that was renamed would lose its corpus
    assert_eq!(corpus_paths("").len(), TARGETS.len());
    for target in TARGETS {
        let corpus = corpus(target.0);
        assert!(!corpus.is_empty(), "{} has no corpus", target.0);
        // what is initialised once is not for the input
        (target.1)(&corpus[0]);
        for input in &corpus {
            run(target, input);
        }
        let random = proptest::collection::vec(any::<u8>(), 0..400);
        let inputs = prop_oneof![1 => random, 3 => near(corpus)];
        TestRunner::new(config.clone())
            .run(&inputs, |input| {
                run(target, &input);
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{}: {error}", target.0));
    }
}
