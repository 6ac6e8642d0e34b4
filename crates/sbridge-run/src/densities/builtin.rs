//! The densities that samplers are measured on, by name; those that need data take them from a file of the user.
//!
//! A reference value of ln Z belongs to a density and not to a file. So a posterior has one only if ln ρ at a fixed point is
//! that of the posterior for which it was computed.

use sbridge::density::LogDensity as _;
use sbridge::density::targets::{
    Brownian, Design, DoubleWell, Funnel, GaussianMixture, LogGaussianCox, LogisticRegression, ManyWell,
    Prior, Rings, Seeds,
};

use super::{OpenDensity, table};
use crate::error::{Result, RunError};
use crate::sources::Sources;

/// All names; a double well may have other numbers.
pub const BUILTIN: [&str; 18] = [
    "gmm9",
    "gmm25",
    "gmm40",
    "gmm40-42",
    "funnel",
    "funnel-easy",
    "rings",
    "dw-5-5-4",
    "dw-50-5-2",
    "manywell",
    "brownian",
    "seeds",
    "ionosphere",
    "sonar",
    "credit",
    "credit-flat",
    "cancer",
    "lgcp",
];

/// Whether there is such a built-in density.
pub(super) fn is_name(name: &str) -> bool {
    BUILTIN.contains(&name) || name.starts_with("dw-")
}

/// The density called `name`, with `data` where it needs some.
///
/// # Errors
/// [`RunError::Input`] for a name that does not exist, data that are missing, and data that are not of the kind.
pub(super) fn open(name: &str, data: Option<&str>, sources: &Sources) -> Result<OpenDensity> {
    let name = name.to_lowercase().replace('_', "-");
    if let Some(density) = of_data(&name, data, sources)? {
        return Ok(density);
    }
    let density = without_data(&name)?.ok_or_else(|| unknown(&name))?;
    match data {
        None => Ok(density),
        Some(data) => {
            Err(RunError::Input(format!("builtin:{name} takes no data, got {data} (leave --data out)")))
        }
    }
}

fn unknown(name: &str) -> RunError {
    let distance = |known: &&&str| sbridge_data::edit_distance(name, known);
    let near = BUILTIN.iter().min_by_key(distance).filter(|known| {
        // As many letters as make a likely slip.
        distance(known) <= (name.chars().count() / 3).max(1)
    });
    let hint = near.map(|known| format!("did you mean builtin:{known}? ")).unwrap_or_default();
    RunError::Input(format!("there is no density builtin:{name} ({hint}There is {})", BUILTIN.join(", ")))
}

fn without_data(name: &str) -> Result<Option<OpenDensity>> {
    let density = match name {
        "gmm9" => OpenDensity::new(GaussianMixture::nine(), "nine Gaussians in the plane"),
        "gmm25" => OpenDensity::new(GaussianMixture::twenty_five(), "25 Gaussians in the plane"),
        "gmm40" => OpenDensity::new(GaussianMixture::forty(0), "40 Gaussians in the plane (seed 0)"),
        "gmm40-42" => OpenDensity::new(GaussianMixture::forty(42), "40 Gaussians in the plane (seed 42)"),
        "funnel" => OpenDensity::new(Funnel::new(), "Neal's funnel"),
        "funnel-easy" => OpenDensity::new(Funnel::easy(), "Neal's funnel with a neck of deviation 1"),
        "rings" => OpenDensity::new(Rings, "three rings in the plane"),
        "manywell" => OpenDensity::new(ManyWell::new(16), "16 pairs of a double well and a Gaussian"),
        "brownian" => OpenDensity::new(Brownian, "Brownian motion observed in part"),
        "seeds" => OpenDensity::new(Seeds, "germination of seeds"),
        _ => return double_well(name),
    };
    Ok(Some(density))
}

