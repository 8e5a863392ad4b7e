//! Compiling in a process of its own: starts the program, hands over the file, takes the answer, and says what a
//! compiler died of. Nothing that comes back is trusted further than a damaged file would be.

use std::ffi::OsString;
use std::io::{self, Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::child::{REFUSAL, SOUND_MODEL, Task, request};
use super::{LOOK, STACK_BYTES};
use crate::artefact::MAGIC;
use crate::limits::Limits;
use crate::refused::Refused;

/// Bytes of a refusal, or of what a dying compiler said, that are read.
const TEXT_BYTES: u64 = 16 * 1024;

/// Bytes of it that are shown.
const SHOWN_BYTES: usize = 2_000;

/// How often it is looked whether a process that has answered has ended.
const MOMENT: Duration = Duration::from_millis(1);

/// The program that compiles files in a process of its own. It is started with the memory in bytes and the CPU time
/// in seconds as two more arguments and an empty environment, and must call
/// [`serve_as_compiler`](crate::serve_as_compiler) with both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompilerProgram {
    /// Where it is.
    pub path: PathBuf,
    /// What it is called, as lists of processes show it.
    pub name: OsString,
    /// What makes it a compiler.
    pub arguments: Vec<OsString>,
}

/// What became of a process.
struct End {
    status: ExitStatus,
    answer: Vec<u8>,
    said: String,
    killed: Option<Killed>,
}

/// Why the host killed it.
#[derive(Debug, Clone, Copy)]
enum Killed {
    OutOfTime,
    Stopped,
}

/// Does something with a file in a process that is gone when this returns.
///
/// # Errors
///
/// [`Refused`] with what the compiler said, or with what it died of.
pub(super) fn compile(
    program: &CompilerProgram,
    task: &Task,
    limits: &Limits,
    file: &[u8],
    stopped: &dyn Fn() -> bool,
) -> Result<Vec<u8>, Refused> {
    let unusable = |source| Refused::Storage {
        what: format!("starting {} to compile in a process of its own", program.path.display()),
        source,
    };
    let request = request(task, file).map_err(|error| unusable(error.into()))?;
    let mut child = Command::new(&program.path)
        .arg0(&program.name)
        .args(&program.arguments)
        .arg(limits.compile_memory_bytes.to_string())
        .arg(limits.compile_ms.div_ceil(1_000).to_string())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C on a terminal is for the host, which ends its compilers itself.
        .process_group(0)
        .spawn()
        .map_err(unusable)?;
    let until = Instant::now() + Duration::from_millis(limits.compile_ms);
    let end = attend(&mut child, &request, limits, until, stopped).map_err(unusable)?;
    judge(end, task, limits)
}

/// Talks to the process until it has ended or is killed.
fn attend(
    child: &mut Child,
    request: &[u8],
    limits: &Limits,
    until: Instant,
    stopped: &dyn Fn() -> bool,
) -> io::Result<End> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let largest = limits.compile_memory_bytes;
    thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(mut stdin) = stdin {
                // One that died says by its death what is to be said.
                let _ = stdin.write_all(request);
            }
        });
        let said = scope.spawn(move || stderr.map(|stderr| read_at_most(stderr, TEXT_BYTES)));
        let (sender, receiver) = mpsc::channel();
        scope.spawn(move || {
            let answer = stdout.map(|stdout| read_at_most(stdout, largest));
            let _ = sender.send(answer.unwrap_or_default());
        });
        let why = || {
            let late = Instant::now() >= until;
            if stopped() { Some(Killed::Stopped) } else { late.then_some(Killed::OutOfTime) }
        };
        let mut killed = None;
        let answer = loop {
            match receiver.recv_timeout(LOOK.min(until.saturating_duration_since(Instant::now()))) {
                Ok(answer) => break answer,
                Err(RecvTimeoutError::Disconnected) => break Vec::new(),
                Err(RecvTimeoutError::Timeout) if killed.is_none() => {
                    killed = why();
                    if killed.is_some() {
                        child.kill()?;
                    }
                }
                // It is dead, and its end of the pipe is closed in a moment.
                Err(RecvTimeoutError::Timeout) => thread::sleep(MOMENT),
            }
        };
        // What has answered ends by itself, but nobody relies on it.
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if killed.is_none() {
                killed = why();
                if killed.is_some() {
                    child.kill()?;
                }
            }
            thread::sleep(MOMENT);
        };
        let said = said.join().ok().flatten().unwrap_or_default();
        let said = crate::text::clean(&String::from_utf8_lossy(&said).replace('\n', " "), SHOWN_BYTES);
        Ok(End { status, answer, said: said.trim().to_owned(), killed })
    })
}

fn read_at_most(pipe: impl Read, bytes: u64) -> Vec<u8> {
    let mut read = Vec::new();
    // What was read before an error is shown all the same.
    let _ = pipe.take(bytes).read_to_end(&mut read);
    read
}

