//! Looking for the secrets of the run in all that came out of the subject.

use super::Stage;
use crate::drive::canaries::{self, Numbers};
use crate::drive::record;
use crate::trace::{Entry, Kind, Leak, Place, Reply, Searched};

/// A part of what is searched: its name, its text and why it is not whole, if so.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) missing: Option<String>,
}

impl Stage<'_> {
    pub(super) async fn search(&mut self, label: &'static str) {
        let recorded = self.provider.sandbox().recorder().all();
        let entries: Vec<Entry> = recorded.iter().map(record::entry).collect();
        let numbers = Numbers::of(&entries);
        let mut searched = vec![
            self.provider.heard().searched(),
            in_requests(&entries),
            in_answers(&entries),
        ];
        let alerts = self.provider.alerts().into_iter();
        let alerts = alerts.map(|alert| part("alert", alert.text));
        searched.push(self.in_parts(Place::Alerts, &alerts.collect::<Vec<_>>(), &numbers));
        if let Some(page) = self.page(label).await {
            let page = [part("metrics", page)];
            searched.push(self.in_parts(Place::Metrics, &page, &numbers));
        }
        if let Some(log) = self.log(label).await {
            searched.push(self.in_log(log, &numbers).await);
        }
        self.trace.searched = searched;
    }

    pub(super) fn in_parts(&self, place: Place, parts: &[Part], numbers: &Numbers) -> Searched {
        let sandbox = self.provider.sandbox();
        let found = |p: &Part| canaries::in_text(sandbox, &p.name, &p.text, Some(numbers));
        Searched {
            place,
            bytes: parts.iter().map(|p| p.text.len() as u64).sum(),
            leaks: parts.iter().flat_map(found).collect(),
            missing: parts.iter().find_map(|p| p.missing.clone()),
        }
    }
}

/// NOTE: not the URL, which CRED-01 judges, nor where a secret belongs:
/// Authorization, and the request for a token.
fn in_requests(entries: &[Entry]) -> Searched {
    let mut leaks = Vec::new();
    let mut bytes = 0;
    for entry in entries.iter().filter(|e| e.kind == Kind::Request) {
        let at = format!("{} {}", entry.method, entry.path);
        let elsewhere = |name: &str| {
            !name.eq_ignore_ascii_case("authorization")
                && !name.eq_ignore_ascii_case("proxy-authorization")
                // Repeats the URL.
                && !name.eq_ignore_ascii_case("referer")
        };
        let headers = entry.headers.iter().filter(|(name, _)| elsewhere(name));
        let texts = headers.flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        let body = Some(entry.body.as_str()).filter(|_| !entry.is_token_request());
        let texts: Vec<&str> = texts.chain(body).collect();
        bytes += texts.iter().map(|text| text.len() as u64).sum::<u64>();
        leaks.extend(canaries::in_record(&at, texts));
    }
    looked_at(Place::Requests, bytes, &leaks)
}

fn in_answers(entries: &[Entry]) -> Searched {
    let mut leaks = Vec::new();
    let mut bytes = 0;
    for entry in entries.iter().filter(|e| e.kind == Kind::Delivery) {
        let Reply::Answered { headers, body, .. } = &entry.answer else {
            continue;
        };
        let texts = headers.iter().map(|(_, value)| value.as_str());
        let texts: Vec<&str> = texts.chain([body.as_str()]).collect();
        bytes += texts.iter().map(|text| text.len() as u64).sum::<u64>();
        leaks.extend(canaries::in_record("the answer to a webhook", texts));
    }
    looked_at(Place::Answers, bytes, &leaks)
}

/// The record holds no secret, only where something stood that is one or looks
/// like one: a masked one, or a token of the subject's own. That convicts nobody.
fn looked_at(place: Place, bytes: u64, alike: &[Leak]) -> Searched {
    Searched {
        place,
        bytes,
        leaks: Vec::new(),
        missing: alike.first().map(|leak| {
            format!(
                "that {:?} in {} is no {} of this run",
                leak.excerpt, leak.at, leak.kind
            )
        }),
    }
}

fn part(name: &str, text: String) -> Part {
    Part {
        name: name.to_owned(),
        text,
        missing: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_told_where_none_belongs_and_convicts_nobody() {
        let with = |mut entry: Entry, name: &str, body: &str| {
            let value = "Bearer [redacted:access_token]".to_owned();
            entry.headers.push((name.to_owned(), value));
            entry.body = body.to_owned();
            let searched = in_requests(&[entry]);
            assert!(searched.leaks.is_empty());
            searched.missing.is_some()
        };
        let create = || Entry::create("m", 0, 201, "k");
        assert!(!with(create(), "authorization", "{}"));
        assert!(with(create(), "x-debug", "{}"));
        let body = "client_secret=[redacted:client_secret]";
        assert!(with(create(), "authorization", body));
        assert!(!with(Entry::token_request(0), "authorization", body));
        let mut delivery = Entry::delivery(0, 1, 500);
        delivery.answer = Reply::Answered {
            status: 500,
            headers: Vec::new(),
            body: "bad key [redacted:webhook_secret]".to_owned(),
        };
        let searched = in_answers(&[delivery]);
        assert!(searched.leaks.is_empty());
        let words = "that \"bad key [redacted:webhook_secret]\" in the answer to a webhook is no webhook secret of this run";
        assert_eq!(searched.missing.as_deref(), Some(words));
    }
}
