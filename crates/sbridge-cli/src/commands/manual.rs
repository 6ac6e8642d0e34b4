//! `sbridge completions` and `sbridge man`: what shells and manuals know of the command.

use std::io::{self, Write as _};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use sbridge_run::RunError;

use super::Arguments;
use crate::session::Result;

#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> Result {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "sbridge", &mut text);
        print(&text)
    }
}

/// Prints the manual of the command and all below it, in roff.
pub(crate) fn man() -> Result {
    let mut command = Arguments::command();
    command.build();
    let mut text = Vec::new();
    pages(&command, &mut text).map_err(|e| RunError::disk("write", "the manual", e))?;
    print(&text)
}

fn pages(command: &clap::Command, text: &mut Vec<u8>) -> io::Result<()> {
    clap_mangen::Man::new(command.clone()).render(text)?;
    let inner = command.get_subcommands().filter(|inner| inner.get_name() != "help");
    inner.into_iter().try_for_each(|inner| pages(inner, text))
}

fn print(text: &[u8]) -> Result {
    Ok(io::stdout().write_all(text).map_err(|e| RunError::disk("write", "standard output", e))?)
}
