//! Small runs of every method and command leave the bytes they left when they were recorded.
//!
//! `golden/scripts` holds the command lines, `golden/inputs` and `golden/runs` what they find in the folder they work in,
//! and `golden/digests.json` what they left: digests of files and output, messages as they are. After a change that is
//! meant to change results, record again and read what differs:
//!
//! ```sh
//! SBRIDGE_GOLDEN=record cargo test --release -p sbridge-cli --test golden
//! ```
//!
//! `SBRIDGE_BINARY` names another program to run, for example one built before the change.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::UNIX_EPOCH;
use std::{env, fs, thread};

use common::copy;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// What a command left: digests of files and output, the message and the exit code.
type Traces = BTreeMap<String, String>;

/// Command lines with what they left.
type Record = BTreeMap<String, Traces>;

/// Each has a folder of its own, and they run side by side.
const SCRIPTS: [&str; 12] = [
    "pairs", "images", "codes", "latent", "tools", "vsdm", "density", "paired", "quantum", "plan", "misuse",
    "old",
];

#[test]
fn every_method_and_command_gives_the_same_bytes_as_before() {
    let found = run_all();
    let file = golden("digests.json");
    if env::var("SBRIDGE_GOLDEN").is_ok_and(|wish| wish == "record") {
        let record = serde_json::json!({"platform": platform(), "commands": found});
        fs::write(file, format!("{record:#}\n")).unwrap();
        return;
    }
    let recorded: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let is_same_platform = recorded["platform"] == platform().as_str();
    if !is_same_platform {
        let of = (&recorded["platform"], platform());
        println!(
            "digests of numbers are not compared: recorded on {}, this is {}, which may round otherwise",
            of.0, of.1
        );
    }
    let commands: Record = serde_json::from_value(recorded["commands"].clone()).unwrap();
    let differences = differences(&commands, &found, is_same_platform);
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

/// A file or folder beside this test.
fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// What rounding depends on: the system and the instruction sets that kernels choose from.
fn platform() -> String {
    #[cfg(target_arch = "x86_64")]
    let sets = [
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let sets: [(&str, bool); 0] = [];
    let sets = sets.into_iter().filter_map(|(name, is_there)| is_there.then_some(name));
    [env::consts::ARCH, env::consts::OS].into_iter().chain(sets).collect::<Vec<_>>().join(" ")
}

/// Runs all scripts.
fn run_all() -> Record {
    thread::scope(|scope| {
        let running = SCRIPTS.map(|script| scope.spawn(move || run_script(script)));
        let mut all = Record::new();
        for (line, traces) in running.into_iter().flat_map(|thread| thread.join().unwrap()) {
            assert!(all.insert(line.clone(), traces).is_none(), "{line:?} stands in the scripts twice");
        }
        all
    })
}

/// Runs the lines of a script, one after the other, in a folder that holds the inputs.
fn run_script(script: &str) -> Record {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let text = fs::read_to_string(golden("scripts").join(format!("{script}.txt"))).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| (line.to_owned(), run_line(line, folder.path()))).collect()
}

/// Puts into `folder` what scripts work on; one run of it has a damaged model.
fn prepare(folder: &Path) {
    copy(&golden("inputs"), folder);
    copy(&golden("runs"), &folder.join("old"));
    copy(&golden("runs/latent"), &folder.join("damaged"));
    let model = folder.join("damaged/model.safetensors");
    let mut bytes = fs::read(&model).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(model, bytes).unwrap();
}

/// Runs the program with the arguments in `line`, and says what it left: output, and files that are new or written anew.
fn run_line(line: &str, folder: &Path) -> Traces {
    if let Some(run) = line.strip_prefix("report ") {
        let _ = fs::remove_file(folder.join(run).join("report.html"));
    }
    let before = files(folder);
    for file in &before {
        fs::File::options().append(true).open(file).unwrap().set_modified(UNIX_EPOCH).unwrap();
    }
    let output = sbridge(line, folder);
    let is_as_before =
        |file: &PathBuf| before.contains(file) && file.metadata().unwrap().modified().unwrap() == UNIX_EPOCH;
    let left = files(folder).into_iter().filter(|file| !is_as_before(file));
    let of_files = left.flat_map(|file| traces_of_file(folder, &file));
    traces_of_output(&output).into_iter().chain(of_files).collect()
}

/// Runs the program in `folder`, with arguments separated by spaces.
fn sbridge(arguments: &str, folder: &Path) -> Output {
    let program = env::var_os("SBRIDGE_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_sbridge").into());
    let mut command = Command::new(program);
    // On one thread a distance in the evaluation of images is rounded otherwise.
    command.args(arguments.split(' ')).env("RAYON_NUM_THREADS", "2").current_dir(folder);
    command.output().unwrap()
}

