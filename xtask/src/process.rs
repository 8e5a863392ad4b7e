//! Starting other programs: what is run is shown, and a failure says which command failed and how.

use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How often a child with a time limit is looked at.
const POLL: Duration = Duration::from_millis(50);

/// The command as a person would type it, without the directory of the program.
pub(crate) fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or(command.get_program()).to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|argument| {
        let text = argument.to_string_lossy();
        if text.is_empty() || text.contains(char::is_whitespace) {
            format!("'{text}'")
        } else {
            text.into_owned()
        }
    }));
    words.join(" ")
}

/// Shows the command, runs it with this process's input and output, and fails unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", shown(command));
    let status = command.status().with_context(|| cannot_start(command))?;
    succeeded(command, status)
}

/// As [`run`], but the command is ended when it takes longer than `limit`.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<()> {
    run_within_as(&shown(command), command, limit)
}

/// As [`run_within`], for a command that holds something which must not be shown.
pub(crate) fn run_within_as(shown: &str, command: &mut Command, limit: Duration) -> Result<()> {
    eprintln!("$ {shown}");
    let mut child = command.spawn().with_context(|| format!("cannot start `{shown}`"))?;
    match wait_within(&mut child, limit)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => bail!("`{shown}` failed ({status})"),
        None => bail!("`{shown}` was ended as it took longer than {} s", limit.as_secs()),
    }
}

/// What the command prints, which is shown to nobody unless it fails.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))?;
    succeeded(command, status).with_context(|| String::from_utf8_lossy(&stderr).trim_end().to_owned())?;
    String::from_utf8(stdout)
        .with_context(|| format!("`{}` printed something that is not text", shown(command)))
}

/// Whether the command can be started and succeeds; nothing is shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Waits at most `limit`; a child that is still running then is killed, and `None` is returned.
fn wait_within(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`: is it installed and on the PATH?", shown(command))
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failure_names_the_command_and_its_status() {
        let error = run(&mut shell("exit 3")).expect_err("the command failed").to_string();
        assert_eq!(error, "`sh -c 'exit 3'` failed (exit status: 3)");
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        let error = run(&mut Command::new("no-such-program")).expect_err("nothing to start").to_string();
        assert_eq!(error, "cannot start `no-such-program`: is it installed and on the PATH?");
    }

    #[test]
    fn a_capture_that_fails_tells_what_the_command_complained_of() {
        let error = capture(&mut shell("echo no such thing >&2; exit 1")).expect_err("the command failed");
        assert!(format!("{error:#}").contains("no such thing"), "{error:#}");
    }

    #[test]
    fn a_command_over_its_time_limit_is_ended() {
        let started = Instant::now();
        let error =
            run_within(&mut shell("exec sleep 60"), Duration::from_millis(100)).expect_err("it was ended");
        assert!(error.to_string().contains("was ended"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(30), "it was waited for");
    }

    #[test]
    fn a_command_within_its_time_limit_is_left_alone() {
        run_within(&mut shell("exit 0"), Duration::from_secs(30)).expect("it ends by itself");
    }
}
