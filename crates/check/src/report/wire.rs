//! The wire trace of a proof, one line a record.

use crate::trace::{Entry, Kind};

/// One line, in its parts.
pub(super) struct Line {
    /// Time since the first record.
    pub(super) at: String,
    /// Who sent what.
    pub(super) what: String,
    /// What it was answered.
    pub(super) answer: String,
    /// What a reader should look at.
    pub(super) note: String,
    /// Whether the answer was no success.
    pub(super) bad: bool,
}

/// The lines of the first `limit` records; says how many were left out.
pub(super) fn lines(entries: &[Entry], limit: usize) -> Vec<Line> {
    let start = entries.iter().map(|e| e.at).min().unwrap_or_default();
    let mut lines: Vec<Line> = entries
        .iter()
        .take(limit)
        .map(|e| Line {
            at: format!("{:>+8.3} s", e.at.saturating_sub(start).as_secs_f64()),
            what: what(e),
            answer: format!("→ {}", e.answer_words()),
            note: note(e),
            bad: !e.succeeded(),
        })
        .collect();
    if entries.len() > limit {
        let more = format!("… and {} more; --json has them all", entries.len() - limit);
        lines.push(Line {
            at: " ".repeat(10),
            what: more,
            answer: String::new(),
            note: String::new(),
            bad: false,
        });
    }
    lines
}

fn what(entry: &Entry) -> String {
    let mut text = match entry.kind {
        Kind::Request => format!("{} {}", entry.method, entry.path),
        Kind::Delivery => format!(
            "webhook {}",
            short(entry.header("webhook-id").unwrap_or("-"))
        ),
    };
    if let Some(query) = &entry.query {
        text.push('?');
        text.push_str(query);
    }
    let shown: &[(&str, Option<String>)] = &match entry.kind {
        Kind::Request if entry.method == "POST" && !entry.path.ends_with("/auth/token") => [
            ("key", Some(entry.key().map_or("none".to_owned(), short))),
            ("body", Some(short(&entry.body_digest))),
            ("token", entry.token.map(|t| format!("#{t}"))),
        ],
        Kind::Request => [
            ("token", entry.token.map(|t| format!("#{t}"))),
            ("", None),
            ("", None),
        ],
        Kind::Delivery => [
            (
                "timestamp",
                entry.header("webhook-timestamp").map(str::to_owned),
            ),
            ("signature", entry.header("webhook-signature").map(short)),
            ("", None),
        ],
    };
    for (name, value) in shown {
        if let Some(value) = value {
            text.push_str(&format!("  {name}={value}"));
        }
    }
    text
}

fn note(entry: &Entry) -> String {
    let mut notes = Vec::new();
    if let Some(took) = entry.took().filter(|t| t.as_millis() >= 1_000) {
        notes.push(format!("after {:.2} s", took.as_secs_f64()));
    }
    if let crate::trace::Reply::Answered { headers, .. } = &entry.answer {
        for (name, value) in headers {
            let hint =
                entry.status() == Some(429) && name.eq_ignore_ascii_case("x-ratelimit-reset");
            if hint || name.eq_ignore_ascii_case("retry-after") {
                notes.push(format!("{name}: {value}"));
            }
        }
    }
    if entry.fault.is_some() {
        notes.push("planned".to_owned());
    }
    if notes.is_empty() {
        String::new()
    } else {
        format!("  ({})", notes.join(", "))
    }
}

/// Enough of a key or digest to tell two apart.
fn short(text: &str) -> String {
    const KEEP: usize = 20;
    if text.chars().count() <= KEEP {
        return text.to_owned();
    }
    let start: String = text.chars().take(KEEP - 1).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_key_body_and_answer_apart() {
        let lines = lines(
            &[
                Entry::create("m", 1_000, 500, "k-1"),
                Entry::create("m", 1_250, 201, "k-1"),
            ],
            9,
        );
        assert_eq!(lines[1].at.trim(), "+0.250 s");
        assert_eq!(
            lines[0].what,
            "POST /v3/customers  key=k-1  body=digest of m"
        );
        assert_eq!(lines[0].answer, "→ 500");
        assert!(lines[0].bad && !lines[1].bad);
    }

    #[test]
    fn long_proofs_are_cut_and_say_so() {
        let entries: Vec<Entry> = (0..5).map(|i| Entry::create("m", i, 500, "k")).collect();
        let lines = lines(&entries, 3);
        assert_eq!(lines.len(), 4);
        assert!(lines[3].what.contains("2 more"));
    }
}
