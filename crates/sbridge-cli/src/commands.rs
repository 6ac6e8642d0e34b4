//! One function per command.

use std::fmt::Display;
use std::path::Path;
use std::time::Instant;

use sbridge::Direction;
use sbridge_run::chain::OpenChain;
use sbridge_run::config::DataConfig;
use sbridge_run::eot_benchmark::{self, EotTable, Potential, Protocol};
use sbridge_run::finish::{self, OpenRun};
use sbridge_run::fit_pair;
use sbridge_run::forecast::{self, ForecastConfig, OpenForecast};
use sbridge_run::ot::{self, OtSettings};
use sbridge_run::reproduce::{Effort, Experiment, Reproduction};
use sbridge_run::sample::{self, SampleFormat};
use sbridge_run::transport::{self, Course};
use sbridge_run::vsdm::{self, OpenVsdm, VsdmConfig};
use sbridge_run::{
    Config, PairConfig, PairMethod, Result, RunError, RunFolder, estimate, fit_latent, pair_report,
    run_report,
};
use serde::Serialize;

use crate::args::{
    Arguments, BenchEot, Benchmark, Command, Demo, DirectionChoice, EncoderChoice, Eval, ExperimentChoice,
    FitLatent, FitPair, FitVsdm, ForecastAction, ForecastFit, ForecastPredict, Inspect, Method, Ot,
    PotentialChoice, Report, Reproduce, Sample, Transport, toml_string,
};

/// Settings of the demonstration: letters teach the autoencoder, digits are generated.
const DEMO: &str = include_str!("../../../configs/demo.toml");

pub(crate) fn run(arguments: Arguments) -> Result<()> {
    match arguments.command {
        Command::Demo(demo) => run_demo(&demo),
        Command::Fit { method: Method::Latent(fit) } => fit_a_latent_bridge(&fit),
        Command::Fit { method: Method::LightSb(fit) } => join(PairMethod::LightSb, &fit),
        Command::Fit { method: Method::LightSbM(fit) } => join(PairMethod::LightSbM, &fit),
        Command::Fit { method: Method::Dsbm(fit) } => join(PairMethod::Dsbm, &fit),
        Command::Fit { method: Method::Sf2m(fit) } => join(PairMethod::Sf2m, &fit),
        Command::Fit { method: Method::Dsb(fit) } => join(PairMethod::Dsb, &fit),
        Command::Fit { method: Method::Sdsb(fit) } => join(PairMethod::Sdsb, &fit),
        Command::Fit { method: Method::Sgm(fit) } => join(PairMethod::Sgm, &fit),
        Command::Fit { method: Method::Vsdm(fit) } => fit_a_variational_diffusion(&fit),
        Command::Sample(sample) => draw(&sample),
        Command::Transport(transport) => carry(&transport),
        Command::Eval(eval) => judge(&eval),
        Command::Report(report) => write_report(&report),
        Command::Forecast { action: ForecastAction::Fit(fit) } => fit_a_forecast(&fit),
        Command::Forecast { action: ForecastAction::Predict(predict) } => predict_series(&predict),
        Command::Forecast { action: ForecastAction::Eval(eval) } => {
            print(&OpenForecast::of(RunFolder::open_to_write(&eval.run)?)?.judge()?, eval.json);
            Ok(())
        }
        Command::Inspect(inspect) => say_what_it_is(&inspect),
        Command::Ot(ot) => compare(&ot),
        Command::Bench { benchmark: Benchmark::Eot(bench) } => benchmark_entropic_transport(&bench),
        Command::Reproduce(reproduce) => repeat(&reproduce),
    }
}

fn run_demo(demo: &Demo) -> Result<()> {
    let config = Config::from_toml(DEMO, &[format!("seed={}", demo.seed)])?;
    complete(Instant::now(), || fit_latent::start(config, &demo.out))
}

