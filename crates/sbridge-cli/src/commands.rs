//! One function per command.

use std::path::Path;
use std::time::Instant;

use sbridge_run::config::DataConfig;
use sbridge_run::evaluate::Evaluation;
use sbridge_run::finish::{self, OpenRun};
use sbridge_run::ot::{self, OtSettings};
use sbridge_run::reproduce::{Effort, Experiment, reproduce};
use sbridge_run::sample::{self, SampleFormat};
use sbridge_run::{Config, Result, RunError, RunFolder, estimate, fit_latent, run_report};

use crate::args::{
    Arguments, Command, Demo, EncoderChoice, EpsilonChoice, Eval, ExperimentChoice, FitLatent, Inspect,
    Method, Ot, Report, Reproduce, Sample,
};

/// Settings of the demonstration: letters teach the autoencoder, digits are generated.
const DEMO: &str = include_str!("../../../configs/demo.toml");

pub(crate) fn run(arguments: Arguments) -> Result<()> {
    match arguments.command {
        Command::Demo(demo) => run_demo(&demo),
        Command::Fit { method: Method::Latent(fit) } => fit_a_latent_bridge(&fit),
        Command::Sample(sample) => draw(&sample),
        Command::Eval(eval) => judge(&eval),
        Command::Report(report) => write_report(&report),
        Command::Inspect(inspect) => say_what_it_is(&inspect),
        Command::Ot(ot) => compare(&ot),
        Command::Reproduce(reproduce) => repeat(&reproduce),
    }
}

fn run_demo(demo: &Demo) -> Result<()> {
    let config = Config::from_toml(DEMO, &[format!("seed={}", demo.seed)])?;
    complete(Instant::now(), || fit_latent::start(config, &demo.out))
}

fn fit_a_latent_bridge(fit: &FitLatent) -> Result<()> {
    let started = Instant::now();
    if let Some(run) = &fit.resume {
        return complete(started, || fit_latent::resume(run));
    }
    let text = match &fit.config {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|e| RunError::Config(format!("cannot read {}: {e} (check --config)", path.display())))?,
        None => String::new(),
    };
    let config = Config::from_toml(&text, &assignments(fit)?)?;
    let out = fit.out.as_ref().expect("clap asks for --out unless --resume is given");
    complete(started, || fit_latent::start(config, out))
}

/// The options of `fit latent` as settings, in the order in which later ones win.
fn assignments(fit: &FitLatent) -> Result<Vec<String>> {
    let mut list = fit.set.clone();
    let mut put = |key: &str, value: Option<String>| list.extend(value.map(|v| format!("{key}={v}")));
    let quoted = |value: &Option<String>| value.as_ref().map(|v| toml_string(v));
    put("target.source", quoted(&fit.target));
    put("target.labels", labels(fit.target_labels.as_deref())?.map(|l| format!("{l:?}")));
    put("target.limit", fit.target_limit.map(|n| n.to_string()));
    put("pretrain.source", quoted(&fit.pretrain));
    put("pretrain.labels", labels(fit.pretrain_labels.as_deref())?.map(|l| format!("{l:?}")));
    put("pretrain.limit", fit.pretrain_limit.map(|n| n.to_string()));
    put("autoencoder.net.latent_dim", fit.latent_dim.map(|n| n.to_string()));
    put("seed", fit.seed.map(|n| n.to_string()));
    put("device", quoted(&fit.device));
    put(
        "autoencoder.encoder",
        fit.encoder.map(|e| match e {
            EncoderChoice::Trained => toml_string("trained"),
            EncoderChoice::Identity => toml_string("identity"),
        }),
    );
    Ok(list)
}

/// A TOML string that means exactly `text`.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `5-9` or `1,3` as a list.
fn labels(text: Option<&str>) -> Result<Option<Vec<u32>>> {
    let Some(text) = text else { return Ok(None) };
    let wrong = || RunError::Input(format!("labels are numbers and ranges such as 5-9 or 1,3, got {text:?}"));
    let number = |s: &str| s.trim().parse::<u32>().map_err(|_| wrong());
    let mut list: Vec<u32> = Vec::new();
    for part in text.split(',') {
        match part.split_once('-') {
            Some((first, last)) => list.extend(number(first)?..=number(last)?),
            None => list.push(number(part)?),
        }
    }
    if list.is_empty() {
        return Err(wrong());
    }
    Ok(Some(list))
}