/// `dw-D-M-DELTA` or `dw(D,M,DELTA)`.
fn double_well(name: &str) -> Result<Option<OpenDensity>> {
    let Some(rest) = name.strip_prefix("dw") else {
        return Ok(None);
    };
    let of_brackets = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).map(|list| (list, ','));
    let Some((list, separator)) = of_brackets.or_else(|| Some((rest.strip_prefix('-')?, '-'))) else {
        return Ok(None);
    };
    let wrong = |problem: &str| {
        RunError::Input(format!(
            "builtin:{name} {problem} (dw-5-5-4 has 5 coordinates, 5 wells, separation 4)"
        ))
    };
    let parts: Vec<&str> = list.split(separator).map(str::trim).collect();
    let [dim, wells, separation] = parts[..] else {
        return Err(wrong("has to have three numbers: coordinates, wells, separation"));
    };
    let (Ok(dim), Ok(wells), Ok(separation)) = (dim.parse(), wells.parse(), separation.parse::<f64>()) else {
        return Err(wrong("has a part that is no number"));
    };
    if !(1..=10_000).contains(&dim) || !(1..=dim).contains(&wells) {
        return Err(wrong("has to have 1 to 10000 coordinates, and of these 1 or more with wells"));
    }
    // Where the law from which wells are drawn by rejection is wide enough.
    if !(1.0..=100.0).contains(&separation) {
        return Err(wrong("has to have a separation in [1, 100]"));
    }
    let title = format!("double wells: {wells} of {dim} coordinates, separation {separation}");
    Ok(Some(OpenDensity::new(DoubleWell::new(dim, wells, separation), title)))
}

/// A posterior whose data the user brings.
struct Posterior {
    name: &'static str,
    title: &'static str,
    /// What the data are and where people find them.
    data: &'static str,
    /// Rows and features.
    size: (usize, usize),
    centred: bool,
    prior: Prior,
    /// What the data are known by, for which ln Z was computed.
    mark: Mark,
    /// ln Z and its error.
    log_normaliser: (f64, f64),
}

/// What known data are known by.
enum Mark {
    /// ln ρ where every weight is 0.1, or −0.1 if outcomes are the other way round, which leaves Z as it is.
    Value(f64),
    /// The mean of the first feature, before it is scaled.
    FirstMean(f64),
}

const POSTERIORS: [Posterior; 5] = [
    Posterior {
        name: "ionosphere",
        title: "logistic regression of ionosphere",
        data: "351 radar returns of 34 features and whether they are good (UCI repository: Ionosphere)",
        size: (351, 34),
        centred: true,
        prior: Prior::Normal(1.0),
        mark: Mark::Value(-240.996_874),
        log_normaliser: (-111.59, 0.03),
    },
    Posterior {
        name: "sonar",
        title: "logistic regression of sonar",
        data: "208 echoes of 60 features, of mines and rocks (UCI repository: Connectionist Bench, Sonar)",
        size: (208, 60),
        centred: true,
        prior: Prior::Normal(1.0),
        mark: Mark::Value(-360.792_560),
        log_normaliser: (-108.38, 0.03),
    },
    Posterior {
        name: "credit",
        title: "logistic regression of German credit, prior N(0, 100)",
        data: CREDIT,
        size: (1000, 24),
        centred: false,
        prior: Prior::Normal(100.0),
        mark: Mark::Value(-3_637.678_739),
        log_normaliser: (-585.097, 0.004),
    },
    Posterior {
        name: "credit-flat",
        title: "logistic regression of German credit, flat prior",
        data: CREDIT,
        size: (1000, 24),
        centred: false,
        prior: Prior::Flat,
        mark: Mark::Value(-3_557.139_399),
        log_normaliser: (-504.487, 0.005),
    },
    Posterior {
        name: "cancer",
        title: "logistic regression of breast cancer, prior N(0, 100)",
        data: "569 tumours of 30 features and whether they are malignant (UCI repository: Breast Cancer Wisconsin, Diagnostic)",
        size: (569, 30),
        centred: false,
        prior: Prior::Normal(100.0),
        mark: Mark::FirstMean(14.127_292),
        log_normaliser: (-77.6, 0.1),
    },
];

const CREDIT: &str =
    "german.data-numeric, 1000 rows of 24 features and a label (UCI repository: Statlog, German Credit Data)";

