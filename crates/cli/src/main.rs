#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod args;
mod check;
mod explain;
mod failure;
mod list;
mod progress;
mod sandbox;
mod signal;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use golive_check::exit::Exit;

use crate::args::{Args, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    let args = Args::parse();
    args.color_choice().write_global();
    let exit = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(guarded(args.command)),
        Err(error) => complain(&format!("cannot start: {error}"), Exit::Environment),
    };
    ExitCode::from(exit.code())
}

/// Runs the command on a task of its own, so that a bug of the checker has its
/// own exit code and is not taken for a failure of the subject.
async fn guarded(command: Command) -> Exit {
    match tokio::spawn(run(command)).await {
        Ok(Ok(exit)) => exit,
        // Whoever reads our output has read enough: `golive list | head`.
        Ok(Err(failure)) if failure.is_broken_pipe() => Exit::Ok,
        Ok(Err(failure)) => complain(&format!("{:#}", failure.error), failure.exit),
        Err(error) => complain(&format!("this is a bug of golive: {error}"), Exit::Bug),
    }
}

async fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Check(args) => check::run(args).await,
        Command::List(args) => list::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Sandbox(args) => sandbox::run(args).await,
        Command::Version => {
            writeln!(anstream::stdout(), "golive {}", env!("CARGO_PKG_VERSION"))?;
            Ok(Exit::Ok)
        }
    }
}

fn complain(words: &str, exit: Exit) -> Exit {
    // Nowhere is left to say that this could not be said.
    let _ = writeln!(anstream::stderr(), "golive: {words}");
    exit
}
