//! Mazes as text: which cells are walls, and the way from one cell to another.

use std::collections::VecDeque;

use super::{Point, Reward};
use crate::error::{Error, Result};

/// Row and column, from zero. Cells outside a layout are walls.
pub type Cell = [i64; 2];

/// Steps from a cell, in the order in which equally short ways are preferred \[D4RL\].
const MOVES: [Cell; 4] = [[0, -1], [0, 1], [-1, 0], [1, 0]];

/// Rows and columns of a layout at most.
const MAX_SIDE: usize = 1000;

/// Where the walls are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    rows: usize,
    columns: usize,
    /// Row by row.
    free: Vec<bool>,
    cells: Vec<Cell>,
    goal: Option<Cell>,
}

impl Layout {
    /// Rows of characters, one a line or divided by `/`: `#` is a wall, `G` the goal, and `O`, `.` or a space
    /// is free. A row is an x, a column a y. The goal may be missing.
    ///
    /// # Errors
    /// [`Error::Setting`] for rows of different lengths, other characters, a border that is open, more than
    /// one goal, no free cell, or more than 1000 rows or columns.
    pub fn parse(text: &str) -> Result<Self> {
        let rows: Vec<Vec<char>> = text
            .split(['\n', '/'])
            .map(|row| row.trim_end_matches('\r').chars().collect())
            .collect::<Vec<_>>();
        let first = rows.iter().position(|row| !row.is_empty()).unwrap_or(rows.len());
        let last = rows.iter().rposition(|row| !row.is_empty()).map_or(first, |last| last + 1);
        let rows = &rows[first..last];
        let columns = require_rectangle(rows)?;
        let mut layout = Self { rows: rows.len(), columns, free: Vec::new(), cells: Vec::new(), goal: None };
        for (i, row) in rows.iter().enumerate() {
            for (j, character) in row.iter().enumerate() {
                layout.push([i as i64, j as i64], *character)?;
            }
        }
        if layout.cells.is_empty() {
            return Err(wrong("a free cell", "walls alone", "write O or G where the disc can be"));
        }
        Ok(layout)
    }

    /// Adds the next cell.
    fn push(&mut self, cell: Cell, character: char) -> Result<()> {
        let free = match character {
            '#' => false,
            'G' | 'O' | '.' | ' ' => true,
            other => {
                let got = format!("{other:?} {}", at(cell));
                return Err(wrong("of # (wall), G (goal), O, . or space (free)", got, "write one of these"));
            }
        };
        let inner = |k: i64, count: usize| k > 0 && k + 1 < count as i64;
        if free && !(inner(cell[0], self.rows) && inner(cell[1], self.columns)) {
            let got = format!("{character:?} {}", at(cell));
            return Err(wrong("closed by walls all around", got, "write # there"));
        }
        if let ('G', Some(before)) = (character, self.goal) {
            let got = format!("G {} and G {}", at(before), at(cell));
            return Err(wrong("with one G at most", got, "write O for all but one"));
        }
        if character == 'G' {
            self.goal = Some(cell);
        }
        if free {
            self.cells.push(cell);
        }
        self.free.push(free);
        Ok(())
    }