fn fit_a_latent_bridge(fit: &FitLatent) -> Result<()> {
    let started = Instant::now();
    if let Some(run) = &fit.run.resume {
        return complete(started, || fit_latent::resume(run));
    }
    let config = Config::from_toml(&settings_file(fit.run.config.as_deref())?, &assignments(fit)?)?;
    complete(started, || fit_latent::start(config, fit.run.out()))
}

/// The text of a settings file, if one is given.
fn settings_file(path: Option<&Path>) -> Result<String> {
    let Some(path) = path else { return Ok(String::new()) };
    std::fs::read_to_string(path)
        .map_err(|e| RunError::Config(format!("cannot read {}: {e} (check --config)", path.display())))
}

/// Fits a bridge between two data sets, judges it and reports.
fn join(method: PairMethod, fit: &FitPair) -> Result<()> {
    let started = Instant::now();
    let folder = match &fit.run.resume {
        Some(run) => fit_pair::resume(method, run)?,
        None => {
            let text = settings_file(fit.run.config.as_deref())?;
            let config = PairConfig::from_toml(method, &text, &pair_assignments(fit)?)?;
            fit_pair::start(method, config, fit.run.out())?
        }
    };
    let report = folder.file("report.html");
    judge_what_it_is(folder, Some(false))?;
    let minutes = estimate::human_time(started.elapsed().as_secs_f64());
    println!("done in {minutes}; open {}", report.display());
    Ok(())
}

/// Fits a variational diffusion, draws samples, judges and reports.
fn fit_a_variational_diffusion(fit: &FitVsdm) -> Result<()> {
    let started = Instant::now();
    let folder = match &fit.run.resume {
        Some(run) => vsdm::resume(run)?,
        None => {
            let list = fit.run.settings(vec![
                ("target.source", fit.target.as_deref().map(toml_string)),
                ("baselines", fit.baselines.then(|| "true".into())),
            ]);
            let config = VsdmConfig::from_toml(&settings_file(fit.run.config.as_deref())?, &list)?;
            vsdm::start(config, fit.run.out())?
        }
    };
    let run = OpenVsdm::of(folder)?;
    let samples = run.sample(run.config.output.samples, &run.config.sampler, run.config.seed)?;
    sample::write(&run.folder.file("samples.npy"), &samples, run.shape(), (0.0, 1.0))?;
    println!("{}", run.judge()?);
    let minutes = estimate::human_time(started.elapsed().as_secs_f64());
    println!("done in {minutes}; open {}", run.folder.file("report.html").display());
    Ok(())
}

/// Learns series, judges and reports.
fn fit_a_forecast(fit: &ForecastFit) -> Result<()> {
    let started = Instant::now();
    let folder = match &fit.run.resume {
        Some(run) => forecast::resume(run)?,
        None => {
            let text = settings_file(fit.run.config.as_deref())?;
            forecast::start(ForecastConfig::from_toml(&text, &forecast_assignments(fit))?, fit.run.out())?
        }
    };
    let run = OpenForecast::of(folder)?;
    println!("{}", run.judge()?);
    let minutes = estimate::human_time(started.elapsed().as_secs_f64());
    println!("done in {minutes}; open {}", run.folder.file("report.html").display());
    Ok(())
}

/// The options of a forecast as settings, in the order in which later ones win.
fn forecast_assignments(fit: &ForecastFit) -> Vec<String> {
    fit.run.settings(vec![
        ("series.source", fit.source.as_deref().map(toml_string)),
        ("series.time", fit.time.as_deref().map(toml_string)),
        ("series.series", fit.series.as_deref().map(toml_string)),
        ("series.value", fit.value.as_deref().map(toml_string)),
        ("series.keep", (!fit.keep.is_empty()).then(|| format!("{:?}", fit.keep))),
        ("series.every", fit.every.as_deref().map(toml_string)),
        ("horizon", fit.horizon.map(|n| n.to_string())),
        ("context", fit.context.map(|n| n.to_string())),
        ("windows", fit.windows.map(|n| n.to_string())),
        ("baselines", fit.baselines.then(|| "true".into())),
    ])
}

