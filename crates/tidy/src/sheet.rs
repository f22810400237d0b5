//! What the specification sheets number: sections, rows of tables, numbered items, bullets.
//!
//! A rule's id is the sheet's name, the section's number and, where there is one, the item:
//! `#4` is what the sheet itself numbers 4, `*2` the section's second bullet, `|3` the third row of
//! its tables that have no numbers of their own. Section 3.7 has two numbered tables; the second
//! one's rows are `span #4`.

use std::collections::BTreeMap;

/// A specification sheet.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    sections: BTreeMap<String, Section>,
}

/// What a section holds.
#[derive(Clone, Debug, Default)]
struct Section {
    /// Items, in order: `#4`, `span #4`, `*2`, `|3`.
    items: Vec<String>,
    /// Whether some of its rules are prose, which only the section's own number can name.
    has_prose: bool,
}

/// How a table names its rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    /// By the number in the first column.
    Numbered,
    /// By their position among such rows of the section.
    Counted,
}

/// Where the reader of a sheet is.
#[derive(Default)]
struct Place {
    /// The section's number; none in parts that have none.
    section: Option<String>,
    table: Option<Table>,
    /// What distinguishes the rows of a section's second numbered table.
    label: &'static str,
    bullets: usize,
    rows: usize,
}

impl Sheet {
    /// Reads a sheet in Markdown.
    pub fn parse(text: &str) -> Self {
        let mut sheet = Self::default();
        let mut place = Place::default();
        for line in text.lines() {
            if let Some(heading) = line.strip_prefix('#') {
                let section = section_number(heading.trim_start_matches('#').trim_start());
                if let Some(number) = &section {
                    sheet.sections.entry(number.clone()).or_default();
                }
                place = Place {
                    section,
                    ..Place::default()
                };
            } else if let Some(number) = place.section.clone()
                && let Some(section) = sheet.sections.get_mut(&number)
            {
                place.read(line, &number, section);
            }
        }
        sheet
    }

    /// Whether the sheet has the section or item: `3.7`, `3.7 span #4`.
    pub fn has(&self, rule: &str) -> bool {
        let (section, item) = rule.split_once(' ').unwrap_or((rule, ""));
        self.sections.get(section).is_some_and(|section| {
            matches!(item, "" | "span") || section.items.iter().any(|found| found == item)
        })
    }

    /// The rules of some chapters (`2` is sections 2, 2.1, 2.2 and so on): every item, and every
    /// section that says something in prose.
    pub fn rules(&self, chapters: &[&str]) -> Vec<String> {
        let mut rules = Vec::new();
        for (number, section) in &self.sections {
            let chapter = number.split('.').next().unwrap_or_default();
            if !chapters.contains(&chapter) {
                continue;
            }
            if section.has_prose {
                rules.push(number.clone());
            }
            rules.extend(section.items.iter().map(|item| format!("{number} {item}")));
        }
        rules
    }
}

/// The number that a heading begins with. `3.1–3.5` counts as 3.1, `3.6 / 3.7` as 3.7, which it is
/// about; `Annex B.` is B.
fn section_number(heading: &str) -> Option<String> {
    if let Some(annex) = heading.strip_prefix("Annex ") {
        return annex.split('.').next().map(str::to_owned);
    }
    let heading = heading.strip_prefix("3.6 / ").unwrap_or(heading);
    let number = heading.split([' ', '–']).next()?.trim_end_matches('.');
    number
        .starts_with(|c: char| c.is_ascii_digit())
        .then(|| number.to_owned())
}

impl Place {
    fn read(&mut self, line: &str, number: &str, section: &mut Section) {
        if line.starts_with("**Span prefix") {
            self.label = "span ";
        }
        if line.starts_with('|') {
            self.read_row(line, number, section);
            return;
        }
        self.table = None;
        if line.starts_with("* ") {
            self.bullets += 1;
            section.items.push(format!("*{}", self.bullets));
        } else if let Some((item, _)) = line.split_once(". ")
            && item.parse::<u32>().is_ok()
        {
            section.items.push(format!("#{item}"));
        } else if !line.trim().is_empty() && !line.starts_with("**") {
            section.has_prose = true;
        } else if line.starts_with("**") && line.len() > 100 {
            // a paragraph that begins in bold, not the title of a table
            section.has_prose = true;
        }
    }

    fn read_row(&mut self, line: &str, number: &str, section: &mut Section) {
        let first = line.split('|').nth(1).map(str::trim).unwrap_or_default();
        match self.table {
            None => {
                let table = if first == "#" {
                    Table::Numbered
                } else {
                    Table::Counted
                };
                self.table = Some(table);
                // the only table whose first row is a rule and not a heading
                if number == "3.3" {
                    self.count(section);
                }
            }
            Some(_) if line.starts_with("|---") => {}
            Some(Table::Numbered) => {
                if first.parse::<u32>().is_ok() {
                    section.items.push(format!("{}#{first}", self.label));
                }
            }
            Some(Table::Counted) => self.count(section),
        }
    }

    fn count(&mut self, section: &mut Section) {
        self.rows += 1;
        section.items.push(format!("|{}", self.rows));
    }
}
