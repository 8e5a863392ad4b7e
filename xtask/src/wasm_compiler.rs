//! Finds a compiler for wasm32, or installs one.
//!
//! The order: what is there already (the target of the Rust toolchain in use, then Debian's compiler), then
//! what can be fetched (`rustup target add`, then Debian's packages). Debian's way is for machines that reach
//! Debian's packages but not rustup's servers: the package `rustc-web` brings a compiler, `rust-web-src` the
//! matching source of the standard library, which cargo then builds for wasm32 once. The source must be that
//! compiler's own: the toolchain in use can't build another version's standard library.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::debian_packages;
use crate::process;

/// What plugins are compiled for.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Set to `rustup` or `debian` to allow only that way.
pub(crate) const CHOICE: &str = "BULKHEAD_WASM_TOOLCHAIN";

const DEBIAN_PACKAGES: [&str; 2] = ["rustc-web", "rust-web-src"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// The oldest compiler that the workspace builds with.
const MINIMUM_RUST: &str = env!("CARGO_PKG_RUST_VERSION");

/// Without a way to rustup's servers the attempt may hang instead of failing.
const RUSTUP_LIMIT: Duration = Duration::from_secs(120);

/// A way to compile for wasm32 that was found to be complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WasmCompiler {
    /// The Rust toolchain in use has the target's standard library.
    InUse,
    /// Debian's compiler, with a standard library built from source.
    Debian {
        /// Debian's `rustc`.
        rustc: PathBuf,
        /// The linker of the toolchain in use, as Debian's compiler has none for wasm32.
        linker: PathBuf,
    },
}

impl fmt::Display for WasmCompiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => write!(f, "the Rust toolchain in use"),
            Self::Debian { rustc, .. } => write!(f, "Debian's {}", rustc.display()),
        }
    }
}

impl WasmCompiler {
    /// Makes a `cargo build` for [`TARGET`] use this compiler.
    pub(crate) fn apply_to(&self, cargo_build: &mut Command) {
        cargo_build.args(["--target", TARGET]);
        if let Self::Debian { rustc, linker } = self {
            cargo_build
                .arg("-Zbuild-std=std,panic_abort")
                .env("RUSTC", rustc)
                // Building the standard library is not yet a stable feature of cargo.
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                // `cargo run` points it at the libraries of the toolchain in use, which are not this compiler's.
                .env_remove("LD_LIBRARY_PATH");
        }
    }
}

/// Which ways are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Any,
    Rustup,
    Debian,
}

impl Choice {
    fn parse(value: Option<&str>) -> Result<Self> {
        match value {
            None | Some("") => Ok(Self::Any),
            Some("rustup") => Ok(Self::Rustup),
            Some("debian") => Ok(Self::Debian),
            Some(other) => {
                bail!("{CHOICE} is '{other}'; it can be 'rustup' or 'debian', or left unset for either")
            }
        }
    }

    fn allows_rustup(self) -> bool {
        self != Self::Debian
    }

    fn allows_debian(self) -> bool {
        self != Self::Rustup
    }
}

/// Finds a compiler for wasm32; installs one when there is none.
pub(crate) fn find_or_install() -> Result<WasmCompiler> {
    let choice = Choice::parse(std::env::var(CHOICE).ok().as_deref())?;
    let find: [(bool, Way); 2] =
        [(choice.allows_rustup(), find_in_use), (choice.allows_debian(), find_debian)];
    let install: [(bool, Way); 2] =
        [(choice.allows_rustup(), install_with_rustup), (choice.allows_debian(), install_with_apt)];

    let mut reasons = Vec::new();
    for (_, way) in find.into_iter().filter(|(allowed, _)| *allowed) {
        match way() {
            Ok(compiler) => return Ok(compiler),
            Err(reason) => reasons.push(format!("{reason:#}")),
        }
    }
    for (_, way) in install.into_iter().filter(|(allowed, _)| *allowed) {
        match way() {
            Ok(compiler) => return Ok(compiler),
            Err(reason) => {
                eprintln!("That did not work: {reason:#}");
                reasons.push(format!("{reason:#}"));
            }
        }
    }
    bail!(nothing_works(&reasons))
}

