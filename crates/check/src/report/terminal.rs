//! The checklist as the provider printed it, one line a box; then what failed,
//! with the wire trace that proves it.
//!
//! Text is styled with ANSI codes; hand it to a writer that strips them where
//! there is no terminal (`anstream` does).

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::wire;
use super::{BoxResult, CaseResult, Report};
use crate::boxes::{BoxState, SECTIONS};
use crate::cases;
use crate::verdict::{Verdict, counted};

/// Columns of prose.
const WIDTH: usize = 96;
/// Records shown of each proof.
const RECORDS: usize = 12;

const PLAIN: Style = Style::new();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const OPEN: Style = AnsiColor::Yellow.on_default();
const VOUCHED: Style = AnsiColor::Cyan.on_default();

/// Writes the whole report.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    head(report, out)?;
    checklist(report, out)?;
    for verdict in [
        Verdict::Fail,
        Verdict::Error,
        Verdict::Warn,
        Verdict::Inconclusive,
    ] {
        for case in report.cases.iter().filter(|c| c.verdict == verdict) {
            proof(case, out)?;
        }
    }
    skipped(report, out)?;
    foot(report, out)
}

/// The style of a verdict, for progress lines too.
#[must_use]
pub fn verdict_style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Pass => GOOD,
        Verdict::Fail | Verdict::Error => BAD,
        Verdict::Warn | Verdict::Inconclusive => OPEN,
        Verdict::Skip | Verdict::NotApplicable => DIM,
    }
}

fn head(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{BOLD}golive check{BOLD:#} {DIM}{} · profile {}, dialect {}, seed {}{DIM:#}",
        report.tool.version, report.profile, report.dialect, report.seed
    )?;
    writeln!(out, "{DIM}subject:{DIM:#} {}", report.subject)
}

fn checklist(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for (letter, heading) in SECTIONS {
        let of_section: Vec<_> = report
            .boxes
            .iter()
            .filter(|b| b.id.as_str().starts_with(letter))
            .collect();
        writeln!(out, "\n{BOLD}{heading}{BOLD:#}")?;
        for b in of_section {
            box_line(b, out)?;
        }
    }
    Ok(())
}

/// `  [x] R1  Idempotency on POSTs    4/4  2 to come`.
fn box_line(b: &BoxResult, out: &mut dyn Write) -> io::Result<()> {
    let style = match b.state {
        BoxState::Ticked => GOOD,
        BoxState::NotTicked => BAD,
        BoxState::Unproven if b.selected => OPEN,
        BoxState::Unproven => DIM,
        BoxState::Attested => VOUCHED,
    };
    let count = if b.existing == 0 {
        "–".to_owned()
    } else {
        format!("{}/{}", b.passed, b.existing)
    };
    write!(
        out,
        "  {style}[{}] {}  {:<24}{style:#} {count:>3}",
        b.state.mark(),
        b.id.as_str(),
        b.title
    )?;
    let mut notes = Vec::new();
    if !b.reason.is_empty() {
        notes.push((
            if b.state == BoxState::NotTicked {
                PLAIN
            } else {
                DIM
            },
            b.reason.clone(),
        ));
    }
    if b.to_come > 0 {
        notes.push((DIM, format!("{} to come", b.to_come)));
    }
    for (i, (style, note)) in notes.iter().enumerate() {
        let space = if i == 0 { "  " } else { " · " };
        write!(
            out,
            "{DIM}{space}{DIM:#}{style}{}{style:#}",
            shortened(note)
        )?;
    }
    writeln!(out)
}

/// What was done, what should have been seen, what was seen, and the wire.
fn proof(case: &CaseResult, out: &mut dyn Write) -> io::Result<()> {
    let style = verdict_style(case.verdict);
    writeln!(
        out,
        "\n{style}{}{style:#} {BOLD}{}{BOLD:#} {DIM}{} · {} {}{DIM:#}",
        case.verdict.word(),
        case.id,
        case.level.word(),
        case.in_box.as_str(),
        case.in_box.info().title,
    )?;
    let why = if case.verdict == Verdict::Inconclusive {
        "missing"
    } else {
        "because"
    };
    let hint = cases::find(case.id).map_or("", |c| c.hint);
    for (name, text) in [
        ("stimulus", case.stimulus),
        ("expected", case.expected),
        ("observed", &case.observed),
        (why, &case.reason),
        ("rule", case.clause),
    ] {
        field(name, text, out)?;
    }
    if matches!(case.verdict, Verdict::Fail | Verdict::Warn) {
        field("mend", hint, out)?;
    }
    if !case.evidence.is_empty() {
        writeln!(out, "  {DIM}wire{DIM:#}")?;
        for line in wire::lines(&case.evidence, RECORDS) {
            let style = if line.bad { OPEN } else { PLAIN };
            writeln!(
                out,
                "    {DIM}{}{DIM:#}  {}  {style}{}{style:#}{DIM}{}{DIM:#}",
                line.at, line.what, line.answer, line.note
            )?;
        }
    }
    Ok(())
}

