//! Bars a second from the simulator, each followed by its quote. Items in the output are bars.

use bulkhead_feeds::Feed as _;
use bulkhead_feeds::simulator::{Simulator, SimulatorSettings};
use divan::Bencher;
use divan::counter::ItemsCount;

const STEPS: u64 = 25_000;

fn main() {
    divan::main();
}

/// The default market of four instruments.
#[divan::bench(sample_count = 20)]
fn default_market(bencher: Bencher<'_, '_>) {
    let settings = SimulatorSettings { steps: Some(STEPS), ..SimulatorSettings::default() };
    let bars = STEPS * settings.instruments.len() as u64;
    bencher.counter(ItemsCount::new(bars)).bench(|| {
        let mut simulator = Simulator::new(&settings).expect("the default settings are valid");
        let mut batch = Vec::new();
        while simulator.next_batch(&mut batch, 1_024).expect("a simulation can't fail") > 0 {
            divan::black_box(&batch);
            batch.clear();
        }
    });
}
