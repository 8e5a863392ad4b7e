//! Fuzzing: random bytes, guided by what they reach, against everything that decodes bytes from outside.
//!
//! The checks are in `fuzz/`; its corpus is where a fuzzer starts from. What it finds on the way stays in the
//! target directory, so that the next run goes on from there. LLVM's fuzzer and its instrumentation come with
//! stable Rust; only the address sanitizer needs a nightly, and safe code has little use for it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::debian_packages;
use crate::process;
use crate::test;
use crate::workspace::Workspace;

const PACKAGE: &str = "bulkhead-fuzz";

const PROFILE: &str = "fuzz";

/// Has the compiler count what is reached and note what is compared, in the form that libFuzzer reads. There is
/// no `--cfg fuzzing`: some crates leave checks out for it, and what is tried should be what runs.
const INSTRUMENTATION: &str = "-Cpasses=sancov-module \
     -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
     -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Most memory that a fuzzer may take, and longest time for one input, in seconds. The machine may be busy.
const LIMITS: [&str; 2] = ["-rss_limit_mb=2048", "-timeout=10"];

/// Longest input, some times the largest seed: longer ones are slower and reach no more.
const MOST_BYTES: u64 = 16 * 1024;

/// How the fuzzers are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Built {
    /// Optimised, with all that they stand on in view.
    Thoroughly,
    /// On dependencies as the tests have them, of which nothing is seen: for a look whether all is well, without
    /// compiling everything once more.
    Quickly,
}

/// Fuzzes each target, or those that are named, for so many seconds.
pub(crate) fn run(workspace: &Workspace, seconds: u64, targets: &[String], built: Built) -> Result<()> {
    ensure!(seconds > 0, "--seconds must be at least 1");
    let all = all_targets(workspace)?;
    if let Some(unknown) = targets.iter().find(|target| !all.contains(&target.as_str())) {
        bail!("there is no fuzz target {unknown}; there are: {}", all.join(", "));
    }
    let chosen = all.into_iter().filter(|name| targets.is_empty() || targets.iter().any(|t| t == name));
    find_or_install_compiler()?;
    let built = match built {
        Built::Thoroughly => build(workspace)?,
        Built::Quickly => build_quickly(workspace)?,
    };
    let mut failed = Vec::new();
    for target in chosen {
        let fuzzer = Fuzzer::new(workspace, &built, target)?;
        if let Err(error) = process::run(&mut fuzzer.command(seconds)) {
            eprintln!("\n{error:#}\n{}", fuzzer.what_to_do());
            failed.push(target);
        }
    }
    ensure!(failed.is_empty(), "the fuzzers found something: {}", failed.join(", "));
    Ok(())
}

/// The names of the fuzzers, in alphabetical order.
fn all_targets(workspace: &Workspace) -> Result<Vec<&str>> {
    let package = workspace.packages.iter().find(|package| package.name == PACKAGE);
    let package = package.with_context(|| format!("the workspace has no package {PACKAGE}"))?;
    let fuzzers = package.targets.iter().filter(|target| target.is("bin"));
    let mut names: Vec<&str> = fuzzers.map(|target| target.name.as_str()).collect();
    names.sort_unstable();
    Ok(names)
}

/// Finds the C++ compiler that `libfuzzer-sys` is built with.
fn find_or_install_compiler() -> Result<()> {
    let there = || process::succeeds(Command::new("c++").arg("--version"));
    if there() {
        return Ok(());
    }
    let installed = debian_packages::install("The fuzzers need a C++ compiler", &["g++"]);
    if there() {
        return Ok(());
    }
    let reason =
        installed.err().map_or_else(|| "Debian's g++ did not bring it".to_owned(), |e| format!("{e:#}"));
    bail!(
        "there is no C++ compiler, which libFuzzer is built with: {reason}\n\
         Install one, then run the command again: on Debian and what derives from it with\n  \
         sudo apt-get update && sudo apt-get install g++"
    )
}

/// Builds all fuzzers; where they are.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    // Said to be another platform, though it is this one: so the flags do not reach macros and build scripts,
    // which have no fuzzer to report to.
    let mut question = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let platform = process::capture(question.current_dir(&workspace.root).args(["--print", "host-tuple"]))?;
    let platform = platform.trim();
    let directory = workspace.target.join("fuzz");
    if !directory.exists() {
        eprintln!("Building the fuzzers; the first time takes some minutes.");
    }
    process::run(
        workspace
            .cargo()
            .args(["build", "--profile", PROFILE, "--target", platform, "--package", PACKAGE])
            .args(["--features", "libfuzzer", "--bins", "--target-dir"])
            .arg(&directory)
            .env("RUSTFLAGS", INSTRUMENTATION)
            .env_remove("CARGO_ENCODED_RUSTFLAGS"),
    )?;
    Ok(directory.join(platform).join(PROFILE))
}

