//! What a strategy may use; the sandbox enforces it. Every limit is a number of something that the same code uses the same amount of
//! on every machine, except the two that are named in milliseconds: those are backstops against what the
//! others do not see.

use serde::{Deserialize, Serialize};

/// The limits of one strategy version and its instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Instructions (fuel units) that one call may execute, however many events it is handed. An answer to a
    /// batch that kept within it would also have kept within it event by event.
    pub fuel_per_call: u64,
    /// Instructions for the calls of an instance's start: its initialisers, `describe`, `init` with its
    /// history, and `restore`; each has this budget of its own.
    pub fuel_per_start: u64,
    /// Wall-clock milliseconds after which a call is stopped whatever it does.
    pub deadline_ms: u64,
    /// Bytes of all of an instance's memories and tables together.
    pub memory_bytes: u64,
    /// Elements of one table.
    pub table_elements: u64,
    /// Core modules and components that a component may be made of.
    pub parts: u64,
    /// Memories of an instance.
    pub memories: u64,
    /// Tables of an instance.
    pub tables: u64,
    /// Actions in the answer to one call.
    pub actions_per_call: u64,
    /// Orders proposed in one second of event time.
    pub orders_per_second: u64,
    /// Bytes logged in one minute of event time; lines beyond are dropped and counted.
    pub log_bytes_per_minute: u64,
    /// Bytes of one log line; the rest is cut off.
    pub log_line_bytes: u64,
    /// Size of the `.wasm` file.
    pub wasm_bytes: u64,
    /// Functions defined in the file.
    pub functions: u64,
    /// Size of one function's body.
    pub function_bytes: u64,
    /// Local variables of one function.
    pub function_locals: u64,
    /// Blocks inside blocks in one function.
    pub nesting: u64,
    /// Targets of all branch tables of one function.
    pub branch_targets: u64,
    /// Milliseconds of compiling.
    pub compile_ms: u64,
    /// Bytes of memory that a compilation may take, where it has a process of its own.
    pub compile_memory_bytes: u64,
    /// Versions compiled at the same time.
    pub concurrent_compilations: u64,
    /// Bytes of a saved state.
    pub saved_state_bytes: u64,
    /// Bytes of each text in a description.
    pub text_bytes: u64,
    /// Parameters, signals or bar intervals in a description, each.
    pub description_items: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            // About a tenth of a second; a bar costs a compiled strategy some hundred units and an
            // interpreted one some ten thousand.
            fuel_per_call: 100_000_000,
            fuel_per_start: 1_000_000_000,
            // Far above what the fuel lasts for, so that a busy machine does not decide about faults.
            deadline_ms: 10_000,
            memory_bytes: 64 * MIB,
            // CPython fills some ten thousand.
            table_elements: 100_000,
            parts: 64,
            memories: 8,
            tables: 32,
            actions_per_call: 64,
            orders_per_second: 200,
            log_bytes_per_minute: 64 * 1024,
            log_line_bytes: 1024,
            // The largest known honest strategy, CPython included, has 18 MiB.
            wasm_bytes: 32 * MIB,
            functions: 100_000,
            function_bytes: 512 * 1024,
            function_locals: 10_000,
            // An interpreter's dispatch is a block for each opcode.
            nesting: 2_000,
            branch_targets: 131_072,
            compile_ms: 60_000,
            compile_memory_bytes: 2048 * MIB,
            concurrent_compilations: 2,
            saved_state_bytes: 16 * MIB,
            text_bytes: 1024,
            description_items: 64,
        }
    }
}

/// Limits that the host can't work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.join("; "))]
pub struct InvalidLimits {
    /// Every problem: the key, what was found, what is allowed.
    pub problems: Vec<String>,
}

impl InvalidLimits {
    /// Checks limits, each with its key and the smallest and largest that is allowed.
    ///
    /// # Errors
    ///
    /// [`InvalidLimits`] with all problems at once.
    pub fn unless_within(rules: impl IntoIterator<Item = (&'static str, u64, u64, u64)>) -> Result<(), Self> {
        let problems: Vec<String> = rules
            .into_iter()
            .filter(|(_, found, minimum, maximum)| !(minimum..=maximum).contains(&found))
            .map(|(key, found, minimum, maximum)| {
                format!("{key} is {found}; it must be from {minimum} to {maximum}")
            })
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }
}

impl Limits {
    /// Checks every limit against the range that the host can enforce.
    ///
    /// # Errors
    ///
    /// [`InvalidLimits`] with all problems at once.
    pub fn validate(&self) -> Result<(), InvalidLimits> {
        const GIB: u64 = 1024 * 1024 * 1024;
        const MILLION: u64 = 1_000_000;
        let rules = [
            ("fuel_per_call", self.fuel_per_call, 10_000, 1_000_000 * MILLION),
            ("fuel_per_start", self.fuel_per_start, 100_000, 1_000_000 * MILLION),
            ("deadline_ms", self.deadline_ms, 10, 600_000),
            // Memory growth beyond what the operating system gives would depend on the machine.
            ("memory_bytes", self.memory_bytes, 64 * 1024, 2 * GIB),
            ("table_elements", self.table_elements, 1, 10 * MILLION),
            ("parts", self.parts, 4, 1_000),
            ("memories", self.memories, 1, 100),
            ("tables", self.tables, 1, 1_000),
            ("actions_per_call", self.actions_per_call, 1, 100_000),
            ("orders_per_second", self.orders_per_second, 1, MILLION),
            ("log_bytes_per_minute", self.log_bytes_per_minute, 0, GIB),
            ("log_line_bytes", self.log_line_bytes, 16, MILLION),
            ("wasm_bytes", self.wasm_bytes, 1_024, GIB),
            ("functions", self.functions, 10, MILLION),
            ("function_bytes", self.function_bytes, 1_024, 7_654_321),
            ("function_locals", self.function_locals, 100, 50_000),
            ("nesting", self.nesting, 10, 100_000),
            ("branch_targets", self.branch_targets, 100, 10 * MILLION),
            ("compile_ms", self.compile_ms, 100, 3_600_000),
            ("compile_memory_bytes", self.compile_memory_bytes, 64 * MILLION, 1024 * GIB),
            ("concurrent_compilations", self.concurrent_compilations, 1, 64),
            ("saved_state_bytes", self.saved_state_bytes, 0, GIB),
            ("text_bytes", self.text_bytes, 64, MILLION),
            ("description_items", self.description_items, 1, 10_000),
        ];
        InvalidLimits::unless_within(rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        Limits::default().validate().unwrap();
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let limits = Limits { fuel_per_call: 0, memory_bytes: 1 << 40, ..Limits::default() };
        let problems = limits.validate().unwrap_err().problems;
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("fuel_per_call is 0; it must be from 10000"), "{problems:?}");
        assert!(problems[1].contains("memory_bytes"), "{problems:?}");
    }

    #[test]
    fn what_is_left_out_has_its_default_and_unknown_keys_are_refused() {
        let limits: Limits = serde_json::from_str(r#"{"fuel_per_call": 50000}"#).unwrap();
        assert_eq!(limits, Limits { fuel_per_call: 50_000, ..Limits::default() });
        assert!(serde_json::from_str::<Limits>(r#"{"fuel": 1}"#).is_err());
    }
}
