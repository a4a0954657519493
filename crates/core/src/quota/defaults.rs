//! What the default table knows, and who sends it.

use std::time::Duration;

use http::HeaderName;

use super::{
    asked::Wait,
    family::Family,
    hints::Hints,
    number::Unit,
    verdict::{Rule, Verdict},
};

pub(super) fn hints() -> Hints {
    Hints::of(waits(), families(), rules())
}

fn waits() -> Vec<Wait> {
    let wait = |name_, unit, pushback| Wait {
        name: name(name_),
        unit,
        pushback,
    };
    vec![
        // Azure OpenAI and OpenAI: the exact form of the `Retry-After` beside it.
        wait("retry-after-ms", Unit::Millis, false),
        // Azure Cosmos DB.
        wait("x-ms-retry-after-ms", Unit::Millis, false),
        wait("grpc-retry-pushback-ms", Unit::Millis, true),
        wait("retry-after", Unit::Seconds, false),
        // MailerLite.
        wait("x-ratelimit-retry-after", Unit::Seconds, false),
    ]
}

fn families() -> Vec<Family> {
    let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
    let (hour, day) = (60 * minute, 24 * 60 * minute);
    let mut families = vec![
        // All drafts of draft-ietf-httpapi-ratelimit-headers; GitLab names its limits.
        triple("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
            .structured(name("ratelimit"), name("ratelimit-policy"))
            .named_by(name("ratelimit-name")),
        // Most others. Discord's second reset is the exact one; HighLevel calls the limit otherwise
        // and names the window.
        Family::new()
            .limit(name("x-ratelimit-limit"))
            .limit(name("x-ratelimit-max"))
            .remaining(name("x-ratelimit-remaining"))
            .reset(name("x-ratelimit-reset-after"))
            .reset(name("x-ratelimit-reset"))
            .window(name("x-ratelimit-interval-milliseconds"), Unit::Millis)
            .named_by(name("x-ratelimit-bucket"))
            .named_by(name("x-ratelimit-resource")),
        // X, Okta; Zendesk with another name for the limit.
        triple(
            "x-rate-limit-limit",
            "x-rate-limit-remaining",
            "x-rate-limit-reset",
        )
        .limit(name("x-rate-limit")),
        // OpenAI, Groq, Azure OpenAI.
        triple(
            "x-ratelimit-limit-requests",
            "x-ratelimit-remaining-requests",
            "x-ratelimit-reset-requests",
        ),
        triple(
            "anthropic-ratelimit-requests-limit",
            "anthropic-ratelimit-requests-remaining",
            "anthropic-ratelimit-requests-reset",
        ),
        // Linear.
        triple(
            "x-ratelimit-requests-limit",
            "x-ratelimit-requests-remaining",
            "x-ratelimit-requests-reset",
        ),
        // Brevo.
        triple(
            "x-sib-ratelimit-limit",
            "x-sib-ratelimit-remaining",
            "x-sib-ratelimit-reset",
        ),
        // HubSpot, which never says when, but how long.
        pair("x-hubspot-ratelimit-max", "x-hubspot-ratelimit-remaining").window(
            name("x-hubspot-ratelimit-interval-milliseconds"),
            Unit::Millis,
        ),
        pair(
            "x-hubspot-ratelimit-daily",
            "x-hubspot-ratelimit-daily-remaining",
        )
        .lasts(day),
        // HighLevel.
        pair("x-ratelimit-limit-daily", "x-ratelimit-daily-remaining").lasts(day),
        // Kong.
        pair("x-ratelimit-limit-second", "x-ratelimit-remaining-second").lasts(second),
        pair("x-ratelimit-limit-minute", "x-ratelimit-remaining-minute").lasts(minute),
        pair("x-ratelimit-limit-hour", "x-ratelimit-remaining-hour").lasts(hour),
        pair("x-ratelimit-limit-day", "x-ratelimit-remaining-day").lasts(day),
    ];
    // Whatever these count, it is not requests: tokens, or what a query costs.
    let others = [
        triple(
            "x-ratelimit-limit-tokens",
            "x-ratelimit-remaining-tokens",
            "x-ratelimit-reset-tokens",
        ),
        triple(
            "x-ratelimit-limit-project-tokens",
            "x-ratelimit-remaining-project-tokens",
            "x-ratelimit-reset-project-tokens",
        ),
        triple(
            "anthropic-ratelimit-tokens-limit",
            "anthropic-ratelimit-tokens-remaining",
            "anthropic-ratelimit-tokens-reset",
        ),
        triple(
            "anthropic-ratelimit-input-tokens-limit",
            "anthropic-ratelimit-input-tokens-remaining",
            "anthropic-ratelimit-input-tokens-reset",
        ),
        triple(
            "anthropic-ratelimit-output-tokens-limit",
            "anthropic-ratelimit-output-tokens-remaining",
            "anthropic-ratelimit-output-tokens-reset",
        ),
        triple(
            "x-ratelimit-complexity-limit",
            "x-ratelimit-complexity-remaining",
            "x-ratelimit-complexity-reset",
        ),
    ];
    families.extend(others.map(Family::not_requests));
    families
}

fn rules() -> Vec<Rule> {
    let both = ["x-should-retry", "stripe-should-retry"];
    let rule = |header, value: &str, verdict| Rule {
        name: name(header),
        value: value.into(),
        verdict,
    };
    let rules = both.map(|header| {
        [
            rule(header, "false", Verdict::Never),
            rule(header, "true", Verdict::Again),
        ]
    });
    rules.into_iter().flatten().collect()
}

fn triple(limit: &'static str, remaining: &'static str, reset: &'static str) -> Family {
    pair(limit, remaining).reset(name(reset))
}

fn pair(limit: &'static str, remaining: &'static str) -> Family {
    Family::new().limit(name(limit)).remaining(name(remaining))
}

fn name(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}
