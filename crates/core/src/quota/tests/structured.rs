//! The reader of structured fields against the one of the crate `sfv`.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sfv::{BareItem, Dictionary, List, ListEntry, Parameters, Parser};

use super::super::structured::{Bare, Event, dictionary, list};

/// A value in words, so that both readers can be compared.
type Said = (String, String, BTreeMap<String, String>);

type Read = for<'a> fn(&'a [u8], &mut dyn FnMut(Event<'a>)) -> bool;

fn said(read: Read, text: &[u8]) -> Option<Vec<Said>> {
    let mut said: Vec<Said> = Vec::new();
    let valid = read(text, &mut |event| match event {
        Event::Member(bare) => said.push((String::new(), spell(bare), BTreeMap::new())),
        Event::Entry(key, bare) => said.push((word(key), spell(bare), BTreeMap::new())),
        Event::Parameter(key, bare) => {
            let last = said.last_mut().unwrap();
            last.2.insert(word(key), spell(bare));
        }
    });
    valid.then_some(said)
}

fn word(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn spell(bare: Bare<'_>) -> String {
    match bare {
        Bare::Number(number) => format!("number {number}"),
        Bare::Text(text) => format!("text {}", word(text)),
        Bare::Bytes(_) | Bare::Other => "other".to_owned(),
    }
}

fn spell_theirs(bare: &BareItem) -> String {
    match bare {
        BareItem::Integer(number) => format!("number {}", i64::from(*number)),
        BareItem::String(text) => {
            let escaped = text.as_str().replace('\\', "\\\\").replace('"', "\\\"");
            format!("text {escaped}")
        }
        BareItem::Token(text) => format!("text {}", text.as_str()),
        _ => "other".to_owned(),
    }
}

fn entry(key: &str, entry: &ListEntry) -> Said {
    let (bare, parameters) = match entry {
        ListEntry::Item(item) => (spell_theirs(&item.bare_item), &item.params),
        ListEntry::InnerList(list) => ("other".to_owned(), &list.params),
    };
    (key.to_owned(), bare, spell_all(parameters))
}

fn spell_all(parameters: &Parameters) -> BTreeMap<String, String> {
    let spelt = |(key, bare): (&sfv::Key, &BareItem)| {
        // A parameter without a value is true, which is none of what is kept.
        (key.as_str().to_owned(), spell_theirs(bare))
    };
    parameters.iter().map(spelt).collect()
}

/// Whatever the other reader reads, this one reads alike. The other way round, it does not
/// decode what it passes over: base64, and UTF-8 in escapes.
fn compare(text: &[u8]) {
    let lenient = text.contains(&b':') || text.contains(&b'%');
    let theirs = Parser::new(text).parse::<List>().ok();
    let theirs = theirs.map(|list| list.iter().map(|one| entry("", one)).collect::<Vec<_>>());
    let ours = said(list, text);
    if theirs.is_some() || !lenient {
        assert_eq!(ours, theirs, "{}", text.escape_ascii());
    }
    let theirs = Parser::new(text).parse::<Dictionary>().ok();
    let theirs = theirs.map(|all| {
        let entries = all.iter().map(|(key, one)| entry(key.as_str(), one));
        by_key(entries.collect())
    });
    let ours = said(dictionary, text).map(by_key);
    if theirs.is_some() || !lenient {
        assert_eq!(ours, theirs, "{}", text.escape_ascii());
    }
}

/// Of entries with one key the last counts.
fn by_key(said: Vec<Said>) -> BTreeMap<String, Said> {
    said.into_iter().map(|one| (one.0.clone(), one)).collect()
}

#[test]
fn it_reads_what_sfv_reads() {
    for text in [
        "",
        " ",
        "\"default\";r=50;t=30",
        "\"default\"; r=50; t=30 ,\t\"day\";r=999;t=7200",
        "default;r=50;pk=:Y2RuLm1lL2EyMDAyMzQ=:",
        "limit=100, remaining=50, reset=5",
        "100;w=60, 1000;w=3600;comment=\"a, \\\"b\\\"\"",
        "a;r=1;r=2",
        "a=1,a=2;x,b",
        "a=?1, b=@1659578233, c=%\"f%c3%bc\", d=(1 2;q=3 \"x\");w=1",
        "1.5;w=-1.250, -3",
        "(1 2), (), ( 1  2 )",
        "*tok/en:x;*k=1",
        "a,",
        ",a",
        "a b",
        "a;B=1",
        "a;r= 1",
        "a ;r=1",
        "\"open",
        "\"\u{e9}\"",
        "\"\\x\"",
        "\"a\\\\b\\\"\"",
        "1.",
        ".5",
        "1.2345",
        "1234567890123456",
        "-",
        "--1",
        "(1",
        "(1\t2)",
        "?2",
        "@1.5",
        "%\"%C3\"",
        ":a:;b",
        "a=",
        "a;=1",
        "\u{0}",
    ] {
        compare(text.as_bytes());
    }
}

#[test]
fn names_and_numbers_are_kept() {
    let read = said(list, b"\"burst\";q=100;w=60, 50");
    let parameters = [("q", "number 100"), ("w", "number 60")];
    let parameters = parameters.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let expected = vec![
        (String::new(), "text burst".to_owned(), parameters.into()),
        (String::new(), "number 50".to_owned(), BTreeMap::new()),
    ];
    assert_eq!(read, Some(expected));
}

proptest! {
    #[test]
    fn it_reads_what_sfv_reads_of_anything(
        text in "([a-z*\"\\\\?@%:();=,. \t0-9-]|r=|;w=60|\"a\"|limit=1|, ){0,24}",
        bytes in proptest::collection::vec(any::<u8>(), 0..24),
    ) {
        compare(text.as_bytes());
        compare(&bytes);
    }
}
