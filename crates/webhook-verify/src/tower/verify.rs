//! The verdict: at the headers, while the body arrives, and when it is whole.

use std::{pin::pin, sync::Arc};

use golive_core::Clock;
use http::Request;
use http_body::Body;

use super::{
    VerifiedBody,
    layer::Settings,
    read::{announced, read},
};
use crate::{Reject, Verified};

/// A delivery that was refused, and what that means for its connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    pub(super) reject: Reject,
    /// More of the body may follow.
    pub(super) unread: bool,
}

/// The bytes of the body, in the extensions of the request, for the extractors: whatever lies
/// between may replace the body, and these are the ones that were signed.
#[cfg(feature = "axum")]
#[derive(Clone)]
pub(crate) struct VerifiedBytes(pub(crate) bytes::Bytes);

pub(super) async fn verify<B: Body>(
    settings: &Settings<impl Clock>,
    request: Request<B>,
) -> Result<(Verified<'static>, Request<VerifiedBody>), Refusal> {
    let (parts, body) = request.into_parts();
    let mut body = pin!(body);
    let early = |reject, body: &B| Refusal {
        reject,
        unread: !body.is_end_stream(),
    };
    let late = |reject| Refusal {
        reject,
        unread: false,
    };

    let verifier = settings.source.load();
    let mut verification = verifier
        .begin(&parts.headers, settings.clock.now())
        .map_err(|reject| early(reject, &body))?;
    let limit = verifier.max_body_bytes();
    if announced(&parts.headers, &*body) > limit as u64 {
        return Err(early(Reject::BodyTooLarge { limit }, &body));
    }
    let read = read(body.as_mut(), limit, settings.body_timeout, |bytes| {
        verification.update(bytes)
    });
    let whole = match read.await {
        Ok(whole) => whole,
        Err(reject) => return Err(early(reject, &body)),
    };

    // Asked again, both the time and the keys: who holds a recorded delivery could open the request
    // in time, keep back the last byte, and so replay it long after the window (or the key) has
    // ended. The newest verifier judges the whole of it, never one a part and one the rest.
    let newest = settings.source.load();
    let now = settings.clock.now();
    let verdict = match Arc::ptr_eq(&verifier, &newest) {
        true => verification.finish(now),
        false => {
            drop(verification);
            newest.verify(&parts.headers, whole.bytes(), now)
        }
    };
    let verified = verdict.map_err(late)?.into_owned();
    let request = Request::from_parts(parts, whole);
    #[cfg(feature = "axum")]
    let request = {
        let mut request = request;
        let bytes = VerifiedBytes(request.body().bytes().clone());
        request.extensions_mut().insert(bytes);
        request
    };
    Ok((verified, request))
}
