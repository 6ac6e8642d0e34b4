//! The command `sbridge`: arguments in, exit code out.

mod commands;
mod options;
mod session;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;

use session::Session;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = commands::Arguments::parse();
    let session = Session::default();
    // Where somebody heeds it the first Ctrl-C asks for a stop; any other ends the process.
    let cancel = session.context.cancel.clone();
    let handler = ctrlc::set_handler(move || {
        if !cancel.request() {
            std::process::exit(130);
        }
    });
    if let Err(e) = handler {
        session.context.warn(&format!("Ctrl-C will not leave a checkpoint: {e}"));
    }
    match commands::run(arguments, &session) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
