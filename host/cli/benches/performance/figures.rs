//! What was measured, for people and for programs.

use anyhow::Result;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use crate::measure::median;

/// What a figure should be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

#[derive(Debug, Serialize)]
struct Figure {
    part: &'static str,
    name: String,
    unit: &'static str,
    median: f64,
    lowest: f64,
    highest: f64,
    samples: usize,
    goal: Option<Goal>,
    is_met: Option<bool>,
}

/// All figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    figures: Vec<Figure>,
}

impl Figures {
    /// Adds a figure, and shows it at once: the whole takes minutes.
    pub(crate) fn add(
        &mut self,
        part: &'static str,
        name: impl Into<String>,
        unit: &'static str,
        samples: &[f64],
        goal: Option<Goal>,
    ) {
        let (lowest, highest) =
            samples.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), sample| {
                (low.min(*sample), high.max(*sample))
            });
        let median = median(samples);
        let figure = Figure {
            part,
            name: name.into(),
            unit,
            median,
            lowest,
            highest,
            samples: samples.len(),
            goal,
            is_met: goal.map(|goal| goal.is_met(median)),
        };
        anstream::eprintln!("{part}: {}: {} {unit}", figure.name, text(median));
        self.figures.push(figure);
    }

    /// Prints a table, or one JSON document.
    pub(crate) fn print(&self, json: bool) -> Result<()> {
        if json {
            anstream::println!("{}", serde_json::to_string_pretty(&self.figures)?);
            return Ok(());
        }
        let mut table = Table::new();
        table.load_style(NOTHING).set_header(["", "figure", "median", "lowest", "highest", "unit", "goal"]);
        let mut part = "";
        for figure in &self.figures {
            let goal = match figure.goal {
                None => String::new(),
                Some(Goal::AtMost(limit)) => format!("≤ {}", text(limit)),
                Some(Goal::AtLeast(limit)) => format!("≥ {}", text(limit)),
            };
            let verdict = match figure.is_met {
                None => "",
                Some(true) => " met",
                Some(false) => " missed",
            };
            let heading = if part == figure.part { "" } else { figure.part };
            part = figure.part;
            table.add_row([
                heading.to_owned(),
                figure.name.clone(),
                text(figure.median),
                text(figure.lowest),
                text(figure.highest),
                figure.unit.to_owned(),
                format!("{goal}{verdict}"),
            ]);
        }
        for column in 2..5 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        anstream::println!("{table}");
        Ok(())
    }
}

/// Three significant digits, thousands apart.
fn text(value: f64) -> String {
    if value.abs() < 1_000.0 {
        let decimals = if value.abs() >= 100.0 || value.fract() == 0.0 {
            0
        } else if value.abs() >= 10.0 {
            1
        } else {
            2
        };
        return format!("{value:.decimals$}");
    }
    let digits = format!("{:.0}", value.abs());
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if value < 0.0 { format!("-{grouped}") } else { grouped }
}
