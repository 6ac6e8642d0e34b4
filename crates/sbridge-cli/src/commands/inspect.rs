//! `sbridge inspect`: what a data set is, and what is wrong with it.

use clap::Args;
use sbridge_run::tasks::forecast::SeriesConfig;

use crate::session::{Result, Session};

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// A file, a folder or builtin:NAME; a table with a column of dates, and JSON, are described as series
    pub(crate) data: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten, next_help_heading = "How a file holds series")]
    pub(crate) layout: Layout,
}

/// What `forecast` can be told of a file.
#[derive(Args, Debug)]
pub(crate) struct Layout {
    /// Column of the times; the first that holds dates if not given
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
    /// Series, or columns of words, to leave out, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "keep")]
    pub(crate) drop: Vec<String>,
    /// Words and numbers that stand for a missing value, such as -999, separated by commas
    #[arg(long, value_name = "VALUES", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) missing: Vec<String>,
    /// The step in time: H, 15min, D, B, W, M, Q or Y; seen in the file if not given
    #[arg(long, value_name = "STEP")]
    pub(crate) every: Option<String>,
    /// Order of dates such as 01/02/2024: day-first, month-first or year-first; seen in the file if it tells
    #[arg(long, value_name = "ORDER")]
    pub(crate) dates: Option<String>,
    /// Where the clock of the times stands, such as Europe/Berlin or UTC
    #[arg(long, value_name = "PLACE")]
    pub(crate) zone: Option<String>,
}

impl Inspect {
    pub(crate) fn run(&self, session: &Session) -> Result {
        let layout = self.layout.config().layout()?;
        session.print(&sbridge_data::describe(&self.data, &layout)?, self.json);
        Ok(())
    }
}

impl Layout {
    fn config(&self) -> SeriesConfig {
        let text = |given: &Option<String>| given.clone().unwrap_or_default();
        SeriesConfig {
            time: text(&self.time),
            series: text(&self.series),
            value: text(&self.value),
            keep: self.keep.clone(),
            drop: self.drop.clone(),
            missing: self.missing.clone(),
            every: text(&self.every),
            dates: text(&self.dates),
            zone: text(&self.zone),
            ..SeriesConfig::default()
        }
    }
}
