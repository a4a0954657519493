//! From the sandbox's record to a trace's.

use golive_sandbox::{Answer, Entry as Recorded, Kind as RecordedKind};

use crate::trace::{Entry, Kind, Reply};

/// Everything that judges and reports look at; redacted by the sandbox already.
pub(super) fn entry(from: &Recorded) -> Entry {
    Entry {
        seq: from.seq,
        at: from.at,
        done_at: from.done_at,
        kind: match from.kind {
            RecordedKind::Delivery => Kind::Delivery,
            _ => Kind::Request,
        },
        method: from.method.clone(),
        path: from.path.clone(),
        query: from.query.clone(),
        headers: from.headers.clone(),
        body_digest: from.body_digest.clone(),
        body: from.body.clone(),
        answer: reply(&from.answer),
        fault: from.fault.clone(),
        token: from.token,
        client_id: from.client_id.clone(),
    }
}

fn reply(from: &Answer) -> Reply {
    match from {
        Answer::Answered {
            status,
            headers,
            body,
        } => Reply::Answered {
            status: *status,
            headers: headers.clone(),
            body: body.clone(),
        },
        Answer::Cut { processed } => Reply::Cut {
            processed: *processed,
        },
        Answer::NoAnswer { reason } => Reply::NoAnswer {
            reason: reason.clone(),
        },
        _ => Reply::Pending,
    }
}
