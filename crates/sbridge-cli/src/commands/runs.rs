//! `sbridge runs`: the runs below a folder in one table.

use std::path::PathBuf;

use clap::Args;

use crate::session::{Result, Session};

#[derive(Args, Debug)]
pub(crate) struct Runs {
    /// Where to look
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Runs {
    pub(crate) fn run(&self, session: &Session) -> Result {
        let (table, problems) = sbridge_run::runs::runs(&self.folder, &session.registry)?;
        session.print(&table, self.json);
        problems.iter().for_each(|problem| session.context.warn(&problem.to_string()));
        Ok(())
    }
}
