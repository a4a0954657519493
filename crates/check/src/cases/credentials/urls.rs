//! Does a secret stand in a URL?

use crate::trace::{Entry, Trace};
use crate::verdict::Judgement;

/// What the sandbox puts in the place of a secret.
const REDACTED: &str = "[redacted:";

pub(super) fn secrets_stay_out_of_urls(trace: &Trace) -> Judgement {
    if trace.requests.is_empty() {
        return Judgement::inconclusive("no request was seen", "traffic of the subject");
    }
    let leaks: Vec<&Entry> = trace.requests.iter().filter(|e| leaks(e)).collect();
    let seen = trace.requests.len();
    match leaks.first() {
        Some(first) => Judgement::fail(
            format!(
                "{} of {seen} requests carry a secret in their URL or Referer",
                leaks.len()
            ),
            format!(
                "a secret stands in the URL of {} {}",
                first.method, first.path
            ),
        )
        .because_of(leaks.into_iter().take(3)),
        None => Judgement::pass(format!("{seen} requests, no secret in any URL or Referer")),
    }
}

fn leaks(entry: &Entry) -> bool {
    entry.path.contains(REDACTED)
        || entry.query.as_deref().is_some_and(|q| q.contains(REDACTED))
        || entry
            .header("referer")
            .is_some_and(|r| r.contains(REDACTED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    fn trace(query: Option<&str>, referer: Option<&str>) -> Trace {
        let mut entry = Entry::create("m-a", 0, 201, "k");
        entry.headers.push((
            "authorization".into(),
            "Bearer [redacted:access_token]".into(),
        ));
        entry.query = query.map(str::to_owned);
        entry
            .headers
            .extend(referer.map(|r| ("Referer".to_owned(), r.to_owned())));
        Trace::default().push(entry)
    }

    #[test]
    fn a_secret_in_authorization_is_where_it_belongs() {
        assert_eq!(
            secrets_stay_out_of_urls(&trace(None, None)).verdict,
            Verdict::Pass
        );
        assert_eq!(
            secrets_stay_out_of_urls(&trace(Some("limit=5"), None)).verdict,
            Verdict::Pass
        );
    }

    #[test]
    fn a_secret_in_a_query_or_a_referer_is_a_leak() {
        let query = trace(Some("access_token=[redacted:access_token]"), None);
        let judgement = secrets_stay_out_of_urls(&query);
        assert_eq!(judgement.verdict, Verdict::Fail);
        assert_eq!(judgement.evidence.len(), 1);
        let referer = trace(None, Some("http://x/?s=[redacted:client_secret]"));
        assert_eq!(secrets_stay_out_of_urls(&referer).verdict, Verdict::Fail);
    }
}