    /// Number of rows and of columns.
    pub fn shape(&self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    /// The cell marked `G`.
    pub fn goal(&self) -> Option<Cell> {
        self.goal
    }

    /// All free cells, the goal among them, row by row.
    pub fn free_cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Whether a disc may be in `cell`.
    pub fn is_free(&self, cell: Cell) -> bool {
        self.index(cell).is_some_and(|k| self.free[k])
    }

    fn index(&self, [i, j]: Cell) -> Option<usize> {
        let (i, j) = (usize::try_from(i).ok()?, usize::try_from(j).ok()?);
        (i < self.rows && j < self.columns).then_some(i * self.columns + j)
    }

    /// The cell whose integers are nearest to `point`. Near a wall this may be the wall's cell, since
    /// corridors are not centred on integers.
    pub fn rounded(point: Point) -> Cell {
        point.map(|x| x.round_ties_even() as i64)
    }

    /// The cell whose square, `[i − 0.7, i + 0.3)` each way, holds `point`.
    pub fn containing(point: Point) -> Cell {
        point.map(|x| (x + 0.7).floor() as i64)
    }

    /// The same with walls where `closed` says; the goal is forgotten if it is there.
    ///
    /// # Errors
    /// [`Error::Setting`] for a cell that is outside or a wall already, and if no free cell is left.
    pub fn with_walls(&self, closed: &[Cell]) -> Result<Self> {
        let mut layout = self.clone();
        for cell in closed {
            let index = self.index(*cell).filter(|k| self.free[*k]);
            let Some(k) = index else {
                let place = if self.index(*cell).is_some() { "a wall already" } else { "outside" };
                let got = format!("one {}, {place}", at(*cell));
                return Err(wrong("free where walls are added", got, "leave that cell out"));
            };
            layout.free[k] = false;
        }
        layout.cells.retain(|cell| !closed.contains(cell));
        layout.goal = self.goal.filter(|goal| !closed.contains(goal));
        match layout.cells.is_empty() {
            true => Err(wrong("a free cell", "walls alone", "add fewer walls")),
            false => Ok(layout),
        }
    }

    /// Cells that can be reached from `from`, and itself, row by row.
    pub fn reachable(&self, from: Cell) -> Vec<Cell> {
        let steps = self.steps_to(from);
        let reached = |cell: &&Cell| self.index(**cell).is_some_and(|k| steps[k].is_some());
        self.cells.iter().filter(reached).copied().collect()
    }

    /// Whether all free cells can be reached from each other.
    ///
    /// # Errors
    /// [`Error::Setting`] with two cells that cannot.
    pub fn require_connected(&self) -> Result<()> {
        let first = self.cells[0];
        let steps = self.steps_to(first);
        let cut_off = |cell: &&Cell| self.index(**cell).is_some_and(|k| steps[k].is_none());
        match self.cells.iter().find(cut_off) {
            None => Ok(()),
            Some(cell) => {
                let got = format!("no way from the cell {} to the cell {}", at(first), at(*cell));
                Err(wrong("connected", got, "open a way, or wall one of them up"))
            }
        }
    }

    /// Fewest moves from each cell to `to`, if there is a way.
    fn steps_to(&self, to: Cell) -> Vec<Option<u32>> {
        let mut steps = vec![None; self.free.len()];
        let mut waiting = VecDeque::new();
        if let Some(k) = self.index(to).filter(|k| self.free[*k]) {
            steps[k] = Some(0);
            waiting.push_back((to, 0));
        }
        while let Some((cell, count)) = waiting.pop_front() {
            for next in MOVES.map(|step| moved(cell, step)) {
                if let Some(k) = self.index(next).filter(|k| self.free[*k] && steps[*k].is_none()) {
                    steps[k] = Some(count + 1);
                    waiting.push_back((next, count + 1));
                }
            }
        }
        steps
    }

    /// A shortest way between two cells, both among its cells. Of equally short ones it is the one whose
    /// first moves come first in the order −y, +y, −x, +x \[D4RL\]. It may start at a wall beside a free
    /// cell; none if there is no way.
    pub fn shortest_path(&self, from: Cell, to: Cell) -> Option<Vec<Cell>> {
        let steps = self.steps_to(to);
        let left = |cell: Cell| self.index(cell).and_then(|k| steps[k]);
        let (mut path, mut cell) = (vec![from], from);
        left(to)?;
        while cell != to {
            let around = MOVES.map(|step| moved(cell, step));
            let nearest = around.into_iter().filter_map(left).min()?;
            cell = around.into_iter().find(|next| left(*next) == Some(nearest))?;
            path.push(cell);
        }
        Some(path)
    }
}

fn moved(cell: Cell, step: Cell) -> Cell {
    [cell[0].saturating_add(step[0]), cell[1].saturating_add(step[1])]
}

fn at([i, j]: Cell) -> String {
    format!("in row {i}, column {j} (from 0)")
}

fn wrong(requirement: &str, got: impl std::fmt::Display, fix: &str) -> Error {
    Error::setting("layout", requirement, got, fix)
}

/// The number of columns, if all rows have it.
fn require_rectangle(rows: &[Vec<char>]) -> Result<usize> {
    let columns = rows.first().map_or(0, Vec::len);
    for (i, row) in rows.iter().enumerate() {
        if row.len() != columns {
            let got = format!("{} characters in row {i} (from 0)", row.len());
            let fix = "make rows equally long, with # for walls";
            return Err(wrong(&format!("rows of {columns} characters, like the first"), got, fix));
        }
    }
    if rows.len().max(columns) > MAX_SIDE {
        let got = format!("{} rows of {columns}", rows.len());
        return Err(wrong(&format!("at most {MAX_SIDE} rows and columns"), got, "take a smaller maze"));
    }
    Ok(columns)
}

/// Returns of a random policy and of a controller, which make scores of 0 and 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    /// Of a random policy.
    pub min: f64,
    /// Of the waypoint controller that was not told of new episodes, which is why scores above 100 are
    /// common.
    pub max: f64,
}