/// One way to a compiler, or why it is closed.
type Way = fn() -> Result<WasmCompiler>;

fn find_in_use() -> Result<WasmCompiler> {
    let mut rustc = rustc_in_use();
    let libraries = process::capture(rustc.args(["--print", "target-libdir", "--target", TARGET]))?;
    let libraries = Path::new(libraries.trim());
    ensure!(
        has_core_library(libraries),
        "the Rust toolchain in use has no standard library for {TARGET} (looked in {})",
        libraries.display()
    );
    Ok(WasmCompiler::InUse)
}

fn install_with_rustup() -> Result<WasmCompiler> {
    ensure!(process::succeeds(Command::new("rustup").arg("--version")), "there is no rustup");
    eprintln!("Plugins need a compiler for {TARGET}: asking rustup for it.");
    process::run_within(Command::new("rustup").args(["target", "add", TARGET]), RUSTUP_LIMIT)?;
    find_in_use()
}

fn find_debian() -> Result<WasmCompiler> {
    let rustc = PathBuf::from(DEBIAN_RUSTC);
    ensure!(rustc.is_file(), "Debian's rustc-web is not installed (no {DEBIAN_RUSTC})");
    let release = release(&process::capture(Command::new(&rustc).arg("-vV"))?)?;
    ensure!(
        is_at_least(&release, MINIMUM_RUST),
        "{DEBIAN_RUSTC} is version {release}, and {MINIMUM_RUST} is the oldest that will do"
    );
    let sysroot = process::capture(Command::new(&rustc).args(["--print", "sysroot"]))?;
    check_library_source(&Path::new(sysroot.trim()).join("lib/rustlib/src/rust"), &release)?;
    Ok(WasmCompiler::Debian { rustc, linker: linker_in_use()? })
}

fn install_with_apt() -> Result<WasmCompiler> {
    let what_for = format!("Plugins need a compiler for {TARGET}");
    debian_packages::install(&what_for, &DEBIAN_PACKAGES)?;
    find_debian()
}

/// The compiler that cargo uses for the host.
fn rustc_in_use() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

/// The wasm-capable linker that every rustup toolchain carries.
fn linker_in_use() -> Result<PathBuf> {
    let sysroot = process::capture(rustc_in_use().args(["--print", "sysroot"]))?;
    let host = host(&process::capture(rustc_in_use().arg("-vV"))?)?;
    let linker = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin/rust-lld");
    ensure!(linker.is_file(), "the Rust toolchain in use has no linker for wasm32 (no {})", linker.display());
    Ok(linker)
}

fn has_core_library(directory: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(directory) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}

/// Fails unless `source` is the standard library's source of exactly this release.
fn check_library_source(source: &Path, compiler_release: &str) -> Result<()> {
    ensure!(
        source.join("library/std/Cargo.toml").is_file(),
        "Debian's rust-web-src is not installed (no source of the standard library in {})",
        source.display()
    );
    // Debian's package carries the release here; a source without it can only be tried.
    if let Ok(version) = std::fs::read_to_string(source.join("src/version")) {
        let version = version.trim();
        ensure!(
            version == compiler_release,
            "the source of the standard library in {} is {version}, the compiler {compiler_release}",
            source.display()
        );
    }
    Ok(())
}

/// The value of a line `key: value` of `rustc -vV`.
fn field(verbose_version: &str, key: &str) -> Result<String> {
    let value = verbose_version.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    value.map(str::to_owned).with_context(|| format!("`rustc -vV` doesn't tell its {key}: {verbose_version}"))
}

fn release(verbose_version: &str) -> Result<String> {
    field(verbose_version, "release")
}

fn host(verbose_version: &str) -> Result<String> {
    field(verbose_version, "host")
}

