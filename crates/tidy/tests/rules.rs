//! Every rule of the specification that we implement is in `docs/RULES.md`, is cited where it is
//! implemented (`// spec: opstack 3.7 #4`), and has a test.

use doppio_test_vectors::Vectors;
use doppio_tidy::{Source, root, sources};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// Rules whose code belongs to a crate that does not exist yet. The row in `docs/RULES.md` says
/// which; when the crate comes, the rule leaves this list.
const NOT_YET: &[&str] = &[];

/// A row of `docs/RULES.md`.
#[derive(Debug)]
struct Row {
    id: String,
    /// Files that cite the rule.
    files: Vec<String>,
    /// Tests that show it.
    tests: Vec<String>,
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(root().join("docs/RULES.md")).expect("docs/RULES.md");
    let names = |cell: &str| {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    text.lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| line.split(" | ").collect::<Vec<_>>())
        .filter(|cells| cells[0].starts_with(|c: char| c.is_ascii_lowercase()))
        .filter(|cells| cells[0] != "rule")
        .map(|cells| {
            let [id, words, files, tests] = cells.as_slice() else {
                panic!("a row of docs/RULES.md has not four cells: {cells:?}");
            };
            assert!(!words.trim().is_empty(), "{id} is not put into words");
            Row {
                id: (*id).to_owned(),
                files: names(files),
                tests: names(tests),
            }
        })
        .collect()
}

/// The rules that a comment cites: `opstack 3.3 |1 |2, opstack 2.4` is three of them.
fn cited(comment: &str) -> Vec<String> {
    let mut rules = Vec::new();
    for citation in comment.split(',') {
        let words: Vec<&str> = citation.split_whitespace().collect();
        let is_item = |word: &&str| word.starts_with(['#', '*', '|']);
        let section: Vec<&str> = words
            .iter()
            .copied()
            .take_while(|word| !is_item(word))
            .collect();
        let section = section.join(" ");
        let items: Vec<_> = words
            .iter()
            .copied()
            .skip_while(|word| !is_item(word))
            .collect();
        if items.is_empty() {
            rules.push(section);
        } else {
            rules.extend(items.iter().map(|item| format!("{section} {item}")));
        }
    }
    rules
}

/// The files that cite each rule.
fn citations(sources: &[Source]) -> BTreeMap<String, BTreeSet<&str>> {
    let mut citations: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.is_production()) {
        for line in source.text.lines() {
            let Some((_, comment)) = line.split_once("// spec: ") else {
                continue;
            };
            for rule in cited(comment) {
                citations.entry(rule).or_default().insert(&source.path);
            }
        }
    }
    citations
}

/// Names of all functions with `#[test]`, and of the cases of macros that make tests.
fn is_test(sources: &[Source], name: &str) -> bool {
    sources.iter().any(|source| {
        let function = format!("fn {name}(");
        let case = format!("{name}:");
        source.text.contains("#[test]")
            && source.text.lines().any(|line| {
                let line = line.trim_start();
                line.contains(&function) || line.starts_with(&case)
            })
    })
}

#[test]
fn every_row_has_code_that_cites_it_and_a_test() {
    let sources = sources();
    let citations = citations(&sources);
    let mut faults = Vec::new();
    for row in rows() {
        if NOT_YET.contains(&row.id.as_str()) {
            continue;
        }
        if row.files.is_empty() {
            faults.push(format!("{}: no code", row.id));
        }
        let cited_in = citations.get(&row.id);
        for file in &row.files {
            if !cited_in.is_some_and(|files| files.contains(file.as_str())) {
                faults.push(format!("{}: {file} does not cite it", row.id));
            }
        }
        if row.tests.is_empty() {
            faults.push(format!("{}: no test", row.id));
        }
        for test in &row.tests {
            if !is_test(&sources, test) {
                faults.push(format!("{}: there is no test {test}", row.id));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_citation_has_a_row() {
    let rows: BTreeSet<String> = rows().into_iter().map(|row| row.id).collect();
    let sources = sources();
    let missing: Vec<_> = citations(&sources)
        .into_iter()
        .filter(|(rule, _)| !rows.contains(rule))
        .map(|(rule, files)| format!("{rule}, cited in {files:?}"))
        .collect();
    assert!(missing.is_empty(), "no row for:\n{}", missing.join("\n"));
}

#[test]
fn no_rule_has_two_rows() {
    let mut seen = BTreeSet::new();
    for row in rows() {
        assert!(seen.insert(row.id.clone()), "{} has two rows", row.id);
    }
    assert!(seen.len() > 100);
}

/// The numbered rows and bullets of sections 2 and 3 of a sheet.
fn numbered(sheet: &str, text: &str) -> Vec<String> {
    let mut rules = Vec::new();
    let mut section: Option<String> = None;
    // which table of a section, for the one that has two
    let mut table = "";
    let mut numbered_table = false;
    let (mut bullets, mut rows) = (0, 0);
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix('#') {
            let heading = heading.trim_start_matches('#').trim_start();
            let number = heading.split([' ', '–']).next().unwrap_or_default();
            let number = number.trim_end_matches('.');
            let is_ours = ["2", "3"].contains(&number.split('.').next().unwrap_or_default());
            // the changes to 3.6 and 3.7 are about 3.7
            let number = if heading.starts_with("3.6 / 3.7") {
                "3.7"
            } else {
                number
            };
            section = is_ours.then(|| format!("{sheet} {number}"));
            (table, numbered_table, bullets, rows) = ("", false, 0, 0);
            continue;
        }
        let Some(section) = &section else { continue };
        if line.starts_with("**Span prefix") {
            table = " span";
        }
        if line.starts_with("* ") {
            bullets += 1;
            rules.push(format!("{section} *{bullets}"));
        } else if let Some((number, _)) = line.split_once(". ")
            && number.parse::<u32>().is_ok()
        {
            rules.push(format!("{section} #{number}"));
        } else if line.starts_with("| # |") || line.starts_with("| fork | # |") {
            (numbered_table, rows) = (true, 0);
        } else if !line.starts_with('|') {
            numbered_table = false;
        } else if numbered_table && !line.starts_with("|---") {
            rows += 1;
            let first = line.split('|').nth(1).map(str::trim).unwrap_or_default();
            if first.parse::<u32>().is_ok() {
                rules.push(format!("{section}{table} #{first}"));
            } else if section.ends_with("3.12") {
                rules.push(format!("{section} |{rows}"));
            }
        }
    }
    rules
}

#[test]
fn every_numbered_row_and_bullet_of_the_sheets_has_a_row() {
    let Some(vectors) = Vectors::find("../spec") else {
        return;
    };
    let rows: BTreeSet<String> = rows().into_iter().map(|row| row.id).collect();
    let mut rules = Vec::new();
    for sheet in ["opstack", "opstack-2026-09"] {
        rules.extend(numbered(sheet, &vectors.text(format!("{sheet}.md"))));
    }
    assert!(rules.len() > 80, "only {} rules were found", rules.len());
    let missing: Vec<_> = rules.iter().filter(|rule| !rows.contains(*rule)).collect();
    assert!(missing.is_empty(), "no row for: {missing:?}");
}

#[test]
fn citations_are_read_as_they_are_meant() {
    assert_eq!(
        cited("opstack 3.3 |1 |2, opstack 3.7 span #4, espresso 5.4"),
        [
            "opstack 3.3 |1",
            "opstack 3.3 |2",
            "opstack 3.7 span #4",
            "espresso 5.4"
        ]
    );
}
