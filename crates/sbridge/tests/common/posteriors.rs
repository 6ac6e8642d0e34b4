//! Posteriors of real data, where they are there.

use std::path::Path;

use sbridge::density::targets::{LogisticRegression, Prior};

/// German credit data: columns divided by their spread and not centred; label 2 is the outcome 1.
pub fn credit(prior: Prior) -> Option<LogisticRegression> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/logreg/german.data-numeric");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not there", path.display());
        return None;
    };
    let number = |word: &str| word.parse::<f64>().unwrap();
    let rows: Vec<Vec<f64>> =
        text.lines().map(|line| line.split_whitespace().map(number).collect()).collect();
    let outcomes = rows.iter().map(|row| row[24] == 2.0).collect();
    let features: Vec<f64> = rows.iter().flat_map(|row| row[..24].to_vec()).collect();
    Some(LogisticRegression::standardised(&features, outcomes, false, prior).unwrap())
}
