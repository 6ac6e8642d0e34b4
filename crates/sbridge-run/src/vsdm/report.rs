//! The report of a variational diffusion.

use sbridge::rng::Rng;
use sbridge::solver::vsdm::StageRecord;
use sbridge::tensor::{Tensor, head, points, to_vec_f64};

use super::evaluation::{Likelihood, Row as Candidate, Travel};
use super::stages::of_forward_score;
use super::{METHOD, OpenVsdm, RunData, VsdmEvaluation};
use crate::atomic;
use crate::error::Result;
use crate::plane::{self, Plane};
use crate::report::{Block, Emphasis, Report, Row, Section, Series, SeriesStyle, Table};

/// Samples drawn.
const SCATTER: usize = 1000;

/// Paths drawn, and the steps they are drawn in.
const PATHS: usize = 40;
const PATH_STEPS: usize = 50;

/// Writes `report.html` into the folder of `run`.
///
/// # Errors
/// [`RunError`](crate::RunError) if the page cannot be drawn or written.
pub(super) fn write(run: &OpenVsdm, data: &RunData, evaluation: &VsdmEvaluation) -> Result<()> {
    let report = Report {
        title: format!("Variational diffusion of {}", data.target.source()),
        summary: summary(evaluation),
        facts: facts(run, evaluation),
        sections: vec![
            samples_section(run, data)?,
            quality_section(evaluation),
            travel_section(evaluation),
            stages_section(run),
            settings_section(run),
        ],
    };
    atomic::write_page(&run.folder.file("report.html"), &report)
}

fn summary(evaluation: &VsdmEvaluation) -> String {
    let rows: Vec<String> = evaluation
        .rows
        .iter()
        .filter(|row| row.kind == crate::evaluate::RowKind::Model)
        .filter_map(|row| Some(format!("{} calls: energy distance {:.5}", row.calls?, row.distances.energy)))
        .collect();
    let floor = evaluation.rows.iter().find(|row| row.name == "training data");
    let floor = floor.map_or(String::new(), |row| format!("; training data: {:.5}", row.distances.energy));
    let remarks: Vec<String> = evaluation.remarks.iter().map(|remark| format!(" Note: {remark}.")).collect();
    format!("{}{floor}.{}", rows.join("; "), remarks.concat())
}

fn facts(run: &OpenVsdm, evaluation: &VsdmEvaluation) -> Vec<(String, String)> {
    let manifest = &run.manifest;
    let target = &manifest.target;
    let seconds: f64 = manifest.seconds.iter().map(|(_, seconds)| seconds).sum();
    let memory = manifest.peak_memory.map(|bytes| format!("{:.2} GB", bytes as f64 / 1e9));
    vec![
        ("target".into(), format!("{} ({} samples of {})", target.source, target.count, target.shape)),
        ("time".into(), crate::estimate::human_time(seconds)),
        ("peak memory of the fit".into(), memory.unwrap_or_else(|| "–".into())),
        ("stages".into(), run.learned.stages.len().to_string()),
        ("mismatch of the prior".into(), format!("{:.2e}", evaluation.mismatch)),
        ("seed".into(), manifest.seed.to_string()),
        ("version".into(), format!("sbridge {}", manifest.version)),
    ]
}

fn samples_section(run: &OpenVsdm, data: &RunData) -> Result<Section> {
    let mut rng = Rng::new(run.config.seed).fork("report");
    let truth = head(&data.split.train, SCATTER);
    let plane = Plane::of(&points(&truth)?)?;
    let project = |rows: &Tensor<2>| plane.project(&to_vec_f64(rows.clone()));
    let samples = run.model.sample(SCATTER, &run.config.sampler, &mut rng)?;
    let cloud = |name: &str, rows: &Tensor<2>| Series {
        name: name.into(),
        style: SeriesStyle::Points,
        points: project(rows),
    };
    let start = run.model.start(run.config.sampler.start)?.draw(PATHS, &mut rng);
    let mut paths = vec![Vec::new(); PATHS];
    let net = |x, level| run.model.net.forward(x, level);
    run.model.flow(PATH_STEPS)?.carry(&net, start, &mut |_, x| {
        paths.iter_mut().zip(project(x)).for_each(|(path, point)| path.push(point));
    });
    let path = |points| Series { name: "paths".into(), style: SeriesStyle::PathLine, points };
    let mut of_paths = vec![cloud("data", &truth)];
    of_paths.extend(paths.into_iter().map(path));
    let caption = format!("Data and samples, {} steps of the probability flow", run.config.sampler.steps);
    Ok(Section {
        title: "Samples".into(),
        text: String::new(),
        blocks: vec![
            plane::plot(&caption, vec![cloud("data", &truth), cloud("samples", &samples)]),
            plane::plot("Paths of the probability flow, from the prior to the data", of_paths),
        ],
    })
}

