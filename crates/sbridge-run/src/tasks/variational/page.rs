//! The report of a variational diffusion.

use sbridge::solver::vsdm::StageRecord;
use sbridge::tensor::{Tensor, head, points, to_vec_f64};
use sbridge_report::{Block, Emphasis, Plane, Row, Section, Table};

use super::judge::{Likelihood, Row as Candidate, Travel};
use super::{METHOD, Variational, VariationalData, VariationalEvaluation};
use crate::error::Result;
use crate::models::variational::of_forward_score;
use crate::quality::RowKind;
use crate::task::{Page, Run};

/// Samples drawn.
const SCATTER: usize = 1000;

/// Paths drawn, and the steps they are drawn in.
const PATHS: usize = 40;
const PATH_STEPS: usize = 50;

/// What the report says.
///
/// # Errors
/// [`RunError`](crate::RunError) if something cannot be drawn.
pub(super) fn page(
    run: &Run<Variational>,
    data: &VariationalData,
    evaluation: &VariationalEvaluation,
) -> Result<Page> {
    Ok(Page {
        title: format!("Variational diffusion of {}", data.target.source()),
        summary: summary(evaluation),
        facts: vec![
            ("stages".into(), run.learned.stages.stages.len().to_string()),
            ("mismatch of the prior".into(), format!("{:.2e}", evaluation.mismatch)),
        ],
        sections: vec![
            samples_section(run, data)?,
            quality_section(evaluation),
            travel_section(evaluation),
            stages_section(run),
        ],
    })
}

fn summary(evaluation: &VariationalEvaluation) -> String {
    let rows: Vec<String> = evaluation
        .rows
        .iter()
        .filter(|row| row.kind == RowKind::Model)
        .filter_map(|row| Some(format!("{} calls: energy distance {:.5}", row.calls?, row.distances.energy)))
        .collect();
    let floor = evaluation.rows.iter().find(|row| row.name == "training data");
    let floor = floor.map_or(String::new(), |row| format!("; training data: {:.5}", row.distances.energy));
    format!("{}{floor}.", rows.join("; "))
}

fn samples_section(run: &Run<Variational>, data: &VariationalData) -> Result<Section> {
    let (mut rng, model, sampler) = (run.rng("report"), &run.learned.model, &run.settings.sampler);
    let truth = head(&data.split.train, SCATTER);
    let plane = Plane::of(&points(&truth)?)?;
    let cloud = |name: &str, rows: &Tensor<2>| plane.dots(name, &to_vec_f64(rows.clone()));
    let samples = model.sample(SCATTER, sampler, &mut rng)?;
    let start = model.start(sampler.start)?.draw(PATHS, &mut rng);
    let (mut paths, net) = (plane.paths(), |x, level| model.net.forward(x, level));
    model.flow(PATH_STEPS)?.integrate(&net, start, &mut |_, x| paths.pass(&to_vec_f64(x.clone())));
    let of_paths = std::iter::once(cloud("data", &truth)).chain(paths.lines()).collect();
    let caption = format!("Data and samples, {} steps of the probability flow", sampler.steps);
    Ok(Section {
        title: "Samples".into(),
        text: String::new(),
        blocks: vec![
            Plane::plot(&caption, vec![cloud("data", &truth), cloud("samples", &samples)]),
            Plane::plot("Paths of the probability flow, from the prior to the data", of_paths),
        ],
    })
}

fn quality_section(evaluation: &VariationalEvaluation) -> Section {
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
        text: "Distances of samples from those judged by. Calls are calls of the network for a sample; variance is the \
               total variance over that of the samples judged by."
            .into(),
        blocks: vec![Block::Table(Table {
            caption: format!("{} samples, {} ones beside them", evaluation.count, evaluation.judged_by),
            columns: ["calls", "variance", "W1", "W2", "sliced W2", "energy distance"].map(String::from).to_vec(),
            rows: evaluation.rows.iter().map(row).collect(),
            note: "Nothing is closer than training data but by chance.".into(),
        })],
    }
}

fn travel_section(evaluation: &VariationalEvaluation) -> Section {
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
        caption: "Log-likelihood of the samples judged by, with a little noise".into(),
        columns: ["nats", "± standard error", "bits for each coordinate"].map(String::from).to_vec(),
        rows: likelihoods.iter().map(row).collect(),
        note: "Along the probability flow, with exact divergences. Every row at the same samples, in the units of the data, with \
               the least noise that a backward process leaves in each principal direction. More nats are better."
            .into(),
    })
}

fn stages_section(run: &Run<Variational>) -> Section {
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
            rows: run.learned.stages.stages.iter().enumerate().map(row).collect(),
            note: String::new(),
        })],
    }
}
