//! Arrows point down, in every crate: modules use what stands above them in the order that the crate's documentation
//! gives, there is no ring, no task imports another, and libraries print nothing.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Names of modules by what uses them.
type Arrows = BTreeMap<String, BTreeSet<String>>;

/// The sources of a crate.
struct Crate {
    name: String,
    src: PathBuf,
    root: String,
    files: Vec<PathBuf>,
}

fn crates() -> Vec<Crate> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut crates: Vec<Crate> =
        fs::read_dir(all).unwrap().map(|entry| Crate::of(&entry.unwrap().path())).collect();
    crates.sort_by(|a, b| a.name.cmp(&b.name));
    crates
}

impl Crate {
    fn of(folder: &Path) -> Self {
        let src = folder.join("src");
        let root =
            ["lib.rs", "main.rs"].iter().find_map(|name| fs::read_to_string(src.join(name)).ok()).unwrap();
        let mut files = Vec::new();
        source_files(&src, &mut files);
        files.retain(|file| !file.ends_with("src/lib.rs") && !file.ends_with("src/main.rs"));
        Self { name: folder.file_name().unwrap().to_string_lossy().into_owned(), src, root, files }
    }

    /// The top-level module a file belongs to.
    fn module_of(&self, file: &Path) -> String {
        let first = file.strip_prefix(&self.src).unwrap().components().next().unwrap();
        first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
    }

    /// Modules that the root declares.
    fn modules(&self) -> BTreeSet<String> {
        let line = |line: &str| {
            let name = line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';')?;
            Some(name.to_owned())
        };
        self.root.lines().filter_map(line).collect()
    }

    /// The module that the root re-exports `name` from, if it is no module itself.
    fn home(&self, name: &str) -> Option<String> {
        if self.modules().contains(name) {
            return Some(name.into());
        }
        let exports = self.root.split("pub use ").skip(1).filter_map(|rest| rest.split_once(';'));
        let of = |(path, _): (&str, &str)| {
            let has = path.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name);
            has.then(|| identifier(path))
        };
        exports.into_iter().find_map(of)
    }

    fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for file in &self.files {
            let from = self.module_of(file);
            let used = names_used(&code(file)).into_iter().filter_map(|name| self.home(&name));
            arrows.entry(from.clone()).or_default().extend(used.filter(|to| *to != from));
        }
        arrows
    }

    /// Modules from the top down, as the root's documentation lists them.
    fn layers(&self) -> Option<Vec<String>> {
        let section = self.root.split("//! # Layers").nth(1)?;
        let lines = section.lines().take_while(|line| line.is_empty() || line.starts_with("//!"));
        Some(lines.flat_map(|line| line.split('`').skip(1).step_by(2)).map(String::from).collect())
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

fn identifier(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first segments after `crate::`, with groups in braces taken apart.
fn names_used(code: &str) -> Vec<String> {
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

/// A module that is reached from itself, if there is one.
fn ring(arrows: &Arrows) -> Option<String> {
    let reached = |from: &String| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(at) = open.pop() {
            for to in arrows.get(at).into_iter().flatten() {
                if seen.insert(to) {
                    open.push(to);
                }
            }
        }
        seen.contains(from)
    };
    arrows.keys().find(|from| reached(from)).cloned()
}

#[test]
fn names_are_found_alone_and_in_groups() {
    let code = "use crate::{net::{A, B}, rng::Rng};\nuse crate::fit;\nfn f() -> crate::Error {}";
    assert_eq!(names_used(code), ["net", "rng", "fit", "Error"]);
}

#[test]
fn a_ring_is_found_and_a_line_is_none() {
    let arrows = |pairs: &[(&str, &str)]| {
        let mut arrows = Arrows::new();
        for (from, to) in pairs {
            arrows.entry((*from).into()).or_default().insert((*to).into());
        }
        arrows
    };
    assert_eq!(ring(&arrows(&[("a", "b"), ("b", "c"), ("c", "b")])).as_deref(), Some("b"));
    assert_eq!(ring(&arrows(&[("a", "b"), ("a", "c"), ("b", "c")])), None);
}

#[test]
fn no_crate_has_a_ring() {
    let crates = crates();
    assert!(crates.len() >= 8, "{} crates", crates.len());
    for one in &crates {
        assert_eq!(ring(&one.arrows()), None, "modules of {} use each other in a ring", one.name);
    }
}

#[test]
fn modules_use_only_modules_above_them_in_the_documented_order() {
    for name in ["sbridge", "sbridge-run"] {
        let one = crates().into_iter().find(|one| one.name == name).unwrap();
        let layers = one.layers().unwrap();
        assert_eq!(
            layers.iter().cloned().collect::<BTreeSet<_>>(),
            one.modules(),
            "{name}: the order is not complete"
        );
        let rank = |module: &String| layers.iter().position(|layer| layer == module).unwrap();
        let arrows = one.arrows();
        assert!(arrows.values().map(BTreeSet::len).sum::<usize>() > 40, "{name}: only {arrows:?}");
        for (from, used) in &arrows {
            let below: Vec<_> = used.iter().filter(|to| rank(to) > rank(from)).collect();
            assert!(below.is_empty(), "{name}: {from} uses {below:?}, which stand below it");
        }
    }
}

#[test]
fn no_task_imports_another() {
    let tasks = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tasks");
    let mut files = Vec::new();
    source_files(&tasks, &mut files);
    assert!(files.len() > 20, "{} files of tasks", files.len());
    for file in files {
        let own = file.strip_prefix(&tasks).unwrap().components().next().unwrap();
        let code = code(&file);
        let others = code.split("tasks::").skip(1).map(identifier);
        let others: Vec<String> = others.filter(|task| own.as_os_str() != task.as_str()).collect();
        assert!(others.is_empty(), "{} imports {others:?}", file.display());
        assert!(!code.contains("super::super::"), "{} may reach another task by super", file.display());
    }
}

#[test]
fn libraries_print_nothing() {
    let printing = ["println!", "eprintln!", "print!(", "eprint!(", "dbg!", "indicatif", "tracing::"];
    for one in crates().iter().filter(|one| one.name != "sbridge-cli") {
        for file in &one.files {
            let code = code(file);
            let found: Vec<_> = printing.iter().filter(|word| code.contains(**word)).collect();
            assert!(found.is_empty(), "{} has {found:?}: tell whoever watches", file.display());
        }
    }
}