/// Trains, then draws, evaluates and reports.
fn complete(started: Instant, train: impl FnOnce() -> Result<RunFolder>) -> Result<()> {
    let folder = train()?;
    let report = folder.file("report.html");
    let evaluation = finish::finish(folder)?;
    println!("{evaluation}");
    let minutes = estimate::human_time(started.elapsed().as_secs_f64());
    println!("done in {minutes}; open {}", report.display());
    Ok(())
}

fn draw(args: &Sample) -> Result<()> {
    if args.count == 0 {
        return Err(RunError::Input("-n must be at least 1, got 0".into()));
    }
    let run = OpenRun::open(&args.run, args.device.as_deref())?;
    SampleFormat::of_path(&args.out, run.shape())?;
    if let Some(other) = args.set.iter().find(|set| !set.starts_with("sampler.")) {
        return Err(RunError::Input(format!("sampling takes sampler.* settings only, got --set {other}")));
    }
    let config = Config::from_toml(&run.config.to_toml(), &args.set)?;
    let seed = args.seed.unwrap_or(run.config.seed);
    let started = Instant::now();
    let samples = sample::draw(&run.model, &config.sampler, args.count, seed)?;
    sample::write(&args.out, &samples, run.shape(), run.range())?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{} samples in {seconds:.1} s: {}", samples.dims()[0], args.out.display());
    Ok(())
}

fn judge(args: &Eval) -> Result<()> {
    let labels = labels(args.reference_labels.as_deref())?.unwrap_or_default();
    let reference = args.reference.clone().map(|source| DataConfig { source, labels, limit: 0 });
    let evaluation = match (&args.run, &args.samples, &reference) {
        (Some(run), _, reference) => {
            finish::evaluate(&OpenRun::open_to_write(run, args.device.as_deref())?, reference.as_ref())?
        }
        (None, Some(samples), Some(reference)) => {
            finish::evaluate_file(samples, reference, args.device.as_deref().unwrap_or("cpu"))?
        }
        _ => return Err(RunError::Input("give a run, or --samples with --reference".into())),
    };
    print(&evaluation, args.json);
    Ok(())
}

fn print(evaluation: &Evaluation, json: bool) {
    if json {
        let text = serde_json::to_string_pretty(evaluation).expect("an evaluation is plain data");
        println!("{text}");
    } else {
        println!("{evaluation}");
    }
}

fn write_report(args: &Report) -> Result<()> {
    let run = OpenRun::open_to_write(&args.run, None)?;
    run_report::write(&run)?;
    println!("{}", Path::new(&args.run).join("report.html").display());
    Ok(())
}

fn say_what_it_is(args: &Inspect) -> Result<()> {
    let inspection = sbridge_data::inspect(&args.data)?;
    if args.json {
        let text = serde_json::to_string_pretty(&inspection).expect("an inspection is plain data");
        println!("{text}");
    } else {
        println!("{inspection}");
    }
    Ok(())
}

fn compare(args: &Ot) -> Result<()> {
    let epsilon = match args.epsilon {
        EpsilonChoice::Auto => None,
        EpsilonChoice::Value(value) => Some(value),
    };
    let settings = OtSettings { epsilon, exact: args.exact, limit: args.limit, seed: args.seed };
    let report = ot::compare(&args.source, &args.target, &settings, args.plan.as_deref())?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report).expect("a report is plain data"));
    } else {
        println!("{report}");
    }
    Ok(())
}

fn repeat(args: &Reproduce) -> Result<()> {
    let experiment = match args.experiment {
        ExperimentChoice::Lsbdm => Experiment::Lsbdm,
    };
    let effort = if args.quick { Effort::Quick } else { Effort::Full };
    let done = reproduce(experiment, effort, args.seed, &args.out)?;
    println!("{done}");
    println!("report: {}", args.out.join("report.html").display());
    match done.failed() {
        0 => Ok(()),
        failed => Err(RunError::Checks { failed }),
    }
}
