//! A strategy that misbehaves in the way that its parameter names, written with the SDK as a careless or evil
//! author would. It trades like others until then.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "misbehaving is what it is for"
)]

use bulkhead_sdk::prelude::*;
use bulkhead_sdk::{log, models};

/// What the tests set.
#[derive(Parameters)]
struct Settings {
    /// What it does wrong.
    #[parameter(default = "nothing")]
    misdeed: String,
    /// The bar from which it does.
    #[parameter(default = 100, min = 1, max = 1_000_000)]
    from: u32,
}

#[state]
struct Hostile {
    misdeed: String,
    from: u32,
    bars: u32,
    hoard: Vec<u64>,
}

impl Strategy for Hostile {
    type Parameters = Settings;

    fn needs(_: &Settings) -> Needs {
        Needs::bars(0)
    }

    fn new(settings: &Settings) -> Self {
        Self { misdeed: settings.misdeed.clone(), from: settings.from, bars: 0, hoard: Vec::new() }
    }

    fn on_bar(&mut self, bar: &Bar, context: &mut Context) {
        self.bars += 1;
        if self.misdeed == "nothing but asking" {
            // A price that a model can be asked about without harm.
            let answer = models::run("answer", &[1.0, (bar.close / bar.open - 1.0) as f32]);
            log::debug!("the model says {}", answer[0]);
        }
        if self.bars >= self.from {
            self.misbehave(bar, context);
        }
        if self.bars.is_multiple_of(40) {
            context.buy().reason("it is time");
        } else if self.bars.is_multiple_of(20) {
            context.close().reason("it is time");
        }
    }
}

impl Hostile {
    fn misbehave(&mut self, bar: &Bar, context: &mut Context) {
        match self.misdeed.as_str() {
            "panic" => panic!("bar {} is not to my liking", self.bars),
            "index" => self.hoard[usize::MAX / 2] = 1,
            "loop" => {
                let mut counter = bar.close.to_bits();
                loop {
                    counter = std::hint::black_box(counter.rotate_left(7) ^ 0x9e37);
                }
            }
            // Within its budget, so it is no fault.
            "slow" => {
                let mut counter = bar.close.to_bits();
                for _ in 0..3_000_000 {
                    counter = std::hint::black_box(counter.rotate_left(7) ^ 0x9e37);
                }
            }
            "recursion" => {
                std::hint::black_box(sink(u64::from(self.bars)));
            }
            "memory" => loop {
                self.hoard.extend(std::iter::repeat_n(1, 1 << 20));
            },
            "order-flood" => {
                for _ in 0..2_000 {
                    context.buy().quantity(1.0);
                }
            }
            "log-flood" => {
                for line in 0..2_000 {
                    log::info!("line {line} that nobody wants");
                }
            }
            "nan" => {
                context.buy().quantity(f64::NAN);
            }
            "infinity" => {
                context.buy().limit(f64::INFINITY).notional(1.0);
            }
            "negative" => {
                context.sell().quantity(-1.0);
            }
            "model-not-granted" => drop(models::run("secret", &[1.0, 2.0])),
            "model-row" => drop(models::run("answer", &[1.0, 2.0, 3.0])),
            "model-nan" => drop(models::run("answer", &[f32::NAN, 2.0])),
            // The logarithm of something negative, where the model is one.
            "model-answer" => drop(models::run("answer", &[-9.0, 1.0])),
            "model-often" => loop {
                let _ = models::run("answer", &[1.0, 2.0].repeat(1_000));
            },
            "confidence" => {
                context.buy().confidence(2.0);
            }
            _ => {}
        }
    }
}

/// Never comes back.
fn sink(depth: u64) -> u64 {
    if std::hint::black_box(depth) == u64::MAX { 0 } else { sink(depth + 1).wrapping_add(depth) }
}

bulkhead_sdk::export!(Hostile);
