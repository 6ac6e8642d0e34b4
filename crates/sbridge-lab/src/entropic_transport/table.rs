//! The scores of a benchmark, and the table of them.

use std::fmt;

use sbridge_report::digits;
use serde::Serialize;

use super::INDEPENDENT;

/// What a solver, or something to compare it with, made of an instance. Percentages; nothing where it makes no sense.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Score {
    /// What.
    pub name: String,
    /// cBW-UVP: conditional moments beside those of the plan.
    pub conditional: f64,
    /// cBW-UVP of as many draws from the plan itself, below which nothing can be seen; 0 where moments are known.
    pub floor: f64,
    /// BW-UVP: moments of what arrives beside those of the target.
    pub target: Option<f64>,
    /// KL of the exact paths from the model's, from their drifts.
    pub path_kl: Option<f64>,
    /// cBW-UVP that the noise of its last step alone would cost.
    pub last_step: Option<f64>,
    /// Seconds of the fit.
    pub seconds: Option<f64>,
}

/// One instance of the benchmark.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// Dimension.
    pub dim: usize,
    /// ε.
    pub epsilon: f64,
    /// Solvers first, then what to compare them with.
    pub scores: Vec<Score>,
}

/// What the columns are.
const HEADER: &str =
    "cBW-UVP: conditional moments of the plan beside the exact ones, percent of the target's variance
floor: cBW-UVP of as many draws from the plan itself; 0 where a solver's moments are known and nothing is drawn
BW-UVP: moments of what arrives beside the target's; path KL: from drifts on exact paths";

/// The table of all cells.
#[derive(Debug, Serialize)]
pub struct EotTable(pub Vec<Cell>);

impl fmt::Display for EotTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        let shown = |x: Option<f64>, digits: usize| x.map_or("–".into(), |x| format!("{x:.digits$}"));
        for cell in &self.0 {
            writeln!(f, "\nd = {}, ε = {}", cell.dim, cell.epsilon)?;
            let columns =
                ["cBW-UVP", "floor", "BW-UVP", "path KL"].map(|column| format!("{column:>10}")).join(" ");
            write!(f, "{:16} {columns} {:>8}", "", "seconds")?;
            for Score { name, conditional, floor, target, path_kl, seconds, .. } in &cell.scores {
                let [target, path_kl] = [target, path_kl].map(|x| shown(*x, 4));
                let seconds = shown(*seconds, 1);
                write!(
                    f,
                    "\n{name:16} {conditional:>10.4} {floor:>10.4} {target:>10} {path_kl:>10} {seconds:>8}"
                )?;
            }
            writeln!(f)?;
            for score in cell.no_better_than_independent() {
                let Score { name, .. } = score;
                writeln!(f, "note: {name} is no better than the independent coupling: {}", score.reason())?;
            }
        }
        Ok(())
    }
}

impl Cell {
    /// Solvers whose plan is no nearer than that of no coupling at all.
    fn no_better_than_independent(&self) -> Vec<&Score> {
        let independent = self.scores.iter().find(|score| score.name == INDEPENDENT);
        let bound = independent.map_or(f64::MAX, |score| score.conditional);
        let solved = self.scores.iter().filter(|score| score.seconds.is_some());
        solved.filter(|score| score.conditional >= bound).collect()
    }
}

impl Score {
    /// Why it is no better, as far as the numbers say.
    fn reason(&self) -> String {
        match self.last_step {
            Some(cost) if cost > 0.5 * self.conditional => {
                format!("the noise of its last step alone costs {} % (more networks.steps)", digits(cost))
            }
            _ => "too little training (more half_bridges, fit.steps or samples)".into(),
        }
    }
}