/// What an end means for the file.
fn judge(end: End, task: &Task, limits: &Limits) -> Result<Vec<u8>, Refused> {
    let End { status, answer, said, killed } = end;
    let limit_ms = limits.compile_ms;
    match killed {
        Some(Killed::OutOfTime) => return Err(Refused::CompileTime { limit_ms }),
        Some(Killed::Stopped) => return Err(Refused::Stopped),
        None => {}
    }
    if status.success() {
        let done = match task {
            Task::Strategy(_) => MAGIC,
            Task::Model(_) => SOUND_MODEL,
        };
        if answer.starts_with(done) {
            return Ok(answer);
        }
        let text =
            answer.strip_prefix(REFUSAL).ok_or(Refused::CompilerBabble { bytes: answer.len() as u64 })?;
        let text = String::from_utf8_lossy(text);
        return Err(Refused::ByCompiler(crate::text::clean(&text, SHOWN_BYTES)));
    }
    let died = |how: String| Refused::CompilerDied { how, said: said.clone() };
    let Some(signal) = status.signal().and_then(Signal::from_named_raw) else {
        return Err(died(status.to_string()));
    };
    Err(match signal {
        Signal::XCPU => Refused::CompileTime { limit_ms },
        // Rust's run-time says one of these before it aborts.
        Signal::ABORT if said.contains("memory allocation of") => {
            Refused::CompileMemory { limit_bytes: limits.compile_memory_bytes }
        }
        Signal::ABORT if said.contains("overflowed its stack") => {
            Refused::CompileStack { bytes: STACK_BYTES as u64 }
        }
        // Not by the host.
        Signal::KILL => {
            died("was killed by the system, as happens when the machine is out of memory".to_owned())
        }
        _ => died(format!("died of {status}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shell that does something else than compile.
    fn shell(script: &str) -> CompilerProgram {
        let arguments = ["-c", script].map(OsString::from).to_vec();
        CompilerProgram { path: "/bin/sh".into(), name: "compiler".into(), arguments }
    }

    fn refusal(script: &str, limits: &Limits) -> Refused {
        compile(&shell(script), &strategy(), limits, &[0; 1_000_000], &|| false).unwrap_err()
    }

    fn strategy() -> Task {
        Task::Strategy(Limits::default())
    }

    fn patient() -> Limits {
        Limits { compile_ms: 3_600_000, ..Limits::default() }
    }

    #[test]
    fn what_a_compiler_says_is_handed_on() {
        let told = compile(
            &shell("cat >/dev/null; printf 'bulkhead-code-02 and so on'"),
            &strategy(),
            &patient(),
            b"x",
            &|| false,
        );
        assert_eq!(told.unwrap(), b"bulkhead-code-02 and so on");
        let refused = refusal("printf 'bulkhead-refusalno good\\033[31m'", &patient());
        assert!(matches!(&refused, Refused::ByCompiler(text) if text == "no good[31m"), "{refused}");
    }

    #[test]
    fn rubbish_is_no_answer() {
        for (script, bytes) in [("true", 0), ("echo hello", 6), ("head -c 100000 /dev/zero", 100_000)] {
            let refused = refusal(script, &patient());
            assert!(
                matches!(&refused, Refused::CompilerBabble { bytes: found } if *found == bytes),
                "{script}: {refused}"
            );
        }
    }

    /// No more is read than a compiler could need, and one that goes on is not waited for.
    #[test]
    fn rubbish_without_end_is_cut_off() {
        let limits = Limits { compile_memory_bytes: 64_000_000, ..patient() };
        let refused = refusal("exec cat /dev/zero", &limits);
        assert!(matches!(&refused, Refused::CompilerDied { .. }), "{refused}");
        let limits = Limits { compile_ms: 300, ..Limits::default() };
        let refused = refusal("exec >&-; exec sleep 3600", &limits);
        assert!(matches!(refused, Refused::CompileTime { limit_ms: 300 }), "{refused}");
    }

    #[test]
    fn a_death_says_of_what() {
        for (script, parts) in [
            ("kill -SEGV $$", ["died of signal: 11", "compiler"]),
            ("kill -KILL $$", ["out of memory", "compiler"]),
            ("echo 'I can not' >&2; exit 3", ["exit status: 3", "I can not"]),
        ] {
            let text = refusal(script, &patient()).to_string();
            assert!(parts.iter().all(|part| text.contains(part)), "{script}: {text}");
        }
        let memory = refusal("echo 'memory allocation of 5 bytes failed' >&2; kill -ABRT $$", &patient());
        assert!(memory.to_string().contains("limit compile_memory_bytes"), "{memory}");
        let stack = refusal("echo \"thread 'x' has overflowed its stack\" >&2; kill -ABRT $$", &patient());
        assert!(matches!(stack, Refused::CompileStack { .. }), "{stack}");
        let time = refusal("kill -XCPU $$", &patient());
        assert!(matches!(time, Refused::CompileTime { .. }), "{time}");
    }

    #[test]
    fn one_that_takes_too_long_or_is_not_wanted_any_more_is_killed() {
        let limits = Limits { compile_ms: 300, ..Limits::default() };
        let refused = refusal("exec sleep 3600", &limits);
        assert!(matches!(refused, Refused::CompileTime { limit_ms: 300 }), "{refused}");
        let stopped =
            compile(&shell("exec sleep 3600"), &strategy(), &patient(), b"x", &|| true).unwrap_err();
        assert!(matches!(stopped, Refused::Stopped), "{stopped}");
    }

    #[test]
    fn the_environment_stays_with_the_host() {
        let refused = refusal("/usr/bin/env >&2; exit 1", &patient()).to_string();
        assert!(!refused.contains("CARGO") && !refused.contains("HOME"), "{refused}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let program = CompilerProgram { path: "/nowhere/bulkhead".into(), ..shell("") };
        let refused = compile(&program, &strategy(), &patient(), b"x", &|| false).unwrap_err().to_string();
        assert!(refused.contains("starting /nowhere/bulkhead"), "{refused}");
    }
}
