//! The report of a bridge between two data sets.

use sbridge::Direction;
use sbridge::rng::Rng;
use sbridge::simulate::walk;
use sbridge::tensor::{Tensor, head, points, to_vec, to_vec_f64};

use crate::atomic;
use crate::error::{Result, RunError};
use crate::fit_pair::{HALF_BRIDGES, Pair, stage_of};
use crate::metrics;
use crate::pair_evaluation::{self, Distances, End, PairEvaluation};
use crate::plane::{self, Plane};
use crate::report::{Block, Emphasis, Picture, Plot, Report, Row, Section, Series, SeriesStyle, Table};
use crate::sample;
use crate::shown::digits;
use crate::transport::{OpenPair, state_at};

/// Paths drawn each way.
const PATHS: usize = 40;

/// Samples of each side drawn behind them.
const SCATTER: usize = 600;

/// Evaluates the bridge of `run`, and writes `evaluation.json` and the report into its folder.
///
/// # Errors
/// [`RunError`] for data that cannot be read any more, or a disk that refuses.
pub fn judge(run: &OpenPair) -> Result<PairEvaluation> {
    let pair = Pair::load(&run.config)?;
    let evaluation = pair_evaluation::evaluate(run, &pair)?;
    atomic::write_json(&run.folder.file("evaluation.json"), &evaluation)?;
    write(run, pair, &evaluation)?;
    Ok(evaluation)
}

/// Writes `report.html` into the folder of `run`.
///
/// # Errors
/// [`RunError`] if the page cannot be drawn or written.
fn write(run: &OpenPair, pair: Pair, evaluation: &PairEvaluation) -> Result<()> {
    let title = format!("Bridge from {} to {}", pair.source.source(), pair.target.source());
    let mut sections = Vec::new();
    if run.shape().is_image() {
        sections.push(pictures_section(run, &pair)?);
    }
    let joined = match &run.codec {
        Some(codec) => pair.encoded(codec),
        None => pair,
    };
    sections.extend([
        paths_section(run, &joined)?,
        ends_section(evaluation),
        training_section(run),
        settings_section(run),
    ]);
    let report = Report { title, summary: summary(evaluation), facts: facts(run), sections };
    atomic::write_page(&run.folder.file("report.html"), &report)
}

fn summary(evaluation: &PairEvaluation) -> String {
    let end = |end: &End| {
        format!(
            "{}: W2 {:.3}, floor {:.3}, untouched {:.3}",
            end.direction, end.carried.w2, end.floor.w2, end.untouched.w2
        )
    };
    let ends: Vec<String> = evaluation.ends.iter().map(end).collect();
    let remarks: Vec<String> = evaluation.remarks.iter().map(|remark| format!(" Note: {remark}.")).collect();
    format!("{}.{}", ends.join("; "), remarks.concat())
}

fn facts(run: &OpenPair) -> Vec<(String, String)> {
    let manifest = &run.manifest;
    let describe =
        |d: &crate::manifest::DataRecord| format!("{} ({} samples of {})", d.source, d.count, d.shape);
    // Half-bridges of one direction count together.
    let mut spent: Vec<(&str, f64)> = Vec::new();
    for (stage, seconds) in &manifest.seconds {
        let stage = stage.split_once('-').map_or(stage.as_str(), |(direction, _)| direction);
        match spent.iter_mut().find(|(name, _)| *name == stage) {
            Some((_, total)) => *total += seconds,
            None => spent.push((stage, *seconds)),
        }
    }
    let spent: Vec<String> = spent.into_iter().map(|(stage, s)| format!("{stage} {s:.0} s")).collect();
    vec![
        ("source".into(), manifest.source.as_ref().map_or_else(String::new, describe)),
        ("target".into(), describe(&manifest.target)),
        ("method".into(), manifest.method.clone()),
        (
            "epsilon".into(),
            format!(
                "{} ({}; σ = {})",
                digits(run.config.epsilon),
                if run.codec.is_some() { "in variances of the codes" } else { "data units squared" },
                digits(run.config.epsilon.sqrt())
            ),
        ),
        ("seed".into(), manifest.seed.to_string()),
        ("time".into(), spent.join(", ")),
        ("version".into(), format!("sbridge {}", manifest.version)),
    ]
}

