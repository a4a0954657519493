//! One POST on the wire, recorded.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::ids::sha256_hex;
use crate::record::{Answer, Entry, Kind, body_text, field_text};
use crate::shared::Shared;
use crate::sync::lock;
use crate::webhooks::Delivery;
use crate::webhooks::delivery::Message;

/// Of a receiver's answer, so many bytes are read.
const MAX_ANSWER: usize = 64 * 1024;

/// Sends with the secrets of the sandbox's own endpoint, unless the delivery has its own.
pub(super) async fn deliver(shared: &Arc<Shared>, url: &str, delivery: Delivery) -> Entry {
    let live = lock(&shared.outbox.own).live(shared.clock.now().mono);
    deliver_with(shared, url, delivery, live).await
}

pub(super) async fn deliver_with(
    shared: &Arc<Shared>,
    url: &str,
    delivery: Delivery,
    live: Vec<String>,
) -> Entry {
    let now = shared.clock.now();
    let date = shared.own_shape().date(now.unix_secs());
    let delivery_id = shared.world().ids.next("dlv_", 32);
    let envelope = delivery.event.body(&delivery_id, &date);
    let prepared = prepare(url, &delivery, envelope, live, now.unix_secs());
    let (url, headers, body, cannot) = match prepared {
        Ok((url, headers, message)) => (Some(url), headers, message.body, None),
        Err(reason) => (None, HeaderMap::new(), Bytes::new(), Some(reason)),
    };
    let redactor = &shared.redactor;
    let entry = Entry {
        seq: 0,
        at: now.mono,
        done_at: None,
        kind: Kind::Delivery,
        method: "POST".to_owned(),
        path: url
            .as_ref()
            .map(|url| field_text(&redactor.text(url.path())))
            .unwrap_or_default(),
        query: url
            .as_ref()
            .and_then(|url| url.query())
            .map(|query| field_text(&redactor.text(query))),
        headers: redactor.headers(&headers),
        body_digest: sha256_hex(&body),
        body: body_text(&redactor.text(&String::from_utf8_lossy(&body))),
        answer: Answer::Pending,
        fault: None,
        webhook_id: Some(
            delivery
                .id
                .clone()
                .unwrap_or_else(|| delivery.event.id.clone()),
        ),
        client_id: None,
        token: None,
        connection: None,
    };
    let open = shared.recorder.begin(entry.clone(), shared.clock);
    let answer = match (url, cannot) {
        (Some(url), _) => {
            let posting = post(shared, url, headers, body);
            match tokio::time::timeout(delivery.timeout, posting).await {
                Ok(Ok(answer)) => answer,
                // An error of the client may repeat what it was to send.
                Ok(Err(reason)) => Answer::NoAnswer {
                    reason: field_text(&redactor.text(&reason)),
                },
                Err(_) => Answer::NoAnswer {
                    reason: format!("no complete answer within {:?}", delivery.timeout),
                },
            }
        }
        (None, reason) => Answer::NoAnswer {
            reason: reason.unwrap_or_default(),
        },
    };
    let seq = open.seq();
    let done_at = Some(shared.clock.now().mono);
    // Only where the ring was full meanwhile is the entry no longer in it.
    open.end(answer.clone()).unwrap_or(Entry {
        seq,
        done_at,
        answer,
        ..entry
    })
}

fn prepare(
    url: &str,
    delivery: &Delivery,
    envelope: Vec<u8>,
    live: Vec<String>,
    now: i64,
) -> Result<(url::Url, HeaderMap, Message), String> {
    let url = url::Url::parse(url).map_err(|error| format!("not a URL: {error}"))?;
    let message = delivery.message(envelope, live, now)?;
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static("golive-sandbox"),
    );
    let mut set = |name: &str, value: &str| {
        let pair = name
            .parse::<HeaderName>()
            .ok()
            .zip(value.parse::<HeaderValue>().ok());
        let (name, value) = pair.ok_or_else(|| format!("the header {name:?} cannot be sent"))?;
        headers.insert(name, value);
        Ok::<_, String>(())
    };
    set("webhook-id", &message.id)?;
    set("webhook-timestamp", &message.timestamp)?;
    if let Some(signature) = &message.signature {
        set("webhook-signature", signature)?;
    }
    for (name, value) in &delivery.headers {
        set(name, value)?;
    }
    Ok((url, headers, message))
}

async fn post(
    shared: &Shared,
    url: url::Url,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, String> {
    let request = shared.outbox.client.post(url).headers(headers).body(body);
    let mut response = request.send().await.map_err(chain)?;
    let status = response.status().as_u16();
    let headers = shared.redactor.headers(response.headers());
    let mut body = BytesMut::new();
    while body.len() < MAX_ANSWER {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => {
                return Err(format!(
                    "status {status}, then the body broke off: {}",
                    chain(error)
                ));
            }
        }
    }
    Ok(Answer::Answered {
        status,
        headers,
        body: body_text(&shared.redactor.text(&String::from_utf8_lossy(&body))),
    })
}

/// An error with its causes: "error sending request" alone says nothing.
///
/// NOTE: without the URL, which stands in the record already, and there without its secrets.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
