//! What a person sees while a devnet runs: lines, and below them one that changes.

use super::ladder::Ladder;
use std::{
    fmt,
    io::Write,
    time::{Duration, Instant},
};

/// How often the heads are a line where lines cannot change.
const PLAIN_INTERVAL: Duration = Duration::from_secs(15);
/// Goes to the beginning of the line and clears it.
const CLEAR: &str = "\r\x1b[2K";

/// Where a devnet says what it does.
pub struct Screen {
    out: Box<dyn Write + Send>,
    is_terminal: bool,
    /// There is a line that is to change.
    has_ladder: bool,
    shown: Option<(Instant, Ladder)>,
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen")
            .field("is_terminal", &self.is_terminal)
            .finish_non_exhaustive()
    }
}

impl Screen {
    /// Writes to `out`, which is a terminal or not.
    pub fn new(out: impl Write + Send + 'static, is_terminal: bool) -> Self {
        Self {
            out: Box::new(out),
            is_terminal,
            has_ladder: false,
            shown: None,
        }
    }

    /// A line that stays. Whoever reads may have gone away: that is no failure.
    pub fn line(&mut self, text: impl AsRef<str>) {
        let clear = if self.has_ladder { CLEAR } else { "" };
        self.has_ladder = false;
        let _ = writeln!(self.out, "{clear}{}", text.as_ref());
        let _ = self.out.flush();
    }

    /// The heads as they are now: the last line of a terminal, or a line now and then.
    pub(crate) fn ladder(&mut self, ladder: Ladder) {
        if self.is_terminal {
            self.has_ladder = true;
            let _ = write!(self.out, "{CLEAR}{ladder}");
            let _ = self.out.flush();
            return;
        }
        let is_due =
            |(at, last): &(Instant, Ladder)| *last != ladder && at.elapsed() >= PLAIN_INTERVAL;
        if self.shown.as_ref().is_none_or(is_due) {
            self.shown = Some((Instant::now(), ladder));
            self.line(ladder.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn printed(is_terminal: bool) -> String {
        let paper = Paper::default();
        let mut screen = Screen::new(paper.clone(), is_terminal);
        screen.line("L2 RPC http://127.0.0.1:9545");
        for unsafe_l2 in 1..4 {
            screen.ladder(Ladder {
                unsafe_l2,
                verified: (unsafe_l2 > 1).then_some(0),
                ..Ladder::default()
            });
        }
        screen.line("stopped");
        String::from_utf8(paper.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn heads_change_in_place_on_a_terminal_and_are_plain_lines_elsewhere() {
        let terminal = printed(true);
        assert_eq!(terminal.lines().count(), 2, "{terminal:?}");
        assert!(terminal.contains("\x1b[2Kunsafe 3  safe 0  finalized 0  L1 0  second node 0"));
        assert!(terminal.ends_with("\x1b[2Kstopped\n"), "{terminal:?}");
        let plain = printed(false);
        let lines: Vec<_> = plain.lines().collect();
        assert!(!plain.contains('\x1b'), "{plain:?}");
        assert_eq!(lines[0], "L2 RPC http://127.0.0.1:9545");
        assert_eq!(lines[1], "unsafe 1  safe 0  finalized 0  L1 0");
        assert_eq!(lines[2..], ["stopped"]);
    }
}
