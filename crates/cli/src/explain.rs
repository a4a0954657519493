//! `golive explain`: a case or a box, in full.

use std::io::Write;

use anstyle::Style;
use golive_check::boxes::{BOXES, CheckBox};
use golive_check::case::{Case, Need};
use golive_check::cases;
use golive_check::exit::Exit;
use golive_check::subject::FLAWS;

use crate::args::Explain;
use crate::failure::Failure;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

pub(crate) fn run(args: &Explain) -> Result<Exit, Failure> {
    let mut out = anstream::stdout().lock();
    let id = args.id.as_str();
    if let Some(case) = cases::find(id) {
        explain_case(case, &mut out)?;
    } else if let Some(b) = BOXES
        .iter()
        .find(|b| b.id.as_str().eq_ignore_ascii_case(id))
    {
        explain_box(b, &mut out)?;
    } else {
        let words = format!("{id:?} is no case and no box; `golive list` shows them all");
        return Err(Failure::usage(anyhow::Error::msg(words)));
    }
    Ok(Exit::Ok)
}

fn explain_case(case: &Case, out: &mut dyn Write) -> std::io::Result<()> {
    let b = case.in_box.info();
    let to_come = if case.build.is_some() {
        ""
    } else {
        " · still to come"
    };
    writeln!(
        out,
        "{BOLD}{}{BOLD:#} {DIM}{} · {} {}{to_come}{DIM:#}",
        case.id,
        case.level.word(),
        b.id.as_str(),
        b.title
    )?;
    for (name, text) in [
        ("stimulus", case.stimulus),
        ("expected", case.expected),
        ("fails when", case.fails_when),
        ("rule", case.clause),
        ("mend", case.hint),
    ] {
        if !text.is_empty() {
            writeln!(out, "  {DIM}{name:<10}{DIM:#} {text}")?;
        }
    }
    let needs = needs(case);
    if !needs.is_empty() {
        writeln!(out, "  {DIM}needs     {DIM:#} {needs}")?;
    }
    // The one that shows this case best has the fewest others.
    let mut flaws: Vec<_> = FLAWS
        .iter()
        .filter(|f| f.fails.contains(&case.id) || f.warns.contains(&case.id))
        .collect();
    flaws.sort_by_key(|f| f.fails.len() + f.warns.len());
    let flaws: Vec<&str> = flaws.iter().map(|f| f.name).collect();
    if !flaws.is_empty() {
        let first = flaws.first().copied().unwrap_or_default();
        writeln!(
            out,
            "  {DIM}see it    {DIM:#} golive check {} --subject flawed:{first}",
            case.id
        )?;
    }
    Ok(())
}

fn needs(case: &Case) -> String {
    let (mut needs, mut hooks) = (Vec::new(), Vec::new());
    for need in case.needs() {
        match need {
            Need::Driver => needs.push("--drive, with the hook `create`".to_owned()),
            Need::Webhook => needs.push("--webhook".to_owned()),
            Need::Hook(hook) => hooks.push(format!("`{}`", hook.name())),
            _ => {}
        }
    }
    let noun = match hooks.len() {
        0 => return needs.join("; "),
        1 => "hook",
        _ => "hooks",
    };
    needs.push(format!("{noun} {}", hooks.join(", ")));
    needs.join("; ")
}

fn explain_box(b: &CheckBox, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "{BOLD}{} {}{BOLD:#}", b.id.as_str(), b.title)?;
    writeln!(out, "  {}", b.asks)?;
    if let Some(reason) = b.not_provable_because {
        writeln!(
            out,
            "  {DIM}can be broken by its cases, not yet ticked: {reason}{DIM:#}"
        )?;
    }
    for case in cases::all().filter(|c| c.in_box == b.id) {
        writeln!(out)?;
        explain_case(case, out)?;
    }
    Ok(())
}
