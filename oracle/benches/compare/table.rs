//! Tables in Markdown.

use std::time::Duration;

/// A table that is printed as it grows.
pub(crate) struct Table {
    columns: usize,
}

impl Table {
    /// Prints title and head.
    pub(crate) fn new(title: &str, head: &[&str]) -> Self {
        println!("\n## {title}\n");
        println!("| {} |", head.join(" | "));
        println!("|{}", "---|".repeat(head.len()));
        Self {
            columns: head.len(),
        }
    }

    /// Prints a row.
    pub(crate) fn row(&self, cells: &[String]) {
        assert_eq!(cells.len(), self.columns, "a row has the head's columns");
        println!("| {} |", cells.join(" | "));
    }
}

/// A time in milliseconds.
pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1e3)
}

/// How many times one time is of another.
pub(crate) fn ratio(time: Duration, of: Duration) -> f64 {
    time.as_secs_f64() / of.as_secs_f64()
}

/// Things in a second, to the nearest hundred.
pub(crate) fn per_second(things: usize, time: Duration) -> String {
    let things = u32::try_from(things).map_or(f64::NAN, f64::from);
    format!(
        "{:.0}",
        (things / time.as_secs_f64() / 100.0).round() * 100.0
    )
}
