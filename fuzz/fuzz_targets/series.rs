//! Series in time: a table, wide or long, or JSON lines.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sbridge_data::{SeriesLayout, load_series};

fuzz_target!(|bytes: &[u8]| {
    let long = SeriesLayout { series: Some("id".into()), ..SeriesLayout::default() };
    for (name, layout) in [("x.csv", SeriesLayout::default()), ("x.csv", long), ("x.json", SeriesLayout::default())] {
        let path = sbridge_fuzz::write(name, bytes);
        if let Ok(series) = load_series(&path.to_string_lossy(), &layout) {
            assert_eq!(series.values().len(), series.len() * series.dim());
            assert!(series.values().iter().all(|x| !x.is_infinite()), "an infinite value");
            series.clock().label(series.len());
        }
    }
});
