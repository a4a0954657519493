//! CRED: where credentials may be seen, and how they change.

mod canaries;
mod rotation;
mod urls;

use std::time::Duration;

use crate::boxes::BoxId::{C1, C2, C3, C4};
use crate::case::Level::{Must, Should};
use crate::case::{Answer, Case, Forgery, Step, Times};

/// How long the second credential may take to be used.
const TAKEN_UP: Duration = Duration::from_secs(15);
/// What is logged late is still found.
const WRITTEN: Duration = Duration::from_millis(500);

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
        .ready(&[Step::Create("a"), Step::Read("a"), Step::List], urls::secrets_stay_out_of_urls),
    Case::new("CRED-02", C2, Must)
        .says(
            "calls, webhooks and errors of every kind, with a client secret, tokens, a webhook secret and CPFs that nothing else has; run after all other cases",
            "none of them in the logs, which were written to meanwhile, in what hooks print, in requests, in answers to webhooks, in alerts or on the metrics page",
            "any of them found: the file and line, or the hook, are printed. What only looks like one in a request or an answer, of which no plain record is kept, convicts nobody",
        )
        .rests_on(
            "checklist C2: \"client_secret and webhook secrets live in a secrets manager, not in code or hard-coded environment variables\"; RFC 6819 §5.1.6 of access tokens: \"Keep them in transient memory (accessible by the client application only)\". OWASP Logging Cheat Sheet, data to exclude: access tokens, passwords, keys and personal data",
            "keep secrets in a type that does not print itself, log requests by an allow-list of fields, and look at the error paths first: a dumped request or a dumped configuration is the usual leak",
        )
        .ready(
            &[
                Step::ReadLog("begin"),
                Step::Create("a"),
                Step::Read("a"),
                Step::List,
                Step::FailCreate("b", Times::Always, Answer::ThreeErrors),
                Step::Create("b"),
                Step::FailCreate("c", Times::Once, Answer::Problem(500, "internal")),
                Step::Create("c"),
                Step::FailCreate("d", Times::Always, Answer::Problem(403, "forbidden")),
                Step::Create("d"),
                Step::RefuseTokens,
                Step::ExpireTokens,
                Step::Create("e"),
                Step::Heal,
                Step::DeliverIfTaken("f", Forgery::None),
                Step::DeliverIfTaken("g", Forgery::WrongKey),
                Step::DeliverIfTaken("h", Forgery::Body),
                Step::Settle(WRITTEN),
                // A token that was refused is fetched again: leaves no one without.
                Step::Create("i"),
                Step::Search("search"),
            ],
            canaries::no_secret_came_out,
        )
        // It looks back on all the others.
        .in_turn(3),
    Case::new("CRED-03", C3, Must).says(
        "all API calls",
        "no browser fingerprints, no CORS preflight",
        "Origin, Sec-Fetch-* or OPTIONS seen",
    ),
    Case::new("CRED-04", C4, Must)
        .says(
            "operations with an expired token (control); then rotation: a second credential is issued and handed to the hook `rotate-credential`, both work for up to 15 s, then the first is revoked; operations all the while, each with an expired token",
            "no failed operation, and the customer of each is there; tokens are fetched with the second credential, and never again with the first",
            "an operation is lost, or the first credential is still used 15 s after the hook said that the second one is in place",
        )
        .rests_on(
            "checklist C4: \"a process to rotate credentials every 90 days\"; the provider has no call for it: create, deploy, watch last_used_at of the old one stop, revoke (issued tokens live on for up to an hour, so that a broken rotation shows late)",
            "read the client secret at each renewal from where it is kept, not once at start, and fetch the next token with the new one; where it is polled, let the hook have it read at once, or wait for that",
        )
        .ready(
            &[
                Step::Create("before"),
                Step::ExpireTokens,
                Step::Create("control"),
                Step::ExpireTokens,
                Step::Create("control-2"),
                Step::Rotate("rotation"),
                Step::AwaitNewCredential("overlap", TAKEN_UP),
                Step::RevokeOldCredential,
                Step::ExpireTokens,
                Step::Create("after"),
                Step::CreateMany("many", 5),
                Step::ExpireTokens,
                Step::Create("last"),
                Step::HandBack("hand-back"),
            ],
            rotation::a_rotation_loses_nothing,
        )
        // Who cannot renew a token has none afterwards.
        .in_turn(2),
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
