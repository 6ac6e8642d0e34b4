//! Data in memory: known by a name, and by their values.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;

use sbridge_data::{Dataset, SampleShape, Series, Step};
use sbridge_run::{AnyRun, Context, Overrides, Registry, Result, Sources};

fn cloud(shift: f32) -> Dataset {
    let values = (0..120u8).flat_map(|k| [f32::from(k % 11) + shift, f32::from(k / 11)]).collect();
    Dataset::from_values("cloud", values, SampleShape::Vector { dim: 2 }).unwrap()
}

fn context(shift: f32) -> Context {
    Context::default().with_sources(Sources::default().with_set("a", cloud(0.0)).with_set("b", cloud(shift)))
}

fn start(out: &Path, source: &str, shift: f32) -> Result<Box<dyn AnyRun>> {
    let source = format!("source.source={source}");
    let settings = [source.as_str(), "target.source=memory:b", "light_sb.components=2", "light_sb.steps=20"];
    Registry::default().start("light-sb", &Overrides::of(&settings), out, &context(shift))
}

#[test]
fn a_run_is_continued_and_judged_with_the_values_it_was_made_from_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    start(&out, "memory:a", 5.0).unwrap().finish().unwrap();
    let registry = Registry::default();
    registry.resume("light-sb", &out, &context(5.0)).unwrap();
    for refused in [
        registry.resume("light-sb", &out, &context(6.0)).err().unwrap(),
        registry.open(&out, &context(6.0)).unwrap().judge(None).err().unwrap(),
    ] {
        assert!(refused.to_string().contains("the digest of the target has changed"), "{refused}");
    }
    let gone = registry.resume("light-sb", &out, &Context::default()).err().unwrap();
    assert!(gone.to_string().contains("no data are in memory as memory:a (there is none)"), "{gone}");
}

#[test]
fn a_name_that_is_not_in_memory_is_refused_with_those_that_are() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let refused = start(&out, "memory:c", 5.0).err().unwrap().to_string();
    assert!(refused.contains("memory:c (there is memory:a, memory:b)"), "{refused}");
    assert!(!out.exists(), "a folder was made for nothing");
}

#[test]
fn series_in_memory_have_the_calendar_of_their_start_and_step() {
    let series = |start: &str, values: &[f64]| {
        Series::from_values(vec!["x".into(), "y".into()], start, Step::Months(1), values.to_vec())
    };
    let known = series("2024-01-31", &[1.0, 2.0, 3.0, f64::NAN]).unwrap();
    assert_eq!((known.len(), known.clock().label(1).as_str()), (2, "2024-02-29"));
    assert!(known.notes()[0].contains("1 of 4 values are missing"));
    let other = series("2024-01-31", &[1.0, 2.0, 3.0, 5.0]).unwrap();
    assert_ne!(known.sha256(), other.sha256());
    let refused = |start: &str, values: &[f64]| series(start, values).unwrap_err().to_string();
    assert!(refused("soon", &[1.0, 2.0]).contains("\"soon\" is not a date"));
    assert!(refused("2024-01-31", &[1.0]).contains("1 values are not rows of 2 series"));
    assert!(refused("2024-01-31", &[1.0, f64::INFINITY]).contains("is infinite at 2024-01-31"));
    assert!(refused("2024-01-31", &[1.0, f64::NAN]).contains("'y' has no values"));
}
