//! Reading a body whole, within a bound and within a time.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, header::CONTENT_LENGTH};
use http_body::{Body, Frame};
use tokio::time::{Sleep, sleep};

use super::VerifiedBody;
use crate::Reject;

/// After so many frames that were there at once, the timer is asked, and other tasks have their
/// turn: a body of endless empty frames is never over the limit.
const FRAMES_AT_A_TIME: u32 = 64;

/// What is here of a body. It grows with what arrived, never with what was announced; a body of
/// one frame is not copied.
#[derive(Default)]
struct Buffer {
    only: Bytes,
    rest: BytesMut,
}

/// The frames of a body, for as long as there is time.
struct Frames<'a, B> {
    body: Pin<&'a mut B>,
    deadline: Pin<&'a mut Option<Sleep>>,
    at_once: u32,
}

/// How long the body will be, as far as that is known before a byte is read.
///
/// Only for refusing early. What came counts in the end, so a length that is wrong, or no number,
/// lifts no bound.
pub(super) fn announced<B: Body>(headers: &HeaderMap, body: &B) -> u64 {
    let lines = headers.get_all(CONTENT_LENGTH).iter();
    let longest = lines.filter_map(content_length).max();
    body.size_hint().lower().max(longest.unwrap_or(0))
}

/// Reads to the end, or to the first frame that goes over `limit`, and gives `hash` each piece.
pub(super) async fn read<B: Body>(
    body: Pin<&mut B>,
    limit: usize,
    within: Option<Duration>,
    mut hash: impl FnMut(&[u8]) -> Result<(), Reject>,
) -> Result<VerifiedBody, Reject> {
    // Made at once, so that a runtime without a timer is found out by the first delivery, and not
    // by the first slow one; it costs nothing to speak of before it is polled.
    let deadline = pin!(within.map(sleep));
    let mut frames = Frames {
        body,
        deadline,
        at_once: 0,
    };
    let mut buffer = Buffer::default();
    let mut trailers = None;
    while let Some(frame) = poll_fn(|cx| frames.poll_next(cx)).await? {
        match frame.into_data() {
            Ok(data) => {
                if data.remaining() > limit.saturating_sub(buffer.len()) {
                    return Err(Reject::BodyTooLarge { limit });
                }
                hash(buffer.push(data))?;
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok(VerifiedBody::new(buffer.into_bytes(), trailers))
}

/// RFC 9110, 8.6: `Content-Length = 1*DIGIT`. More digits than fit are still too many bytes.
fn content_length(value: &HeaderValue) -> Option<u64> {
    let digits = value.as_bytes();
    let of_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    of_digits.then(|| {
        digits.iter().fold(0u64, |n, &digit| {
            n.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
        })
    })
}

// === impl Frames ===

impl<B: Body> Frames<'_, B> {
    /// The next frame; nothing at the end.
    #[allow(
        clippy::type_complexity,
        reason = "a poll of a result of an option of a frame"
    )]
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<B::Data>>, Reject>> {
        if self.at_once < FRAMES_AT_A_TIME {
            if let Poll::Ready(frame) = self.body.as_mut().poll_frame(cx) {
                self.at_once += 1;
                return Poll::Ready(frame.transpose().map_err(|_| Reject::BodyIncomplete));
            }
        } else {
            cx.waker().wake_by_ref();
        }
        self.at_once = 0;
        if let Some(deadline) = self.deadline.as_mut().as_pin_mut() {
            ready!(deadline.poll(cx));
            return Poll::Ready(Err(Reject::BodyTimeout));
        }
        Poll::Pending
    }
}

// === impl Buffer ===

impl Buffer {
    fn len(&self) -> usize {
        self.only.len() + self.rest.len()
    }

    /// Takes more bytes, and shows them where they lie now.
    fn push(&mut self, mut data: impl Buf) -> &[u8] {
        if !data.has_remaining() {
            // HTTP/2 ends a body with an empty frame as often as not: no reason to copy the rest.
            return &[];
        }
        if self.len() == 0 {
            self.only = data.copy_to_bytes(data.remaining());
            return &self.only;
        }
        if self.rest.is_empty() {
            self.rest.reserve(self.only.len() + data.remaining());
            self.rest.put(std::mem::take(&mut self.only));
        }
        let start = self.rest.len();
        self.rest.put(data);
        self.rest.get(start..).unwrap_or_default()
    }

    fn into_bytes(self) -> Bytes {
        match self.rest.is_empty() {
            true => self.only,
            false => self.rest.freeze(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;

    use super::*;

    #[test]
    fn the_longest_length_counts_and_what_is_no_number_does_not() {
        let of = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(CONTENT_LENGTH, line.parse().unwrap());
            }
            announced(&headers, &Empty::<Bytes>::new())
        };
        assert_eq!(of(&[]), 0);
        assert_eq!(of(&["17"]), 17);
        assert_eq!(of(&["17", "170", "1"]), 170);
        assert_eq!(of(&["18446744073709551615"]), u64::MAX);
        assert_eq!(of(&["99999999999999999999999999"]), u64::MAX);
        for garbage in ["", "+17", "-1", "0x11", "17, 17", "1e9", "17 "] {
            assert_eq!(of(&[garbage]), 0, "{garbage:?}");
        }
    }

    #[test]
    fn one_frame_is_not_copied_and_several_are_one_buffer() {
        let frame = Bytes::from(vec![b'a'; 10]);
        let mut buffer = Buffer::default();
        assert_eq!(buffer.push(Bytes::new()), b"");
        assert_eq!(buffer.push(frame.clone()), &frame[..]);
        assert_eq!(buffer.push(Bytes::new()), b"");
        let mut one = Buffer::default();
        for piece in [Bytes::new(), frame.clone(), Bytes::new()] {
            one.push(piece);
        }
        assert_eq!(one.into_bytes().as_ptr(), frame.as_ptr());
        assert_eq!(buffer.push((&b"b"[..]).chain(&b"c"[..])), b"bc");
        assert_eq!(buffer.into_bytes(), "aaaaaaaaaabc");
    }
}
