//! Reading a body whole, within a bound.

use std::future::poll_fn;
use std::pin::pin;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::Body;

use super::VerifiedBody;
use crate::Reject;

/// Refuses by `Content-Length` what would be too long, before a byte is read.
///
/// What cannot be parsed is left to the count while reading, which is the real bound.
pub(super) fn check_length<B: Body>(
    headers: &HeaderMap,
    body: &B,
    limit: usize,
) -> Result<(), Reject> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok())
        .unwrap_or(0);
    if announced.max(body.size_hint().lower()) > limit as u64 {
        return Err(Reject::BodyTooLarge { limit });
    }
    Ok(())
}

/// Reads to the end, or to the first frame that goes over `limit`. Memory grows with what really
/// arrived, never with what was announced; a body of one frame is not copied.
pub(super) async fn read<B: Body>(body: B, limit: usize) -> Result<VerifiedBody, Reject> {
    let mut body = pin!(body);
    let mut only = Bytes::new();
    let mut rest = BytesMut::new();
    let mut trailers = None;
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|_| Reject::BodyIncomplete)?;
        match frame.into_data() {
            Ok(mut data) => {
                let more = data.remaining();
                let read = only.len() + rest.len();
                if more > limit.saturating_sub(read) {
                    return Err(Reject::BodyTooLarge { limit });
                }
                if read == 0 {
                    only = data.copy_to_bytes(more);
                } else {
                    if rest.is_empty() {
                        rest.put(std::mem::take(&mut only));
                    }
                    rest.put(data);
                }
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    let bytes = if rest.is_empty() { only } else { rest.freeze() };
    Ok(VerifiedBody::new(bytes, trailers))
}
