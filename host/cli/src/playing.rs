//! Going through a whole market, and telling how far it is.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use anyhow::Result;
use bulkhead_core::input::Input;
use indicatif::{ProgressBar, ProgressStyle};

use crate::market_data::MarketData;

/// Inputs that are pulled from the feed at a time.
const BATCH: usize = 4_096;

/// Hands all inputs of a market over, some at a time, and tells of its quality at the end.
pub(crate) fn play(
    data: &MarketData,
    what: &'static str,
    in_background: bool,
    mut take: impl FnMut(&[Input]) -> Result<()>,
) -> Result<()> {
    let mut feed = data.feed()?;
    let mut lines = ProgressLines::new(what, in_background);
    let progress = progress_bar(feed.progress().total);
    let mut batch: Vec<Input> = Vec::with_capacity(BATCH);
    loop {
        batch.clear();
        if feed.next_batch(&mut batch, BATCH)? == 0 {
            break;
        }
        take(&batch)?;
        let reached = feed.progress();
        progress.set_position(reached.done);
        lines.tell(reached.done, reached.total);
    }
    progress.finish_and_clear();
    data.tell_of_quality(&*feed);
    Ok(())
}

/// How far it is, in lines, where there is no terminal to draw a bar on.
struct ProgressLines {
    of: &'static str,
    every: Option<Duration>,
    last: Instant,
}

impl ProgressLines {
    fn new(of: &'static str, in_background: bool) -> Self {
        let every = match (in_background, std::io::stderr().is_terminal()) {
            (true, _) => Some(Duration::from_secs(1)),
            (false, true) => None,
            (false, false) => Some(Duration::from_secs(10)),
        };
        Self { of, every, last: Instant::now() }
    }

    fn tell(&mut self, done: u64, total: Option<u64>) {
        if let (Some(every), Some(total)) = (self.every, total)
            && self.last.elapsed() >= every
        {
            self.last = Instant::now();
            let of = self.of;
            anstream::eprintln!("{of}: {} %", done.saturating_mul(100).checked_div(total).unwrap_or(0));
        }
    }
}

pub(crate) fn progress_bar(total: Option<u64>) -> ProgressBar {
    let Some(total) = total.filter(|_| std::io::stderr().is_terminal()) else { return ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {elapsed} (left {eta})");
    let bar = ProgressBar::new(total);
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}
