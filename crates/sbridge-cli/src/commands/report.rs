//! `sbridge report`: the page of a run, written again.

use std::path::PathBuf;

use clap::Args;

use crate::session::{Result, Session};

#[derive(Args, Debug)]
pub(crate) struct Report {
    /// Folder of a finished run
    pub(crate) run: PathBuf,
}

impl Report {
    pub(crate) fn run(&self, session: &Session) -> Result {
        session.registry.open_to_write(&self.run, &session.context)?.report()?;
        println!("{}", self.run.join("report.html").display());
        Ok(())
    }
}
