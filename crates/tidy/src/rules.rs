//! Citations of rules in the code, the rows of `docs/RULES.md`, and the tests that rows name.

use crate::Source;
use std::collections::{BTreeMap, BTreeSet};

/// The sheets that rules are cited from.
pub const SHEETS: [&str; 4] = ["opstack", "opstack-2026-09", "espresso", "eigenda"];

/// A row of `docs/RULES.md`.
#[derive(Clone, Debug)]
pub struct Row {
    /// The rule: sheet, section, item.
    pub id: String,
    /// The rule in our words.
    pub words: String,
    /// Files that cite the rule, from `crates/`.
    pub files: Vec<String>,
    /// Tests that show it.
    pub tests: Vec<String>,
}

/// Reads the rows out of the page. They are those table rows whose first cell begins with the name
/// of a sheet.
///
/// # Errors
///
/// If such a row has not four cells.
pub fn rows(page: &str) -> Result<Vec<Row>, String> {
    let names = |cell: &str| {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    page.lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| line.split(" | ").collect::<Vec<_>>())
        .filter(|cells| {
            let sheet = cells[0].split(' ').next();
            sheet.is_some_and(|sheet| SHEETS.contains(&sheet))
        })
        .map(|cells| match cells.as_slice() {
            [id, words, files, tests] => Ok(Row {
                id: id.replace("\\|", "|"),
                words: words.trim().to_owned(),
                files: names(files),
                tests: names(tests),
            }),
            _ => Err(format!("not four cells: {cells:?}")),
        })
        .collect()
}

/// The rules that a comment cites: `opstack 3.3 |1 |2, opstack 2.4` is three of them. A part that
/// names no sheet is of the one before it.
pub fn cited(comment: &str) -> Vec<String> {
    let mut rules = Vec::new();
    let mut sheet = "";
    for citation in comment.split(',') {
        let words: Vec<&str> = citation.split_whitespace().collect();
        let (first, rest) = match words.split_first() {
            Some((first, rest)) if SHEETS.contains(first) => (*first, rest),
            _ => (sheet, words.as_slice()),
        };
        sheet = first;
        let is_item = |word: &&&str| word.starts_with(['#', '*', '|']);
        let section: Vec<_> = rest.iter().take_while(|word| !is_item(word)).collect();
        let section = section
            .iter()
            .fold(sheet.to_owned(), |id, word| id + " " + word);
        let before = rules.len();
        rules.extend(
            rest.iter()
                .skip_while(|word| !is_item(word))
                .map(|item| format!("{section} {item}")),
        );
        if rules.len() == before {
            rules.push(section);
        }
    }
    rules
}

/// The files, from `crates/`, of production code that cite each rule: `// spec: opstack 3.7 #4`.
pub fn citations(sources: &[Source]) -> BTreeMap<String, BTreeSet<&str>> {
    let mut citations: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for source in production(sources) {
        for line in source.text.lines() {
            let Some(comment) = line.trim_start().strip_prefix("// spec: ") else {
                continue;
            };
            for rule in cited(comment) {
                citations.entry(rule).or_default().insert(short(source));
            }
        }
    }
    citations
}

/// The rules that production code names to its users, as string literals: why something was
/// dropped.
pub fn named_to_users(sources: &[Source]) -> BTreeMap<String, BTreeSet<&str>> {
    let mut named: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for source in production(sources) {
        for literal in source.text.split('"').skip(1) {
            let Some((sheet, section)) = literal.split_once(' ') else {
                continue;
            };
            let is_rule = SHEETS.contains(&sheet)
                && section.starts_with(|c: char| c.is_ascii_digit())
                && literal.len() < 40;
            if is_rule {
                for rule in cited(literal) {
                    named.entry(rule).or_default().insert(short(source));
                }
            }
        }
    }
    named
}

/// Code that runs in production; this crate talks about rules, it has none.
fn production(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources
        .iter()
        .filter(|source| source.is_production() && !source.path.starts_with("crates/tidy/"))
}

fn short(source: &Source) -> &str {
    source.path.strip_prefix("crates/").unwrap_or(&source.path)
}

/// A test: the path of its file without `.rs`, and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestName {
    /// Path from the root, with slashes.
    pub path: String,
    /// The function, or the case of a macro that makes one test of each case.
    pub name: String,
}

impl TestName {
    /// Whether a row means this test: by its name, or by the end of its path and its name, as in
    /// `it/finality::basic`.
    pub fn is_meant_by(&self, reference: &str) -> bool {
        match reference.rsplit_once("::") {
            None => self.name == reference,
            Some((path, name)) => {
                let end = self.path.strip_suffix(path);
                self.name == name && end.is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
            }
        }
    }
}

/// All tests that run: functions with `#[test]` or `#[tokio::test]` and not `#[ignore]`, also within `proptest!`, and
/// the cases of macros that make tests.
pub fn tests(sources: &[Source]) -> Vec<TestName> {
    let mut tests = Vec::new();
    let macros = test_macros(sources);
    for source in sources {
        let path = source.path.trim_end_matches(".rs");
        let mut add = |name: &str| {
            tests.push(TestName {
                path: path.to_owned(),
                name: name.to_owned(),
            });
        };
        let (mut is_test, mut is_ignored) = (false, false);
        // the indentation of the macro's invocation that we are in
        let mut cases: Option<usize> = None;
        for line in source.text.lines() {
            let code = line.trim_start();
            let indentation = line.len() - code.len();
            is_test |= code.starts_with("#[test]") || code.starts_with("#[tokio::test");
            is_ignored |= code.starts_with("#[ignore");
            if let Some(function) = code.trim_start_matches("async ").strip_prefix("fn ") {
                if is_test && !is_ignored && !function.starts_with('$') {
                    add(identifier(function));
                }
                (is_test, is_ignored) = (false, false);
            }
            match cases {
                None => {
                    let invoked = code
                        .strip_suffix("! {")
                        .filter(|name| macros.contains(&(crate_of(source), name)));
                    cases = invoked.map(|_| indentation);
                }
                Some(outer) if indentation == outer && code.starts_with('}') => cases = None,
                Some(outer) if indentation == outer + 4 => {
                    let name = identifier(code);
                    if !name.is_empty() && code[name.len()..].starts_with(':') {
                        add(name);
                    }
                }
                Some(_) => {}
            }
        }
    }
    tests
}

/// The macros whose definitions hold `#[test]`, each with its crate.
fn test_macros(sources: &[Source]) -> BTreeSet<(&str, &str)> {
    let mut macros = BTreeSet::new();
    for source in sources {
        let mut definition: Option<(&str, usize)> = None;
        for line in source.text.lines() {
            let code = line.trim_start();
            let indentation = line.len() - code.len();
            if let Some(rest) = code.strip_prefix("macro_rules! ") {
                definition = Some((identifier(rest), indentation));
            }
            let Some((name, outer)) = definition else {
                continue;
            };
            if code.starts_with("#[test]") {
                macros.insert((crate_of(source), name));
            }
            if indentation == outer && code.starts_with('}') {
                definition = None;
            }
        }
    }
    macros
}

/// The folder of a source's crate.
fn crate_of(source: &Source) -> &str {
    let end = source.path.match_indices('/').nth(1).map(|(end, _)| end);
    &source.path[..end.unwrap_or(source.path.len())]
}

/// The identifier that a text begins with.
fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}
