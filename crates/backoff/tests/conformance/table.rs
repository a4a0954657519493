//! Reads `table.md`, and takes nothing in it that it does not know.

use std::{collections::HashMap, time::Duration};

use golive_backoff::Class;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::common::Face;

const COLUMNS: [&str; 8] = [
    "method",
    "key",
    "ended with",
    "response headers",
    "situation",
    "then",
    "executed?",
    "faces",
];

/// One attempt that has ended, and what follows.
#[derive(Debug)]
pub(crate) struct Row {
    /// As it is quoted when something is wrong with it.
    pub(crate) name: String,
    pub(crate) method: Method,
    pub(crate) key: Key,
    pub(crate) ending: Ending,
    pub(crate) headers: HeaderMap,
    pub(crate) situation: Situation,
    pub(crate) then: Then,
    pub(crate) known: Known,
    pub(crate) faces: Vec<Face>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    None,
    Empty,
    Held,
    /// The server forgets it then.
    HeldFor(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Answered(StatusCode),
    /// The body broke off.
    CutOff(StatusCode),
    Failed(Class),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Situation {
    pub(crate) attempt: u32,
    pub(crate) attempts: u32,
    /// The first attempt was a timeout.
    pub(crate) lost: bool,
    pub(crate) left: Option<Duration>,
    pub(crate) paused: Duration,
    pub(crate) spent: bool,
    pub(crate) nested: Option<Nested>,
    pub(crate) kept: Kept,
    pub(crate) used_up: bool,
    pub(crate) redirected: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nested {
    Out,
    In,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Yes,
    Streams,
    Outgrows,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Retry {
        /// The delay that is drawn.
        after: (Duration, Duration),
        /// When it is sent.
        sent: (Duration, Duration),
    },
    Stop {
        why: &'static str,
        /// The wait that was too long.
        asked: Option<Duration>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Executed,
    NotExecuted,
    Unknown,
    NotJudged,
}

/// Reads a table.
pub(crate) fn read(text: &str) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    let mut known = HashMap::new();
    let mut section = Section::default();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        let at = at + 1;
        if line.starts_with("## ") {
            section.end(at)?;
            section = Section::default();
        } else if line.starts_with('>') {
            section.clauses += 1;
        } else if line.starts_with('|') {
            match section.tables {
                0 if cells(line, at)? != COLUMNS => {
                    return Err(format!("line {at}: other columns"));
                }
                0 => {}
                1 if line.chars().any(|c| !"|-".contains(c)) => {
                    return Err(format!("line {at}: no line between head and rows"));
                }
                1 => {}
                _ => {
                    let mut row = cells(line, at)?;
                    let mut headers = vec![std::mem::take(&mut row[3])];
                    while let Some((at, next)) = lines.peek().copied() {
                        let Some(header) = continued(next, at + 1)? else {
                            break;
                        };
                        headers.push(header);
                        lines.next();
                    }
                    let name = format!("row {} (line {at}: {})", rows.len() + 1, words(&row));
                    let inputs = (row[..5].to_vec(), headers.clone());
                    if let Some(before) = known.insert(inputs, name.clone()) {
                        return Err(format!("{name} stands there twice, see {before}"));
                    }
                    let row = Row::read(name.clone(), &row, &headers);
                    rows.push(row.map_err(|why| format!("{name}: {why}"))?);
                }
            }
            section.tables += 1;
        } else if !line.is_empty() {
            section.prose += 1;
        }
    }
    section.end(text.lines().count())?;
    Ok(rows)
}

/// What a section has.
#[derive(Default)]
struct Section {
    prose: usize,
    clauses: usize,
    /// Lines of its table.
    tables: usize,
}

// === impl Section ===

impl Section {
    /// The introduction has no table; every other has all of it.
    fn end(&self, at: usize) -> Result<(), String> {
        let is_introduction = self.tables == 0 && self.clauses == 0 && self.prose > 0;
        let is_whole = self.prose > 0 && self.clauses > 0 && self.tables > 2;
        if is_introduction || is_whole {
            return Ok(());
        }
        Err(format!(
            "before line {at}: a section needs a sentence, a clause and rows"
        ))
    }
}

// === impl Row ===

impl Row {
    fn read(name: String, cells: &[String; 8], lines: &[String]) -> Result<Self, String> {
        let [method, key, ending, _, situation, then, known, faces] = cells;
        let method: Method = method.parse().map_err(|_| format!("method {method:?}"))?;
        if !method.as_str().chars().all(|c| c.is_ascii_uppercase()) {
            return Err(format!("method {method:?}"));
        }
        let situation = Situation::read(situation)?;
        let faces = read_faces(faces)?;
        let possible: &[Face] = match situation {
            Situation {
                redirected: true, ..
            } => &[Face::Reqwest],
            Situation {
                kept: Kept::Outgrows,
                ..
            } => &[Face::Tower],
            _ => &[Face::Tower, Face::Reqwest],
        };
        if faces != possible {
            return Err(format!("it can happen in {possible:?}"));
        }
        Ok(Self {
            name,
            method,
            key: read_key(key)?,
            ending: Ending::read(ending)?,
            headers: read_headers(lines)?,
            situation,
            then: Then::read(then)?,
            known: read_known(known)?,
            faces,
        })
    }
}

// === impl Ending ===

impl Ending {
    fn read(text: &str) -> Result<Self, String> {
        let class = match text {
            "no connection" => Class::Connect,
            "TLS refused" => Class::Tls,
            "stream refused" => Class::Refused,
            "timeout" => Class::Timeout,
            "reset" => Class::Reset,
            "body lost" => Class::Body,
            "unclear" => Class::Ambiguous,
            "cannot be sent" => Class::Fatal,
            "not sent" => Class::Unsent,
            _ => {
                let (status, cut) = match text.strip_suffix(" cut off") {
                    Some(status) => (status, true),
                    None => (text, false),
                };
                let status = StatusCode::from_bytes(status.as_bytes());
                let status = status.map_err(|_| format!("ended with {text:?}"))?;
                return Ok(if cut {
                    Self::CutOff(status)
                } else {
                    Self::Answered(status)
                });
            }
        };
        Ok(Self::Failed(class))
    }
}

// === impl Situation ===

impl Situation {
    fn read(text: &str) -> Result<Self, String> {
        let mut read = Self {
            attempt: 1,
            attempts: 3,
            lost: false,
            left: None,
            paused: Duration::ZERO,
            spent: false,
            nested: None,
            kept: Kept::Yes,
            used_up: false,
            redirected: false,
        };
        for word in text.split(", ").filter(|word| !word.is_empty()) {
            match word {
                "first a timeout" if read.attempt > 1 => read.lost = true,
                "budget spent" => read.spent = true,
                "retry further out" => read.nested = Some(Nested::Out),
                "retry further in" => read.nested = Some(Nested::In),
                "body streams" => read.kept = Kept::Streams,
                "body outgrows its buffer" => read.kept = Kept::Outgrows,
                "body insufficient_quota" => read.used_up = true,
                "redirected" => read.redirected = true,
                _ => {
                    let unknown = || format!("situation {word:?}");
                    if let Some(left) = word.strip_prefix("left ") {
                        read.left = Some(span(left)?);
                    } else if let Some(paused) = word.strip_prefix("paused ") {
                        read.paused = span(paused)?;
                    } else {
                        let numbers = word.strip_prefix("attempt ").ok_or_else(unknown)?;
                        let (n, m) = numbers.split_once(" of ").ok_or_else(unknown)?;
                        read.attempt = n.parse().map_err(|_| unknown())?;
                        read.attempts = m.parse().map_err(|_| unknown())?;
                        if !(1..=read.attempts).contains(&read.attempt) {
                            return Err(unknown());
                        }
                    }
                }
            }
        }
        Ok(read)
    }
}

// === impl Then ===

impl Then {
    fn read(text: &str) -> Result<Self, String> {
        /// The words of `Stop::as_str`.
        const WHYS: [&str; 12] = [
            "success",
            "vetoed",
            "used_up",
            "lasting",
            "unsafe",
            "nested",
            "attempts",
            "not_kept",
            "hint_too_long",
            "deadline",
            "key_expired",
            "budget",
        ];
        let unknown = || format!("then {text:?}");
        if let Some(ranges) = text.strip_prefix("retry after ") {
            let (after, sent) = match ranges.split_once(", sent after ") {
                Some((after, sent)) => (range(after)?, range(sent)?),
                None => (range(ranges)?, range(ranges)?),
            };
            return Ok(Self::Retry { after, sent });
        }
        let why = text.strip_prefix("stop: ").ok_or_else(unknown)?;
        let (why, asked) = match why.split_once(" (") {
            Some((why, asked)) => {
                let asked = asked.strip_suffix(')').ok_or_else(unknown)?;
                (why, Some(span(asked)?))
            }
            None => (why, None),
        };
        let why = why.replace(' ', "_");
        let why = WHYS.into_iter().find(|word| *word == why);
        let why = why.ok_or_else(unknown)?;
        if asked.is_some() != (why == "hint_too_long") {
            return Err(unknown());
        }
        Ok(Self::Stop { why, asked })
    }
}

fn read_key(text: &str) -> Result<Key, String> {
    Ok(match text {
        "none" => Key::None,
        "empty" => Key::Empty,
        "held" => Key::Held,
        _ => {
            let left = text.strip_prefix("held ");
            Key::HeldFor(span(left.ok_or_else(|| format!("key {text:?}"))?)?)
        }
    })
}

fn read_known(text: &str) -> Result<Known, String> {
    Ok(match text {
        "executed" => Known::Executed,
        "not executed" => Known::NotExecuted,
        "unknown" => Known::Unknown,
        "not judged" => Known::NotJudged,
        _ => return Err(format!("executed? {text:?}")),
    })
}

fn read_faces(text: &str) -> Result<Vec<Face>, String> {
    Ok(match text {
        "both" => vec![Face::Tower, Face::Reqwest],
        "tower" => vec![Face::Tower],
        "reqwest" => vec![Face::Reqwest],
        _ => return Err(format!("faces {text:?}")),
    })
}

fn read_headers(lines: &[String]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for line in lines.iter().filter(|line| !line.is_empty()) {
        let unknown = || format!("header {line:?}");
        let line = line.strip_prefix('`').and_then(|l| l.strip_suffix('`'));
        let (name, value) = line
            .and_then(|line| line.split_once(':'))
            .ok_or_else(unknown)?;
        let name: HeaderName = name.parse().map_err(|_| unknown())?;
        //= RFC 9110 §5.5: A field value does not include leading or trailing whitespace.
        let value: HeaderValue = value.trim().parse().map_err(|_| unknown())?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// `3s to 3.25s`
fn range(text: &str) -> Result<(Duration, Duration), String> {
    let (from, to) = text
        .split_once(" to ")
        .ok_or_else(|| format!("range {text:?}"))?;
    let (from, to) = (span(from)?, span(to)?);
    if from >= to {
        return Err(format!("range {text:?}"));
    }
    Ok((from, to))
}

/// `0`, `250ms`, `3.25s`, `6m`, `24h`
fn span(text: &str) -> Result<Duration, String> {
    let unknown = || format!("time {text:?}");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let unit = text.find(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = text.split_at(unit.ok_or_else(unknown)?);
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(unknown()),
    };
    // In thousandths, so that 3.261 s is exact.
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > 3 || fraction.ends_with('0') || (millis == 1 && !fraction.is_empty()) {
        return Err(unknown());
    }
    let whole: u64 = whole.parse().map_err(|_| unknown())?;
    let thousandths: u64 = format!("{fraction:0<3}").parse().map_err(|_| unknown())?;
    Ok(Duration::from_millis(
        whole * millis + thousandths * millis / 1000,
    ))
}

fn cells(line: &str, at: usize) -> Result<[String; 8], String> {
    let line = line.strip_prefix("| ").and_then(|l| l.strip_suffix(" |"));
    let line = line.ok_or_else(|| format!("line {at}: no row"))?;
    let cells: Vec<_> = line
        .split(" | ")
        .map(|cell| cell.trim().to_owned())
        .collect();
    cells
        .try_into()
        .map_err(|cells: Vec<_>| format!("line {at}: {} cells", cells.len()))
}

/// The header of a line that has nothing else.
fn continued(line: &str, at: usize) -> Result<Option<String>, String> {
    if !line.starts_with('|') {
        return Ok(None);
    }
    let mut cells = cells(line, at)?;
    let header = std::mem::take(&mut cells[3]);
    let is_bare = cells.iter().all(String::is_empty) && !header.is_empty();
    Ok(is_bare.then_some(header))
}

fn words(cells: &[String; 8]) -> String {
    let words: Vec<_> = cells[..5].iter().filter(|cell| !cell.is_empty()).collect();
    words
        .iter()
        .map(|word| word.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}
