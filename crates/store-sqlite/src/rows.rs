//! The rows: every transition, as statements within a transaction at a point in time.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use golive_webhook_inbox::{
    Accepted, Claim, DeadLetter, Event, EventKey, Fenced, Fingerprint, Owner, Release, Stats,
};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Params, Row, params};

use crate::config::Bounds;
use crate::error::{ErrorKind, SqliteError};
use crate::statements::{
    BACK, BURY, DEAD, DEAD_LETTERS, DONE, DUE, ENDED, FIND, FORGET, FORGOTTEN, HELD, INSERT,
    IS_PARKED, NEXT, OWNED, PARK, PARKED, PARKED_UNDER, REDRIVE, RENEW, SAVE, TAKE, TOTALS, UNPARK,
};

/// How many markers of handled events one accept forgets at most. More than the one row that it
/// adds, so that forgetting keeps up.
const FORGET_AT_ONCE: i64 = 4;

/// The tables within one transaction.
pub(crate) struct Rows<'c> {
    connection: &'c Connection,
    bounds: Bounds,
    now: i64,
    stats: Stats,
    saved: Stats,
    woken: usize,
}

/// Unix time in milliseconds.
pub(crate) fn millis(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(_) => 0,
    }
}

type Result<T> = std::result::Result<T, SqliteError>;

impl<'c> Rows<'c> {
    pub(crate) fn begin(connection: &'c Connection, bounds: Bounds, now: i64) -> Result<Self> {
        let mut statement = connection.prepare_cached(TOTALS)?;
        let stats = statement.query_row([], |row| {
            let mut stats = Stats::default();
            stats.waiting = row.get(0)?;
            stats.running = row.get(1)?;
            stats.dead = row.get(2)?;
            stats.parked = row.get(3)?;
            stats.done = row.get(4)?;
            stats.bytes = row.get(5)?;
            Ok(stats)
        })?;
        Ok(Self {
            connection,
            bounds,
            now,
            stats,
            saved: stats,
            woken: 0,
        })
    }

    /// Writes the totals. When the next event is due, and how many became due by this.
    pub(crate) fn end(self) -> Result<(Option<i64>, usize)> {
        if self.stats != self.saved {
            let s = self.stats;
            let totals = params![s.waiting, s.running, s.dead, s.parked, s.done, s.bytes];
            self.execute(SAVE, totals)?;
        }
        let mut next = self.prepare(NEXT)?;
        let mut next = |state: i64| next.query_row([state], |row| row.get::<_, Option<i64>>(0));
        let due = next(0)?.into_iter().chain(next(1)?).min();
        Ok((due, self.woken))
    }

    pub(crate) fn stats(&self) -> Stats {
        self.stats
    }

