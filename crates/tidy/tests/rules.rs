//! Every rule of the specification is in `docs/RULES.md`, is cited where it is implemented
//! (`// spec: opstack 3.7 #4`), and has a test.

use doppio_test_vectors::Vectors;
use doppio_tidy::{
    Source, root,
    rules::{Row, SHEETS, TestName, citations, cited, named_to_users, rows, tests},
    sheet::Sheet,
    sources,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// Rules whose code belongs to a crate that does not exist yet, and which. Their rows name no code
/// and no test; when the crate comes, the rule leaves this list.
const NOT_YET: &[(&str, &str)] = &[
    (
        "opstack-2026-09 2 *4",
        "node: a start without a beacon node",
    ),
    (
        "opstack 3.13",
        "node: consolidation, and hashes of payloads",
    ),
    (
        "opstack-2026-09 3.12 *4",
        "engine: Lagoon, before which derivation stops",
    ),
    (
        "opstack-2026-09 3.12 *5",
        "engine: Lagoon, before which derivation stops",
    ),
];

fn page() -> Vec<Row> {
    let page = fs::read_to_string(root().join("docs/RULES.md")).expect("docs/RULES.md");
    rows(&page).unwrap()
}

fn ids() -> BTreeSet<String> {
    page().into_iter().map(|row| row.id).collect()
}

fn is_not_yet(id: &str) -> bool {
    NOT_YET.iter().any(|(rule, _)| *rule == id)
}

#[track_caller]
fn assert_none(faults: &[String]) {
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

/// What is wrong with a row whose rule is implemented.
fn faults(row: &Row, cited_in: Option<&BTreeSet<&str>>, tests: &[TestName]) -> Vec<String> {
    let id = &row.id;
    let mut faults = Vec::new();
    if row.files.is_empty() {
        faults.push(format!("{id}: no code"));
    }
    for file in &row.files {
        if !root().join("crates").join(file).is_file() {
            faults.push(format!("{id}: there is no file {file}"));
        } else if !cited_in.is_some_and(|files| files.contains(file.as_str())) {
            faults.push(format!("{id}: {file} does not cite it"));
        }
    }
    if row.tests.is_empty() {
        faults.push(format!("{id}: no test"));
    }
    for reference in &row.tests {
        let meant = tests.iter().filter(|test| test.is_meant_by(reference));
        let paths: Vec<_> = meant.map(|test| test.path.as_str()).collect();
        match paths.as_slice() {
            [_] => {}
            [] => faults.push(format!("{id}: there is no test {reference}")),
            several => faults.push(format!("{id}: {reference} may be any of {several:?}")),
        }
    }
    faults
}

#[test]
fn every_row_has_code_that_cites_it_and_a_test() {
    let sources = sources();
    let (citations, tests) = (citations(&sources), tests(&sources));
    let found: Vec<_> = page()
        .iter()
        .filter(|row| !is_not_yet(&row.id))
        .flat_map(|row| faults(row, citations.get(&row.id), &tests))
        .collect();
    assert_none(&found);
}

#[test]
fn rules_of_later_crates_have_rows_without_code_and_tests() {
    let sources = sources();
    let citations = citations(&sources);
    let page = page();
    for (id, whose) in NOT_YET {
        let row = page.iter().find(|row| row.id == *id);
        let row = row.unwrap_or_else(|| panic!("{id} has no row"));
        assert!(
            row.files.is_empty() && row.tests.is_empty(),
            "{id} is not of {whose}"
        );
        assert_eq!(
            citations.get(*id),
            None,
            "{id} is cited, so it is implemented"
        );
    }
}

#[test]
fn every_citation_has_a_row() {
    let (rows, sources) = (ids(), sources());
    let missing: Vec<_> = citations(&sources)
        .into_iter()
        .filter(|(rule, _)| !rows.contains(rule))
        .map(|(rule, files)| format!("{rule} has no row, but is cited in {files:?}"))
        .collect();
    assert_none(&missing);
}

/// Who is told a rule's number finds it on the page: itself, or what its section consists of.
#[test]
fn every_rule_that_users_are_told_has_a_row() {
    let (rows, sources) = (ids(), sources());
    let named = named_to_users(&sources);
    assert!(named.len() > 30, "only {} rules are named", named.len());
    let missing: Vec<_> = named
        .into_iter()
        .filter(|(rule, _)| {
            let item = format!("{rule} ");
            !rows.iter().any(|row| row == rule || row.starts_with(&item))
        })
        .map(|(rule, files)| format!("{rule} has no row, but is named in {files:?}"))
        .collect();
    assert_none(&missing);
}

/// Who looks a rule up sees all the code that claims to implement it.
#[test]
fn every_row_names_a_file_of_each_crate_that_cites_it() {
    let sources = sources();
    let citations = citations(&sources);
    let mut missing = Vec::new();
    for row in page() {
        let crate_of = |file: &str| file.split('/').next().map(str::to_owned);
        let named: BTreeSet<_> = row.files.iter().map(|file| crate_of(file)).collect();
        for file in citations.get(&row.id).into_iter().flatten() {
            // it explains what others implement
            if !file.starts_with("explain/") && !named.contains(&crate_of(file)) {
                missing.push(format!("{}: {file} cites it, too", row.id));
            }
        }
    }
    assert_none(&missing);
}

#[test]
fn every_row_is_put_into_words_and_none_is_there_twice() {
    let mut seen = BTreeSet::new();
    for row in page() {
        assert!(row.words.len() >= 10, "{} is not put into words", row.id);
        assert!(seen.insert(row.id.clone()), "{} has two rows", row.id);
    }
    assert!(seen.len() > 150);
}

fn sheets() -> Option<BTreeMap<&'static str, Sheet>> {
    let vectors = Vectors::find("../spec")?;
    let read = |name| (name, Sheet::parse(&vectors.text(format!("{name}.md"))));
    Some(SHEETS.into_iter().map(read).collect())
}

/// Sections 2 and 3 of both sheets of the OP Stack: what derivation must do.
#[test]
fn every_rule_of_the_sheets_has_a_row() {
    let Some(sheets) = sheets() else { return };
    let rows = ids();
    let mut missing = Vec::new();
    for (name, least) in [("opstack", 140), ("opstack-2026-09", 36)] {
        let rules = sheets[name].rules(&["2", "3"]);
        assert!(rules.len() >= least, "only {} rules in {name}", rules.len());
        missing.extend(
            rules
                .iter()
                .map(|rule| format!("{name} {rule}"))
                .filter(|rule| !rows.contains(rule)),
        );
    }
    assert_none(&missing);
}

/// A number that is out of date sends its reader to another rule, or to none.
#[test]
fn every_row_is_about_something_in_the_sheets() {
    let Some(sheets) = sheets() else { return };
    let missing: Vec<_> = ids()
        .into_iter()
        .filter(|id| {
            let (name, rule) = id.split_once(' ').unwrap_or_default();
            !sheets.get(name).is_some_and(|sheet| sheet.has(rule))
        })
        .collect();
    assert_none(&missing);
}

#[test]
fn citations_are_read_as_they_are_meant() {
    assert_eq!(
        cited("opstack 3.3 |1 |2, opstack 3.7 span #4, espresso 5.4, 5.5"),
        [
            "opstack 3.3 |1",
            "opstack 3.3 |2",
            "opstack 3.7 span #4",
            "espresso 5.4",
            "espresso 5.5"
        ]
    );
}

#[test]
fn sheets_are_read_as_they_are_numbered() {
    let sheet = Sheet::parse(
        "## 2. Two\n* a\n* b\n### 2.1 Prose\nIt is so.\n| x | y |\n|---|---|\n| 1 | 2 |\n\
         ### 2.2 Items\n1. one\n2. two\n## Annex\n* c\n\
         ### 3.6 / 3.7 Tables\n**One**\n| # | x |\n|---|---|\n| 1 | a |\n| – | b |\n\
         **Span prefix**\n| # | x |\n|---|---|\n| 1 | a |\n\
         ### 3.3 Rows\n| a | b |\n|---|---|\n| c | d |\n## 4. Other\n* d\n",
    );
    let expected = [
        "2 *1",
        "2 *2",
        "2.1",
        "2.1 |1",
        "2.2 #1",
        "2.2 #2",
        "3.3 |1",
        "3.3 |2",
        "3.7 #1",
        "3.7 span #1",
    ];
    assert_eq!(sheet.rules(&["2", "3"]), expected);
    assert!(sheet.has("4 *1") && sheet.has("3.7") && sheet.has("3.7 span"));
    assert!(!sheet.has("4 *2") && !sheet.has("3.8") && !sheet.has("2.1 |2"));
}

#[test]
fn tests_are_found_by_function_and_by_case() {
    let source = |path: &str, lines: &[&str]| Source {
        path: path.to_owned(),
        text: lines.join("\n"),
    };
    let attribute = concat!("#[", "test]");
    let sources = [
        source(
            "crates/a/src/x.rs",
            &[
                attribute,
                "fn one() {",
                "}",
                "fn helper() {",
                "}",
                attribute,
                "#[ignore]",
                "fn never() {",
                "}",
                "macro_rules! table {",
                "    () => {",
                attribute,
                "        fn $name() {}",
                "    };",
                "}",
            ],
        ),
        source(
            "crates/a/tests/it/y.rs",
            &[
                "table! {",
                "    two: 1 => 2;",
                "    three:",
                "        four: 5;",
                "}",
                "six: 7",
            ],
        ),
        source("crates/b/src/z.rs", &["table! {", "    eight: 1;", "}"]),
    ];
    let found = tests(&sources);
    let names: Vec<_> = found.iter().map(|test| test.name.as_str()).collect();
    assert_eq!(names, ["one", "two", "three"]);
    assert!(found[1].is_meant_by("two") && found[1].is_meant_by("it/y::two"));
    assert!(!found[1].is_meant_by("t/y::two") && !found[1].is_meant_by("it/y::three"));
}
