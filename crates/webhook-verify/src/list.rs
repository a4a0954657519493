//! The list of signatures: which items could be one of ours.
//!
//! Standard Webhooks, "Signature scheme": a space-delimited list, in which versions that the
//! receiver does not know are to be ignored. A proxy may have folded lines into one (RFC 9110, 5.3:
//! "separated by a comma (\",\") and optional whitespace"). So white space and commas both end an
//! item, and what is malformed simply matches nothing.

use core::ops::ControlFlow;

use crate::limits::MAX_SIGNATURE_LINES;

/// The lines of the signature header, which make one list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lines<'a> {
    lines: [&'a [u8]; MAX_SIGNATURE_LINES],
    len: usize,
}

/// An item that has the label: what stands behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    /// As long as a signature is.
    Formed(&'a [u8]),
    /// Of another length, so that it cannot be one.
    Malformed,
}

/// How the items of interest look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// What stands right before the signature.
    pub(crate) label: &'static str,
    /// How long a signature is, in characters.
    pub(crate) len: usize,
}

// === impl Lines ===

impl<'a> Lines<'a> {
    pub(crate) const fn new() -> Self {
        Self {
            lines: [&[]; MAX_SIGNATURE_LINES],
            len: 0,
        }
    }

    /// Adds a line, if there is room.
    #[inline]
    pub(crate) fn push(&mut self, line: &'a [u8]) {
        if let Some(place) = self.lines.get_mut(self.len) {
            *place = line;
            self.len += 1;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        self.lines.iter().take(self.len).copied()
    }

    /// Calls `visit` with every item of this shape, until it breaks.
    #[inline(always)]
    pub(crate) fn items<B>(
        &self,
        shape: Shape,
        mut visit: impl FnMut(Item<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        for line in self.iter() {
            // One signature and nothing else: nearly every delivery.
            if line.len() == shape.label.len() + shape.len
                && let Some(text) = after_label(line, shape.label)
            {
                visit(Item::Formed(text))?;
                continue;
            }
            let mut rest = line;
            while let Some((item, after)) = next(rest, shape) {
                visit(item)?;
                rest = after;
            }
        }
        ControlFlow::Continue(())
    }

    /// The texts of the items with this label, of any length.
    pub(crate) fn texts(&self, label: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .flat_map(|line| line.split(|&b| is_separator(b)))
            .filter_map(move |item| item.strip_prefix(label.as_bytes()))
    }
}

/// The first item with the label, and what comes behind it.
#[inline]
fn next(mut line: &[u8], shape: Shape) -> Option<(Item<'_>, &[u8])> {
    let label = shape.label;
    loop {
        while let Some((byte, after)) = line.split_first()
            && is_separator(*byte)
        {
            line = after;
        }
        if let Some(text) = after_label(line, label) {
            if let Some(found) = formed(text, shape) {
                return Some(found);
            }
            if label.ends_with(',') {
                // The comma ends an item too: the next one may begin here, as in `v1,v1,…`.
                return Some((Item::Malformed, text));
            }
        }
        let end = line.iter().position(|&byte| is_separator(byte));
        let (item, after) = line.split_at(end.unwrap_or(line.len()));
        match item {
            [] => return None,
            // It has the label, if there is one, and not the length.
            _ if item.starts_with(label.as_bytes()) => return Some((Item::Malformed, after)),
            _ => line = after,
        }
    }
}

/// An item of the right length, if that is what stands here.
///
/// Only the byte behind it is looked at: a true item holds neither white space nor, its label apart,
/// a comma, and with its label it is longer than `shape.len`. So none can lie within another one,
/// or be cut by its end, save at the comma of a label (`v1,`) after a fold.
#[inline]
fn formed<'a>(text: &'a [u8], shape: Shape) -> Option<(Item<'a>, &'a [u8])> {
    let (signature, after) = text.split_at_checked(shape.len)?;
    let ends = match after.first() {
        None | Some(b' ' | b'\t') => true,
        Some(b',') => {
            !shape.label.ends_with(',') || !signature.iter().any(|&byte| is_separator(byte))
        }
        Some(_) => false,
    };
    ends.then_some((Item::Formed(signature), after))
}

/// What follows the label, if the item has it. A label is too short for a call to compare it.
#[inline]
fn after_label<'a>(item: &'a [u8], label: &str) -> Option<&'a [u8]> {
    let (start, text) = item.split_at_checked(label.len())?;
    let mut letters = start.iter().zip(label.as_bytes());
    letters.all(|(seen, letter)| seen == letter).then_some(text)
}

