//! Posteriors of real data, where they are there.

use std::path::Path;

use sbridge::density::targets::{LogGaussianCox, LogisticRegression, Prior};

/// A file of the shared data, where it is there.
fn read(name: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        println!("skipped: {} is not there", path.display());
    }
    text
}

/// The pines of file (a): 126 points of the unit square.
pub fn pines() -> Option<LogGaussianCox> {
    let text = read("pines/fpines.csv")?;
    let point = |line: &str| {
        let mut fields = line.split(',').skip(1).map(|field| field.parse::<f64>().unwrap());
        [fields.next().unwrap(), fields.next().unwrap()]
    };
    let points: Vec<[f64; 2]> = text.lines().skip(1).map(point).collect();
    Some(LogGaussianCox::of_points(&points).unwrap())
}

/// German credit data: columns divided by their spread and not centred; label 2 is the outcome 1.
pub fn credit(prior: Prior) -> Option<LogisticRegression> {
    let text = read("logreg/german.data-numeric")?;
    let number = |word: &str| word.parse::<f64>().unwrap();
    let rows: Vec<Vec<f64>> =
        text.lines().map(|line| line.split_whitespace().map(number).collect()).collect();
    let outcomes = rows.iter().map(|row| row[24] == 2.0).collect();
    let features: Vec<f64> = rows.iter().flat_map(|row| row[..24].to_vec()).collect();
    Some(LogisticRegression::standardised(&features, outcomes, false, prior).unwrap())
}
