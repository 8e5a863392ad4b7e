//! The demo: the shipped strategies on paper money, from a clean clone.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::dashboard;
use crate::plugins;
use crate::process;
use crate::workspace::Workspace;

/// Tells the host where to keep compiled code and old plugin versions.
const STORAGE_VARIABLE: &str = "BULKHEAD__STORAGE";

/// Where the host serves the dashboard unless it is told otherwise.
const ADDRESS: &str = "127.0.0.1:7373";

/// Builds what is missing, then becomes `bulkhead run`.
pub(crate) fn run(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    let demo = Demo::prepare(workspace)?;
    let mut command = demo.command(arguments);
    if !has_option(arguments, "--config") && std::env::var_os(STORAGE_VARIABLE).is_none() {
        demo.show_the_way_in()?;
    }
    eprintln!("$ {}", process::shown(&command));
    hand_over(&mut command)
}

/// Everything that the demo needs, built.
pub(crate) struct Demo {
    binary: PathBuf,
    /// Where it keeps its plugins and what the host stores.
    directory: PathBuf,
}

impl Demo {
    /// Builds the plugins, the dashboard and the host.
    pub(crate) fn prepare(workspace: &Workspace) -> Result<Self> {
        let built = plugins::build(workspace)?;
        // Before the host, which takes it along.
        dashboard::build(workspace)?;
        let directory = workspace.target.join("demo");
        copy_plugins(&built, &directory.join("strategies"))?;
        begin_anew(&directory.join("storage"))?;
        Ok(Self { binary: build_host(workspace)?, directory })
    }

    /// `bulkhead replay` of what the demo did.
    pub(crate) fn replay(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(["replay", "--json"]).env(STORAGE_VARIABLE, self.directory.join("storage"));
        command
    }

    /// Makes a token of an admin for the demo's API.
    pub(crate) fn token(&self, name: &str) -> Result<String> {
        let mut command = Command::new(&self.binary);
        command.args(["token", "create", "--name", name, "--role", "admin", "--expires", "1d", "--json"]);
        let made = process::capture(command.env(STORAGE_VARIABLE, self.directory.join("storage")))?;
        let made: serde_json::Value = serde_json::from_str(&made).context("what `token create` printed")?;
        made["secret"].as_str().map(str::to_owned).context("`token create` printed no secret")
    }

    /// Prints the address that logs in to the demo's dashboard.
    fn show_the_way_in(&self) -> Result<()> {
        let secret = self.token("demo")?;
        eprintln!("\nThe dashboard of the demo:\n\n  http://{ADDRESS}/#/login?token={secret}\n");
        if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
            // The status view takes the whole screen.
            eprintln!("Copy it, and press Enter to start.");
            std::io::stdin().read_line(&mut String::new())?;
        }
        Ok(())
    }

    /// `bulkhead run` on the demo's strategies, unless the arguments name others. What the host stores stays in
    /// the target directory, unless a configuration may say where it goes.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("run");
        if !has_option(arguments, "--strategies") {
            command.arg("--strategies").arg(self.directory.join("strategies"));
        }
        if !has_option(arguments, "--config") && std::env::var_os(STORAGE_VARIABLE).is_none() {
            command.env(STORAGE_VARIABLE, self.directory.join("storage"));
        }
        command.args(arguments);
        command
    }
}

/// Where a host that was built for development is.
pub(crate) fn host_binary(workspace: &Workspace) -> PathBuf {
    workspace.target.join("debug").join(format!("bulkhead{}", std::env::consts::EXE_SUFFIX))
}

/// Builds the `bulkhead` binary as the tests do, so that neither has to wait for a build of its own. Its
/// dependencies are optimised there as well.
pub(crate) fn build_host(workspace: &Workspace) -> Result<PathBuf> {
    let binary = host_binary(workspace);
    if !binary.exists() {
        eprintln!(
            "Building the host; the first time takes some minutes, most of them for the wasm compiler."
        );
    }
    process::run(workspace.cargo().args(["build", "--workspace", "--bin", "bulkhead"]))?;
    Ok(binary)
}

/// Each demo begins with a new account: the one before may be of a build that knew other rules.
fn begin_anew(storage: &Path) -> Result<()> {
    for name in ["bulkhead.db", "bulkhead.db-wal", "bulkhead.db-shm"] {
        let path = storage.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The directory is the person's to play with: other plugins in it are left alone.
fn copy_plugins(built: &Path, strategies: &Path) -> Result<()> {
    fs::create_dir_all(strategies).with_context(|| format!("cannot create {}", strategies.display()))?;
    for entry in fs::read_dir(built)? {
        let plugin = entry?;
        plugins::copy_if_changed(&plugin.path(), &strategies.join(plugin.file_name()))?;
    }
    Ok(())
}

fn has_option<S: AsRef<OsStr>>(arguments: &[S], option: &str) -> bool {
    arguments.iter().any(|argument| {
        let argument = argument.as_ref().to_string_lossy();
        argument.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })
}

/// The host takes this process's place, so that Ctrl-C and SIGTERM reach it and it alone.
#[cfg(unix)]
fn hand_over(command: &mut Command) -> Result<()> {
    let error = std::os::unix::process::CommandExt::exec(command);
    Err(error).with_context(|| format!("cannot start `{}`", process::shown(command)))
}

#[cfg(not(unix))]
fn hand_over(command: &mut Command) -> Result<()> {
    process::run(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> Demo {
        Demo { binary: "bulkhead".into(), directory: "demo".into() }
    }

    #[test]
    fn the_demo_runs_its_own_strategies_with_the_persons_arguments() {
        let command = demo().command(&["--speed", "max"]);
        assert_eq!(process::shown(&command), "bulkhead run --strategies demo/strategies --speed max");
    }

    #[test]
    fn strategies_that_the_person_names_take_their_place() {
        let command = demo().command(&["--strategies=mine"]);
        assert_eq!(process::shown(&command), "bulkhead run --strategies=mine");
    }

    #[test]
    fn what_the_host_stores_stays_out_of_the_clone_unless_a_configuration_says_otherwise() {
        let stores = |arguments: &[&str]| {
            let command = demo().command(arguments);
            command.get_envs().any(|(name, value)| name == STORAGE_VARIABLE && value.is_some())
        };
        assert!(stores(&["--json"]));
        assert!(!stores(&["--config", "mine.toml"]));
        assert!(!stores(&["--config=mine.toml"]));
    }

    #[test]
    fn a_plugin_that_the_person_added_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let (built, strategies) = (folder.path().join("built"), folder.path().join("demo"));
        for (directory, name) in [(&built, "ours.wasm"), (&strategies, "mine.wasm")] {
            fs::create_dir_all(directory).expect("a folder");
            fs::write(directory.join(name), name).expect("a file");
        }
        copy_plugins(&built, &strategies).expect("copied");
        assert!(strategies.join("ours.wasm").exists());
        assert!(strategies.join("mine.wasm").exists());
    }
}
