//! A maze with plans and what came of them, as a drawing.

use std::fmt::Write as _;

use sbridge::planning::{Cell, Layout, Outcome, Row};

/// Length of a cell, and what is left free around the maze.
const CELL: f64 = 48.0;

/// Lower side of the square of a cell, in cells from its integer.
const BELOW: f64 = 0.7;

/// Colours of walls, and of those that were not there when plans were learned.
const WALL: &str = "#555";
const NEW_WALL: &str = "#d9822b";

/// Walls in grey, new ones, `closed`, in orange; plans in light grey, executed ways in blue, walls that were touched in red; rows of
/// the maze from top to bottom.
pub(super) fn svg(layout: &Layout, closed: &[Cell], plans: &[Vec<Row>], outcomes: &[Outcome]) -> String {
    let [rows, columns] = layout.shape();
    let (width, height) = (columns as f64 * CELL, rows as f64 * CELL);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    for x in 0..rows {
        for y in 0..columns {
            let cell = [x as i64, y as i64];
            if !layout.is_free(cell) {
                let colour = if closed.contains(&cell) { NEW_WALL } else { WALL };
                let (left, top) = (y as f64 * CELL, x as f64 * CELL);
                let _ = writeln!(
                    text,
                    "<rect x=\"{left}\" y=\"{top}\" width=\"{CELL}\" height=\"{CELL}\" fill=\"{colour}\"/>"
                );
            }
        }
    }
    for plan in plans {
        line(&mut text, plan.iter().map(|row| [row[2], row[3]]), "#999", 1.5);
    }
    for outcome in outcomes {
        line(&mut text, outcome.states.iter().map(|state| [state[0], state[1]]), "#1f6fb2", 2.0);
    }
    for outcome in outcomes {
        for state in outcome.states.windows(2).filter(|pair| is_stopped(pair[0], pair[1])) {
            let [x, y] = place([state[1][0], state[1][1]]);
            let _ = writeln!(text, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"#c22\"/>");
        }
        let [x, y] = place(outcome.goal);
        let _ = writeln!(
            text,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"7\" fill=\"none\" stroke=\"#2a2\" stroke-width=\"2\"/>"
        );
    }
    text += "</svg>\n";
    text
}

/// Velocity that is lost at once: a wall takes what goes into it.
const LOST: f64 = 0.3;

/// Whether a wall took a good part of the velocity; a push changes it by 0.24 at most.
fn is_stopped(before: [f64; 4], after: [f64; 4]) -> bool {
    (2..4).any(|k| after[k] == 0.0 && before[k].abs() > LOST)
}

/// A place of the maze in the drawing.
fn place([x, y]: [f64; 2]) -> [f64; 2] {
    [(y + BELOW) * CELL, (x + BELOW) * CELL]
}

fn line(text: &mut String, points: impl Iterator<Item = [f64; 2]>, colour: &str, width: f64) {
    let points: Vec<String> = points.map(place).map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
    let _ = writeln!(
        text,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-opacity=\"0.7\"/>",
        points.join(" ")
    );
}
