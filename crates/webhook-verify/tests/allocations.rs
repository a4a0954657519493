//! Verifying allocates nothing, whatever the verdict is.
#![allow(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use allocation_counter::measure;
use golive_webhook_verify::{Key, Reject, Signer, Verifier};
use http::HeaderMap;

const NOW: u64 = 1_800_000_000;

fn headers(signature: &str) -> HeaderMap {
    let mut map = HeaderMap::new();
    map.insert("webhook-id", "msg_1".parse().unwrap());
    map.insert("webhook-timestamp", NOW.into());
    map.insert("webhook-signature", signature.parse().unwrap());
    map
}

#[test]
fn nothing_is_allocated_on_success_or_on_rejection() {
    let key = |seed| Key::from_bytes(&[seed; 32]).unwrap().with_id("name");
    let verifier = Verifier::builder().keys([key(1), key(2)]).build().unwrap();
    let body = vec![b'x'; 100_000];
    let good = headers(&Signer::new(key(2)).sign("msg_1", NOW, &body));
    let forged = headers(&Signer::new(key(3)).sign("msg_1", NOW, &body));

    let cases: [(&HeaderMap, u64, Result<(), Reject>); 4] = [
        (&good, NOW, Ok(())),
        (&forged, NOW, Err(Reject::Mismatch)),
        (&good, NOW + 301, Err(Reject::TooOld { by_secs: 301 })),
        (
            &HeaderMap::new(),
            NOW,
            Err(Reject::MissingHeader("webhook-id")),
        ),
    ];
    for (headers, now, expected) in cases {
        let mut seen = Ok(());
        let counted = measure(|| seen = verifier.verify(headers, &body, now).map(drop));
        assert_eq!(seen, expected);
        assert_eq!(counted.count_total, 0, "{expected:?} allocated");
    }
}
