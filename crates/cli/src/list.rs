//! `golive list`: the checklist with its cases, and the built-in integrations.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use golive_check::boxes::{BOXES, SECTIONS};
use golive_check::cases;
use golive_check::exit::Exit;
use golive_check::subject::FLAWS;

use crate::args::List;
use crate::failure::Failure;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const NAME: Style = AnsiColor::Cyan.on_default();

pub(crate) fn run(args: &List) -> Result<Exit, Failure> {
    let mut out = anstream::stdout().lock();
    if args.subjects {
        subjects(&mut out)?;
    } else {
        boxes(&mut out)?;
    }
    Ok(Exit::Ok)
}

fn boxes(out: &mut dyn Write) -> std::io::Result<()> {
    for (letter, heading) in SECTIONS {
        writeln!(out, "{BOLD}{heading}{BOLD:#}")?;
        for b in BOXES.iter().filter(|b| b.id.as_str().starts_with(letter)) {
            writeln!(
                out,
                "  {BOLD}{}{BOLD:#}  {}  {DIM}{}{DIM:#}",
                b.id.as_str(),
                b.title,
                b.asks
            )?;
            for case in cases::all().filter(|c| c.in_box == b.id) {
                let (style, note) = match case.build {
                    Some(_) => (NAME, ""),
                    None => (DIM, "  (to come)"),
                };
                writeln!(
                    out,
                    "      {style}{:<10}{style:#} {DIM}{:<6}{DIM:#} {}{DIM}{note}{DIM:#}",
                    case.id,
                    case.level.word(),
                    case.stimulus
                )?;
            }
        }
    }
    let (built, all) = (cases::built().count(), cases::all().count());
    writeln!(
        out,
        "\n{built} of {all} cases can be run; `golive explain ID` tells more of each."
    )
}

fn subjects(out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "{NAME}builtin{NAME:#}")?;
    writeln!(out, "    made of golive's own crates; passes every case")?;
    for flaw in &FLAWS {
        writeln!(out, "{NAME}flawed:{}{NAME:#}", flaw.name)?;
        writeln!(out, "    {}", flaw.says)?;
        for (word, cases) in [("fails", flaw.fails), ("is warned of", flaw.warns)] {
            if !cases.is_empty() {
                writeln!(out, "    {DIM}{word} {}{DIM:#}", cases.join(", "))?;
            }
        }
    }
    Ok(())
}
