//! Modules use only modules above them in the order that the crate's documentation gives.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

/// From the top down. A module may use itself and what stands before it.
const ORDER: [&str; 15] = [
    "error",
    "tensor",
    "rng",
    "marginal",
    "reference",
    "bridge",
    "simulate",
    "coupling",
    "net",
    "objective",
    "fit",
    "executor",
    "solver",
    "latent",
    "forecast",
];
const LAST: &str = "eval";

fn rank(module: &str) -> Option<usize> {
    if module == LAST { Some(ORDER.len()) } else { ORDER.iter().position(|name| *name == module) }
}

/// Where the crate's root re-exports a name from.
fn home(name: &str) -> &str {
    match name {
        "Error" | "Result" => "error",
        "Rng" => "rng",
        "Bridge" | "Direction" | "PairBridge" | "StepNoise" => "bridge",
        module => module,
    }
}

fn source_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

/// The code of a file without comments and unit tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let production = text.split("#[cfg(test)]").next().unwrap();
    let lines = production.lines().map(|line| line.split("//").next().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

/// The first segments after `crate::`, with groups in braces taken apart.
fn names_used(code: &str) -> Vec<String> {
    let identifier = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let after = code.split("crate::").skip(1);
    after
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(group) => top_level_parts(group).into_iter().map(|part| identifier(&part)).collect(),
            None => vec![identifier(rest)],
        })
        .collect()
}

/// The parts between commas of a group, up to its closing brace.
fn top_level_parts(group: &str) -> Vec<String> {
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => parts.push(String::new()),
            _ => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                parts.last_mut().unwrap().push(c);
            }
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// The top-level module a file belongs to.
fn module_of(path: &Path, src: &Path) -> String {
    let first = path.strip_prefix(src).unwrap().components().next().unwrap();
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

#[test]
fn names_are_found_alone_and_in_groups() {
    let code = "use crate::{net::{A, B}, rng::Rng};\nuse crate::fit;\nfn f() -> crate::Error {}";
    assert_eq!(names_used(code), ["net", "rng", "fit", "Error"]);
}

#[test]
fn modules_use_only_modules_above_them() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&src, &mut files);
    assert!(files.len() > 30, "only {} files under {}", files.len(), src.display());
    let mut wrong = Vec::new();
    let mut edges = 0;
    for file in files.iter().filter(|file| !file.ends_with("lib.rs")) {
        let module = module_of(file, &src);
        let own = rank(&module).unwrap_or_else(|| panic!("{module} has no place in the order"));
        for name in names_used(&code(file)) {
            edges += 1;
            match rank(home(&name)) {
                Some(used) if used <= own => {}
                _ => wrong.push(format!("{} uses {name}", file.strip_prefix(&src).unwrap().display())),
            }
        }
    }
    assert!(edges > 100, "only {edges} uses found");
    assert!(wrong.is_empty(), "a module uses one below it: {wrong:#?}");
}

#[test]
fn the_order_is_the_documented_one_and_complete() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let text = fs::read_to_string(src.join("lib.rs")).unwrap();
    let section = text.split("//! # Layers").nth(1).unwrap();
    let documented: Vec<&str> = section
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("//!"))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .collect();
    let order: Vec<&str> = ORDER.into_iter().chain([LAST]).collect();
    assert_eq!(documented, order);
    let mut declared: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let mut sorted = order;
    declared.sort_unstable();
    sorted.sort_unstable();
    assert_eq!(declared, sorted);
}
