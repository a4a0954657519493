//! What users read first about a release.
//!
//! The newest section is that of the version, or is called `Unreleased`; then it gets its name on
//! the day, which only a warning recalls, because until then nothing is wrong.

use crate::tidy::finding::Finding;

const UNRELEASED: &str = "Unreleased";

/// Looks at the text of a changelog, found at `path`, before `version` is released.
pub(crate) fn check(path: &str, text: &str, version: &str) -> Vec<Finding> {
    let sections = sections(text);
    let named = format!("## {version} — YYYY-MM-DD");
    let Some(newest) = sections.first() else {
        return vec![Finding::failure(
            path,
            "no section",
            format!("say under `{named}` what changes for users"),
        )];
    };
    let mut found = Vec::new();
    if !newest.has_text {
        found.push(Finding::failure(
            path,
            format!("nothing under `{}`", newest.title),
            "say what changes for users, if it is only that nothing does",
        ));
    }
    let is_out = sections[1..].iter().any(|one| one.title == version);
    if newest.title == UNRELEASED && is_out {
        found.push(Finding::failure(
            path,
            format!("{version} is described below what is unreleased"),
            "raise `version` in [workspace.package], and in [workspace.dependencies]",
        ));
    } else if newest.title == UNRELEASED {
        found.push(Finding::warning(
            path,
            format!("{version} has no section of its own yet"),
            format!("on the day, turn `## {UNRELEASED}` into `{named}`"),
        ));
    } else if newest.title != version {
        found.push(Finding::failure(
            path,
            format!("the newest section is `{}`, not {version}", newest.title),
            format!("add `{named}` above it, or release that version"),
        ));
    }
    found
}

struct Section<'a> {
    /// The version, without its date.
    title: &'a str,
    has_text: bool,
}

fn sections(text: &str) -> Vec<Section<'_>> {
    let mut found: Vec<Section<'_>> = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let title = heading.split_whitespace().next().unwrap_or_default();
            let title = title.trim_matches(['[', ']']);
            let has_text = false;
            found.push(Section { title, has_text });
        } else if let Some(last) = found.last_mut() {
            // `### Added` with nothing under it says nothing either.
            last.has_text |= !line.trim().is_empty() && !line.starts_with('#');
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Finding {
        let mut found = check("CHANGELOG.md", text, "0.2.0");
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    #[test]
    fn the_section_of_the_version_may_carry_its_date() {
        for heading in ["0.2.0", "0.2.0 — 2026-11-23", "[0.2.0] - 2026-11-23"] {
            let text = format!("# Changelog\n\n## {heading}\n\nNew.\n\n## 0.1.0\n\nOld.\n");
            assert_eq!(check("CHANGELOG.md", &text, "0.2.0"), [], "{heading}");
        }
    }

    #[test]
    fn what_is_unreleased_gets_its_name_on_the_day() {
        let finding = only("# Changelog\n\n## Unreleased\n\nNew.\n\n## 0.1.0\n\nOld.\n");
        assert!(!finding.is_failure());
        assert!(finding.to_string().contains("`## 0.2.0 — YYYY-MM-DD`"));
    }

    #[test]
    fn what_is_unreleased_above_the_version_itself_means_a_version_forgotten() {
        let finding = only("## Unreleased\n\nNew.\n\n## 0.2.0\n\nOut.\n");
        assert!(finding.is_failure());
        assert!(finding.to_string().contains("raise `version`"));
    }

    #[test]
    fn an_older_newest_section_and_none_at_all_are_found() {
        assert!(only("## 0.1.0\n\nOld.\n").to_string().contains("`0.1.0`"));
        assert!(only("# Changelog\n").to_string().contains("no section"));
        // 0.2.0-rc.1 and 0.2.01 are other versions.
        assert!(only("## 0.2.0-rc.1\n\nOld.\n").is_failure());
    }

    #[test]
    fn a_heading_over_nothing_is_found() {
        let finding = only("## 0.2.0\n\n### Added\n\n## 0.1.0\n\nOld.\n");
        assert!(finding.is_failure());
        assert!(finding.to_string().contains("nothing under `0.2.0`"));
    }
}
