//! The deliberately flawed integrations, as data: each is the built-in one
//! with one mistake, and says which cases must convict it.

/// One mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "what each does stands in `FLAWS`")]
#[non_exhaustive]
pub enum Mistake {
    NoKey,
    KeyChangesOnRetry,
    OneKeyForAll,
    NeverRetries,
    ConstantDelay,
    IgnoresRetryAfter,
    IgnoresReset,
    Retries422,
    TokenPerCall,
    SurfacesExpiry,
    RenewalLoop,
    HidesFieldErrors,
    SecretInUrl,
    AcceptsTamperedBody,
    FirstSignatureOnly,
    AcceptsOldTimestamps,
    NoDedup,
    SlowAcknowledgement,
    LogsRequests,
    SecretReadOnce,
    MarksBeforeWork,
    VolatileInbox,
    CountsCallsOnly,
    CountsDeliveriesOnly,
    FirstPageOnly,
    NoJitter,
    RetriesForEver,
    NoBudget,
    DiesOfHtml,
    GivesUpOnReset,
    IgnoresRemaining,
}

/// A flawed integration.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Flaw {
    /// Its name, after `flawed:`.
    pub name: &'static str,
    /// The mistake.
    pub mistake: Mistake,
    /// The mistake in words.
    pub says: &'static str,
    /// The cases that it must fail, and no others.
    pub fails: &'static [&'static str],
    /// The cases that it must be warned of, and no others: a SHOULD never fails.
    pub warns: &'static [&'static str],
}