fn predict_series(args: &ForecastPredict) -> Result<()> {
    let run = OpenForecast::of(RunFolder::open(&args.run)?)?;
    let seed = args.seed.unwrap_or(run.config.seed);
    let predicted = run.predict(args.input.as_deref(), args.samples, seed)?;
    predicted.write(&args.out)?;
    let (first, last) = (&predicted.times[0], &predicted.times[predicted.times.len() - 1]);
    println!("{} paths from {first} to {last}: {}", predicted.samples, args.out.display());
    Ok(())
}

/// The options of a fit between two sets as settings, in the order in which later ones win.
fn pair_assignments(fit: &FitPair) -> Result<Vec<String>> {
    Ok(fit.run.settings(vec![
        ("source.source", fit.source.as_deref().map(toml_string)),
        ("source.labels", labels(fit.source_labels.as_deref())?.map(|l| format!("{l:?}"))),
        ("target.source", fit.target.as_deref().map(toml_string)),
        ("target.labels", labels(fit.target_labels.as_deref())?.map(|l| format!("{l:?}"))),
        ("snapshots", fit.snapshots.as_deref().map(snapshots).transpose()?),
        ("hold_out", (!fit.hold_out.is_empty()).then(|| format!("{:?}", fit.hold_out))),
        ("autoencoder.net.latent_dim", fit.latent.map(|n| n.to_string())),
        ("epsilon", fit.epsilon.map(|epsilon| format!("{:?}", epsilon.value().unwrap_or(0.0)))),
    ]))
}

fn carry(args: &Transport) -> Result<()> {
    let folder = RunFolder::open(&args.run)?;
    let direction = match args.direction {
        DirectionChoice::Forward => Direction::Forward,
        DirectionChoice::Backward => Direction::Backward,
    };
    let seed = args.seed.unwrap_or(folder.manifest()?.seed);
    let course = match (args.flow, args.mean) {
        (true, _) => Course::Flow,
        (_, true) => Course::Mean,
        _ => Course::Path,
    };
    let settings = transport::Transport {
        direction,
        time: args.time,
        from: args.from,
        course,
        draws: args.draws,
        paths: args.paths.as_deref(),
        seed,
    };
    let count = transport::transport(folder, &args.input, &settings, &args.out)?;
    println!("{count} samples: {}", args.out.display());
    Ok(())
}

/// `a.npy@2,b.npy@3.5` as a TOML list of snapshots.
fn snapshots(text: &str) -> Result<String> {
    let one = |part: &str| {
        let found =
            part.rsplit_once('@').and_then(|(data, time)| Some((data, time.trim().parse::<f64>().ok()?)));
        let found = found.filter(|(_, time)| time.is_finite());
        let (data, time) = found.ok_or_else(|| {
            RunError::Input(format!("snapshots are DATA@TIME, separated by commas, got {part:?}"))
        })?;
        Ok(format!("{{source = {}, time = {time:?}}}", toml_string(data.trim())))
    };
    let list = text.split(',').map(one).collect::<Result<Vec<String>>>()?;
    Ok(format!("[{}]", list.join(", ")))
}

/// The options of `fit latent` as settings, in the order in which later ones win.
fn assignments(fit: &FitLatent) -> Result<Vec<String>> {
    let quoted = |value: &Option<String>| value.as_ref().map(toml_string);
    Ok(fit.run.settings(vec![
        ("target.source", quoted(&fit.target)),
        ("target.labels", labels(fit.target_labels.as_deref())?.map(|l| format!("{l:?}"))),
        ("target.limit", fit.target_limit.map(|n| n.to_string())),
        ("pretrain.source", quoted(&fit.pretrain)),
        ("pretrain.labels", labels(fit.pretrain_labels.as_deref())?.map(|l| format!("{l:?}"))),
        ("pretrain.limit", fit.pretrain_limit.map(|n| n.to_string())),
        ("autoencoder.net.latent_dim", fit.latent_dim.map(|n| n.to_string())),
        (
            "autoencoder.encoder",
            fit.encoder.map(|e| match e {
                EncoderChoice::Trained => toml_string("trained"),
                EncoderChoice::Identity => toml_string("identity"),
            }),
        ),
    ]))
}

