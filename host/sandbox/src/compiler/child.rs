//! The compiler as a process of its own: what the program does that [`super::CompilerProgram`] names. It gives up what
//! it does not need before it reads a byte, compiles one file, and ends.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::thread;

use bulkhead_inference::Model;
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

use super::STACK_BYTES;
use crate::compile::Toolchain;
use crate::engine;
use crate::limits::{Limits, count};
use crate::refused::Refused;

/// What an answer begins with that is a reason and no code; as long as [`crate::artefact::MAGIC`].
pub(super) const REFUSAL: &[u8; 16] = b"bulkhead-refusal";

/// The answer that a model is sound; as long as [`crate::artefact::MAGIC`].
pub(super) const SOUND_MODEL: &[u8; 16] = b"bulkhead-model-1";

/// What is to be done with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Task {
    /// Compile it as a strategy.
    Strategy(Limits),
    /// Load it as a model, to see whether that can be done.
    Model(bulkhead_inference::Limits),
}

/// Address space for the program itself, the compiler's stack and what the allocator reserves beyond what it uses.
const ROOM_BYTES: u64 = 256 * 1024 * 1024 + STACK_BYTES as u64;

/// Below everything that trades.
const NICENESS: i32 = 10;

/// Why a compiler could not do its work, whatever the file.
#[derive(Debug, thiserror::Error)]
pub enum CompilerFailure {
    /// The operating system does not take a limit.
    #[error("the limit on {what} can't be set: {source}")]
    Limit {
        /// On what.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The host's request or the answer did not get through.
    #[error("{what}: {source}")]
    Pipe {
        /// What was tried.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The compiler can't work here.
    #[error("the compiler can't be set up: {0}")]
    SetUp(String),
}

/// Compiles the file that comes on standard input, or tries it as a model, and answers on standard output, in what is left of this process.
/// Called by the program that [`super::CompilerProgram`] names, and before that program does anything else: limits
/// hold for all of it.
///
/// # Errors
///
/// [`CompilerFailure`] when no answer could be given. A file that is refused is an answer.
pub fn serve_as_compiler(memory_bytes: u64, seconds: u64) -> Result<(), CompilerFailure> {
    confine(memory_bytes, seconds)?;
    let failed = |what| move |source| CompilerFailure::Pipe { what, source };
    let (task, file) = read_request(&mut io::stdin().lock()).map_err(failed("reading the request"))?;
    let work = move || -> Result<Result<Vec<u8>, Refused>, String> {
        match task {
            Task::Strategy(limits) => {
                let engine = engine::compiling_engine().map_err(|error| format!("{error:#}"))?;
                Ok(Toolchain::new(engine, Arc::new(limits))?.compile(file))
            }
            Task::Model(limits) => {
                Ok(Model::load(&file, &limits).map(|_| SOUND_MODEL.to_vec()).map_err(Refused::Model))
            }
        }
    };
    let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn(work);
    let compiled = thread
        .map_err(failed("starting the compiler's thread"))?
        .join()
        .map_err(|_| CompilerFailure::SetUp("it panicked".to_owned()))?
        .map_err(CompilerFailure::SetUp)?;
    let answer = match compiled {
        Ok(sealed) => sealed,
        Err(refused) => [&REFUSAL[..], refused.to_string().as_bytes()].concat(),
    };
    let mut out = io::stdout().lock();
    out.write_all(&answer).and_then(|()| out.flush()).map_err(failed("answering"))
}

/// Takes from this process what it does not need and limits the rest. Nothing of it can be taken back.
fn confine(memory_bytes: u64, seconds: u64) -> Result<(), CompilerFailure> {
    let at_most = |what, resource, limit: u64, hard: u64| {
        let limit = Rlimit { current: Some(limit), maximum: Some(hard) };
        setrlimit(resource, limit).map_err(|error| CompilerFailure::Limit { what, source: error.into() })
    };
    #[cfg(target_os = "linux")]
    {
        // A host that was killed leaves no compiler behind.
        let signal = Some(rustix::process::Signal::KILL);
        rustix::process::set_parent_process_death_signal(signal)
            .map_err(|error| CompilerFailure::Limit { what: "outliving the host", source: error.into() })?;
        // Where memory runs out all the same, this process is the first to go. Not every system has it.
        let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    }
    // Politeness, which may be refused.
    let _ = rustix::process::nice(NICENESS);
    // The host kills it earlier; this holds should the host not be there to do it.
    at_most("CPU time", Resource::Cpu, seconds, seconds.saturating_add(1))?;
    at_most("core dumps", Resource::Core, 0, 0)?;
    at_most("file sizes", Resource::Fsize, 0, 0)?;
    // Standard input, output and error are open; nothing more can be.
    at_most("open files", Resource::Nofile, 3, 3)?;
    let space = memory_bytes.saturating_add(ROOM_BYTES);
    at_most("memory", Resource::As, space, space)
}

/// The task as JSON and the file, each after its length.
pub(super) fn request(task: &Task, file: &[u8]) -> serde_json::Result<Vec<u8>> {
    let task = serde_json::to_vec(task)?;
    let length = |part: &[u8]| (part.len() as u64).to_le_bytes();
    Ok([&length(&task)[..], &task, &length(file), file].concat())
}

fn read_request(input: &mut impl io::Read) -> io::Result<(Task, Vec<u8>)> {
    let mut part = || -> io::Result<Vec<u8>> {
        let mut length = [0; 8];
        input.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        let mut part = Vec::new();
        // Grows with what comes, whatever the length says.
        if input.by_ref().take(length).read_to_end(&mut part)? < count(length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(part)
    };
    let task = serde_json::from_slice(&part()?)?;
    Ok((task, part()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let strategy = Task::Strategy(Limits { functions: 77, ..Limits::default() });
        let model = Task::Model(bulkhead_inference::Limits { nodes: 77, ..Default::default() });
        for task in [strategy, model] {
            let request = request(&task, b"a file").unwrap();
            assert_eq!(read_request(&mut request.as_slice()).unwrap(), (task, b"a file".to_vec()));
        }
    }

    #[test]
    fn a_request_that_was_cut_off_is_none() {
        let request = request(&Task::Strategy(Limits::default()), b"a file").unwrap();
        for length in [0, 7, 8, 100, request.len() - 1] {
            assert!(read_request(&mut &request[..length]).is_err(), "{length} bytes");
        }
    }
}
