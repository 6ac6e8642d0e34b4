//! Parsing `NAME?n=..&seed=..`.

use crate::Result;
use crate::reading::Reading;
use crate::suggest::did_you_mean;

/// Samples drawn when `n` is not given.
const DEFAULT_COUNT: usize = 10_000;
const KEYS: [&str; 2] = ["n", "seed"];

/// Which set, how many samples, and which of the many possible ones.
#[derive(Debug, PartialEq)]
pub(crate) struct Request {
    /// Position in the list of names.
    pub(crate) set: usize,
    /// Number of samples, at least 1. Default 10,000.
    pub(crate) count: usize,
    /// Default 0.
    pub(crate) seed: u64,
}

impl Request {
    /// Parses the part of a source after `builtin:`.
    ///
    /// # Errors
    /// When the name is not one of `names`, a key is unknown or given twice, or a value is no
    /// whole number; `n` must be at least 1.
    pub(crate) fn parse(text: &str, names: &[&str], reading: &Reading) -> Result<Self> {
        let (name, query) = text.split_once('?').unwrap_or((text, ""));
        let set = names.iter().position(|known| *known == name).ok_or_else(|| {
            let suggestion = did_you_mean(name, names.iter().copied());
            reading.unknown(
                format!("no built-in set '{name}'"),
                format!("{suggestion}There are {}", names.join(", ")),
            )
        })?;
        let mut seen = Vec::new();
        let mut request = Self { set, count: DEFAULT_COUNT, seed: 0 };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if seen.contains(&key) {
                return Err(reading.unknown(format!("parameter '{key}' is given twice"), "give it once"));
            }
            seen.push(key);
            request.set_parameter(key, value, reading)?;
        }
        Ok(request)
    }

    fn set_parameter(&mut self, key: &str, value: &str, reading: &Reading) -> Result<()> {
        let refused = |wanted: &str| {
            reading.unknown(
                format!("parameter {key} must be {wanted}, got '{value}'"),
                format!("write for example {key}=1000"),
            )
        };
        match key {
            "n" => {
                self.count = value
                    .parse()
                    .ok()
                    .filter(|&count| count > 0)
                    .ok_or_else(|| refused("a whole number from 1 on"))?;
            }
            "seed" => self.seed = value.parse().map_err(|_| refused("a whole number from 0 on"))?,
            _ => {
                let suggestion = did_you_mean(key, KEYS);
                return Err(reading.unknown(
                    format!("no parameter '{key}'"),
                    format!("{suggestion}There are {}", KEYS.join(", ")),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Limits;

    fn parsed(text: &str) -> Result<Request> {
        let limits = Limits::default();
        Request::parse(text, &["digits", "moons"], &Reading { source: "builtin:…", limits: &limits })
    }

    #[test]
    fn parameters_have_defaults() {
        assert_eq!(parsed("moons").unwrap(), Request { set: 1, count: 10_000, seed: 0 });
        assert_eq!(parsed("digits?n=5&seed=3").unwrap(), Request { set: 0, count: 5, seed: 3 });
    }

    #[test]
    fn slips_are_refused_with_the_nearest_name() {
        let message = |text: &str| parsed(text).unwrap_err().to_string();
        assert!(message("digit").contains("did you mean digits? There are digits, moons"));
        assert!(message("moons?sed=1").contains("did you mean seed?"));
        assert!(message("moons?n=0").contains("from 1 on, got '0'"));
        assert!(message("moons?n=-5").contains("got '-5'"));
        assert!(message("moons?seed").contains("got ''"));
        assert!(message("moons?n=1&n=2").contains("twice"));
    }
}