/// The files below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Exit code, message if there is one, and a digest of what was printed.
fn traces_of_output(output: &Output) -> Traces {
    let mut traces = Traces::from([("exit code".into(), output.status.code().unwrap().to_string())]);
    let errors = String::from_utf8(output.stderr.clone()).unwrap();
    // Up to the first empty line: what follows is how to call the program.
    let message: Vec<&str> = errors
        .lines()
        .skip_while(|line| !line.starts_with("error: "))
        .take_while(|line| !line.is_empty())
        .collect();
    if !message.is_empty() {
        traces.insert("message".into(), message.join("\n"));
    }
    if !output.stdout.is_empty() {
        let printed = without_times(&String::from_utf8(output.stdout.clone()).unwrap());
        traces.insert("output".into(), digest(printed.as_bytes()));
    }
    traces
}

/// What a file says, as far as it does not depend on the time.
fn traces_of_file(folder: &Path, file: &Path) -> Traces {
    let bytes = fs::read(file).unwrap();
    let path = file.strip_prefix(folder).unwrap().to_str().unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    let one = |value: String| Traces::from([(path.to_owned(), value)]);
    match name {
        "lock" => Traces::new(),
        _ if name.starts_with("events.out.tfevents.") => Traces::new(),
        "report.html" => one(what_it_loads(&String::from_utf8(bytes).unwrap())),
        "manifest.json" | "reproduction.json" => {
            one(digest(timeless(&String::from_utf8(bytes).unwrap()).as_bytes()))
        }
        "evaluation.json" if String::from_utf8_lossy(&bytes).contains("\"seconds\":") => {
            one(digest(timeless(&String::from_utf8(bytes).unwrap()).as_bytes()))
        }
        "config.toml" => {
            let settings = String::from_utf8(bytes.clone()).unwrap();
            let given: Vec<&str> = settings.lines().filter(|line| !line.starts_with(CHOSEN)).collect();
            let given = (format!("{path}{GIVEN}"), digest(given.join("\n").as_bytes()));
            Traces::from([(path.to_owned(), digest(&bytes)), given])
        }
        _ => one(digest(&bytes)),
    }
}

/// How the line of a setting begins that may be computed from the data.
const CHOSEN: &str = "epsilon = ";

/// Marks settings without that line.
const GIVEN: &str = " but for epsilon";

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a page fetches from elsewhere when it is opened.
fn what_it_loads(page: &str) -> String {
    let page = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    let ways = ["http://", "https://", "src=\"/", "<script", "<link", "@import", "url("];
    let found: Vec<&str> = ways.into_iter().filter(|way| page.contains(way)).collect();
    if found.is_empty() { "loads nothing".into() } else { format!("loads by {}", found.join(", ")) }
}

/// JSON in one form, without what every run has of its own.
fn timeless(json: &str) -> String {
    let mut value: Value = serde_json::from_str(json).unwrap();
    forget(&mut value);
    value.to_string()
}

fn forget(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for key in ["seconds", "peak_memory", "version"] {
                fields.remove(key);
            }
            fields.values_mut().for_each(forget);
        }
        Value::Array(items) => items.iter_mut().for_each(forget),
        _ => {}
    }
}

/// What was printed, without the times.
fn without_times(printed: &str) -> String {
    if printed.contains("\"seconds\":") {
        return timeless(printed);
    }
    // A table whose last column is of times.
    let is_timed = printed.lines().any(|line| line.ends_with(" seconds"));
    let cut = |line: &str| match line.rsplit_once(' ') {
        // The column is as wide as its widest time.
        Some((kept, _)) if is_timed => without_time(kept).trim_end().to_owned(),
        _ => without_time(line),
    };
    printed.lines().map(cut).collect::<Vec<_>>().join("\n")
}

/// `9 samples: x.npy` of `9 samples in 0.1 s: x.npy`, and the like.
fn without_time(line: &str) -> String {
    let times = [("done in ", ";"), (" samples in ", ":"), (" draws in ", ":"), (" (", " s)")];
    let cut = |(start, end): (&str, &str)| {
        let (before, time) = line.split_once(start)?;
        Some(format!("{before}{start}{}", time.split_once(end)?.1))
    };
    times.into_iter().find_map(cut).unwrap_or_else(|| line.to_owned())
}

/// How `found` differs from what is `recorded`; digests of numbers count on the same platform only.
fn differences(recorded: &Record, found: &Record, is_same_platform: bool) -> Vec<String> {
    let none = Traces::new();
    let mut differences = Vec::new();
    for line in recorded.keys().chain(found.keys().filter(|line| !recorded.contains_key(*line))) {
        let [before, now] = [recorded, found].map(|record| record.get(line).unwrap_or(&none));
        for what in before.keys().chain(now.keys().filter(|what| !before.contains_key(*what))) {
            let is_compared = is_same_platform || !depends_on_numbers(what);
            match (before.get(what), now.get(what)) {
                (Some(before), Some(now)) if is_compared && before != now => {
                    differences.push(format!("{line}: {what} was {before}, is {now}"));
                }
                (Some(_), None) => differences.push(format!("{line}: {what} is missing")),
                (None, Some(now)) => differences.push(format!("{line}: {what} is new: {now}")),
                _ => {}
            }
        }
    }
    differences
}

/// Whether a trace is a digest of what was computed.
fn depends_on_numbers(what: &str) -> bool {
    let is_plain = ["exit code", "message"].contains(&what);
    !(is_plain || what.ends_with(GIVEN) || what.ends_with("report.html"))
}