#[inline]
fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b',')
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    const V1: Shape = Shape {
        label: "v1,",
        len: 3,
    };

    fn formed_in<'a>(lines: &[&'a str], shape: Shape) -> (Vec<&'a str>, usize) {
        let mut list = Lines::new();
        for line in lines {
            list.push(line.as_bytes());
        }
        let (mut formed, mut malformed) = (vec![], 0);
        let flow: ControlFlow<()> = list.items(shape, |item| {
            match item {
                Item::Formed(text) => formed.push(core::str::from_utf8(text).unwrap()),
                Item::Malformed => malformed += 1,
            }
            ControlFlow::Continue(())
        });
        assert!(flow.is_continue());
        (formed, malformed)
    }

    #[test]
    fn lines_and_folded_lines_are_one_list_and_unknown_versions_are_skipped() {
        let lines = ["v1a,xxx v1,one  v2,yyy", "v1,two, v1,six garbage v1 ,"];
        assert_eq!(formed_in(&lines, V1), (vec!["one", "two", "six"], 0));
    }

    #[test]
    fn lines_that_were_folded_without_white_space_are_one_list_too() {
        for line in [
            "v1,one,v1,two,v1a,xxx,v1,six",
            "v1,one,v1,two garbage,v1,six,",
            "v1,one,\tv1,two,v2,zzz v1,six",
        ] {
            assert_eq!(formed_in(&[line], V1), (vec!["one", "two", "six"], 0));
        }
    }

    #[test]
    fn a_malformed_sibling_hides_nothing() {
        for (line, malformed) in [
            ("v1, v1,one", 1),
            ("v1,,v1,one", 1),
            ("v1,v1,one", 1),
            ("v1,x,v1,one", 1),
            ("v1,x v1,one", 1),
            ("v1,four,v1,one", 1),
            (" ,\tv1,one ,", 0),
            ("v1 v1,one", 0),
        ] {
            assert_eq!(formed_in(&[line], V1), (vec!["one"], malformed), "{line}");
        }
        // As long as a signature, but for the comma of the label that follows.
        let wide = Shape {
            label: "v1,",
            len: 5,
        };
        assert_eq!(formed_in(&["v1,xx v1,three"], wide), (vec!["three"], 1));
        assert_eq!(formed_in(&["v1,xx,v1,three"], wide), (vec!["three"], 1));
    }

    #[test]
    fn a_list_with_commas_is_read_by_its_labels() {
        let stripe = Shape {
            label: "v1=",
            len: 3,
        };
        // An item begins with its label: `v1=v1=one` is malformed, and holds no other one.
        for line in [
            "v1=v1=one",
            "v1=x,v1=v1=one",
            "v1=v1=v1=one v1=",
            "v1= v1=xv1=one",
        ] {
            let (formed, malformed) = formed_in(&[line], stripe);
            assert_eq!((formed, malformed > 0), (vec![], true), "{line}");
        }
        assert_eq!(formed_in(&["v1=v1=one,v1=two"], stripe), (vec!["two"], 1));
        let line = "t=1492774577,v1=one,v0=zzz,v1=two";
        assert_eq!(formed_in(&[line], stripe), (vec!["one", "two"], 0));
        let mut lines = Lines::new();
        lines.push(line.as_bytes());
        let texts: Vec<_> = lines.texts("t=").collect();
        assert_eq!(texts, [b"1492774577"]);
    }

    #[test]
    fn a_bare_signature_is_what_has_its_length() {
        let bare = Shape { label: "", len: 3 };
        assert_eq!(formed_in(&["one"], bare), (vec!["one"], 0));
        assert_eq!(formed_in(&["", " "], bare), (vec![], 0));
        let several = formed_in(&["four, one,x ,two"], bare);
        assert_eq!(several, (vec!["one", "two"], 2));
    }

    #[test]
    fn there_is_room_for_four_lines() {
        let mut lines = Lines::new();
        (0..5).for_each(|_| lines.push(b"x"));
        assert_eq!(lines.iter().count(), 4);
    }
}
