//! Answering with a problem.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::Problem;

impl Problem {
    /// The problem as a response with its status, under `application/problem+json`.
    pub fn to_response(&self) -> http::Response<Bytes> {
        // NOTE: text keys and JSON values always serialise; an empty body would still be a
        // response with the right status.
        let body = serde_json::to_vec(self).unwrap_or_default();
        let mut response = http::Response::new(Bytes::from(body));
        *response.status_mut() = self.status;
        let content_type = HeaderValue::from_static(Self::CONTENT_TYPE);
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        response
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let texts = [
            ("type", &self.type_uri),
            ("title", &self.title),
            ("detail", &self.detail),
            ("instance", &self.instance),
            ("code", &self.code),
            ("param", &self.param),
            ("request_id", &self.request_id),
        ];
        // RFC 9457, 3.1.2: "The status member, if present, … MUST use the same status code in the
        // actual HTTP response".
        map.serialize_entry("status", &self.status.as_u16())?;
        for (name, text) in texts {
            if let Some(text) = text {
                map.serialize_entry(name, text)?;
            }
        }
        if !self.errors.is_empty() {
            map.serialize_entry("errors", &self.errors)?;
        }
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