/// Pictures in a row, and times at which they are shown on their way.
const STRIP: usize = 12;
const TIMES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// Held-out images on their way to the other side, top to bottom.
fn pictures_section(run: &OpenPair, pair: &Pair) -> Result<Section> {
    let mut rng = Rng::new(run.config.seed).fork("pictures");
    let (a, b) = (pair.source.value_range(), pair.target.value_range());
    let range = (f64::from(a.0.min(b.0)), f64::from(a.1.max(b.1)));
    let mut blocks = Vec::new();
    for direction in [Direction::Forward, Direction::Backward] {
        let [from, _] = direction.along([&pair.of_source, &pair.of_target]);
        let start = head(from.held_out.as_ref().unwrap_or(&from.train), STRIP);
        let skeleton = run.bridge.skeleton(direction, &run.encode(&start), &mut rng);
        let at = |time: &f64| run.decode(&state_at(&skeleton, *time, run.bridge.epsilon(), &mut rng));
        let states: Vec<Tensor<2>> = TIMES.iter().map(at).collect();
        let values = sample::unit_range(&to_vec(Tensor::cat(states, 0)), range);
        let file = run.folder.file(&format!("{}.png", stage_of(direction)));
        sbridge_data::write_png_grid(&file, &values, run.shape(), start.dims()[0], 2)?;
        let png = std::fs::read(&file).map_err(|e| RunError::disk("read", &file, e))?;
        let caption = format!("{}: images on their way, at times {TIMES:?}", stage_of(direction));
        blocks.push(Block::Picture(Picture { alt: caption.clone(), caption, png }));
    }
    Ok(Section { title: "Images".into(), text: String::new(), blocks })
}

fn paths_section(run: &OpenPair, pair: &Pair) -> Result<Section> {
    let (x, y) = (&pair.of_source.train, &pair.of_target.train);
    let some = |rows: &Tensor<2>| head(rows, SCATTER);
    let plane = Plane::of(&points(&Tensor::cat(vec![some(x), some(y)], 0))?)?;
    let mut rng = Rng::new(run.config.seed).fork("report");
    let plot = |direction: Direction, from: &Tensor<2>, rng: &mut Rng| {
        let mut paths = vec![Vec::new(); PATHS.min(from.dims()[0])];
        let noise = run.bridge.step_noise(direction);
        let start = head(from, PATHS);
        let mut pass = |x: &Tensor<2>| {
            let points = plane.project(&to_vec_f64(x.clone()));
            paths.iter_mut().zip(points).for_each(|(path, point)| path.push(point));
        };
        pass(&start);
        walk(run.bridge.as_ref(), direction, start, &noise, rng, &mut |step| pass(step.end));
        let cloud = |name: &str, rows: &Tensor<2>| Series {
            name: name.into(),
            style: SeriesStyle::Points,
            points: plane.project(&to_vec_f64(some(rows))),
        };
        let mut series = vec![cloud("source", x), cloud("target", y)];
        let path = |points| Series { name: "paths".into(), style: SeriesStyle::PathLine, points };
        series.extend(paths.into_iter().map(path));
        let caption = match direction {
            Direction::Forward => "Paths from source to target",
            Direction::Backward => "Paths from target to source",
        };
        plane::plot(caption, series)
    };
    let blocks = vec![plot(Direction::Forward, x, &mut rng), plot(Direction::Backward, y, &mut rng)];
    let text = "The bridge is the most likely random path between the two sets, given Brownian motion of variance ε.";
    Ok(Section { title: "Paths".into(), text: text.into(), blocks })
}

