//! Running other programs: echoed before they start, bounded in time, their output
//! passed through. A program that exceeds its limit is asked to stop, then killed.

use std::ffi::OsStr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::root;

/// How often a running program is looked at.
const POLL: Duration = Duration::from_millis(50);
/// How long a program that was asked to stop may take over it.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// The same cargo that runs this program, in the workspace's root.
pub(crate) fn cargo<I, S>(args: I) -> Command
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(args).current_dir(root());
    command
}

/// Runs a program to its end, with its output passed through. It must end well.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<(), String> {
    let status = run_to_end(command, limit)?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{}: {status}", describe(command)))
    }
}

/// The same for a program whose way to end is what one wants to know.
pub(crate) fn run_to_end(command: &mut Command, limit: Duration) -> Result<ExitStatus, String> {
    let name = describe(command);
    println!("$ {name}");
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .map_err(|e| format!("{name}: {e}"))?;
    let started = now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) => {}
            Err(e) => return Err(format!("{name}: {e}")),
        }
        if started.elapsed() > limit {
            stop(&mut child);
            return Err(format!("{name}: not done after {} s", limit.as_secs()));
        }
        thread::sleep(POLL);
    }
}

/// Runs a program quietly and answers with what it printed.
pub(crate) fn read(command: &mut Command) -> Result<String, String> {
    let name = describe(command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("{name}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{name}: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("{name}: {e}"))
}

/// Whether a program can be started at all; its answer is thrown away.
pub(crate) fn works(program: impl AsRef<OsStr>, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Ends a child in an orderly way, so that it can end its own children; waits for it.
pub(crate) fn stop(child: &mut Child) {
    // A shell has `kill` built in where no package brings the program.
    let asked = works("sh", &["-c", &format!("kill -TERM {}", child.id())]);
    let started = now();
    while asked && started.elapsed() < STOP_LIMIT {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        thread::sleep(POLL);
    }
    // It did not end by itself: nothing more to hope for, and errors tell nothing new.
    drop(child.kill());
    drop(child.wait());
}

#[expect(
    clippy::disallowed_methods,
    reason = "nothing here is replayed: the clock only measures how long programs run"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The command as one could type it in the workspace's root.
fn describe(command: &Command) -> String {
    let root = format!("{}/", root().display());
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    if words[0].ends_with("/cargo") {
        words[0] = "cargo".into();
    }
    words.extend(command.get_args().map(|a| a.to_string_lossy().into_owned()));
    words.join(" ").replace(&root, "")
}