/// Labels in a range, at most.
const MOST_LABELS: u32 = 10_000;

/// `5-9` or `1,3` as a list.
fn labels(text: Option<&str>) -> Result<Option<Vec<u32>>> {
    let Some(text) = text else { return Ok(None) };
    let wrong = || {
        RunError::Input(format!(
            "labels are numbers, and ranges of up to {MOST_LABELS} such as 5-9 or 1,3, got {text:?}"
        ))
    };
    let number = |s: &str| s.trim().parse::<u32>().map_err(|_| wrong());
    let mut list: Vec<u32> = Vec::new();
    for part in text.split(',') {
        match part.split_once('-') {
            Some((first, last)) => {
                let (first, last) = (number(first)?, number(last)?);
                if last < first || last - first >= MOST_LABELS {
                    return Err(wrong());
                }
                list.extend(first..=last);
            }
            None => list.push(number(part)?),
        }
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
    if let Some(other) = args.set.iter().find(|set| !set.starts_with("sampler.")) {
        return Err(RunError::Input(format!("sampling takes sampler.* settings only, got --set {other}")));
    }
    let folder = RunFolder::open(&args.run)?;
    if folder.manifest()?.method == vsdm::METHOD {
        return draw_variational(OpenVsdm::of(folder)?, args);
    }
    let run = OpenRun::open(&args.run, args.device.as_deref())?;
    SampleFormat::of_path(&args.out, run.shape())?;
    let config = Config::from_toml(&run.config.to_toml(), &args.set)?;
    let seed = args.seed.unwrap_or(run.config.seed);
    let started = Instant::now();
    let samples = sample::draw(&run.model, &config.sampler, args.count, seed)?;
    sample::write(&args.out, &samples, run.shape(), run.range())?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{} samples in {seconds:.1} s: {}", samples.dims()[0], args.out.display());
    Ok(())
}

fn draw_variational(run: OpenVsdm, args: &Sample) -> Result<()> {
    SampleFormat::of_path(&args.out, run.shape())?;
    let config = VsdmConfig::from_toml(&run.config.to_toml(), &args.set)?;
    let seed = args.seed.unwrap_or(run.config.seed);
    let started = Instant::now();
    let samples = run.sample(args.count, &config.sampler, seed)?;
    sample::write(&args.out, &samples, run.shape(), (0.0, 1.0))?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{} samples in {seconds:.1} s: {}", samples.dims()[0], args.out.display());
    Ok(())
}

fn judge(args: &Eval) -> Result<()> {
    if let Some(path) = &args.run
        && judges_itself(path)?
    {
        return judge_by_itself(path, args);
    }
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

/// Whether the run at `path` is judged by samples it set aside, and by nothing else.
fn judges_itself(path: &Path) -> Result<bool> {
    let method = RunFolder::open(path)?.manifest()?.method;
    Ok([vsdm::METHOD, forecast::METHOD].contains(&method.as_str()) || PairMethod::of_name(&method).is_some())
}

fn judge_by_itself(path: &Path, args: &Eval) -> Result<()> {
    if args.reference.is_some() {
        let problem = "this run is judged by the samples it set aside (leave --reference out)";
        return Err(RunError::Input(problem.into()));
    }
    judge_what_it_is(RunFolder::open_to_write(path)?, Some(args.json))
}

/// Judges a run by what it set aside, and writes its report; prints what it found, as JSON or in words, if asked to.
fn judge_what_it_is(folder: RunFolder, json: Option<bool>) -> Result<()> {
    fn show(found: &(impl Display + Serialize), json: Option<bool>) {
        json.into_iter().for_each(|json| print(found, json));
    }
    match folder.manifest()?.method.as_str() {
        vsdm::METHOD => show(&OpenVsdm::of(folder)?.judge()?, json),
        forecast::METHOD => show(&OpenForecast::of(folder)?.judge()?, json),
        // Between two sets, or through several.
        _ => match OpenChain::of(folder)? {
            Ok(chain) => show(&chain.judge()?, json),
            Err(pair) => show(&pair_report::judge(&pair)?, json),
        },
    }
    Ok(())
}

fn print(found: &(impl Display + Serialize), json: bool) {
    if json {
        let text = serde_json::to_string_pretty(found).expect("what is found is plain data");
        println!("{text}");
    } else {
        println!("{found}");
    }
}

fn write_report(args: &Report) -> Result<()> {
    if judges_itself(&args.run)? {
        judge_what_it_is(RunFolder::open_to_write(&args.run)?, None)?;
    } else {
        run_report::write(&OpenRun::open_to_write(&args.run, None)?)?;
    }
    println!("{}", Path::new(&args.run).join("report.html").display());
    Ok(())
}

fn say_what_it_is(args: &Inspect) -> Result<()> {
    print(&sbridge_data::inspect(&args.data)?, args.json);
    Ok(())
}

fn compare(args: &Ot) -> Result<()> {
    let settings =
        OtSettings { epsilon: args.epsilon.value(), exact: args.exact, limit: args.limit, seed: args.seed };
    let report = ot::compare(&args.source, &args.target, &settings, args.plan.as_deref())?;
    print(&report, args.json);
    Ok(())
}

fn benchmark_entropic_transport(args: &BenchEot) -> Result<()> {
    let solvers: Vec<PairMethod> = args.solver.iter().map(|choice| choice.0).collect();
    let potential = match args.potential {
        PotentialChoice::Gaussians => Potential::Gaussians,
        PotentialChoice::Boxes => Potential::Boxes,
    };
    let instances = (args.dim.as_slice(), args.epsilon.as_slice());
    let protocol = Protocol { samples: args.samples, points: args.points, seed: args.seed };
    let cells = eot_benchmark::run(potential, instances, &solvers, &args.set, protocol)?;
    print(&EotTable(cells), args.json);
    Ok(())
}

fn repeat(args: &Reproduce) -> Result<()> {
    let data = || args.data.clone().expect("clap asks for --data");
    let experiment = match args.experiment {
        ExperimentChoice::Lsbdm => Experiment::Lsbdm,
        ExperimentChoice::DsbGaussian => Experiment::DsbGaussian,
        ExperimentChoice::DsbmGaussian => Experiment::DsbmGaussian,
        ExperimentChoice::Conformance => Experiment::Conformance,
        ExperimentChoice::Dsb2d => Experiment::Dsb2d,
        ExperimentChoice::Cite => Experiment::Cite(data()),
        ExperimentChoice::VsdmGaussian => Experiment::VsdmGaussian,
        ExperimentChoice::VsdmSpiral => Experiment::VsdmSpiral,
        ExperimentChoice::VsdmCheckerboard => Experiment::VsdmCheckerboard,
        ExperimentChoice::VsdmExchange => Experiment::VsdmExchange(data()),
    };
    let effort = if args.quick { Effort::Quick } else { Effort::Full };
    let mut done = Reproduction::new(experiment, effort, args.seed);
    done.run(args.only.as_deref(), &args.out, &mut |study| println!("{study}"))?;
    println!("{}", done.summary());
    println!("report: {}", args.out.join("report.html").display());
    match done.failed() {
        0 => Ok(()),
        failed => Err(RunError::Checks { failed }),
    }
}
