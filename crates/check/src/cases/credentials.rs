//! CRED: where credentials may be seen.

use crate::boxes::BoxId::{C1, C2, C3, C4};
use crate::case::Level::{Must, Should};
use crate::case::{Case, Step};
use crate::trace::{Entry, Trace};
use crate::verdict::Judgement;

pub(super) static CASES: &[Case] = &[
    Case::new("CRED-01", C3, Must)
        .says(
            "normal traffic",
            "secrets only in Authorization (or the token request's body); never in a URL, a query or a Referer",
            "a secret of this run in a URL",
        )
        .rests_on(
            "RFC 6750 §5.3: \"Bearer tokens SHOULD NOT be passed in page URLs\"; they end in logs, histories and referrers. RFC 6749 §2.3.1: client credentials \"MUST NOT be included in the request URI\"",
            "send the token in the Authorization header alone, and the client secret only to the token endpoint, in Basic or in the form body",
        )
        .ready(&[Step::Create("a"), Step::Read("a"), Step::List], secrets_stay_out_of_urls),
    Case::new("CRED-02", C2, Must).says(
        "run with a run-unique canary secret, token, webhook secret and CPF",
        "none of them in logs, error bodies, bundle or pages",
        "any canary found (file and line are printed)",
    ),
    Case::new("CRED-03", C3, Must).says(
        "all API calls",
        "no browser fingerprints, no CORS preflight",
        "Origin, Sec-Fetch-* or OPTIONS seen",
    ),
    Case::new("CRED-04", C4, Must).says(
        "rotation: a new credential is issued, an overlap, the old one revoked",
        "no failed operation, the new client_id is used",
        "an operation lost, or the old id still used",
    ),
    Case::new("CRED-05", C4, Must).says(
        "the old credential is revoked without warning",
        "bounded token tries with back-off, the error surfaced",
        "more than 5 token requests in 10 s",
    ),
    Case::new("CRED-06", C4, Should).says(
        "the credential listing",
        "expires_at at most 90 days ahead",
        "null or later",
    ),
    Case::new("CRED-07", C1, Must).says(
        "sandbox credentials with a live-looking host, and live ones with a sandbox",
        "refuses at start or on the first 401; no fallback",
        "continues silently",
    ),
    Case::new("CRED-08", C1, Must).says(
        "a run behind a recording proxy",
        "no request to any host but the configured one; the base path is kept",
        "a call to another host",
    ),
    Case::new("CRED-09", C3, Must).says(
        "TLS with an untrusted certificate, and with one for another name",
        "the handshake is aborted, no HTTP byte is sent",
        "an Authorization header is received",
    ),
    Case::new("CRED-10", C3, Must).says(
        "307 and 308 to another origin",
        "not followed with Authorization",
        "the token arrives at the second origin",
    ),
];

/// What the sandbox puts in the place of a secret.
const REDACTED: &str = "[redacted:";

fn secrets_stay_out_of_urls(trace: &Trace) -> Judgement {
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
