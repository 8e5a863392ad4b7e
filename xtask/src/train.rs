//! Trains the models of the AI strategy: from bars through the features of the host's own command to a model file and
//! its card.
//!
//! The same bars give the same file. What decides its bits besides them is pinned here and in `requirements.txt`: the
//! packages, one thread, and the kernels for linear algebra, which otherwise depend on the processor.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use crate::demo::build_host;
use crate::process;
use crate::python;
use crate::workspace::Workspace;

/// Where training lies in the repository, and what it makes.
const TRAINING: &str = "plugins/ai/training";
const MODELS: &str = "plugins/ai/models";
const MODEL_FILE: &str = "ai-ensemble.onnx";

/// The simulated markets: a configuration in `regimes/` and a seed for each.
const REGIMES: [(&str, &str); 4] = [("rising", "101"), ("falling", "102"), ("flat", "103"), ("calm", "104")];
const SIMULATED_TIME: &str = "12d";

/// The bars of a real market that are in the repository.
const EXAMPLE: &str = "BTC-PERP=examples/btc-perp-1m.csv";

/// What is trained on, and where the result goes.
#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    /// CSV files with one-minute bars to train on, instead of the example
    #[arg(long, num_args = 1.., value_name = "[SYMBOL=]FILE")]
    data: Vec<String>,
    /// CSV files that the result is tried on; bars that it was trained on are left out
    #[arg(long, num_args = 1.., value_name = "[SYMBOL=]FILE")]
    holdout: Vec<String>,
    /// Train on the files alone, not on simulated markets as well
    #[arg(long, requires = "data")]
    without_simulator: bool,
    /// The directory for the model and its card [default: plugins/ai/models]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Keep nothing; check that training gives the model that is there, and run the tests of training
    #[arg(long, conflicts_with_all = ["data", "holdout", "out", "without_simulator"])]
    check: bool,
}

/// Trains, or checks that the shipped model is what training gives.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let training = Training::prepare(workspace)?;
    if !options.check {
        let out = options.out.clone().unwrap_or_else(|| workspace.root.join(MODELS));
        return training.train(options, &out);
    }
    training.test()?;
    let out = training.directory.join("check");
    training.train(options, &out)?;
    compare(&workspace.root.join(MODELS).join(MODEL_FILE), &out.join(MODEL_FILE))
}

/// As `--check`, unless this machine can't know.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        eprintln!(
            "Not checked: other processors and systems round otherwise than the one that the model is of."
        );
        return Ok(());
    }
    if find_python().is_err() {
        eprintln!("Not checked: there is no Python 3.11 or newer.");
        return Ok(());
    }
    run(workspace, &Options { check: true, ..Options::default() })
}

fn compare(shipped: &Path, trained: &Path) -> Result<()> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    ensure!(
        read(shipped)? == read(trained)?,
        "training gives another model than {}: what decides its bits has changed. Run `cargo xtask train` with the \
         files that the card names, and commit the model with its card",
        shipped.display()
    );
    eprintln!("Training gives the shipped model, bit for bit.");
    Ok(())
}

/// What a processor with AVX2 need not have, as numpy calls it.
const WIDE_PROCESSORS: &str = "AVX512F,AVX512CD,AVX512_SKX,AVX512_CLX,AVX512_CNL,AVX512_ICL,AVX512_SPR";

/// Python with its packages, and the host.
struct Training<'w> {
    workspace: &'w Workspace,
    host: PathBuf,
    /// Where everything is kept that can be made anew.
    directory: PathBuf,
    source: PathBuf,
}

impl<'w> Training<'w> {
    fn prepare(workspace: &'w Workspace) -> Result<Self> {
        let directory = workspace.target.join("training");
        let source = workspace.root.join(TRAINING);
        install_packages(&source.join("requirements.txt"), &directory)?;
        Ok(Self { workspace, host: build_host(workspace)?, directory, source })
    }