/// Builds all fuzzers for development; where they are.
fn build_quickly(workspace: &Workspace) -> Result<PathBuf> {
    let bins = all_targets(workspace)?.into_iter().flat_map(|target| ["--bin", target]);
    let features = format!("{},{PACKAGE}/libfuzzer", test::FEATURES);
    process::run(
        workspace
            .cargo()
            .args(["build", "--workspace", "--features", &features])
            .args(bins)
            .env("RUSTC_WORKSPACE_WRAPPER", workspace.root.join("fuzz").join("instrumented-rustc"))
            .env("BULKHEAD_INSTRUMENTATION", INSTRUMENTATION),
    )?;
    Ok(workspace.target.join("debug"))
}

/// One target, ready to run.
struct Fuzzer {
    name: String,
    binary: PathBuf,
    /// What is in the repository; never written to.
    seeds: PathBuf,
    /// What was found beyond them.
    found: PathBuf,
    /// Inputs that fail.
    failures: PathBuf,
}

impl Fuzzer {
    fn new(workspace: &Workspace, built: &Path, name: &str) -> Result<Self> {
        let kept = workspace.target.join("fuzz");
        let fuzzer = Self {
            name: name.to_owned(),
            binary: built.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)),
            seeds: workspace.root.join("fuzz").join("corpus").join(name),
            found: kept.join("corpus").join(name),
            failures: kept.join("failures").join(name),
        };
        for directory in [&fuzzer.found, &fuzzer.failures] {
            std::fs::create_dir_all(directory)
                .with_context(|| format!("cannot create {}", directory.display()))?;
        }
        Ok(fuzzer)
    }

    fn command(&self, seconds: u64) -> Command {
        let mut command = Command::new(&self.binary);
        // New inputs go to the first directory.
        command.arg(&self.found).arg(&self.seeds).args(LIMITS);
        command.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={MOST_BYTES}"));
        // It ends with the slash that makes it a directory.
        command.arg(format!("-artifact_prefix={}/", self.failures.display()));
        command.args(["-print_final_stats=1", "-verbosity=0"]);
        command
    }

    fn what_to_do(&self) -> String {
        format!(
            "The input that fails is in {failures}.\n\
             Run it again: {binary} {failures}/FILE\n\
             Make it smaller: {binary} -minimize_crash=1 -max_total_time=60 {failures}/FILE\n\
             When it is mended, keep it: {seeds}, and as a test beside the code ({name}).",
            failures = self.failures.display(),
            binary = self.binary.display(),
            seeds = self.seeds.display(),
            name = self.name,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fuzzer() -> Fuzzer {
        Fuzzer {
            name: "csv".to_owned(),
            binary: "built/csv".into(),
            seeds: "fuzz/corpus/csv".into(),
            found: "target/fuzz/corpus/csv".into(),
            failures: "target/fuzz/failures/csv".into(),
        }
    }

    #[test]
    fn every_target_has_a_corpus_and_every_corpus_a_target() {
        let workspace = Workspace::load().expect("cargo answers");
        let targets = all_targets(&workspace).expect("there are some");
        let corpora = workspace.root.join("fuzz").join("corpus").read_dir().expect("there is a corpus");
        let mut corpora: Vec<_> =
            corpora.map(|entry| entry.expect("listed").file_name().into_string().expect("a name")).collect();
        corpora.sort_unstable();
        assert_eq!(targets, corpora);
    }

    #[test]
    fn what_is_found_goes_to_the_target_directory_and_not_to_the_corpus() {
        let shown = process::shown(&fuzzer().command(60));
        assert!(shown.starts_with("csv target/fuzz/corpus/csv fuzz/corpus/csv "), "{shown}");
        assert!(shown.contains(" -max_total_time=60 "), "{shown}");
        assert!(shown.contains(" -artifact_prefix=target/fuzz/failures/csv/ "), "{shown}");
    }

    #[test]
    fn a_target_that_is_not_there_is_told_with_those_that_are() {
        let workspace = Workspace::load().expect("cargo answers");
        let error =
            run(&workspace, 1, &["cvs".to_owned()], Built::Quickly).expect_err("there is none").to_string();
        assert_eq!(
            error,
            "there is no fuzz target cvs; there are: configuration, csv, journal_payload, model, snapshot, solana_transaction, wallet_trade"
        );
    }
}
