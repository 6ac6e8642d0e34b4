//! The HTML page of a report: turns it into the values that `template.html` lays out.
//!
//! All text is escaped by the template engine. Only what is made here is marked as safe: drawings,
//! whose text is escaped as they are drawn, and `data:` URIs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Value, context};

use super::palette::Ink;
use super::plot;
use super::{Block, Emphasis, Picture, Plot, Report, ReportError, Section, SeriesStyle, Table};

/// The extension switches escaping on.
const TEMPLATE_NAME: &str = "report.html";
const TEMPLATE: &str = include_str!("template.html");
const PNG_SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// Pixels: small pictures grow up to this size, so that two stand side by side.
const PICTURE_SIZE: u32 = 440;

/// See [`Report::render`].
pub(super) fn render(report: &Report) -> Result<String, ReportError> {
    let sections: Result<Vec<_>, _> = report.sections.iter().map(section).collect();
    let sections = sections?;
    let facts = report.facts.iter();
    let facts = facts.map(|(name, value)| context! { name, value });
    let inks = Ink::all().map(|ink| context! { light => ink.hex(), dark => ink.dark });
    let page = context! {
        title => &report.title,
        summary => &report.summary,
        facts => facts.collect::<Vec<_>>(),
        sections,
        inks => inks.collect::<Vec<_>>(),
    };
    Ok(environment()?.render_named_str(TEMPLATE_NAME, TEMPLATE, page)?)
}

/// The template engine, told to leave no empty lines where the template has only a tag.
fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true);
    let mut environment = Environment::new();
    environment.set_syntax(syntax.build()?);
    Ok(environment)
}

fn section(section: &Section) -> Result<Value, ReportError> {
    let blocks: Result<Vec<_>, _> = section.blocks.iter().map(block).collect();
    Ok(context! {
        title => &section.title,
        paragraphs => paragraphs(&section.text),
        blocks => blocks?,
    })
}

fn block(block: &Block) -> Result<Value, ReportError> {
    match block {
        Block::Table(table) => self::table(table),
        Block::Picture(picture) => self::picture(picture),
        Block::Plot(plot) => self::plot(plot),
        Block::Text(text) => Ok(context! { kind => "text", paragraphs => paragraphs(text) }),
        Block::Code(code) => Ok(context! { kind => "code", code => code.trim_end() }),
    }
}

fn paragraphs(text: &str) -> Vec<String> {
    let paragraphs = text.split("\n\n").map(str::trim);
    paragraphs.filter(|paragraph| !paragraph.is_empty()).map(str::to_owned).collect()
}

fn table(table: &Table) -> Result<Value, ReportError> {
    check_rows(table)?;
    let alignments: Vec<&str> = (0..table.columns.len()).map(|column| alignment(table, column)).collect();
    let aligned = |texts: &[String]| -> Vec<Value> {
        let pairs = texts.iter().zip(&alignments);
        pairs.map(|(text, align)| context! { text, align => *align }).collect()
    };
    let rows = table.rows.iter().map(|row| {
        let class = row_class(row.emphasis);
        context! { label => &row.label, cells => aligned(&row.cells), class }
    });
    Ok(context! {
        kind => "table",
        caption => &table.caption,
        columns => aligned(&table.columns),
        rows => rows.collect::<Vec<_>>(),
        notes => paragraphs(&table.note),
    })
}

fn check_rows(table: &Table) -> Result<(), ReportError> {
    let expected = table.columns.len();
    match table.rows.iter().find(|row| row.cells.len() != expected) {
        None => Ok(()),
        Some(row) => Err(ReportError::RaggedRow {
            table: table.caption.clone(),
            row: row.label.clone(),
            found: row.cells.len(),
            expected,
        }),
    }
}

/// Columns of numbers align right, so that digits of one weight stand below each other; words align
/// left.
fn alignment(table: &Table, column: usize) -> &'static str {
    match table.rows.iter().all(|row| is_number(&row.cells[column])) {
        true => "number",
        false => "word",
    }
}