fn quality_section(evaluation: &VsdmEvaluation) -> Section {
    let row = |candidate: &Candidate| {
        let q = candidate.distances;
        Row {
            label: candidate.name.clone(),
            cells: vec![
                candidate.calls.map_or("–".into(), |calls| calls.to_string()),
                format!("{:.3}", candidate.variance),
                format!("{:.4}", q.w1),
                format!("{:.4}", q.w2),
                format!("{:.4}", q.sliced_w2),
                format!("{:.5}", q.energy),
            ],
            emphasis: Emphasis::from(candidate.kind),
        }
    };
    Section {
        title: "Quality".into(),
        text: "Distances of samples from those set aside. Calls are calls of the network for a sample; variance is the \
               total variance over that of the samples set aside."
            .into(),
        blocks: vec![Block::Table(Table {
            caption: format!("{} samples", evaluation.count),
            columns: ["calls", "variance", "W1", "W2", "sliced W2", "energy distance"].map(String::from).to_vec(),
            rows: evaluation.rows.iter().map(row).collect(),
            note: "Nothing is closer than training data but by chance.".into(),
        })],
    }
}

fn travel_section(evaluation: &VsdmEvaluation) -> Section {
    let row = |travel: &Travel| Row {
        label: travel.name.clone(),
        cells: [travel.straightness, travel.kinetic, travel.variance].map(|x| format!("{x:.3}")).to_vec(),
        emphasis: Emphasis::Baseline,
    };
    let mut blocks = vec![Block::Table(Table {
        caption: "99 steps of equal length in time".into(),
        columns: ["straightness", "kinetic energy", "variance"].map(String::from).to_vec(),
        rows: evaluation.travels.iter().map(row).collect(),
        note: String::new(),
    })];
    if !evaluation.likelihoods.is_empty() {
        blocks.push(likelihood_table(&evaluation.likelihoods));
    }
    Section {
        title: "Paths and densities".into(),
        text: "How samples travel along the probability flow, averaged over coordinates in units of their standard \
               deviations. Straightness is the mean of |second differences|/dt², zero for uniform motion. It says \
               nothing without the variance: shrunken samples look straight."
            .into(),
        blocks,
    }
}

fn likelihood_table(likelihoods: &[Likelihood]) -> Block {
    let row = |one: &Likelihood| Row {
        label: one.name.clone(),
        cells: [one.mean, one.error, one.bits].map(|x| format!("{x:.4}")).to_vec(),
        emphasis: if one.name == METHOD { Emphasis::Model } else { Emphasis::Baseline },
    };
    Block::Table(Table {
        caption: "Log-likelihood of the samples set aside".into(),
        columns: ["nats", "± standard error", "bits for each coordinate"].map(String::from).to_vec(),
        rows: likelihoods.iter().map(row).collect(),
        note: "Along the probability flow, with exact divergences, where the backward process ends. More nats are better.".into(),
    })
}

fn stages_section(run: &OpenVsdm) -> Section {
    let seconds = |stage: usize| {
        let name = of_forward_score(METHOD, stage);
        let found = run.manifest.seconds.iter().find(|(of, _)| *of == name);
        found.map_or("–".into(), |(_, seconds)| format!("{seconds:.1}"))
    };
    let row = |(k, stage): (usize, &StageRecord)| Row {
        label: (k + 1).to_string(),
        cells: vec![
            format!("{:.1e}", stage.mismatch),
            format!("{:.1e}", stage.change),
            format!("{:.3} to {:.3}", stage.least, stage.largest),
            seconds(k),
        ],
        emphasis: Emphasis::Baseline,
    };
    Section {
        title: "Stages".into(),
        text: "The forward score, stage by stage: how far what the noising ends in is from the prior (KL), how far a step moved \
               A in units of 1 + its norm, and between what the eigenvalues of D lie. It rests when both are below 0.01 for \
               three stages; the network is trained once more then, or after the last stage."
            .into(),
        blocks: vec![Block::Table(Table {
            caption: String::new(),
            columns: ["mismatch", "change of A", "eigenvalues of D", "seconds of the step"].map(String::from).to_vec(),
            rows: run.learned.stages.iter().enumerate().map(row).collect(),
            note: String::new(),
        })],
    }
}

fn settings_section(run: &OpenVsdm) -> Section {
    Section {
        title: "How to make it again".into(),
        text: "The settings below are complete; the same seed on the same machine gives the same model."
            .into(),
        blocks: vec![
            Block::Code("sbridge fit vsdm --config config.toml --out ANOTHER_FOLDER".into()),
            Block::Code(run.config.to_toml()),
        ],
    }
}
