//! What of a search is committed: the few inputs that reach most.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{LONGEST_INPUT, corpus, fuzz, grown};
use crate::cargo;

/// The inputs of one corpus, those written by hand included: seeds, not an archive.
const MOST_KEPT: usize = 40;

/// Adds to the corpus the few inputs that reach most of what no kept one reaches.
pub(super) fn run(built: &Path, name: &str) -> Result<()> {
    let scratch = fuzz().join("target/merge").join(name);
    if scratch.exists() {
        fs::remove_dir_all(&scratch)?;
    }
    let (chosen, record) = (scratch.join("chosen"), scratch.join("record"));
    fs::create_dir_all(&chosen)?;
    let mut command = Command::new(built.join(name));
    command
        // What libFuzzer would choose is hundreds of files; its record of what each one reaches is
        // what is asked for. Without counters, since reaching code more often is not reaching more.
        .args(["-set_cover_merge=1", "-use_counters=0", LONGEST_INPUT])
        .arg(format!("-merge_control_file={}", record.display()))
        .arg(&chosen)
        .args([corpus(name), grown(name)]);
    cargo::run(&mut command)?;
    let read = fs::read_to_string(&record)?;
    let reached = reached(&read).context("libFuzzer keeps another record than it used to")?;
    let kept = corpus(name);
    for file in cover(&reached, &kept, MOST_KEPT) {
        let to = kept.join(file.file_name().unwrap_or_default());
        fs::copy(file, &to).with_context(|| format!("cannot write {}", to.display()))?;
        println!("kept {}", to.display());
    }
    Ok(())
}

/// An input, and the places in the code that it reaches.
type Reached = (PathBuf, BTreeSet<u32>);

/// The record of a merge: two numbers, as many files as the first says, and for each what it
/// reaches, in a line `FT <file> <place>…`.
fn reached(record: &str) -> Option<Vec<Reached>> {
    let mut lines = record.lines();
    let files: usize = lines.next()?.parse().ok()?;
    lines.next()?;
    let mut reached: Vec<Reached> = lines
        .by_ref()
        .take(files)
        .map(|file| (file.into(), BTreeSet::new()))
        .collect();
    for line in lines {
        if let Some(numbers) = line.strip_prefix("FT ") {
            let mut numbers = numbers.split(' ').map(str::parse);
            let file = numbers.next()?.ok()?;
            let places = reached.get_mut(usize::try_from(file).ok()?)?;
            places.1 = numbers.collect::<Result<_, _>>().ok()?;
        }
    }
    Some(reached)
}

/// What to add to the files in `kept`, the one that reaches most first, until there are `most`.
fn cover<'a>(reached: &'a [Reached], kept: &Path, most: usize) -> Vec<&'a Path> {
    let (old, new): (Vec<_>, Vec<_>) = reached.iter().partition(|(file, _)| file.starts_with(kept));
    let mut seen: BTreeSet<u32> = old.iter().flat_map(|(_, places)| places).copied().collect();
    let mut chosen = Vec::new();
    while old.len() + chosen.len() < most {
        let gain = |one: &&&Reached| one.1.difference(&seen).count();
        let Some(best) = new.iter().max_by_key(gain).filter(|best| gain(best) > 0) else {
            break;
        };
        chosen.push(best.0.as_path());
        seen.extend(&best.1);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_reaches_most_first_and_nothing_that_was_reached() {
        let record = "4\n0\nk/seed\ng/a\ng/b\ng/c\n\
            STARTED 0 9\nFT 0 1 2\nCOV 0 1 2\nSTARTED 1 9\nFT 1 1 2 3\nCOV 1\n\
            STARTED 2 9\nFT 2 3 4 5\nSTARTED 3 9\nFT 3 6\nCOV 3\n";
        let reached = reached(record).unwrap();
        let chosen = |most| cover(&reached, Path::new("k"), most);
        assert_eq!(chosen(9), [Path::new("g/b"), Path::new("g/c")]);
        assert_eq!(chosen(2), [Path::new("g/b")]);
        assert_eq!(chosen(1), [] as [&Path; 0]);
    }

    #[test]
    fn another_record_is_not_taken_for_one() {
        for record in ["", "x\n0\n", "1\n0\na\nFT 1 2\n", "1\n0\na\nFT 0 x\n"] {
            assert_eq!(reached(record), None, "{record:?}");
        }
    }
}
