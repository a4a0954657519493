//! The conversation of an inbox with its database.

use std::time::Duration;

use golive_webhook_inbox::{
    Accepted, Admin, Claim, DeadLetter, Event, EventKey, Fenced, Owner, Release, Stats, Store,
    StoreError,
};

use crate::store::SqliteStore;
use crate::writer::Handle;

impl Store for SqliteStore {
    async fn accept(&self, event: Event) -> Result<Accepted, StoreError> {
        let accepted = self.writer.call(move |rows| rows.accept(&event)).await?;
        accepted.ok_or(StoreError::Full)
    }

    async fn claim(&self, owner: Owner, lease: Duration) -> Result<Option<Claim>, StoreError> {
        let mut unheard = Unheard {
            writer: Some(&self.writer),
            owner,
        };
        let claim = self.writer.call(move |rows| rows.claim(owner, lease)).await;
        unheard.writer = None;
        Ok(claim?)
    }

    async fn renew(
        &self,
        key: &EventKey,
        owner: Owner,
        lease: Duration,
    ) -> Result<Fenced, StoreError> {
        let key = key.clone();
        let renew = move |rows: &mut crate::rows::Rows<'_>| rows.renew(&key, owner, lease);
        Ok(self.writer.call(renew).await?)
    }

    async fn ready(&self) {
        self.wait().await;
    }

    async fn complete(&self, key: &EventKey, owner: Owner) -> Result<Fenced, StoreError> {
        let key = key.clone();
        let call = self.writer.call(move |rows| rows.complete(&key, owner));
        Ok(call.await?)
    }

    async fn release(
        &self,
        key: &EventKey,
        owner: Owner,
        how: Release,
    ) -> Result<Fenced, StoreError> {
        let key = key.clone();
        let call = self
            .writer
            .call(move |rows| rows.release(&key, owner, &how));
        Ok(call.await?)
    }
}

impl Admin for SqliteStore {
    async fn stats(&self) -> Result<Stats, StoreError> {
        Ok(self.writer.call(|rows| Ok(rows.stats())).await?)
    }

    async fn dead_letters(
        &self,
        after: Option<&EventKey>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let after = after.cloned();
        let list = move |rows: &mut crate::rows::Rows<'_>| rows.dead_letters(after.as_ref(), limit);
        Ok(self.writer.call(list).await?)
    }

    async fn parked(&self, after: Option<&Event>, limit: usize) -> Result<Vec<Event>, StoreError> {
        let after = after.cloned();
        let call = self
            .writer
            .call(move |rows| rows.parked(after.as_ref(), limit));
        Ok(call.await?)
    }

    async fn redrive(&self, key: &EventKey) -> Result<bool, StoreError> {
        let key = key.clone();
        Ok(self.writer.call(move |rows| rows.redrive(&key)).await?)
    }

    async fn discard(&self, key: &EventKey) -> Result<bool, StoreError> {
        let key = key.clone();
        Ok(self.writer.call(move |rows| rows.discard(&key)).await?)
    }
}

/// Gives back what was claimed for someone who did not wait for it, so that it need not wait for
/// the end of its lease.
struct Unheard<'a> {
    writer: Option<&'a Handle>,
    owner: Owner,
}

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        let owner = self.owner;
        if let Some(writer) = self.writer {
            writer.post(move |rows| rows.undo(owner));
        }
    }
}
