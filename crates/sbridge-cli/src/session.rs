//! What every command is given: the tasks there are, and a terminal that watches.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Instant;

use sbridge_report::human_time;
use sbridge_run::{AnyJudgement, AnyRun, Context, Registry, RunError};
use serde::Serialize;

use crate::terminal::Terminal;

/// The result of a command.
pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A run could not.
    Run(RunError),
    /// So many checks of a repeated experiment did not come out as they are known to.
    Checks(usize),
}

impl<E: Into<RunError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Run(error.into())
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Run(error) => error.fmt(f),
            Self::Checks(failed) => write!(
                f,
                "{failed} checks failed or have a control that passed; the report says which (another --seed tells chance \
                 from a fault)"
            ),
        }
    }
}

impl Failure {
    /// The exit code of the command: 2 wrong input, 3 numerics went bad, 130 interrupted, 1 the disk.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Run(error) => error.exit_code(),
            Self::Checks(_) => 3,
        }
    }
}

/// One call of the program.
pub(crate) struct Session {
    /// The tasks there are.
    pub(crate) registry: Registry,
    /// What runs are given.
    pub(crate) context: Context,
    terminal: Arc<Terminal>,
}

impl Default for Session {
    fn default() -> Self {
        let terminal = Arc::new(Terminal::default());
        let context = Context { watch: terminal.clone(), ..Context::default() };
        Self { registry: Registry::default(), context, terminal }
    }
}

impl Session {
    /// The same runs, computing on `device` if one is named.
    pub(crate) fn on(&self, device: Option<&str>) -> Context {
        Context { device: device.map(String::from), ..self.context.clone() }
    }

    /// Prints what was found, as JSON or in words.
    pub(crate) fn print(&self, found: &(impl Display + Serialize), json: bool) {
        if json {
            let text = serde_json::to_string_pretty(found).expect("what is found is plain data");
            println!("{text}");
        } else {
            println!("{found}");
        }
    }

    /// Prints a judgement, as JSON or in words.
    pub(crate) fn print_judgement(&self, found: &dyn AnyJudgement, json: bool) {
        println!("{}", if json { found.to_json() } else { found.to_string() });
    }

    /// Prints lines above what the terminal shows.
    pub(crate) fn print_aside(&self, text: &dyn Display) {
        self.terminal.aside(|| println!("{text}"));
    }

    /// What follows learning, since `started`: samples, the judgement, the report.
    pub(crate) fn finish(&self, mut run: Box<dyn AnyRun>, started: Instant) -> Result {
        self.print_judgement(run.finish()?.as_ref(), false);
        let (time, report) = (human_time(started.elapsed().as_secs_f64()), run.folder().file("report.html"));
        println!("done in {time}; open {}", report.display());
        Ok(())
    }
}
