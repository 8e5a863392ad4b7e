//! Writes the report of a made-up run to a folder, to look at: `report.html`, `report.json`, `report.txt`.
//!
//! `cargo run -p bulkhead-report --example sample_report -- FOLDER`

#[path = "../tests/sample/mod.rs"]
mod sample;

use std::error::Error;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::PathBuf;

use bulkhead_core::time::Span;
use bulkhead_report::Colours;
use sample::Sample;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("which folder shall the report go to?")?);
    let report = sample::sample(&Sample {
        bars: 130_000,
        interval: Span::from_seconds(300),
        slots: ["sma-crossover", "mean-reversion", "scalping"],
        notional: 2_400,
        patience: 700.0,
        band: 0.012,
    });
    report.write_json(BufWriter::new(File::create(folder.join("report.json"))?))?;
    fs::write(folder.join("report.txt"), report.terminal(Colours::On))?;

    fs::write(folder.join("report.html"), report.html()?)?;
    Ok(())
}