/// Whether a cell reads as a number: a digit after signs and relations, or a stand-in for a number.
fn is_number(cell: &str) -> bool {
    let number = cell.trim_start_matches(|sign| "+-−±<>≤≥≈~. ".contains(sign));
    let stand_ins = ["", "–", "—", "∞", "nan", "inf", "n/a"];
    number.starts_with(|first: char| first.is_ascii_digit())
        || stand_ins.contains(&number.to_lowercase().as_str())
}

fn row_class(emphasis: Emphasis) -> &'static str {
    match emphasis {
        Emphasis::Model => "model",
        Emphasis::Baseline => "baseline",
        Emphasis::Floor => "floor",
    }
}

fn picture(picture: &Picture) -> Result<Value, ReportError> {
    let (width, height) = png_size(&picture.png)
        .ok_or_else(|| ReportError::NotPng { caption: picture.caption.clone(), length: picture.png.len() })?;
    let source = format!("data:image/png;base64,{}", BASE64.encode(&picture.png));
    let enlargement = (PICTURE_SIZE / width.max(height)).max(1);
    Ok(context! {
        kind => "picture",
        caption => &picture.caption,
        alt => &picture.alt,
        width => width * enlargement,
        height => height * enlargement,
        source => Value::from_safe_string(source),
    })
}

/// Width and height in pixels from the head of a PNG file: signature, length and name of the first
/// chunk, its data.
fn png_size(png: &[u8]) -> Option<(u32, u32)> {
    let first_chunk = png.strip_prefix(&PNG_SIGNATURE)?.get(4..)?;
    let (width, rest) = first_chunk.strip_prefix(b"IHDR")?.split_first_chunk()?;
    let width = u32::from_be_bytes(*width);
    let height = u32::from_be_bytes(*rest.first_chunk()?);
    (width > 0 && height > 0).then_some((width, height))
}

fn plot(plot: &Plot) -> Result<Value, ReportError> {
    let svg =
        plot::svg(plot).map_err(|source| ReportError::Plot { caption: plot.caption.clone(), source })?;
    let legend: Vec<Value> = plot::legend(plot)
        .into_iter()
        .map(|(name, style, ink)| context! { name, mark => mark(style), ink => ink.hex() })
        .collect();
    Ok(context! {
        kind => "plot",
        caption => &plot.caption,
        x_label => &plot.x_label,
        y_label => &plot.y_label,
        svg => svg.map(Value::from_safe_string),
        legend,
    })
}

