//! Whoever watches from a terminal: a bar for every stage; elsewhere a line now and then.

use std::io::IsTerminal as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use sbridge_run::watch::{Level, Step, Watch};

/// Time between two plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Stages as they are shown on standard error, the innermost last.
#[derive(Default)]
pub(crate) struct Terminal(Mutex<Vec<Shown>>);

/// One stage.
struct Shown {
    stage: String,
    bar: Option<ProgressBar>,
    first: usize,
    done: usize,
    total: usize,
    held_out: Option<f64>,
    started: Instant,
    last_line: Instant,
}

impl Terminal {
    /// Lets `print` write its lines above the bars.
    pub(crate) fn aside(&self, print: impl FnOnce()) {
        match self.stages().iter().find_map(|shown| shown.bar.as_ref()) {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn stages(&self) -> MutexGuard<'_, Vec<Shown>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for Terminal {
    fn begin(&self, stage: &str, done: usize, total: usize) {
        self.stages().push(Shown::new(stage, done, total));
    }

    fn step(&self, step: &Step<'_>) {
        if let Some(shown) = self.stages().iter_mut().rfind(|shown| shown.stage == step.stage) {
            shown.go_on(step);
        }
    }

    fn end(&self, stage: &str) {
        let mut stages = self.stages();
        if let Some(place) = stages.iter().rposition(|shown| shown.stage == stage) {
            stages.remove(place).end();
        }
    }

    fn say(&self, level: Level, text: &str) {
        self.aside(|| match level {
            Level::Info => eprintln!("{text}"),
            Level::Note => eprintln!("note: {text}"),
            Level::Warning => eprintln!(" WARN {text}"),
        });
    }
}

impl Shown {
    fn new(stage: &str, done: usize, total: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = "{prefix:>12} {bar:32} {pos}/{len}  {eta} left  {msg}";
            let style = ProgressStyle::with_template(style).expect("the template is valid");
            let bar = ProgressBar::new(total as u64).with_style(style);
            bar.set_prefix(stage.to_owned());
            bar.set_position(done as u64);
            bar.reset_eta();
            bar
        });
        let (stage, now) = (stage.to_owned(), Instant::now());
        Self { stage, bar, first: done, done, total, held_out: None, started: now, last_line: now }
    }

    fn go_on(&mut self, step: &Step<'_>) {
        (self.done, self.held_out) = (step.done, step.held_out);
        let held_out = step.held_out.map_or(String::new(), |loss| format!(", held-out {loss:.4}"));
        let message = format!("{}{held_out}", step.at);
        match &self.bar {
            Some(bar) => {
                bar.set_position(step.done as u64);
                bar.set_message(message);
            }
            None if self.last_line.elapsed() >= LINE_INTERVAL => {
                let left = self.seconds_left();
                eprintln!("{}: {}/{}, {message}, {left:.0} s left", self.stage, step.done, self.total);
                self.last_line = Instant::now();
            }
            None => {}
        }
    }

    fn seconds_left(&self) -> f64 {
        let done = self.done.saturating_sub(self.first).max(1) as f64;
        let remaining = self.total.saturating_sub(self.done) as f64;
        self.started.elapsed().as_secs_f64() / done * remaining
    }

    fn end(self) {
        let seconds = self.started.elapsed().as_secs_f64();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let held_out = self.held_out.map_or(String::new(), |loss| format!(", held-out loss {loss:.4}"));
        eprintln!("{}: {}/{} done in {seconds:.1} s{held_out}", self.stage, self.done, self.total);
    }
}
