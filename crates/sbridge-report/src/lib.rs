//! A report: one self-contained HTML page of words, tables, pictures and plots.
//!
//! A [`Report`] is plain data; [`Report::render`] turns it into a page that opens offline and loads
//! nothing: style, pictures and drawings are inside it, and it runs no scripts. It follows the
//! reader's light or dark setting and prints. The same report always renders to the same text.
//!
//! Tests: nothing external is referenced; text from outside is escaped; every element is closed;
//! figures that cannot be shown are errors or a sentence, never a broken page.

mod axis;
mod numbers;
mod page;
mod palette;
mod plane;
mod plot;

pub use numbers::{digits, human_time};
pub use plane::{Plane, PlanePaths};

/// A report, from its title to its last section.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// The heading of the page.
    pub title: String,
    /// The outcome in one or two sentences.
    pub summary: String,
    /// Names and values that identify what is reported: data set, algorithm, seed.
    pub facts: Vec<(String, String)>,
    /// The body, in order.
    pub sections: Vec<Section>,
}

/// A part of a report under one heading.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// What the section shows and how to read it; an empty line starts a new paragraph.
    pub text: String,
    /// The contents, in order. Pictures in a row stand side by side where there is room.
    pub blocks: Vec<Block>,
}

/// One element of a section.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Numbers to compare.
    Table(Table),
    /// An image.
    Picture(Picture),
    /// A drawing of series against axes.
    Plot(Plot),
    /// Words; an empty line starts a new paragraph.
    Text(String),
    /// Lines to be typed or kept in a file, as they are.
    Code(String),
}

/// A table whose rows are named and whose columns hold one quantity each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// What the table shows.
    pub caption: String,
    /// The heading of each cell column; the column of row labels has none.
    pub columns: Vec<String>,
    /// The rows, in order.
    pub rows: Vec<Row>,
    /// Remarks below the table, or nothing.
    pub note: String,
}

/// A row of a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// What the row is about.
    pub label: String,
    /// One cell for each column, already formatted.
    pub cells: Vec<String>,
    /// How the row is set apart.
    pub emphasis: Emphasis,
}

/// How a row is set apart from the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Emphasis {
    /// The subject of the report: highlighted.
    Model,
    /// Something to compare with: plain.
    #[default]
    Baseline,
    /// The best that any method could reach, such as sampling noise: set back in italics.
    Floor,
}

/// A PNG image, shown with hard pixel edges and enlarged by a whole factor if it is small.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Picture {
    /// What the picture shows.
    pub caption: String,
    /// The same for readers who cannot see it.
    pub alt: String,
    /// The encoded image.
    pub png: Vec<u8>,
}

/// A drawing of series against two axes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plot {
    /// What the plot shows.
    pub caption: String,
    /// The name of the horizontal axis, with its unit.
    pub x_label: String,
    /// The name of the vertical axis, with its unit.
    pub y_label: String,
    /// The scale of the horizontal axis.
    pub x_scale: Scale,
    /// The scale of the vertical axis.
    pub y_scale: Scale,
    /// What is drawn, later series on top.
    pub series: Vec<Series>,
}

/// The scale of an axis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences are equally long.
    #[default]
    Linear,
    /// Equal ratios are equally long; only positive values can be shown.
    Log,
}

/// Points drawn in one style.
///
/// A value that is not finite, or not positive on a logarithmic axis, is left out and breaks the
/// line.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// The name in the legend. Series of one name share a colour and an entry; an empty name has no
    /// entry.
    pub name: String,
    /// How the points are drawn.
    pub style: SeriesStyle,
    /// Horizontal and vertical values, in drawing order.
    pub points: Vec<(f64, f64)>,
}

/// How the points of a series are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SeriesStyle {
    /// A solid line.
    #[default]
    Line,
    /// Dots.
    Points,
    /// A thin translucent line, for many sample paths on top of each other.
    PathLine,
    /// A dashed line, for what is known or expected.
    Dashed,
}

/// Why a report could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A row does not fit the columns of its table.
    #[error("row `{row}` of table `{table}` has {found} cells, expected {expected} (one per column)")]
    RaggedRow {
        /// The caption of the table.
        table: String,
        /// The label of the row.
        row: String,
        /// The number of cells in the row.
        found: usize,
        /// The number of columns.
        expected: usize,
    },
    /// The bytes of a picture are not a PNG image.
    #[error("picture `{caption}` must be a PNG image, got {length} other bytes (encode it as PNG)")]
    NotPng {
        /// The caption of the picture.
        caption: String,
        /// The number of bytes given.
        length: usize,
    },
    /// A plot could not be drawn.
    #[error("plot `{caption}` could not be drawn")]
    Plot {
        /// The caption of the plot.
        caption: String,
        /// What the drawing library reported.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The page's template could not be filled.
    #[error("the report's template could not be filled")]
    Template(#[from] minijinja::Error),
}

impl Report {
    /// The report as one HTML page.
    ///
    /// # Errors
    /// When a row does not have one cell for each column, a picture is not a PNG image, or drawing
    /// fails.
    pub fn render(&self) -> Result<String, ReportError> {
        page::render(self)
    }
}