    /// A program of the environment, in the folder of the trainer, with all pinned that decides bits.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(in_environment(&self.directory, program));
        command
            .env("PYTHONPATH", &self.source)
            .env("PYTHONHASHSEED", "0")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("OMP_NUM_THREADS", "1")
            .env("OPENBLAS_NUM_THREADS", "1")
            .env("OPENBLAS_CORETYPE", "Haswell")
            // numpy's own routines for processors that not everybody has round otherwise.
            .env("NPY_DISABLE_CPU_FEATURES", WIDE_PROCESSORS);
        command
    }

    /// The trainer's own tests, and its form.
    fn test(&self) -> Result<()> {
        for arguments in [&["format", "--no-cache", "--check", "."][..], &["check", "--no-cache", "."]] {
            process::run(self.command("ruff").args(arguments).current_dir(&self.source))?;
        }
        process::run(self.command("python").args(["-m", "unittest", "discover"]).current_dir(&self.source))
    }

    fn train(&self, options: &Options, out: &Path) -> Result<()> {
        let rows = self.directory.join("features");
        fs::create_dir_all(&rows).with_context(|| format!("cannot create {}", rows.display()))?;
        let mut trainer = self.command("python");
        trainer.args(["-m", "trainer", "--out"]).arg(out);
        if !options.without_simulator {
            trainer.arg("--simulated");
            for (regime, seed) in REGIMES {
                let settings = self.source.join("regimes").join(regime).with_extension("toml");
                let arguments = ["--simulate", SIMULATED_TIME, "--seed", seed, "--config"];
                let arguments = arguments.iter().map(PathBuf::from).chain([settings]);
                trainer.arg(self.export(arguments, &rows.join(regime).with_extension("parquet"))?);
            }
        }
        let data = match options.data.as_slice() {
            [] => self.files(&[from_root(EXAMPLE, &self.workspace.root)], &rows)?,
            files => self.files(files, &rows)?,
        };
        trainer.arg("--features").arg(data);
        if !options.holdout.is_empty() {
            trainer.arg("--holdout").arg(self.files(&options.holdout, &rows)?);
        }
        process::run(&mut trainer)
    }

    /// The features of files, which are looked at together; named after the first.
    fn files(&self, files: &[String], rows: &Path) -> Result<PathBuf> {
        let name = files.first().map_or("data", String::as_str);
        let name = name.rsplit_once('=').map_or(name, |(_, path)| path);
        let name = Path::new(name).file_stem().context("--data: a file is expected")?;
        let mut out = rows.join(name);
        out.as_mut_os_string().push(".parquet");
        let arguments = std::iter::once("--data").chain(files.iter().map(String::as_str)).map(PathBuf::from);
        self.export(arguments, &out)
    }

    fn export(&self, arguments: impl Iterator<Item = PathBuf>, out: &Path) -> Result<PathBuf> {
        let mut command = Command::new(&self.host);
        command.arg("features").args(arguments).arg("--out").arg(out);
        // Only what is asked for here decides what is trained on.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BULKHEAD__") {
                command.env_remove(name);
            }
        }
        process::run(&mut command)?;
        Ok(out.to_owned())
    }
}

fn from_root(file: &str, root: &Path) -> String {
    match file.split_once('=') {
        Some((symbol, path)) => format!("{symbol}={}", root.join(path).display()),
        None => root.join(file).display().to_string(),
    }
}

fn in_environment(directory: &Path, program: &str) -> PathBuf {
    let programs = if cfg!(windows) { "Scripts" } else { "bin" };
    directory.join("venv").join(programs).join(program)
}

/// Python of a version that the packages are pinned for.
fn find_python() -> Result<PathBuf> {
    let is_new_enough = "import sys; sys.exit(sys.version_info < (3, 11))";
    for name in ["python3", "python3.11", "python3.12", "python3.13"] {
        if process::succeeds(Command::new(name).args(["-c", is_new_enough])) {
            return Ok(PathBuf::from(name));
        }
    }
    bail!("training needs Python 3.11 or newer; on Debian: apt-get install python3 python3-venv")
}

/// Makes the environment, unless it has these very packages.
fn install_packages(requirements: &Path, directory: &Path) -> Result<()> {
    let wanted = fs::read_to_string(requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let installed = directory.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let python = find_python()?;
    fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    python::make_environment("training", &python, &directory.join("venv"))?;
    process::run(
        Command::new(in_environment(directory, "python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--only-binary",
                ":all:",
            ])
            .args(["--require-hashes", "--requirement"])
            .arg(requirements),
    )?;
    fs::write(&installed, wanted).with_context(|| format!("cannot write {}", installed.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_model_is_found_out() {
        let directory = tempfile::tempdir().expect("a directory");
        let [shipped, trained] = ["shipped", "trained"].map(|name| directory.path().join(name));
        fs::write(&shipped, b"model").expect("written");
        assert!(compare(&shipped, &trained).is_err());
        fs::write(&trained, b"model").expect("written");
        assert!(compare(&shipped, &trained).is_ok());
        fs::write(&trained, b"other").expect("written");
        assert!(compare(&shipped, &trained).is_err());
    }

    #[test]
    fn a_file_is_found_from_the_root_with_its_symbol() {
        assert_eq!(from_root("X=a/b.csv", Path::new("/w")), "X=/w/a/b.csv");
        assert_eq!(from_root("b.csv", Path::new("/w")), "/w/b.csv");
    }
}
