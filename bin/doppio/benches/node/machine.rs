//! What the machine says of itself, and of a process.

use crate::Failure;
use std::fs;

/// The load of the last minute: processes that run or want to.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// The most memory that a process had so far, in MiB.
pub(crate) fn peak_memory(process: u32) -> Result<f64, Failure> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    let kilobytes: f64 = kilobytes.ok_or("no VmHWM in /proc")?.parse()?;
    Ok(kilobytes / 1024.0)
}

/// Seconds of CPU that a process used so far.
pub(crate) fn cpu(process: u32) -> Result<f64, Failure> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // after the name in parentheses: state, …, user time, system time in hundredths of a second
    let rest = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |index: usize| {
        fields
            .get(index)
            .and_then(|field| field.parse::<f64>().ok())
    };
    let (user, system) = ticks(11).zip(ticks(12)).ok_or("no times in /proc")?;
    Ok((user + system) / 100.0)
}
