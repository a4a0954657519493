//! Looking at the beginning of a body changes nothing for who reads it afterwards.
#![cfg(all(feature = "tower", feature = "reqwest"))]
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::collections::VecDeque;

use bytes::Bytes;
use golive_core::{Body, Response as _};
use http::{HeaderMap, HeaderValue};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Frames as they are given, an error among them perhaps.
struct Frames(VecDeque<Result<Frame<Bytes>, std::io::Error>>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = std::io::Error;
    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        std::task::Poll::Ready(self.0.pop_front())
    }
}

fn data(chunk: &[u8]) -> Result<Frame<Bytes>, std::io::Error> {
    Ok(Frame::data(Bytes::copy_from_slice(chunk)))
}

fn response(
    frames: impl IntoIterator<Item = Result<Frame<Bytes>, std::io::Error>>,
) -> http::Response<Body<Frames>> {
    http::Response::new(Body::new(Frames(frames.into_iter().collect())))
}

#[tokio::test]
async fn an_error_of_the_body_stays_in_its_place() {
    let peeked = response([data(b"half"), Err(std::io::Error::other("reset"))])
        .peek(64)
        .await;
    assert_eq!(peeked.bytes, "half");
    assert!(!peeked.complete && peeked.failed);
    // Asked once more, it says so again.
    let peeked = peeked.response.peek(64).await;
    assert!(peeked.failed);
    let mut body = peeked.response.into_body();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "half"
    );
    assert_eq!(
        body.frame().await.unwrap().unwrap_err().to_string(),
        "reset"
    );
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn trailers_stay_in_their_place() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("1"));
    let frames = [
        data(b"a"),
        data(b"b"),
        Ok(Frame::trailers(trailers.clone())),
    ];
    let peeked = response(frames).peek(64).await;
    assert_eq!((&peeked.bytes[..], peeked.complete), (&b"ab"[..], true));
    let body = peeked.response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers(), Some(&trailers));
    assert_eq!(body.to_bytes(), "ab");
}

#[tokio::test]
async fn no_frame_is_read_once_the_limit_is_reached() {
    // The second frame never comes: a peek that asked for it would hang.
    let (mut send, body) = http_body_util::channel::Channel::<Bytes>::new(4);
    send.send_data(Bytes::from_static(b"four")).await.unwrap();
    let peeked = http::Response::new(Body::new(body)).peek(0).await;
    assert!(peeked.bytes.is_empty() && !peeked.complete);
    let peeked = peeked.response.peek(3).await;
    assert_eq!((&peeked.bytes[..], peeked.complete), (&b"fou"[..], false));
    assert!(!peeked.failed, "it is merely longer");
    let peeked = peeked.response.peek(4).await;
    assert_eq!((&peeked.bytes[..], peeked.complete), (&b"four"[..], false));
    drop(send);
    assert_eq!(
        peeked
            .response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes(),
        "four"
    );
}

#[tokio::test]
async fn a_body_in_one_frame_is_not_copied() {
    let bytes = Bytes::from(vec![b'x'; 4096]);
    let response = http::Response::new(Body::new(Full::new(bytes.clone())));
    let peeked = response.peek(1 << 20).await;
    assert_eq!(peeked.bytes.as_ptr(), bytes.as_ptr());
    let back = peeked
        .response
        .into_body()
        .frame()
        .await
        .unwrap()
        .unwrap()
        .into_data()
        .unwrap();
    assert_eq!(back.as_ptr(), bytes.as_ptr());
}

proptest! {
    #[test]
    fn nothing_is_lost_and_no_more_is_shown_than_asked_for(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8),
        limit in 0usize..200,
        again in 0usize..200,
    ) {
        let whole = chunks.concat();
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let peeked = response(chunks.iter().map(|c| data(c))).peek(limit).await;
            assert_eq!(&peeked.bytes[..], &whole[..limit.min(whole.len())]);
            // Whether a body as long as the limit has ended, only the next frame would tell.
            assert!(peeked.complete || limit <= whole.len());
            assert!(!peeked.complete || peeked.bytes.len() == whole.len());
            let peeked = peeked.response.peek(again).await;
            assert_eq!(&peeked.bytes[..], &whole[..again.min(whole.len())]);
            assert!(peeked.complete || again <= whole.len());
            let body = peeked.response.into_body();
            assert!(body.size_hint().lower() <= whole.len() as u64);
            assert_eq!(&body.collect().await.unwrap().to_bytes()[..], &whole[..]);
        });
    }
}

#[tokio::test]
async fn a_reqwest_response_keeps_its_url_version_headers_and_peer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1024];
        let _ = stream.read(&mut buffer).await.unwrap();
        let head = "HTTP/1.1 401 Unauthorized\r\nx-request-id: r1\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 10\r\n\r\n01234";
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
        stream.write_all(b"56789").await.unwrap();
    });
    let url = format!("http://{addr}/v3/customers?limit=1");
    let response = reqwest::Client::new().get(&url).send().await.unwrap();
    let peeked = response.peek(7).await;
    assert_eq!(
        (&peeked.bytes[..], peeked.complete),
        (&b"0123456"[..], false)
    );
    let response = peeked.response;
    assert_eq!(response.url().as_str(), url);
    assert_eq!(response.status(), 401);
    assert_eq!(response.version(), http::Version::HTTP_11);
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    assert_eq!(response.remote_addr(), Some(addr), "the extensions survive");
    assert_eq!(response.content_length(), Some(10));
    assert_eq!(response.text().await.unwrap(), "0123456789");
    server.await.unwrap();
}

#[tokio::test]
async fn a_reqwest_body_that_is_cut_off_fails_for_its_reader_as_before() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1024];
        let _ = stream.read(&mut buffer).await.unwrap();
        stream
            .write_all(b"HTTP/1.1 500 Oops\r\ncontent-length: 10\r\n\r\n012")
            .await
            .unwrap();
    });
    let response = reqwest::Client::new()
        .get(format!("http://{addr}/"))
        .send()
        .await
        .unwrap();
    let peeked = response.peek(64).await;
    assert_eq!((&peeked.bytes[..], peeked.complete), (&b"012"[..], false));
    assert!(peeked.failed);
    let error = peeked.response.bytes().await.unwrap_err();
    assert!(error.is_body() || error.is_decode(), "{error:?}");
    server.await.unwrap();
}
