//! Rounds in which every competitor runs once.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// Someone who does the work. What it returns keeps the compiler from leaving the work out.
pub(crate) struct Competitor<'a> {
    pub(crate) name: &'static str,
    run: Box<dyn FnMut() -> usize + 'a>,
}

/// How long it took.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    sorted: Vec<Duration>,
}

impl<'a> Competitor<'a> {
    pub(crate) fn new(name: &'static str, run: impl FnMut() -> usize + 'a) -> Self {
        Self {
            name,
            run: Box::new(run),
        }
    }

    pub(crate) fn run(&mut self) -> usize {
        (self.run)()
    }

    fn time(&mut self) -> Duration {
        let start = Instant::now();
        black_box(self.run());
        start.elapsed()
    }
}

impl Times {
    pub(crate) fn min(&self) -> Duration {
        self.sorted[0]
    }

    pub(crate) fn median(&self) -> Duration {
        self.sorted[self.sorted.len() / 2]
    }
}

/// Rounds to run; dear competitors are content with a part of them.
pub(crate) fn count() -> usize {
    let set = std::env::var("ROUNDS").ok();
    set.and_then(|rounds| rounds.parse().ok()).unwrap_or(60)
}

/// Runs all competitors in every round, each time another one first.
pub(crate) fn measure(rounds: usize, competitors: &mut [Competitor<'_>]) -> Vec<Times> {
    let number = competitors.len();
    let mut times = vec![Vec::with_capacity(rounds); number];
    // the first round warms up
    for round in 0..=rounds.max(1) {
        for turn in 0..number {
            let index = (round + turn) % number;
            let time = competitors[index].time();
            if round > 0 {
                times[index].push(time);
            }
        }
    }
    let sort = |mut sorted: Vec<Duration>| {
        sorted.sort_unstable();
        Times { sorted }
    };
    times.into_iter().map(sort).collect()
}
