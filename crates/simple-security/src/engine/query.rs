//! The verbs that show keys: find, page, list, usage.

use super::api_keys::ApiKeys;
use super::error::KeyError;
use crate::key::{KeyDigest, KeyId};
use crate::page::{Cursor, KeyDetails, Page, PageRequest};
use crate::record::{KeyRecord, KeyReference, StoredKey, Usage};
use crate::store::StoreError;

impl ApiKeys {
    /// The id of a key that a person names, by its id or by the whole key.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub async fn identify(&self, text: &str) -> Result<KeyId, KeyError> {
        let whole = KeyReference::Digest(KeyDigest::of(text.as_bytes()));
        if let Some(record) = self.store.find(whole).await? {
            return Ok(record.id);
        }
        let id = text.parse().map_err(|_| KeyError::NotFound)?;
        let record = self.store.find(KeyReference::Id(id)).await?;
        record.map(|record| record.id).ok_or(KeyError::NotFound)
    }

    /// A key as it is now.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub async fn find(&self, id: KeyId) -> Result<KeyDetails, KeyError> {
        let record = self.store.find(KeyReference::Id(id)).await?.ok_or(KeyError::NotFound)?;
        let usage = self.usage(id).await?;
        Ok(self.details((record, usage)))
    }

    /// A key as a change has left it, for the one who made it. The change is made whatever the store
    /// says now: where it does not tell the usage any more, that is what this process has counted and
    /// not yet written.
    pub async fn details_after(&self, record: KeyRecord) -> KeyDetails {
        let usage = match self.usage(record.id).await {
            Ok(usage) => usage,
            Err(error) => {
                tracing::warn!(%error, "a key was changed; its usage could not be read");
                let mut row = [(record.id, Usage::default())];
                self.verifier.counters.add_pending(&mut row, |id| *id);
                row[0].1
            }
        };
        self.details((record, usage))
    }

    /// Some keys, the newest first.
    ///
    /// Who follows `next` to the end has met every key that was there all the time, and none
    /// twice, whatever was added, changed and deleted meanwhile. A `limit` out of range is taken
    /// for the nearest one that is in it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn page(&self, request: PageRequest) -> Result<Page, KeyError> {
        let (keys, next) = self.stored_page(request).await?;
        let details = |key: StoredKey| self.details((key.record, key.usage));
        Ok(Page { keys: keys.into_iter().map(details).collect(), next })
    }

    /// The keys of a page as they are stored, and where the next page begins.
    pub(super) async fn stored_page(
        &self,
        mut request: PageRequest,
    ) -> Result<(Vec<StoredKey>, Option<Cursor>), KeyError> {
        let written = self.write_usage().await?;
        let limit = request.limit.clamp(1, PageRequest::MAX_LIMIT);
        // One more than is shown, to know whether there is another page.
        request.limit = limit + 1;
        let rows = self.store.page(&request, self.expiry_time()).await?;
        let mut rows: Vec<_> =
            rows.into_iter().map(|key| ((key.digest, key.record), key.usage)).collect();
        if !written {
            self.verifier.counters.add_pending(&mut rows, |(_, record)| record.id);
        }
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = rows.last().filter(|_| more).map(|((_, record), _)| Cursor::of(record));
        let stored = |((digest, record), usage)| StoredKey { digest, record, usage };
        Ok((rows.into_iter().map(stored).collect(), next))
    }

    /// All keys with their usage: last used first, never used last, then by age and id.
    ///
    /// What this process has counted and not yet written is in it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(&self) -> Result<Vec<(KeyRecord, Usage)>, KeyError> {
        let written = self.write_usage().await?;
        let mut rows = self.store.list().await?;
        if !written {
            self.verifier.counters.add_pending(&mut rows, |record| record.id);
            rows.sort_by_key(|(record, usage)| {
                (std::cmp::Reverse(usage.last_used_at), record.created_at, record.id)
            });
        }
        Ok(rows)
    }

    /// How often one key was accepted, with what this process has not yet written.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub async fn usage(&self, id: KeyId) -> Result<Usage, KeyError> {
        let written = self.write_usage().await?;
        let mut row = [(id, self.store.usage(id).await?.ok_or(KeyError::NotFound)?)];
        if !written {
            self.verifier.counters.add_pending(&mut row, |id| *id);
        }
        Ok(row[0].1)
    }

    fn details(&self, (record, usage): (KeyRecord, Usage)) -> KeyDetails {
        let state = record.state(self.expiry_time());
        KeyDetails { record, state, usage }
    }

    /// Writes what this process has counted, before the store is asked. `false`: it could not be
    /// written yet, and is to be added to what the store says.
    async fn write_usage(&self) -> Result<bool, StoreError> {
        match self.flush().await {
            Ok(()) => Ok(true),
            // It would not answer what it is asked next either.
            Err(error) if error.is_outage() => Err(error),
            Err(error) => {
                tracing::warn!(%error, "usage could not be written yet; it is kept and tried again");
                Ok(false)
            }
        }
    }
}