    /// `None` if it is full.
    pub(crate) fn accept(&mut self, event: &Event) -> Result<Option<Accepted>> {
        let limits = params![self.now, FORGET_AT_ONCE];
        let forgotten = self.execute(FORGOTTEN, limits)?;
        less(&mut self.stats.done, forgotten);
        let (source, id) = (event.key().source(), event.key().id());
        let fingerprint = event.fingerprint();
        let place = params![source, id, self.now];
        let known = self.find(FIND, place, |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, [u8; 32]>(1)?,
                row.get(2)?,
            ))
        })?;
        match known {
            Some((id, _, true)) => {
                self.execute(FORGET, [id])?;
                less(&mut self.stats.done, 1);
            }
            Some((_, known, _)) if known == *fingerprint.as_bytes() => {
                return Ok(Some(Accepted::Duplicate));
            }
            Some(_) => return self.park(event),
            None => {}
        }
        let Stats {
            waiting,
            running,
            dead,
            done,
            ..
        } = self.stats;
        if waiting + running + dead + done >= self.bounds.max_keys || !self.make_room(event) {
            return Ok(None);
        }
        let row = params![
            source,
            id,
            fingerprint.as_bytes(),
            self.now,
            &event.body()[..]
        ];
        self.execute(INSERT, row)?;
        self.stats.waiting += 1;
        self.woken += 1;
        Ok(Some(Accepted::New))
    }

    pub(crate) fn claim(&mut self, owner: Owner, lease: Duration) -> Result<Option<Claim>> {
        let number = owner.as_u64().cast_signed();
        let until = self.later(lease);
        let (id, attempts) = if let Some(id) = self.id(OWNED, [number])? {
            (id, 0)
        } else if let Some(id) = self.id(ENDED, [self.now])? {
            (id, 1)
        } else if let Some(id) = self.id(DUE, [self.now])? {
            less(&mut self.stats.waiting, 1);
            self.stats.running += 1;
            (id, 1)
        } else {
            return Ok(None);
        };
        let taken = params![id, number, until, attempts];
        let mut take = self.prepare(TAKE)?;
        let mut rows = take.query(taken)?;
        let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        let event = read(row)?;
        // An update is done when it was asked for its last row.
        while rows.next()?.is_some() {}
        Ok(Some(Claim::new(event, owner)))
    }

    pub(crate) fn renew(
        &mut self,
        key: &EventKey,
        owner: Owner,
        lease: Duration,
    ) -> Result<Fenced> {
        let number = owner.as_u64().cast_signed();
        let renewed = params![key.source(), key.id(), number, self.later(lease)];
        Ok(match self.execute(RENEW, renewed)? {
            0 => Fenced::Lost,
            _ => Fenced::Applied,
        })
    }

    pub(crate) fn complete(&mut self, key: &EventKey, owner: Owner) -> Result<Fenced> {
        let Some((id, bytes)) = self.held(key, owner)? else {
            return Ok(Fenced::Lost);
        };
        less(&mut self.stats.running, 1);
        self.done(id, bytes)?;
        Ok(Fenced::Applied)
    }

    pub(crate) fn release(
        &mut self,
        key: &EventKey,
        owner: Owner,
        how: &Release,
    ) -> Result<Fenced> {
        let Some((id, _)) = self.held(key, owner)? else {
            return Ok(Fenced::Lost);
        };
        match how {
            Release::Retry { after } => self.put_back(id, *after, 0)?,
            Release::Undo => self.put_back(id, Duration::ZERO, 1)?,
            Release::Dead { reason } => {
                self.execute(BURY, params![id, reason])?;
                less(&mut self.stats.running, 1);
                self.stats.dead += 1;
            }
            // A way that a newer inbox knows and this store does not: nothing is done.
            _ => return Err(SqliteError::new(ErrorKind::Other)),
        }
        Ok(Fenced::Applied)
    }

    /// Gives back whatever this owner has.
    pub(crate) fn undo(&mut self, owner: Owner) -> Result<()> {
        match self.id(OWNED, [owner.as_u64().cast_signed()])? {
            Some(id) => self.put_back(id, Duration::ZERO, 1),
            None => Ok(()),
        }
    }

    pub(crate) fn redrive(&mut self, key: &EventKey) -> Result<bool> {
        let Some((id, _)) = self.sized(DEAD, params![key.source(), key.id()])? else {
            return Ok(false);
        };
        self.execute(REDRIVE, [id, self.now])?;
        less(&mut self.stats.dead, 1);
        self.stats.waiting += 1;
        self.woken += 1;
        Ok(true)
    }

    pub(crate) fn discard(&mut self, key: &EventKey) -> Result<bool> {
        let place = params![key.source(), key.id()];
        let dead = self.sized(DEAD, place)?;
        if let Some((id, bytes)) = dead {
            less(&mut self.stats.dead, 1);
            self.done(id, bytes)?;
        }
        let (parked, bytes) = self.sized(PARKED_UNDER, place)?.unwrap_or_default();
        if parked > 0 {
            let dropped = self.execute(UNPARK, place)?;
            less(&mut self.stats.parked, dropped);
            less(&mut self.stats.bytes, bytes);
        }
        Ok(dead.is_some() || parked > 0)
    }

    pub(crate) fn dead_letters(
        &self,
        after: Option<&EventKey>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>> {
        // No key is empty, so the empty one comes before all.
        let (source, id) = after.map_or(("", ""), |key| (key.source(), key.id()));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.list(DEAD_LETTERS, params![source, id, limit], |row| {
            let reason = row.get::<_, Option<Box<str>>>(5)?.unwrap_or_default();
            Ok(DeadLetter::new(read(row)?, reason))
        })
    }

    pub(crate) fn parked(&self, after: Option<&Event>, limit: usize) -> Result<Vec<Event>> {
        let fingerprint = after.map(Event::fingerprint);
        let bytes = fingerprint
            .as_ref()
            .map_or(&[][..], |print| print.as_bytes());
        let (source, id) = after.map_or(("", ""), |event| (event.key().source(), event.key().id()));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.list(PARKED, params![source, id, bytes, limit], read)
    }

    /// The same key, other content.
    fn park(&mut self, event: &Event) -> Result<Option<Accepted>> {
        let fingerprint = event.fingerprint();
        let (source, id) = (event.key().source(), event.key().id());
        let place = params![source, id, fingerprint.as_bytes()];
        let known = self.find(IS_PARKED, place, |row| row.get(0))?;
        if known != Some(true) {
            if !self.make_room(event) {
                return Ok(None);
            }
            let row = params![
                source,
                id,
                fingerprint.as_bytes(),
                self.now,
                &event.body()[..]
            ];
            self.execute(PARK, row)?;
            self.stats.parked += 1;
        }
        Ok(Some(Accepted::Conflict))
    }

    fn make_room(&mut self, event: &Event) -> bool {
        let (
            body,
            Bounds {
                max_events,
                max_bytes,
                ..
            },
        ) = (event.body().len(), self.bounds);
        // The bounds may be lower than they were when the file was filled.
        let fits = body <= max_bytes.saturating_sub(self.stats.bytes);
        let fits = fits && self.stats.kept() < max_events;
        if fits {
            self.stats.bytes += body;
        }
        fits
    }

    fn put_back(&mut self, id: i64, after: Duration, uncounted: i64) -> Result<()> {
        let due = self.later(after);
        self.execute(BACK, [id, due, uncounted])?;
        less(&mut self.stats.running, 1);
        self.stats.waiting += 1;
        self.woken += usize::from(due <= self.now);
        Ok(())
    }

    fn done(&mut self, id: i64, bytes: usize) -> Result<()> {
        self.execute(DONE, [id, self.later(self.bounds.remember)])?;
        self.stats.done += 1;
        less(&mut self.stats.bytes, bytes);
        Ok(())
    }

    fn later(&self, after: Duration) -> i64 {
        let millis = i64::try_from(after.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX);
        self.now.saturating_add(millis)
    }

    fn held(&self, key: &EventKey, owner: Owner) -> Result<Option<(i64, usize)>> {
        let number = owner.as_u64().cast_signed();
        self.sized(HELD, params![key.source(), key.id(), number])
    }

    fn sized(&self, sql: &'static str, params: impl Params) -> Result<Option<(i64, usize)>> {
        self.find(sql, params, |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn id(&self, sql: &'static str, params: impl Params) -> Result<Option<i64>> {
        self.find(sql, params, |row| row.get(0))
    }

    fn find<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        Ok(self.prepare(sql)?.query_row(params, read).optional()?)
    }

    fn list<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl Fn(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.prepare(sql)?.query_and_then(params, read)?.collect()
    }

    fn execute(&self, sql: &'static str, params: impl Params) -> Result<usize> {
        Ok(self.prepare(sql)?.execute(params)?)
    }

    fn prepare(&self, sql: &'static str) -> Result<CachedStatement<'c>> {
        Ok(self.connection.prepare_cached(sql)?)
    }
}

/// Takes from a total. Only a file that was changed by hand can have too little in it.
fn less(total: &mut usize, by: usize) {
    *total = total.saturating_sub(by);
}

/// An event from source, id, fingerprint, attempt and body.
fn read(row: &Row<'_>) -> Result<Event> {
    let corrupt = || SqliteError::new(ErrorKind::Corrupt);
    let text = |at| row.get_ref(at)?.as_str().map_err(rusqlite::Error::from);
    let key = EventKey::new(text(0)?, text(1)?).map_err(|_| corrupt())?;
    let fingerprint = Fingerprint::from_bytes(row.get(2)?);
    let attempt = row.get::<_, i64>(3)?.clamp(0, u32::MAX.into());
    let body = row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
    let body = Bytes::copy_from_slice(body);
    let event = Event::with_fingerprint(key, body, fingerprint);
    Ok(event.at_attempt(u32::try_from(attempt).unwrap_or(u32::MAX)))
}
