//! An account on which a test trades.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{json, output, random_bars, strategies, succeed, write_csv};

/// So many bars are traded.
pub(crate) const BARS: usize = 3_000;

/// An account with a directory of its own.
pub(crate) struct Account {
    pub(crate) directory: PathBuf,
    pub(crate) settings: Vec<String>,
}

impl Account {
    /// Two strategies on the same bars each time.
    pub(crate) fn new(parent: &Path, name: &str) -> Self {
        let directory = parent.join(name);
        std::fs::create_dir_all(&directory).unwrap();
        strategies(&directory, &["breakout", "sma-crossover"]);
        let data = parent.join("bars.csv");
        if !data.exists() {
            write_csv(&data, &random_bars(BARS, 5));
        }
        let files = format!("feed.files=[\"A-USD={}\"]", data.display());
        let settings = [
            "feed.source=csv",
            &files,
            "risk.cooldown=off",
            "slots.ai.weight=0",
            "slots.breakout.mode=live",
            "slots.breakout.weight=0.25",
            "slots.sma-crossover.mode=live",
        ];
        Self { directory, settings: settings.map(str::to_owned).to_vec() }
    }

    pub(crate) fn with(mut self, setting: &str) -> Self {
        self.settings.push(setting.to_owned());
        self
    }

    pub(crate) fn arguments(&self, command: &[&str]) -> Vec<String> {
        let settings = self.settings.iter().flat_map(|setting| ["--set".to_owned(), setting.clone()]);
        command.iter().map(|part| (*part).to_owned()).chain(settings).collect()
    }

    pub(crate) fn run(&self) -> Value {
        json(&self.directory, &self.arguments(&["run", "--speed", "max", "--json"]))
    }

    pub(crate) fn json(&self, command: &[&str]) -> Value {
        json(&self.directory, &self.arguments(command))
    }

    pub(crate) fn succeed(&self, command: &[&str]) -> String {
        succeed(&self.directory, &self.arguments(command))
    }

    /// What it complains about.
    pub(crate) fn fail(&self, command: &[&str]) -> String {
        let output = output(&self.directory, &self.arguments(command));
        assert!(!output.status.success(), "it succeeded: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }
}
