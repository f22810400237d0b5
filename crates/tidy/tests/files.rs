//! House rules that a machine can check.

use doppio_tidy::{root, sources};

/// A file that is longer has more than one subject.
const MAX_LINES: usize = 800;

#[test]
fn every_source_file_is_short_enough_and_says_where_one_is() {
    for source in sources() {
        let lines = source.text.lines().count();
        assert!(
            lines <= MAX_LINES,
            "{} has {lines} lines; {MAX_LINES} are the most",
            source.path
        );
        assert!(
            source.text.starts_with("//!"),
            "{} does not begin with a line for newcomers",
            source.path
        );
    }
}

#[test]
fn every_crate_has_a_readme() {
    for folder in ["bin", "crates"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap().flatten() {
            let readme = entry.path().join("README.md");
            assert!(readme.is_file(), "{} is missing", readme.display());
        }
    }
}
