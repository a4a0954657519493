//! Finding the secrets of a run, and its customers' numbers, in any text.

use std::collections::BTreeSet;

use golive_sandbox::Sandbox;
use serde_json::Value;

use crate::trace::{Entry, Leak};

/// What stands in the place of a number.
const NUMBER: &str = "[redacted:cpf]";
/// Digits of a CPF.
const DIGITS: usize = 11;
/// How much of a line is shown on each side of a leak, in characters.
const AROUND: usize = 60;
/// Leaks that are told of each text.
const MAX_LEAKS: usize = 20;

/// CPFs of this run's customers, as digits.
#[derive(Debug, Default)]
pub(super) struct Numbers(BTreeSet<String>);

/// Where secrets stand in a text, and numbers, if they are looked for.
pub(super) fn in_text(
    sandbox: &Sandbox,
    at: &str,
    text: &str,
    numbers: Option<&Numbers>,
) -> Vec<Leak> {
    // Most texts hold nothing, and are not looked at line by line.
    let any_secret = !sandbox.secrets_in(text).is_empty();
    let any_number = numbers.is_some_and(|n| n.replace_in(text).is_some());
    if !any_secret && !any_number {
        return Vec::new();
    }
    let mut leaks = Vec::new();
    for (n, line) in (1_usize..).zip(text.lines()) {
        if leaks.len() >= MAX_LEAKS {
            break;
        }
        let mut kinds: Vec<&str> = sandbox.secrets_in(line).iter().map(|c| c.words()).collect();
        let clean = sandbox.redacted(line);
        let replaced = numbers.and_then(|n| n.replace_in(&clean));
        kinds.extend(replaced.as_ref().map(|_| "CPF"));
        let clean = replaced.unwrap_or(clean);
        for kind in kinds {
            leaks.push(Leak {
                at: format!("{at}:{n}"),
                kind: kind.to_owned(),
                excerpt: excerpt(&clean),
            });
        }
    }
    if leaks.is_empty() {
        // Broken over lines, as a wrapped base64 is.
        let kinds = sandbox.secrets_in(text);
        leaks.extend(kinds.first().map(|kind| Leak {
            at: at.to_owned(),
            kind: kind.words().to_owned(),
            excerpt: String::new(),
        }));
    }
    leaks
}

/// Secrets in what was recorded, where the sandbox has redacted them already.
pub(super) fn in_record<'t>(at: &str, texts: impl IntoIterator<Item = &'t str>) -> Vec<Leak> {
    let found = texts.into_iter().filter(|text| text.contains("[redacted:"));
    found
        .map(|text| Leak {
            at: at.to_owned(),
            kind: kind_of(text).to_owned(),
            excerpt: excerpt(text),
        })
        .collect()
}

fn kind_of(redacted: &str) -> &'static str {
    if redacted.contains("[redacted:client_secret]") {
        "client secret"
    } else if redacted.contains("[redacted:webhook_secret]") {
        "webhook secret"
    } else {
        "access token"
    }
}

/// The surroundings of the first thing that was redacted.
fn excerpt(clean: &str) -> String {
    let at = clean.find("[redacted:").unwrap_or(0);
    let (before, after) = clean.split_at(at);
    let skipped = before.chars().count().saturating_sub(AROUND);
    let before = before.chars().skip(skipped);
    let shown = before.chain(after.chars().take(2 * AROUND));
    shown
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

// === impl Numbers ===

impl Numbers {
    /// The numbers in all bodies of the record: sent, delivered or answered.
    pub(super) fn of(entries: &[Entry]) -> Self {
        let mut numbers = Self::default();
        for entry in entries {
            let answer = match &entry.answer {
                crate::trace::Reply::Answered { body, .. } => body.as_str(),
                _ => "",
            };
            for body in [entry.body.as_str(), answer] {
                if let Ok(value) = serde_json::from_str(body) {
                    numbers.collect(&value);
                }
            }
        }
        numbers
    }

    fn collect(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let digits = member.as_str().map(digits_of).unwrap_or_default();
                    if name == "cpf" && digits.len() == DIGITS {
                        self.0.insert(digits);
                    }
                    self.collect(member);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            _ => {}
        }
    }

    /// The text without the numbers; `None` if it holds none. A number stands
    /// alone, as 11 digits or as `529.982.247-25`: digits around it make it
    /// another number.
    fn replace_in(&self, text: &str) -> Option<String> {
        let of_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-');
        let mut out = String::new();
        let mut kept = 0;
        let mut rest = 0;
        while let Some(start) = text.get(rest..)?.find(of_number).map(|i| rest + i) {
            let run = text.get(start..)?;
            let end = run
                .find(|c| !of_number(c))
                .map_or(text.len(), |i| start + i);
            let piece = text.get(start..end)?.trim_matches(['.', '-']);
            if piece.len() <= DIGITS + 3 && self.0.contains(&digits_of(piece)) {
                out.push_str(text.get(kept..start)?);
                out.push_str(NUMBER);
                kept = end;
            }
            rest = end;
        }
        out.push_str(text.get(kept..)?);
        (kept > 0).then_some(out)
    }
}

fn digits_of(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    fn numbers() -> Numbers {
        let mut entry = Entry::create("m", 0, 201, "k");
        entry.body = r#"{"data":[{"cpf":"529.982.247-25"}],"cpf":"x"}"#.to_owned();
        Numbers::of(&[entry])
    }

    #[test]
    fn a_number_is_found_with_and_without_its_points_and_only_alone() {
        for (text, clean) in [
            ("cpf=52998224725,", "cpf=[redacted:cpf],"),
            ("529.982.247-25", "[redacted:cpf]"),
            ("a 52998224725. b", "a [redacted:cpf] b"),
        ] {
            assert_eq!(numbers().replace_in(text).as_deref(), Some(clean));
        }
        for other in ["152998224725", "52998224724", "", "é.-", "2026-11-23"] {
            assert_eq!(numbers().replace_in(other), None, "{other}");
        }
    }

    #[tokio::test]
    async fn a_leak_is_told_with_its_line_and_without_itself() {
        let sandbox = Sandbox::builder().start().await.unwrap();
        let secret = sandbox
            .credential()
            .client_secret
            .expose_secret()
            .to_owned();
        let text = format!("up\ntoken request failed: secret={secret} cpf=52998224725\n");
        let leaks = in_text(&sandbox, "app.log", &text, Some(&numbers()));
        let told: Vec<_> = leaks
            .iter()
            .map(|l| (l.at.as_str(), l.kind.as_str()))
            .collect();
        assert_eq!(told, [("app.log:2", "client secret"), ("app.log:2", "CPF")]);
        for leak in &leaks {
            assert!(!leak.excerpt.contains(&secret) && !leak.excerpt.contains("5299"));
            assert!(leak.excerpt.contains("secret=[redacted:client_secret]"));
        }
        assert_eq!(in_text(&sandbox, "app.log", "all is well", None), []);
        assert_eq!(in_text(&sandbox, "hook", "cpf=52998224725", None), []);
    }
}