/// All of them.
pub static FLAWS: [Flaw; 31] = [
    Flaw {
        name: "no-key",
        mistake: Mistake::NoKey,
        says: "sends no idempotency key, so that no POST can be retried safely",
        fails: &["IDEM-01", "IDEM-03", "RETRY-01"],
        warns: &[],
    },
    Flaw {
        name: "key-changes-on-retry",
        mistake: Mistake::KeyChangesOnRetry,
        says: "mints a new idempotency key for each attempt",
        fails: &["IDEM-02", "IDEM-03", "AUTH-02"],
        warns: &["RETRY-09"],
    },
    Flaw {
        name: "one-key-for-all",
        mistake: Mistake::OneKeyForAll,
        says: "mints one idempotency key at start and uses it for every operation",
        fails: &["IDEM-05"],
        warns: &[],
    },
    Flaw {
        name: "never-retries",
        mistake: Mistake::NeverRetries,
        says: "makes one attempt",
        fails: &["IDEM-03", "RETRY-01"],
        warns: &[],
    },
    Flaw {
        name: "constant-delay",
        mistake: Mistake::ConstantDelay,
        says: "waits the same time before each retry",
        fails: &["RETRY-02"],
        warns: &[],
    },
    Flaw {
        name: "ignores-retry-after",
        mistake: Mistake::IgnoresRetryAfter,
        says: "does not look at Retry-After",
        fails: &["RETRY-05"],
        warns: &[],
    },
    Flaw {
        name: "ignores-reset",
        mistake: Mistake::IgnoresReset,
        says: "does not look at X-RateLimit-Reset",
        fails: &["RETRY-06", "MON-03"],
        warns: &[],
    },
    Flaw {
        name: "no-jitter",
        mistake: Mistake::NoJitter,
        says: "doubles its delay, and draws nothing at random",
        fails: &["RETRY-03"],
        warns: &[],
    },
    Flaw {
        name: "retries-for-ever",
        mistake: Mistake::RetriesForEver,
        says: "tries again and again, as long as it takes",
        fails: &["RETRY-04"],
        warns: &["RETRY-10"],
    },
    Flaw {
        name: "no-budget",
        mistake: Mistake::NoBudget,
        says: "tries every call eight times, however many fail",
        fails: &[],
        warns: &["RETRY-10"],
    },
    Flaw {
        name: "dies-of-html",
        mistake: Mistake::DiesOfHtml,
        says: "reads every error as JSON, and panics where it is none",
        fails: &[],
        warns: &["RETRY-08"],
    },
    Flaw {
        name: "gives-up-on-reset",
        mistake: Mistake::GivesUpOnReset,
        says: "takes a connection that was reset for a failure of the operation",
        fails: &[],
        warns: &["RETRY-09"],
    },
    Flaw {
        name: "ignores-remaining",
        mistake: Mistake::IgnoresRemaining,
        says: "looks at the rate limit when it is refused, and not before",
        fails: &["MON-03"],
        warns: &[],
    },
    Flaw {
        name: "retries-422",
        mistake: Mistake::Retries422,
        says: "tries a 422 again",
        fails: &["RETRY-07"],
        warns: &[],
    },
    Flaw {
        name: "token-per-call",
        mistake: Mistake::TokenPerCall,
        says: "fetches a token for each call",
        fails: &["AUTH-01"],
        warns: &[],
    },
    Flaw {
        name: "surfaces-expiry",
        mistake: Mistake::SurfacesExpiry,
        says: "believes expires_in alone, and surfaces a 401 token_expired",
        fails: &["AUTH-02"],
        warns: &[],
    },
    Flaw {
        name: "renewal-loop",
        mistake: Mistake::RenewalLoop,
        says: "renews the token as long as the answer is 401",
        fails: &["AUTH-04"],
        warns: &[],
    },
    Flaw {
        name: "hides-field-errors",
        mistake: Mistake::HidesFieldErrors,
        says: "shows the title of a 422, not its errors",
        fails: &["VAL-01"],
        warns: &[],
    },
    Flaw {
        name: "secret-in-url",
        mistake: Mistake::SecretInUrl,
        says: "sends the access token in the query, too",
        fails: &["CRED-01"],
        warns: &[],
    },
    Flaw {
        name: "accepts-tampered-body",
        mistake: Mistake::AcceptsTamperedBody,
        says: "logs a signature that does not match, and processes the delivery",
        fails: &["WH-SIG-02", "WH-SIG-04"],
        warns: &[],
    },
    Flaw {
        name: "first-signature-only",
        mistake: Mistake::FirstSignatureOnly,
        says: "looks at the first signature of the list alone",
        fails: &["WH-SIG-04"],
        warns: &[],
    },
    Flaw {
        name: "accepts-old-timestamps",
        mistake: Mistake::AcceptsOldTimestamps,
        says: "does not look at how old a delivery is",
        fails: &["WH-TS-01"],
        warns: &[],
    },
    Flaw {
        name: "no-dedup",
        mistake: Mistake::NoDedup,
        says: "deduplicates by delivery_id, which differs from attempt to attempt",
        fails: &["WH-DUP-01", "WH-DUP-02"],
        warns: &[],
    },
    Flaw {
        name: "slow-acknowledgement",
        mistake: Mistake::SlowAcknowledgement,
        says: "answers a webhook when the work is done",
        fails: &["WH-ACK-02"],
        warns: &[],
    },
    Flaw {
        name: "logs-requests",
        mistake: Mistake::LogsRequests,
        says: "logs each request with its headers",
        fails: &["CRED-02"],
        warns: &[],
    },
    Flaw {
        name: "secret-read-once",
        mistake: Mistake::SecretReadOnce,
        says: "reads the client secret at start, and keeps it for life",
        fails: &["CRED-04"],
        warns: &[],
    },
    Flaw {
        name: "marks-before-work",
        mistake: Mistake::MarksBeforeWork,
        says: "notes an event as seen before its work, which may fail",
        fails: &["WH-DUP-03"],
        warns: &[],
    },
    Flaw {
        name: "volatile-inbox",
        mistake: Mistake::VolatileInbox,
        says: "keeps what it acknowledged in memory alone",
        fails: &[],
        warns: &["WH-ACK-04"],
    },
    Flaw {
        name: "counts-calls-only",
        mistake: Mistake::CountsCallsOnly,
        says: "counts its calls, and not how they ended",
        fails: &["MON-01"],
        warns: &[],
    },
    Flaw {
        name: "counts-deliveries-only",
        mistake: Mistake::CountsDeliveriesOnly,
        says: "counts the webhooks that come, and not those that it refuses",
        fails: &["MON-02"],
        warns: &[],
    },
    Flaw {
        name: "first-page-only",
        mistake: Mistake::FirstPageOnly,
        says: "looks for stuck customers on the first page of each list",
        fails: &["MON-04"],
        warns: &[],
    },
];

impl Flaw {
    /// The flaw of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        FLAWS.iter().find(|f| f.name.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases;

    #[test]
    fn every_flaw_names_cases_that_exist() {
        for flaw in &FLAWS {
            let mut convicts = flaw.fails.iter().chain(flaw.warns).peekable();
            assert!(convicts.peek().is_some(), "{}", flaw.name);
            for id in convicts {
                assert!(cases::built().any(|c| c.id == *id), "{}: {id}", flaw.name);
            }
        }
    }

    #[test]
    fn every_case_but_the_controls_convicts_some_flaw() {
        // WH-SIG-01 is the control: it is an ERROR, never a FAIL. AUTH-03 is a
        // SHOULD, and WH-ACK-01 needs five seconds for each of 50 answers.
        let exempt = ["WH-SIG-01", "AUTH-03", "WH-ACK-01"];
        for case in cases::built().filter(|c| !exempt.contains(&c.id)) {
            let convicts = |f: &Flaw| f.fails.contains(&case.id) || f.warns.contains(&case.id);
            assert!(FLAWS.iter().any(convicts), "{}", case.id);
        }
    }
}
