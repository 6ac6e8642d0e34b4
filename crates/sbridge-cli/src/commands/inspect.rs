//! `sbridge inspect`: what a data set is, and what is wrong with it.

use clap::Args;

use crate::session::{Result, Session};

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// A file, a folder or builtin:NAME
    pub(crate) data: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Inspect {
    pub(crate) fn run(&self, session: &Session) -> Result {
        session.print(&sbridge_data::inspect(&self.data)?, self.json);
        Ok(())
    }
}
