//! What a bench target of gates does: `[--gates FILE] [PART..]`.

use std::{fs, path::PathBuf};

use crate::Gate;

/// Some gates that are measured together, and their name on the command line.
pub type Part = (&'static str, fn() -> Vec<Gate>);

/// Measures the parts that the command line names, all of them if it names none, and writes their
/// gates to the file that it names, as JSON.
///
/// # Panics
/// There is no part of such a name, or the file cannot be written.
#[allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "this is a program, and a benchmark that fails should say so"
)]
pub fn run(parts: &[Part]) {
    let mut file = None;
    let mut chosen = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--gates" => file = arguments.next().map(PathBuf::from),
            // So says cargo to every benchmark.
            "--bench" => {}
            _ => chosen.push(argument),
        }
    }
    let known = |name: &String| parts.iter().any(|(part, _)| part == name);
    assert!(chosen.iter().all(known), "no such part in {chosen:?}");

    let mut gates = Vec::new();
    for (name, part) in parts {
        if chosen.is_empty() || chosen.iter().any(|one| one == name) {
            println!("{name}");
            gates.extend(part());
        }
    }
    if let Some(file) = file {
        let text = serde_json::to_string_pretty(&gates).expect("gates are plain");
        fs::write(&file, text + "\n").expect("the file can be written");
    }
}
