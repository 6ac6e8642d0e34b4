//! `sbridge inspect`: what a data set is, and what is wrong with it.

use clap::Args;
use sbridge_data::{SeriesLayout, Step};
use sbridge_run::RunError;

use crate::session::{Result, Session};

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// A file, a folder or builtin:NAME; a table with a column of dates, and JSON lines, are described as series
    pub(crate) data: String,
    /// Column of the times of series; the first that holds dates if not given
    #[arg(long, value_name = "COLUMN")]
    pub(crate) time: Option<String>,
    /// Column that names the series: the table has a line for every time and series
    #[arg(long, value_name = "COLUMN")]
    pub(crate) series: Option<String>,
    /// Column of the values, beside --series
    #[arg(long, value_name = "COLUMN", requires = "series")]
    pub(crate) value: Option<String>,
    /// Series to keep, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) keep: Vec<String>,
    /// The step in time of series: H, 15min, D, B, W, M, Q or Y; seen in the file if not given
    #[arg(long, value_name = "STEP")]
    pub(crate) every: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Inspect {
    pub(crate) fn run(&self, session: &Session) -> Result {
        session.print(&sbridge_data::describe(&self.data, &self.layout()?)?, self.json);
        Ok(())
    }

    fn layout(&self) -> Result<SeriesLayout> {
        let step = |name: &String| {
            let problem =
                format!("--every must be a step such as H, 15min, D, B, W, M, Q or Y, got {name:?}");
            Step::of_name(name).ok_or(RunError::Input(problem))
        };
        Ok(SeriesLayout {
            time: self.time.clone(),
            series: self.series.clone(),
            value: self.value.clone(),
            keep: self.keep.clone(),
            every: self.every.as_ref().map(step).transpose()?,
        })
    }
}
