//! One program for all targets: the environment variable `TARGET` names the one to run.

#![no_main]

use doppio_fuzz_targets::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("TARGET").unwrap_or_default();
    TARGETS
        .iter()
        .find(|(known, _)| *known == name)
        .unwrap_or_else(|| panic!("TARGET={name:?} is no target; see fuzz/corpus for their names"))
});

fuzz_target!(|data: &[u8]| (TARGET.1)(data));