/// How the template draws the sample of a style in the legend.
fn mark(style: SeriesStyle) -> &'static str {
    match style {
        SeriesStyle::Line => "line",
        SeriesStyle::Points => "points",
        SeriesStyle::PathLine => "path",
        SeriesStyle::Dashed => "dashed",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{Row, Scale, Series};

    /// The head of a PNG file of this size, which is all that the page reads.
    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = [&PNG_SIGNATURE[..], b"\0\0\0\x0DIHDR"].concat();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes
    }

    fn row(label: &str, cells: &[&str], emphasis: Emphasis) -> Row {
        Row { label: label.to_owned(), cells: cells.iter().map(|cell| cell.to_string()).collect(), emphasis }
    }

    fn example_table() -> Table {
        Table {
            caption: "Distances".to_owned(),
            columns: vec!["W₂".to_owned(), "reference".to_owned()],
            rows: vec![
                row("bridge", &["0.12", "Brownian"], Emphasis::Model),
                row("resampling", &["< 0.05", "none"], Emphasis::Floor),
            ],
            note: "Smaller is better.".to_owned(),
        }
    }

    fn example_plot(points: &[(f64, f64)]) -> Plot {
        Plot {
            caption: "Loss".to_owned(),
            y_scale: Scale::Log,
            series: vec![Series { name: "forward".to_owned(), points: points.to_vec(), ..Series::default() }],
            ..Plot::default()
        }
    }

    fn report_of(blocks: Vec<Block>) -> Report {
        let section = Section { title: "Results".to_owned(), text: "One.\n\nTwo.".to_owned(), blocks };
        Report {
            title: "A bridge".to_owned(),
            summary: "It works.".to_owned(),
            facts: vec![("seed".to_owned(), "7".to_owned())],
            sections: vec![section],
        }
    }

    fn example() -> Report {
        let picture = Picture { caption: "Digits".to_owned(), alt: "a grid".to_owned(), png: png(28, 28) };
        report_of(vec![
            Block::Table(example_table()),
            Block::Picture(picture),
            Block::Plot(example_plot(&[(0.0, 1.0), (1.0, 0.1)])),
            Block::Text("The end.".to_owned()),
            Block::Code("seed = 0\n\n[output]".to_owned()),
        ])
    }

    #[test]
    fn pages_refer_to_nothing_outside() {
        let page = example().render().unwrap().replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for reference in ["http://", "https://", "src=\"/", "<script", "<link", "@import", "url("] {
            assert!(!page.contains(reference), "{reference}");
        }
    }

    #[test]
    fn text_is_escaped_wherever_it_appears() {
        let attack = || "\"><script>alert('x')</script>".to_owned();
        let table = Table { caption: attack(), columns: vec![attack()], rows: vec![], note: attack() };
        let picture = Picture { caption: attack(), alt: attack(), png: png(1, 1) };
        let series = Series { name: attack(), points: vec![(0.0, 0.0)], ..Series::default() };
        let plot = Plot {
            caption: attack(),
            x_label: attack(),
            y_label: attack(),
            series: vec![series],
            ..Plot::default()
        };
        let mut report = report_of(vec![
            Block::Table(table),
            Block::Picture(picture),
            Block::Plot(plot),
            Block::Text(attack()),
            Block::Code(attack()),
        ]);
        (report.title, report.summary, report.facts) = (attack(), attack(), vec![(attack(), attack())]);
        (report.sections[0].title, report.sections[0].text) = (attack(), attack());
        let page = report.render().unwrap();
        assert!(!page.contains("<script"));
        assert!(page.contains("&lt;script&gt;"));
    }

    #[test]
    fn every_element_is_closed() {
        let page = example().render().unwrap();
        for tag in
            ["html", "head", "body", "main", "section", "figure", "table", "tr", "td", "p", "dl", "svg", "ul"]
        {
            let opened =
                page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
            assert!(opened > 0, "no <{tag}>");
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "<{tag}>");
        }
    }

    #[test]
    fn rendering_is_deterministic() {
        assert_eq!(example().render().unwrap(), example().render().unwrap());
    }

    #[test]
    fn an_empty_report_is_a_page() {
        assert!(Report::default().render().unwrap().contains("</html>"));
    }

    #[test]
    fn a_plot_without_points_says_so() {
        let page =
            report_of(vec![Block::Plot(example_plot(&[(0.0, f64::NAN), (1.0, 0.0)]))]).render().unwrap();
        assert!(page.contains("Nothing to plot"));
        assert!(!page.contains("<polyline"));
    }

    #[test]
    fn small_pictures_grow_by_whole_factors() {
        let page = example().render().unwrap();
        assert!(page.contains("width=\"420\" height=\"420\""), "440 pixels hold 28 fifteen times");
    }

    #[test]
    fn columns_of_numbers_align_right() {
        let table = example_table();
        assert_eq!([alignment(&table, 0), alignment(&table, 1)], ["number", "word"]);
    }

    #[test]
    fn ragged_rows_are_refused() {
        let mut table = example_table();
        table.rows[1].cells.pop();
        let error = report_of(vec![Block::Table(table)]).render().unwrap_err();
        assert_eq!(
            error.to_string(),
            "row `resampling` of table `Distances` has 1 cells, expected 2 (one per column)"
        );
    }

    #[test]
    fn pictures_must_be_png() {
        let picture = Picture { caption: "Digits".to_owned(), png: b"GIF89a".to_vec(), ..Picture::default() };
        let error = report_of(vec![Block::Picture(picture)]).render().unwrap_err();
        assert!(matches!(error, ReportError::NotPng { length: 6, .. }));
    }
}
