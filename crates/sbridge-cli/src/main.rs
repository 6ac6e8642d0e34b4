//! The command `sbridge`: arguments in, exit code out.

mod args;
mod commands;

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = args::Arguments::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).without_time().init();
    // In training the first Ctrl-C asks for a checkpoint; any other ends the process.
    let handler = ctrlc::set_handler(|| {
        if !sbridge_run::watch::request_stop() {
            std::process::exit(130);
        }
    });
    if let Err(e) = handler {
        tracing::warn!("Ctrl-C will not leave a checkpoint: {e}");
    }
    match commands::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
