//! Clocks and memory.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use cpu_time::ThreadTime;

/// CPU time of this thread in `work`, and what it returned.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let started = ThreadTime::now();
    let result = work();
    (started.elapsed(), result)
}

/// Memory of this process that is in use now, in bytes. Linux only.
pub(crate) fn resident_bytes() -> Result<f64> {
    resident_bytes_of(Path::new("/proc/self/status"))
}

/// The same of any process, from its status.
pub(crate) fn resident_bytes_of(status: &Path) -> Result<f64> {
    let status = std::fs::read_to_string(status).context("the memory in use is only known on Linux")?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    let kibibytes: f64 = kibibytes.context("no VmRSS in the process's status")?.trim().parse()?;
    Ok(kibibytes * 1024.0)
}

/// The least of some samples that is no less than a part of them, such as 0.99; NaN of none.
pub(crate) fn quantile(samples: &[f64], part: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place among the samples")]
    let rank = (number(sorted.len()) * part).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// The middle of some samples; of an even number the mean of the two in the middle.
pub(crate) fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle.wrapping_sub(1)), sorted.get(middle)) {
        (Some(below), Some(above)) if sorted.len().is_multiple_of(2) => f64::midpoint(*below, *above),
        (_, Some(above)) => *above,
        _ => f64::NAN,
    }
}

/// A count as a number to compute with.
#[expect(clippy::cast_precision_loss, reason = "counts here stay far below 2^53")]
pub(crate) fn number(count: usize) -> f64 {
    count as f64
}