const PINES: &str = "a table of two coordinates in the unit square: the 126 Finnish pines are finpines in the R package spatstat";

fn needs_data(name: &str, what: &str) -> RunError {
    RunError::Input(format!(
        "builtin:{name} needs its data, which are not part of the program: --data FILE with {what}"
    ))
}

fn of_data(name: &str, data: Option<&str>, sources: &Sources) -> Result<Option<OpenDensity>> {
    if name == "lgcp" {
        return pines(data.ok_or_else(|| needs_data(name, PINES))?, sources).map(Some);
    }
    let Some(posterior) = POSTERIORS.iter().find(|posterior| posterior.name == name) else {
        return Ok(None);
    };
    posterior.open(data.ok_or_else(|| needs_data(name, posterior.data))?, sources).map(Some)
}

impl Posterior {
    fn open(&self, data: &str, sources: &Sources) -> Result<OpenDensity> {
        let read = table::outcomes(data, None, None, sources)?;
        let found = (read.outcomes.len(), read.width);
        if found != self.size {
            return Err(RunError::Input(format!(
                "builtin:{} is of {} rows of {} features, got {} of {} in {data} (for other data write a TOML file of kind \
                 \"logistic-regression\")",
                self.name, self.size.0, self.size.1, found.0, found.1
            )));
        }
        let design = Design { centred: self.centred, scaled: true, intercept: true };
        let first_mean = read.features.iter().step_by(read.width).sum::<f64>() / found.0 as f64;
        let regression = LogisticRegression::designed(&read.features, read.outcomes, design, self.prior)?;
        let named = read.names.into_iter().flatten();
        let numbered = (1..=read.width).map(|k| format!("w{k}")).skip(named.clone().count());
        let names = std::iter::once("intercept".to_owned()).chain(named).chain(numbered);
        let regression = regression.named(names.collect())?;
        let at = |weight: f64| Ok::<_, RunError>(regression.values(&vec![weight; read.width + 1])?[0]);
        let is_known = match self.mark {
            Mark::Value(known) => is_near(at(0.1)?, known) || is_near(at(-0.1)?, known),
            Mark::FirstMean(known) => is_near(first_mean, known),
        };
        let (regression, remark) = match is_known {
            true => (regression.with_log_normaliser(self.log_normaliser.0, self.log_normaliser.1), None),
            false => (regression, Some(other_data(data, self.name))),
        };
        let opened = OpenDensity::new(regression, self.title).made_from([read.file]);
        Ok(OpenDensity { remarks: remark.into_iter().collect(), ..opened })
    }
}

/// Values of ln ρ in thousands agree to this where data were kept in f32.
fn is_near(found: f64, known: f64) -> bool {
    (found - known).abs() < 1e-3
}

fn other_data(data: &str, name: &str) -> String {
    format!(
        "{data} does not hold the data for which ln Z of {name} is known, so there is nothing to compare ln Z with"
    )
}

fn pines(data: &str, sources: &Sources) -> Result<OpenDensity> {
    let (points, file) = table::points(data, sources)?;
    let process = LogGaussianCox::of_points(&points)?;
    let mean = 126f64.ln() - 0.955;
    let slope = |k: usize| mean + 0.05 * ((k / 40) as f64 - 2.0 * (k % 40) as f64);
    let found = process.values(&(0..1600).map(slope).collect::<Vec<f64>>())?[0];
    // Of the Finnish pines, and of a copy with one of them twice.
    let known = [(-1_513.827_27, 501.76), (-1_511.095_98, 512.45)];
    let title = format!("log-Gaussian Cox process of {} points", points.len());
    Ok(match known.iter().find(|(value, _)| is_near(found, *value)) {
        Some((_, log_normaliser)) => {
            OpenDensity::new(process.with_log_normaliser(*log_normaliser, 0.03), title)
        }
        None => {
            let opened = OpenDensity::new(process, title);
            OpenDensity { remarks: vec![other_data(data, "lgcp")], ..opened }
        }
    }
    .made_from([file]))
}
