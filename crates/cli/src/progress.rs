//! Progress on standard error: one line that is written over on a terminal,
//! one line a case elsewhere.

use std::io::{IsTerminal as _, Write as _};

use golive_check::drive::Progress;
use golive_check::report::CaseResult;
use golive_check::report::terminal::verdict_style;
use golive_check::verdict::Verdict;

/// Back to the start of the line, and clear it.
const AGAIN: &str = "\r\x1b[2K";

/// Shows a run as it goes.
pub(crate) struct Shown {
    quiet: bool,
    rewrites: bool,
}

impl Shown {
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            quiet,
            rewrites: std::io::stderr().is_terminal(),
        }
    }

    pub(crate) fn show(&self, progress: Progress<'_>) {
        if self.quiet {
            return;
        }
        match progress {
            Progress::Controls if self.rewrites => self.write("  controls …"),
            Progress::Begun(n, of, case) if self.rewrites => {
                self.write(&format!("  {n:>2}/{of}  {}  {} …", case.id, case.stimulus));
            }
            Progress::Ended(result) if !self.rewrites || result.verdict != Verdict::Pass => {
                self.ended(result);
            }
            _ => {}
        }
    }

    /// Clears the line that is written over.
    pub(crate) fn end(&self) {
        if self.rewrites && !self.quiet {
            self.write("");
        }
    }

    fn write(&self, text: &str) {
        // A line that wraps cannot be cleared; progress that cannot be shown is lost.
        let short: String = text.chars().take(78).collect();
        let mut err = std::io::stderr().lock();
        let _ = write!(err, "{AGAIN}{short}");
        let _ = err.flush();
    }

    fn ended(&self, result: &CaseResult) {
        let (style, clear) = (
            verdict_style(result.verdict),
            if self.rewrites { AGAIN } else { "" },
        );
        let mut err = anstream::stderr();
        if self.rewrites {
            let _ = write!(err, "{clear}");
        }
        let _ = writeln!(
            err,
            "  {style}{:<12}{style:#} {:<10} {:>5.1} s",
            result.verdict.word(),
            result.id,
            result.seconds
        );
    }
}
