//! The report of a run: what a task says of it, and what is said of every run.

use sbridge_report::{Block, Plot, Report, Scale, Section, Series, SeriesStyle, human_time};

use crate::error::Result;
use crate::folder::manifest::{DataRecord, Manifest};
use crate::folder::{atomic, metrics};
use crate::quality::Judgement;
use crate::settings::Settings as _;
use crate::task::{Page, Run, Task};

/// Writes `report.html` into the folder of `run`.
///
/// # Errors
/// [`RunError`](crate::RunError) if the page cannot be drawn or written.
pub(crate) fn write<T: Task>(run: &Run<T>, page: Page, found: &T::Judgement) -> Result<()> {
    let remarks = run.manifest.notes.iter().chain(found.remarks());
    let remarks = remarks.map(|remark| format!(" Note: {remark}."));
    let records = run.manifest.records();
    let data = records.named().map(|(name, record)| (name.into(), described(record)));
    let mut sections = page.sections;
    sections.extend(training(&run.folder.read("metrics.jsonl").unwrap_or_default()));
    sections.push(settings(run));
    let report = Report {
        title: page.title,
        summary: page.summary + &remarks.collect::<String>(),
        facts: data.chain(page.facts).chain(facts(&run.manifest)).collect(),
        sections,
    };
    atomic::write_page(&run.file("report.html"), &report)
}

fn described(record: &DataRecord) -> String {
    let digest = record.sha256.get(..12).unwrap_or(&record.sha256);
    if record.count == 0 {
        return format!("{} ({}, sha256 {digest}…)", record.source, record.shape);
    }
    format!("{} ({} samples of {}, sha256 {digest}…)", record.source, record.count, record.shape)
}

fn facts(manifest: &Manifest) -> Vec<(String, String)> {
    let mut spent: Vec<(&str, f64)> = Vec::new();
    for (stage, seconds) in &manifest.seconds {
        let name = network_of(stage);
        match spent.iter_mut().find(|(known, _)| *known == name) {
            Some((_, total)) => *total += seconds,
            None => spent.push((name, *seconds)),
        }
    }
    let spent: Vec<String> = spent.iter().map(|(name, s)| format!("{name} {}", human_time(*s))).collect();
    let mut facts = vec![
        ("method".into(), manifest.method.clone()),
        ("seed, device".into(), format!("{}, {}", manifest.seed, manifest.device)),
        ("time".into(), spent.join(", ")),
    ];
    let memory = |bytes: u64| ("peak memory".into(), format!("{:.2} GB", bytes as f64 / 1e9));
    facts.extend(manifest.peak_memory.map(memory));
    let from = "their mean, where they lie far from zero".to_string();
    facts.extend(manifest.origin.is_some().then(|| ("coordinates counted from".into(), from)));
    facts.push(("version".into(), format!("sbridge {}", manifest.version)));
    facts
}

/// What the stages of one network have in common in their names: `backward` of `backward-2`.
fn network_of(stage: &str) -> &str {
    let stage = stage.split(',').next().unwrap_or(stage);
    match stage.rsplit_once('-') {
        Some((network, part))
            if network.contains(char::is_alphabetic) && (part == "last" || part.parse::<usize>().is_ok()) =>
        {
            network
        }
        _ => stage,
    }
}

/// Losses of every network, stage after stage, where there are any.
fn training(log: &str) -> Option<Section> {
    let mut plots: Vec<(String, Vec<Series>)> = Vec::new();
    for (name, style, losses) in [
        ("training loss", SeriesStyle::Line, metrics::curves(log, "loss")),
        ("held-out loss", SeriesStyle::Dashed, metrics::curves(log, "held_out_loss")),
    ] {
        for (stage, points) in losses {
            add(&mut plots, network_of(&stage), (name, style), points);
        }
    }
    let blocks: Vec<Block> = plots.into_iter().map(|(network, series)| plot(&network, series)).collect();
    let text = "Losses level off above zero where their targets are noisy. A held-out loss that rises while the training \
                loss falls is over-fitting.";
    (!blocks.is_empty()).then(|| Section { title: "Training".into(), text: text.into(), blocks })
}

/// Adds `points` to the series called `name` of the plot of `network`.
fn add(
    plots: &mut Vec<(String, Vec<Series>)>,
    network: &str,
    (name, style): (&str, SeriesStyle),
    points: Vec<(f64, f64)>,
) {
    let known = plots.iter().position(|(known, _)| known == network);
    let place = known.unwrap_or_else(|| {
        plots.push((network.into(), Vec::new()));
        plots.len() - 1
    });
    let series = &mut plots[place].1;
    match series.iter_mut().find(|series| series.name == name) {
        Some(series) => {
            let end = series.points.last().map_or(0.0, |(step, _)| *step);
            series.points.extend(points.into_iter().map(|(step, loss)| (end + step, loss)));
        }
        None => series.push(Series { name: name.into(), style, points }),
    }
}

fn plot(network: &str, series: Vec<Series>) -> Block {
    let is_positive = series.iter().flat_map(|series| &series.points).all(|(_, loss)| *loss > 0.0);
    Block::Plot(Plot {
        caption: format!("Loss, {network}"),
        x_label: "step".into(),
        y_label: "loss".into(),
        y_scale: if is_positive { Scale::Log } else { Scale::Linear },
        series,
        ..Plot::default()
    })
}

fn settings<T: Task>(run: &Run<T>) -> Section {
    let command = T::command(run.method());
    Section {
        title: "How to make it again".into(),
        text: "The settings below are complete; the same seed on the same machine gives the same numbers."
            .into(),
        blocks: vec![
            Block::Code(format!("sbridge {command} --config config.toml --out ANOTHER_FOLDER")),
            Block::Code(run.settings.to_toml()),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_of_a_network_are_one_and_legs_of_a_chain_are_not() {
        let networks =
            ["backward-12", "vsdm-last", "vsdm-2, forward score", "score-model-1", "score", "0-1.5", "-2-3"];
        let expected = ["backward", "vsdm", "vsdm", "score-model", "score", "0-1.5", "-2-3"];
        assert_eq!(networks.map(network_of), expected);
    }

    #[test]
    fn curves_of_a_network_go_on_where_the_stage_before_ended() {
        let log = [("a-1", 20, 3.0), ("b-1", 20, 5.0), ("a-2", 20, 2.0)]
            .map(|(stage, step, loss)| metrics::line(stage, step, "loss", loss))
            .concat();
        let Some(Section { blocks, .. }) = training(&log) else { panic!("there are losses") };
        let [Block::Plot(a), Block::Plot(b)] = &blocks[..] else { panic!("two plots") };
        assert_eq!(a.series[0].points, [(20.0, 3.0), (40.0, 2.0)]);
        assert_eq!(b.series[0].points, [(20.0, 5.0)]);
        assert!(training("").is_none());
    }
}
