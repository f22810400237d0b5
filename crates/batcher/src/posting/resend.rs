//! Once everything has settled: what L1 holds, and what is sent again.

use super::{L1Rules, Posting, reason};
use crate::action::Report;

impl Posting {
    /// Finds where sending goes on. To be called when everything has settled.
    // spec: opstack 3.3, opstack 3.5, opstack 3.6
    pub(crate) fn resolve(&mut self, tip: u64, rules: L1Rules) -> Vec<Report> {
        self.is_settling = false;
        self.abandoned = None;
        let failure = self.failure.take();
        let mut reports = Vec::new();
        // whether a channel before is sent again
        let mut is_behind = false;
        for index in 0..self.channels.len() {
            let is_interrupted = self.is_interrupted(index);
            let Some(channel) = self.channels.get(index) else {
                break;
            };
            if !channel.has_begun {
                break;
            }
            let is_late =
                !channel.is_complete() && channel.has_timed_out(Some(tip), rules.channel_timeout);
            let is_void = channel.is_void || is_late;
            let is_useless = rules.is_strict && (is_behind || is_interrupted);
            if channel.is_complete() && !is_void && !is_useless {
                continue;
            }
            let why = reason(channel, failure.as_ref(), !is_behind);
            let data = channel.data.clone();
            let fresh = (is_void || is_useless).then(|| self.name(&data));
            let Some(channel) = self.channels.get_mut(index) else {
                break;
            };
            match fresh {
                Some(id) => channel.restart(id),
                None => channel.resume(channel.included()),
            }
            is_behind = true;
            reports.push(Report::ChannelResent {
                channel: channel.id,
                from_frame: u16::try_from(channel.next_frame).unwrap_or(u16::MAX),
                reason: why,
            });
        }
        reports
    }

    /// Whether L1 has a part of the channel, not all of it, and something of a channel behind it:
    /// where order counts, that has taken the channel's place.
    fn is_interrupted(&self, index: usize) -> bool {
        let is_incomplete = self.channels.get(index).is_some_and(|c| !c.is_complete());
        let mut later = self.channels.iter().skip(index + 1);
        is_incomplete && later.any(|channel| channel.inclusion().is_some())
    }
}
