//! `sbridge inspect`: what a data set is, and what is wrong with it.

use clap::Args;
use sbridge_data::{DateOrder, SeriesLayout, Step};
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
    /// Series, or columns of words, to leave out, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "keep")]
    pub(crate) drop: Vec<String>,
    /// Words and numbers that stand for a missing value in series, such as -999, separated by commas
    #[arg(long, value_name = "VALUES", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) missing: Vec<String>,
    /// Order of dates such as 01/02/2024: day-first, month-first or year-first
    #[arg(long, value_name = "ORDER")]
    pub(crate) dates: Option<String>,
    /// Where the clock of the times stands, such as Europe/Berlin or UTC
    #[arg(long, value_name = "PLACE")]
    pub(crate) zone: Option<String>,
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
            Step::named(name).map_err(|problem| RunError::Input(format!("--every {problem}")))
        };
        let order = |name: &String| {
            let problem = || format!("--dates must be day-first, month-first or year-first, got {name:?}");
            DateOrder::of_name(name).ok_or_else(|| RunError::Input(problem()))
        };
        Ok(SeriesLayout {
            time: self.time.clone(),
            series: self.series.clone(),
            value: self.value.clone(),
            keep: self.keep.clone(),
            drop: self.drop.clone(),
            every: self.every.as_ref().map(step).transpose()?,
            missing: self.missing.clone(),
            dates: self.dates.as_ref().map(order).transpose()?,
            zone: self.zone.clone(),
        })
    }
}