fn ends_section(evaluation: &PairEvaluation) -> Section {
    let row = |label: &str, q: &Distances, emphasis: Emphasis| Row {
        label: label.into(),
        cells: [q.w1, q.w2, q.sliced_w2, q.energy].map(digits).into_iter().chain([q.shown_mmd2()]).collect(),
        emphasis,
    };
    let table = |end: &End| {
        Block::Table(Table {
            caption: format!(
                "{}: {} {} samples, carried to the other side",
                end.direction, end.count, evaluation.judged_by
            ),
            columns: ["W1", "W2", "sliced W2", "energy distance", "MMD²"].map(String::from).to_vec(),
            rows: end.rows().into_iter().map(|(name, kind, q)| row(name, &q, kind.into())).collect(),
            note: String::new(),
        })
    };
    let converged = if evaluation.entropic_converged { "" } else { ", which did not converge and is rough" };
    Section {
        title: "Both ends".into(),
        text: format!(
            "Distances to {} samples of the end: of what arrives, of training data (nothing can be closer), and \
             of the other set as it is.\n\nThe coupling costs ½E|x − y|² = {}; the entropic plan between the samples \
             costs {}{converged}. Energy of the paths, E∫½|v|²dt: {}.",
            evaluation.judged_by,
            digits(evaluation.coupling_cost),
            digits(evaluation.entropic_cost),
            digits(evaluation.path_energy)
        ),
        blocks: evaluation.ends.iter().map(table).collect(),
    }
}

fn training_section(run: &OpenPair) -> Section {
    let log = run.folder.read("metrics.jsonl").unwrap_or_default();
    let line = |name: &str, points| Series { name: name.into(), style: SeriesStyle::Line, points };
    let plot = |caption: &str, x_label: &str, y_label: &str, series| {
        Block::Plot(Plot {
            caption: caption.into(),
            x_label: x_label.into(),
            y_label: y_label.into(),
            series,
            ..Plot::default()
        })
    };
    let losses = metrics::curves(&log, "loss");
    let Some(networks) = &run.config.networks else {
        let series = losses.into_iter().map(|(stage, points)| line(&stage, points)).collect();
        let caption = "Loss of both potentials: KL to the bridge, up to a constant";
        return Section {
            title: "Training".into(),
            text: String::new(),
            blocks: vec![plot(caption, "step", "loss", series)],
        };
    };
    let of_half_bridges = |name: &str| metrics::curves(&log, name).remove(HALF_BRIDGES).unwrap_or_default();
    let losses = ["backward", "forward"].map(|direction| {
        let iterations = networks.half_bridges.div_ceil(2);
        let stages = (1..=iterations).map(|k| (k - 1, losses.get(&format!("{direction}-{k}"))));
        let points = stages.flat_map(|(k, points)| {
            let before = (k * networks.fit.steps) as f64;
            points.into_iter().flatten().map(move |(step, loss)| (before + step, *loss))
        });
        line(direction, points.collect())
    });
    // Odd half-bridges go backward.
    let by_direction = |name: &str| {
        let (backward, forward) =
            of_half_bridges(name).into_iter().partition(|(number, _)| number % 2.0 == 1.0);
        vec![line("backward", backward), line("forward", forward)]
    };
    Section {
        title: "Training".into(),
        text: "Losses of a half-bridge are errors of a regression, whose targets are noisy: they level off above zero. \
               What counts is below: the coupling's cost, by samples that every half-bridge carries, and how \
               far they end from those of the other side. When both level off, more half-bridges do nothing."
            .into(),
        blocks: vec![
            plot("Losses, half-bridge after half-bridge", "step", "loss", losses.into()),
            plot("Cost of the coupling", "half-bridge", "½E|x − y|²", by_direction("coupling_cost")),
            plot("Distance at the end", "half-bridge", "sliced W2", by_direction("sliced_w2")),
        ],
    }
}

fn settings_section(run: &OpenPair) -> Section {
    Section {
        title: "How to make it again".into(),
        text: "The settings below are complete; the same seed on the same machine gives the same bridge."
            .into(),
        blocks: vec![
            Block::Code(format!(
                "sbridge fit {} --config config.toml --out ANOTHER_FOLDER",
                run.manifest.method
            )),
            Block::Code(run.config.to_toml()),
        ],
    }
}
