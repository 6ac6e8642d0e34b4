//! Polygons of a GeoJSON file: features, collections and geometries that are polygons without holes.

use serde_json::Value;

use crate::error::{Result, RunError};

/// Bytes of a file, at most.
const MAX_BYTES: u64 = 64 << 20;

/// Collections in one another, at most.
const MAX_DEPTH: usize = 32;

/// Corners of every polygon in the file at `path`.
///
/// # Errors
/// [`RunError::Input`] for a file that cannot be read, [`RunError::Config`] for one that holds something else.
pub(super) fn polygons(path: &str) -> Result<Vec<Vec<[f64; 2]>>> {
    let unreadable = |error: std::io::Error| RunError::Input(format!("cannot read {path}: {error}"));
    let wrong = |problem: String| RunError::Config(format!("{path}: {problem}"));
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > MAX_BYTES {
        return Err(wrong(format!(
            "has {length} bytes, at most {MAX_BYTES} are read (give a coarser outline)"
        )));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let value: Value =
        serde_json::from_str(&text).map_err(|error| wrong(format!("is no JSON: {error} (write GeoJSON)")))?;
    let mut found = Vec::new();
    collect(&value, 0, &mut found).map_err(wrong)?;
    match found.is_empty() {
        true => Err(wrong("has no polygon (give Polygon or MultiPolygon geometries)".into())),
        false => Ok(found),
    }
}

fn collect(value: &Value, depth: usize, found: &mut Vec<Vec<[f64; 2]>>) -> std::result::Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("has more than {MAX_DEPTH} collections in one another"));
    }
    let list = |key: &str| value[key].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut each = |items: &[Value]| items.iter().try_for_each(|item| collect(item, depth + 1, found));
    match value["type"].as_str().unwrap_or_default() {
        "FeatureCollection" => each(list("features")),
        "GeometryCollection" => each(list("geometries")),
        "Feature" => each(std::slice::from_ref(&value["geometry"])),
        "Polygon" => {
            found.push(outline(list("coordinates"))?);
            Ok(())
        }
        "MultiPolygon" => list("coordinates").iter().try_for_each(|polygon| {
            found.push(outline(polygon.as_array().map(Vec::as_slice).unwrap_or_default())?);
            Ok(())
        }),
        other => Err(format!("has a geometry of type {other:?} (only polygons stand in the way)")),
    }
}

/// The corners of a polygon's only ring; the last, which repeats the first, is left out.
fn outline(rings: &[Value]) -> std::result::Result<Vec<[f64; 2]>, String> {
    let [ring] = rings else {
        return Err(format!("has a polygon of {} rings, only one without holes is read", rings.len()));
    };
    let corner = |value: &Value| Some([value[0].as_f64()?, value[1].as_f64()?]);
    let corners: Option<Vec<[f64; 2]>> = ring.as_array().and_then(|ring| ring.iter().map(corner).collect());
    let mut corners = corners.ok_or("has a polygon whose corners are no pairs of numbers")?;
    if corners.len() > 1 && corners.first() == corners.last() {
        corners.pop();
    }
    Ok(corners)
}
