//! The statements on the rows.
//!
//! The states of an event: 0 waits, 1 runs, 2 is dead, 3 is done. They are literals, because a
//! partial index is used only where the statement says its condition.

pub(crate) const FIND: &str = "select id, fingerprint, state = 3 and at <= ?3 from events where source = ?1 and event_id = ?2";
pub(crate) const INSERT: &str = "insert into events (source, event_id, fingerprint, state, at, received_at, body) \
     values (?1, ?2, ?3, 0, ?4, ?4, ?5)";
pub(crate) const FORGET: &str = "delete from events where id = ?1";
pub(crate) const FORGOTTEN: &str = "delete from events where id in (select id from events \
     indexed by events_by_state where state = 3 and at <= ?1 order by at limit ?2)";
pub(crate) const PARK: &str = "insert into parked (source, event_id, fingerprint, received_at, body) \
     values (?1, ?2, ?3, ?4, ?5)";
pub(crate) const IS_PARKED: &str = "select exists (select 1 from parked \
     where source = ?1 and event_id = ?2 and fingerprint = ?3)";
pub(crate) const OWNED: &str = "select id from events where owner = ?1 and state = 1";
pub(crate) const ENDED: &str = "select id from events indexed by events_by_state \
     where state = 1 and at <= ?1 order by at, id limit 1";
pub(crate) const DUE: &str = "select id from events indexed by events_by_state \
     where state = 0 and at <= ?1 order by at, id limit 1";
pub(crate) const TAKE: &str = "update events set state = 1, owner = ?2, at = ?3, attempt = attempt + ?4 \
     where id = ?1 returning source, event_id, fingerprint, attempt, body";
pub(crate) const RENEW: &str = "update events set at = ?4 \
     where source = ?1 and event_id = ?2 and owner = ?3 and state = 1";
pub(crate) const HELD: &str = "select id, length(body) from events \
     where source = ?1 and event_id = ?2 and owner = ?3 and state = 1";
pub(crate) const DONE: &str = "update events set state = 3, at = ?2, owner = null, reason = null, body = null \
     where id = ?1";
pub(crate) const BACK: &str = "update events set state = 0, at = ?2, owner = null, \
     attempt = max(attempt - ?3, 0) where id = ?1";
pub(crate) const BURY: &str =
    "update events set state = 2, at = null, owner = null, reason = ?2 where id = ?1";
pub(crate) const DEAD: &str = "select id, length(body) from events \
     where source = ?1 and event_id = ?2 and state = 2";
pub(crate) const REDRIVE: &str = "update events set state = 0, at = ?2, attempt = 0, reason = null \
     where id = ?1";
pub(crate) const DEAD_LETTERS: &str = "select source, event_id, fingerprint, attempt, body, reason \
     from events indexed by events_dead where state = 2 and (source, event_id) > (?1, ?2) \
     order by source, event_id limit ?3";
pub(crate) const PARKED: &str = "select source, event_id, fingerprint, 0, body from parked \
     where (source, event_id, fingerprint) > (?1, ?2, ?3) \
     order by source, event_id, fingerprint limit ?4";
pub(crate) const PARKED_UNDER: &str = "select count(*), coalesce(sum(length(body)), 0) from parked \
     where source = ?1 and event_id = ?2";
pub(crate) const UNPARK: &str = "delete from parked where source = ?1 and event_id = ?2";
pub(crate) const NEXT: &str =
    "select min(at) from events indexed by events_by_state where state = ?1";
pub(crate) const TOTALS: &str =
    "select waiting, running, dead, parked, done, bytes from totals where one = 1";
pub(crate) const SAVE: &str = "update totals set waiting = ?1, running = ?2, dead = ?3, parked = ?4, \
     done = ?5, bytes = ?6 where one = 1";

/// All statements, for the test that asks for their plans.
#[cfg(test)]
pub(crate) const QUERIES: &[&str] = &[
    FIND,
    FORGET,
    FORGOTTEN,
    IS_PARKED,
    OWNED,
    ENDED,
    DUE,
    TAKE,
    RENEW,
    HELD,
    DONE,
    BACK,
    BURY,
    DEAD,
    REDRIVE,
    DEAD_LETTERS,
    PARKED,
    PARKED_UNDER,
    UNPARK,
    NEXT,
    TOTALS,
    SAVE,
];
