//! Why a file is not taken as a strategy, and what its author can do about it.

use std::io;

use bulkhead_core::identifier::ContentHash;
use bulkhead_core::strategy::Fault;

use crate::text::clean;

/// A file that the sandbox does not run.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Larger than allowed.
    #[error("the file has {found} bytes; at most {limit} are allowed (limit wasm_bytes)")]
    TooLarge {
        /// Its size.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// Not WebAssembly at all.
    #[error(
        "this is not a WebAssembly file: it must start with the bytes 00 61 73 6d. Build with \
         `cargo build --release --target wasm32-unknown-unknown` and give the .wasm file; text format is not taken"
    )]
    NotWasm,
    /// Damaged, cut off, or in need of WebAssembly features that are switched off.
    #[error(
        "the file is not valid at byte {offset}: {why}. If it was copied, copy it again; if it was built, \
             build it without WebAssembly threads, exceptions, garbage collection, 64-bit memory, several \
             memories and relaxed SIMD"
    )]
    Malformed {
        /// Where.
        offset: u64,
        /// What the validator says.
        why: String,
    },
    /// More of something than the compiler is trusted with.
    #[error("{what}: {found}; at most {limit} are allowed (limit {key})")]
    TooComplex {
        /// Of what.
        what: String,
        /// How many there are.
        found: u64,
        /// The limit.
        limit: u64,
        /// The limit's name in the configuration.
        key: &'static str,
    },
    /// Needs an operating system.
    #[error(
        "it imports \"{import}\" from WASI; a strategy gets no files, clocks or network. Build Rust and C for \
         wasm32-unknown-unknown (freestanding), and JavaScript or Python with `--stub-wasi`"
    )]
    WasiImport {
        /// The import.
        import: String,
    },
    /// Imports something that is not offered.
    #[error("it imports \"{import}\"; the only import a strategy may have is {allowed}")]
    ForbiddenImport {
        /// The import.
        import: String,
        /// What would be allowed.
        allowed: String,
    },
    /// A core module without the contract's type section.
    #[error(
        "the module says nothing of the contract it was built against (it has no \"component-type\" section). \
         Export the strategy with the SDK's macro, or embed the section with `wasm-tools component embed wit`"
    )]
    NoTypeSection,
    /// Exports another version of the contract.
    #[error(
        "it is built against version {found} of the contract; this host speaks {supported}. Rebuild it with the SDK of this host"
    )]
    ContractVersion {
        /// The plugin's.
        found: String,
        /// The host's.
        supported: String,
    },
    /// An export is missing.
    #[error("it does not export \"{export}\"; {looks_like}")]
    MissingExport {
        /// Which.
        export: String,
        /// What the file seems to be.
        looks_like: String,
    },
    /// An export has another type than the contract says.
    #[error("its export \"{export}\" has the wrong type: {difference}; {looks_like}")]
    WrongExport {
        /// Which.
        export: String,
        /// Where the types differ.
        difference: String,
        /// What the file seems to be.
        looks_like: String,
    },
    /// The module could not be made a component.
    #[error("the module can't be made a component: {0}")]
    NotEncodable(String),
    /// The compiler did not finish in time.
    #[error(
        "compiling it, or trying it as a model, took longer than {limit_ms} ms (limit compile_ms); make it smaller"
    )]
    CompileTime {
        /// The limit.
        limit_ms: u64,
    },
    /// The compiler gave up.
    #[error("it can't be compiled: {0}")]
    Compile(String),
    /// The compiler took more memory than it may.
    #[error(
        "compiling it, or trying it as a model, took more than {} MiB of memory (limit compile_memory_bytes); make it \
         smaller, or raise the limit if you trust its author", limit_bytes / (1024 * 1024)
    )]
    CompileMemory {
        /// The limit.
        limit_bytes: u64,
    },
    /// The compiler took more stack than it has.
    #[error(
        "compiling overflowed a stack of {} MiB, which no honest strategy is known to do; it must nest its code less",
        bytes / (1024 * 1024)
    )]
    CompileStack {
        /// The stack's size.
        bytes: u64,
    },
    /// The compiler, in a process of its own, refused the file; the text is one of the others here.
    #[error("{0}")]
    ByCompiler(String),
    /// The compiler's process died of the file, or of something else.
    #[error(
        "the compiler {how} while it had this file{}. Nothing else was touched. Try again; if it happens again, the \
         file makes the compiler fail: build it with another version of its tools",
        if said.is_empty() { String::new() } else { format!(", and said \"{said}\"") }
    )]
    CompilerDied {
        /// What became of it.
        how: String,
        /// What it said before.
        said: String,
    },
    /// The compiler's process ended well, but what it wrote is neither code nor a reason.
    #[error(
        "the compiler's process answered with {bytes} bytes that are neither compiled code nor a reason. Nothing \
         else was touched. If the bulkhead program was replaced, start the host again"
    )]
    CompilerBabble {
        /// How many bytes.
        bytes: u64,
    },
    /// What came back from the compiler's process is not the code of this file.
    #[error(
        "what the compiler's process gave back can't be used: {0}. If the bulkhead program was replaced, start the \
         host again"
    )]
    CompiledCode(String),
    /// The host is ending.
    #[error("the host is ending; it compiles nothing more")]
    Stopped,
    /// `describe` failed.
    #[error("its `describe` failed: it {0}")]
    DescribeFailed(Fault),
    /// `describe` does not always say the same.
    #[error("its `describe` says one thing once and another the next time ({0}); it must always be the same")]
    DescribeDiffers(String),
    /// The description makes no sense.
    #[error("its description is not acceptable: {}", .0.join("; "))]
    Description(Vec<String>),
    /// A model that it is granted is not known here.
    #[error(
        "it is granted the model \"{name}\", whose file {hash} is not kept here; put the model into the strategies directory \
         again, as {name}.onnx"
    )]
    UnknownModel {
        /// What the strategy calls it.
        name: String,
        /// The hash of its file.
        hash: ContentHash,
    },
    /// A file that is to be a model is of no use.
    #[error("{0}")]
    Model(#[from] bulkhead_inference::Refused),
    /// The version is not known here.
    #[error("no version {0} is kept here; `bulkhead plugin list` shows those that are")]
    UnknownVersion(ContentHash),
    /// A file of the host's own could not be read or written.
    #[error("{what}: {source}")]
    Storage {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl Refused {
    /// What wasmtime says, fit to be shown.
    pub(crate) fn from_compiler(error: &wasmtime::Error) -> Self {
        Self::Compile(clean(&format!("{error:#}").replace('\n', " "), 600))
    }
}
