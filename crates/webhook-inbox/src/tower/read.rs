//! Reading a body whole, within a bound.

use std::future::poll_fn;
use std::pin::pin;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http_body::Body;

pub(super) enum ReadError {
    TooLarge,
    Incomplete,
}

/// Memory grows with what really arrived, never with what was announced; a body of one frame is
/// not copied.
pub(super) async fn read<B: Body>(body: B, limit: usize) -> Result<Bytes, ReadError> {
    if body.size_hint().lower() > limit as u64 {
        return Err(ReadError::TooLarge);
    }
    let mut body = pin!(body);
    let mut only = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(mut data) = frame.map_err(|_| ReadError::Incomplete)?.into_data() else {
            continue;
        };
        let (read, more) = (only.len() + rest.len(), data.remaining());
        if more > limit - read {
            return Err(ReadError::TooLarge);
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
    Ok(if rest.is_empty() { only } else { rest.freeze() })
}