/// Compares versions by their numbers; what follows a dash, as in `1.97.0-nightly`, doesn't count.
fn is_at_least(version: &str, minimum: &str) -> bool {
    fn numbers(version: &str) -> [u64; 3] {
        let mut parts = version.split('-').next().unwrap_or_default().split('.').map(str::parse);
        std::array::from_fn(|_| parts.next().and_then(Result::ok).unwrap_or(0))
    }
    numbers(version) >= numbers(minimum)
}

fn nothing_works(reasons: &[String]) -> String {
    let mut message = format!("no compiler for {TARGET}, which the plugins are built for. What was tried:\n");
    for reason in reasons {
        message += &format!("  - {}\n", reason.replace('\n', "\n    "));
    }
    message += "Do one of these, then run the command again:\n";
    message += &format!("  - where rustup's servers can be reached: rustup target add {TARGET}\n");
    message += &format!(
        "  - on Debian and what derives from it, with its security updates enabled:\n    \
         sudo apt-get update && sudo apt-get install {}",
        DEBIAN_PACKAGES.join(" ")
    );
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERBOSE: &str = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\nbinary: rustc\n\
                           host: x86_64-unknown-linux-gnu\nrelease: 1.96.0\nLLVM version: 22.1.8\n";

    #[test]
    fn the_compiler_tells_its_release_and_host() {
        assert_eq!(release(VERBOSE).expect("told"), "1.96.0");
        assert_eq!(host(VERBOSE).expect("told"), "x86_64-unknown-linux-gnu");
        assert!(release("rustc").is_err());
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(is_at_least("1.96.0", "1.95"));
        assert!(is_at_least("1.95.0", "1.95"));
        assert!(is_at_least("1.100.0", "1.95"));
        assert!(is_at_least("1.97.0-nightly", "1.95"));
        assert!(!is_at_least("1.85.0", "1.95"));
        assert!(!is_at_least("1.9.9", "1.95"));
    }

    #[test]
    fn the_choice_narrows_the_ways_and_refuses_what_it_does_not_know() {
        assert_eq!(Choice::parse(None).expect("unset"), Choice::Any);
        assert!(!Choice::parse(Some("debian")).expect("known").allows_rustup());
        assert!(!Choice::parse(Some("rustup")).expect("known").allows_debian());
        let error = Choice::parse(Some("nix")).expect_err("unknown").to_string();
        assert!(error.contains(CHOICE) && error.contains("'nix'"), "{error}");
    }

    #[test]
    fn the_library_source_must_be_the_compilers_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let source = folder.path();
        assert!(check_library_source(source, "1.96.0").is_err(), "there is no source yet");

        std::fs::create_dir_all(source.join("library/std")).expect("a folder");
        std::fs::write(source.join("library/std/Cargo.toml"), "").expect("a file");
        check_library_source(source, "1.96.0").expect("a source that doesn't tell its release");

        std::fs::create_dir_all(source.join("src")).expect("a folder");
        std::fs::write(source.join("src/version"), "1.95.0\n").expect("a file");
        let error = check_library_source(source, "1.96.0").expect_err("another release").to_string();
        assert!(error.contains("is 1.95.0, the compiler 1.96.0"), "{error}");
    }

    #[test]
    fn a_target_counts_as_installed_when_its_core_library_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(!has_core_library(&folder.path().join("missing")));
        assert!(!has_core_library(folder.path()));
        std::fs::write(folder.path().join("libcore-0123456789abcdef.rlib"), "").expect("a file");
        assert!(has_core_library(folder.path()));
    }

    #[test]
    fn when_nothing_works_the_message_says_why_and_what_to_install() {
        let message = nothing_works(&["there is no rustup".to_owned(), "two\nlines".to_owned()]);
        assert!(message.contains("  - there is no rustup\n  - two\n    lines\n"), "{message}");
        assert!(message.contains("rustup target add wasm32-unknown-unknown"), "{message}");
        assert!(message.contains("apt-get install rustc-web rust-web-src"), "{message}");
    }
}
