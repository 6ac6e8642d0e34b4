//! Tasks of the workspace: `cargo xtask check` runs everything a change has to pass.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("check") => check(),
        Some(other) => bail!("there is no task {other:?} (use: cargo xtask check)"),
        None => bail!("no task given (use: cargo xtask check)"),
    }
}

/// Layout, lints, tests and documentation, each without a warning; the first failure ends it.
fn check() -> Result<()> {
    run(&mut cargo("fmt --all --check"))?;
    run(&mut cargo("clippy --release --workspace --all-targets -- -D warnings"))?;
    run(&mut cargo("test --release --workspace"))?;
    run(cargo("doc --release --workspace --no-deps").env("RUSTDOCFLAGS", "-D warnings"))
}

/// Cargo with `arguments`, separated by spaces.
fn cargo(arguments: &str) -> Command {
    // The cargo that runs this program, so that all steps use one toolchain.
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(arguments.split(' '));
    command
}

/// Runs `command`; its output goes where ours does.
fn run(command: &mut Command) -> Result<()> {
    eprintln!("{command:?}");
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(())
}
