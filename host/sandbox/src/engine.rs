//! The one place where wasmtime is configured.

use std::thread;
use std::time::Duration;

use wasmtime::{Config, Engine, Error, RegallocAlgorithm};

/// How often the epoch advances, which is how exact the wall-clock backstop is.
const TICK: Duration = Duration::from_millis(5);

/// Stack that a strategy may use. The thread that calls it needs this much and some for the host, see
/// [`crate::THREAD_STACK_BYTES`].
pub(crate) const WASM_STACK_BYTES: usize = 512 * 1024;

/// Makes the engine, and the thread that advances its epoch for as long as the engine lives.
///
/// # Errors
///
/// When the machine can't run what is asked for, or no thread can be started.
pub(crate) fn engine() -> Result<Engine, Error> {
    let engine = compiling_engine()?;
    let weak = engine.weak();
    thread::Builder::new().name("sandbox-epoch".to_owned()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    })?;
    Ok(engine)
}

/// An engine for compiling alone: its epoch stands still.
///
/// # Errors
///
/// When the machine can't run what is asked for.
pub(crate) fn compiling_engine() -> Result<Engine, Error> {
    Engine::new(&config())
}

/// The epoch ticks after which a call is stopped. At least two, since the next tick may be due at once.
pub(crate) fn ticks(deadline_ms: u64) -> u64 {
    let tick = u64::try_from(TICK.as_millis()).unwrap_or(1).max(1);
    deadline_ms.div_ceil(tick).saturating_add(1).max(2)
}

/// Memory is left at wasmtime's defaults, 4 GiB of address space an instance: an instance takes four memory
/// maps whatever is reserved, so that some 16,000 fit into a process, and with less reserved every access
/// would be checked, which costs some 7 % in a loop over memory.
fn config() -> Config {
    let mut config = Config::new();
    config
        // Limits that hold in backtest and live alike, at the same instruction.
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        // The same bits on every machine.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        // A third of the time of a call, for something that strategies have no use for.
        .concurrency_support(false)
        // Proposals that would add behaviour of the machine's, or parts of the compiler that nobody needs.
        // The asynchronous component model is not even compiled in.
        .wasm_threads(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .wasm_tail_call(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        // A compilation stays on the one thread that was started for it, with a stack made for it, and never
        // takes the cores of the threads that trade.
        .parallel_compilation(false)
        .cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking);
    config
}