fn field(name: &str, text: &str, out: &mut dyn Write) -> io::Result<()> {
    for (i, line) in wrapped(text, WIDTH - 12).into_iter().enumerate() {
        let name = if i == 0 { name } else { "" };
        writeln!(out, "  {DIM}{name:<9}{DIM:#} {line}")?;
    }
    Ok(())
}

fn skipped(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for case in report.cases.iter().filter(|c| c.verdict == Verdict::Skip) {
        match reasons
            .iter_mut()
            .find(|(reason, _)| *reason == case.reason)
        {
            Some((_, ids)) => ids.push(case.id),
            None => reasons.push((&case.reason, vec![case.id])),
        }
    }
    for (reason, ids) in reasons {
        writeln!(out, "\n{BOLD}SKIP{BOLD:#} {reason}")?;
        for line in wrapped(&ids.join(" "), WIDTH - 2) {
            writeln!(out, "  {DIM}{line}{DIM:#}")?;
        }
    }
    Ok(())
}

fn foot(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let count = |state| report.boxes.iter().filter(|b| b.state == state).count();
    let (ticked, not, unproven) = (
        count(BoxState::Ticked),
        count(BoxState::NotTicked),
        count(BoxState::Unproven),
    );
    let good = if ticked > 0 { GOOD } else { DIM };
    let bad = if not > 0 { BAD } else { DIM };
    writeln!(
        out,
        "\n{good}{ticked} ticked{good:#} · {bad}{not} not ticked{bad:#} · {unproven} unproven   {DIM}{} in {:.1} s{DIM:#}",
        counted(report.cases.len(), "case"),
        report.seconds
    )
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= WIDTH - 8 {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(WIDTH - 9).collect();
    short.push('…');
    short
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::Facts;
    use crate::trace::Entry;
    use crate::verdict::Judgement;

    fn text(verdicts: Vec<(&str, Judgement)>) -> String {
        let cases = verdicts
            .into_iter()
            .map(|(id, j)| CaseResult::new(cases::find(id).unwrap(), j, Duration::ZERO))
            .collect();
        let report = Report::of(Facts {
            dialect: "any".to_owned(),
            seed: 7,
            started: Duration::ZERO,
            took: Duration::from_millis(1_250),
            subject: "hand-made".to_owned(),
            cases,
        });
        let mut styled = Vec::new();
        write(&report, &mut styled).unwrap();
        anstream::adapter::strip_str(&String::from_utf8(styled).unwrap()).to_string()
    }

    #[test]
    fn the_checklist_is_printed_back_one_line_a_box() {
        let shown = text(vec![("VAL-01", Judgement::pass("ok"))]);
        assert!(
            shown.contains("  [x] R4  Validation errors        1/1  1 to come\n"),
            "{shown}"
        );
        assert!(
            shown.contains("  [?] C1  Production credentials     –  no case yet · 2 to come\n"),
            "{shown}"
        );
        assert!(
            shown.contains("  [?] R1  Idempotency on POSTs     0/4  not selected"),
            "{shown}"
        );
        assert_eq!(shown.lines().filter(|l| l.starts_with("  [")).count(), 15);
        assert!(
            shown.ends_with("1 ticked · 0 not ticked · 14 unproven   1 case in 1.2 s\n"),
            "{shown}"
        );
    }

    #[test]
    fn a_failure_shows_its_rule_its_mend_and_the_wire_that_proves_it() {
        let entries = [
            Entry::create("m-a", 12, 500, "key-1"),
            Entry {
                seq: 1,
                ..Entry::create("m-a", 262, 201, "key-2")
            },
        ];
        let failed = Judgement::fail("2 keys", "the key changed").because_of(&entries);
        let shown = text(vec![("IDEM-02", failed)]);
        assert!(
            shown.contains("[ ] R1  Idempotency on POSTs     0/4  IDEM-02 FAIL: the key changed"),
            "{shown}"
        );
        for piece in [
            "FAIL IDEM-02 MUST",
            "observed  2 keys",
            "rule      checklist R1",
            "mend      mint the key once",
        ] {
            assert!(shown.contains(piece), "{piece}: {shown}");
        }
        assert!(
            shown.contains("key=key-1") && shown.contains("key=key-2"),
            "{shown}"
        );
    }

    #[test]
    fn skips_are_told_once_for_each_reason() {
        let shown = text(vec![
            ("WH-DUP-01", Judgement::skip("give --webhook")),
            ("WH-DUP-02", Judgement::skip("give --webhook")),
        ]);
        assert_eq!(shown.matches("SKIP give --webhook").count(), 1, "{shown}");
        assert!(shown.contains("WH-DUP-01 WH-DUP-02"));
    }

    #[test]
    fn prose_is_wrapped_between_words() {
        assert_eq!(wrapped("aa bb cc", 5), ["aa bb", "cc"]);
        assert!(wrapped("", 5).is_empty());
    }
}
