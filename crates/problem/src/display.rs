//! A problem and its fields in words for people.

use std::fmt::{self, Write as _};

use crate::{FieldError, Problem};

impl std::error::Error for Problem {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.status.canonical_reason().unwrap_or("request failed");
        clean(f, self.title().unwrap_or(reason))?;
        write!(f, " ({})", self.status.as_u16())?;
        if let Some(detail) = self.detail() {
            f.write_str(": ")?;
            clean(f, detail)?;
        }
        if let Some(param) = self.param() {
            f.write_str(" [")?;
            clean(f, param)?;
            f.write_str("]")?;
        }
        for error in self.errors() {
            write!(f, "\n  {error}")?;
        }
        if self.omitted() > 0 {
            write!(f, "\n  and {} more", self.omitted())?;
        }
        if let Some(id) = self.request_id() {
            f.write_str("\n  request id: ")?;
            clean(f, id)?;
        }
        Ok(())
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self
            .detail
            .as_deref()
            .or(self.code.as_deref())
            .unwrap_or("is not valid");
        if let Some(param) = &self.param {
            clean(f, param)?;
            f.write_str(": ")?;
        }
        clean(f, said)
    }
}

/// The words come from the other side: a line feed could forge a line of a log, an escape could
/// steer a terminal, and a direction override could make the rest of the line read backwards.
fn clean(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    text.chars()
        .try_for_each(|c| f.write_char(if is_steering(c) { ' ' } else { c }))
}

/// Control characters, Unicode's line and paragraph separators, and its property `Bidi_Control`.
fn is_steering(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}')
        || matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}')
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}