impl ScoreRange {
    /// 100 (R − min) / (max − min).
    pub fn score(&self, total: f64) -> f64 {
        100.0 * (total - self.min) / (self.max - self.min)
    }
}

/// A maze with what is published of it \[D4RL\].
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// By which it is asked for.
    pub name: &'static str,
    /// Its walls.
    pub layout: Layout,
    /// Steps of an episode.
    pub steps: usize,
    /// Rows of a plan; for umaze, medium and large as \[Diffuser\] has them.
    pub horizon: usize,
    sparse: ScoreRange,
    dense: Option<ScoreRange>,
}

/// Name, rows, steps, horizon, sparse and dense range.
type Known = (&'static str, &'static str, usize, usize, [f64; 2], Option<[f64; 2]>);

const TASKS: [Known; 7] = [
    ("umaze", "#####/#GOO#/###O#/#OOO#/#####", 300, 128, [23.85, 161.86], Some([68.537689, 193.66285642])),
    (
        "medium",
        "########/#OO##OO#/#OO#OOO#/##OOO###/#OO#OOO#/#O#OO#O#/#OOO#OG#/########",
        600,
        256,
        [13.13, 277.39],
        Some([44.264742, 297.45525478]),
    ),
    (
        "large",
        "############/#OOOO#OOOOO#/#O##O#O#O#O#/#OOOOOO#OOO#/#O####O###O#/#OO#O#OOOOO#/##O#O#O#O###/\
         #OO#OOO#OGO#/############",
        800,
        384,
        [6.7, 273.99],
        Some([30.569041, 303.48573827]),
    ),
    ("open", "#######/#OOOOO#/#OOGOO#/#OOOOO#/#######", 150, 128, [0.01, 20.66], None),
    ("umaze-eval", "#####/#OOG#/#O###/#OOO#/#####", 300, 128, [36.63, 141.4], None),
    (
        "medium-eval",
        "########/#OOOOOG#/#O#O##O#/#OOOO#O#/###OO###/#OOOOOO#/#OO##OO#/########",
        600,
        256,
        [13.07, 204.93],
        None,
    ),
    (
        "large-eval",
        "############/#OO#OOO#OGO#/##O###O#O#O#/#OO#O#OOOOO#/#O##O#OO##O#/#OOOOOO#OOO#/#O##O#O#O###/\
         #OOOO#OOOOO#/############",
        800,
        384,
        [16.4, 302.22],
        None,
    ),
];

impl Task {
    /// Names of all.
    pub fn names() -> [&'static str; 7] {
        TASKS.map(|known| known.0)
    }

    /// The task called `name`.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is none.
    pub fn named(name: &str) -> Result<Self> {
        let Some(known) = TASKS.iter().find(|known| known.0 == name) else {
            let fix = "or write the maze as text";
            return Err(Error::setting("maze", format!("one of {}", Self::names().join(", ")), name, fix));
        };
        let range = |[min, max]: [f64; 2]| ScoreRange { min, max };
        Ok(Self {
            name: known.0,
            layout: Layout::parse(known.1)?,
            steps: known.2,
            horizon: known.3,
            sparse: range(known.4),
            dense: known.5.map(range),
        })
    }

    /// Returns that make scores of 0 and 100, where they are published for this reward.
    pub fn range(&self, reward: Reward) -> Option<ScoreRange> {
        match reward {
            Reward::Sparse => Some(self.sparse),
            Reward::Dense => self.dense,
        }
    }
}
