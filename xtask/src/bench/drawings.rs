//! What a report draws: left by its programs in cargo's folder for that, kept beside the file that
//! is asked for.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::workspace::Workspace;

/// Removes what an earlier run of this report left, which must not be taken for this one's.
pub(super) fn clear(workspace: Workspace, report: &str) -> Result<()> {
    for drawing in left(workspace, report)? {
        fs::remove_file(&drawing)
            .with_context(|| format!("cannot remove {}", drawing.display()))?;
    }
    Ok(())
}

/// Copies what this run left, and says where to.
pub(super) fn keep(workspace: Workspace, report: &str, json: &Path) -> Result<()> {
    for drawing in left(workspace, report)? {
        let Some(kept) = beside(json, report, &drawing) else {
            continue;
        };
        fs::copy(&drawing, &kept).with_context(|| format!("cannot write {}", kept.display()))?;
        println!("drawn in {}", kept.display());
    }
    Ok(())
}

fn left(workspace: Workspace, report: &str) -> Result<Vec<PathBuf>> {
    // Where `CARGO_TARGET_TMPDIR` is; there is none before the first benchmark.
    let Ok(entries) = fs::read_dir(workspace.built()?.join("tmp")) else {
        return Ok(Vec::new());
    };
    let mut drawings = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if part(report, &path).is_some() {
            drawings.push(path);
        }
    }
    drawings.sort();
    Ok(drawings)
}

/// `figures.json` and `backoff-outage.svg`: `figures-outage.svg`.
fn beside(json: &Path, report: &str, drawing: &Path) -> Option<PathBuf> {
    let stem = json.file_stem()?.to_str()?;
    let part = part(report, drawing)?;
    Some(json.with_file_name(format!("{stem}-{part}.svg")))
}

/// What a drawing shows, if it belongs to this report.
fn part<'a>(report: &str, drawing: &'a Path) -> Option<&'a str> {
    let name = drawing.file_name()?.to_str()?;
    let part = name.strip_prefix(report)?.strip_prefix('-')?;
    part.strip_suffix(".svg")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_is_kept_beside_the_file_and_named_after_it() {
        let drawing = Path::new("target/tmp/backoff-outage-refused.svg");
        let kept = beside(Path::new("kept/figures.json"), "backoff", drawing);
        assert_eq!(kept.unwrap(), Path::new("kept/figures-outage-refused.svg"));
        for other in ["stack-outage.svg", "backoff.svg", "backoff-times.json"] {
            assert_eq!(part("backoff", Path::new(other)), None, "{other}");
        }
    }
}
