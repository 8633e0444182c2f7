//! The verbs that change and show keys, as a Python object: for the routes of the administrator.

use pyo3::prelude::*;
use simple_security::{
    ApiKeys, Committed, Cursor, KeyDetails, KeyEdit, KeyError, KeyFilter, KeyId, KeyName,
    KeyRecord, KeyState, NewKey, PageRequest, Timestamp, Usage, dates,
};

use crate::engine::Engine;
use crate::errors::invalid;

/// The keys of one engine. All that is asked here may take long: the GIL is let go meanwhile.
///
/// What changes keys returns when the change is committed. Where others may not know of it yet, the
/// caller waits: a thread of its pool is too dear for that.
#[pyclass(frozen, module = "fastapi_simple_security._core")]
pub struct Keys {
    engine: Py<Engine>,
}

/// A key as it is shown: id, name, state, created, expires (or never), revoked, total, last used.
type Details = (String, String, &'static str, i64, Option<i64>, Option<i64>, u64, Option<i64>);

/// A change: what was done, from when on it holds everywhere, and in how many seconds that is.
type Changed<T> = (T, String, f64);

/// One row of `logs`: id, name, created, expires, never expires, revoked, total, last used.
type LogRow = (String, String, i64, i64, bool, Option<i64>, u64, Option<i64>);

#[pymethods]
impl Keys {
    #[new]
    fn new(engine: Py<Engine>) -> Self {
        Self { engine }
    }

    /// Makes a key, or takes in the caller's own. Gives back what is known of it, and the key in
    /// plain text where it was made here. `expires_at` is in Unix seconds.
    #[pyo3(signature = (name, *, expires_at=None, never_expires=false, key=None))]
    fn issue(
        &self,
        py: Python<'_>,
        name: &str,
        expires_at: Option<i64>,
        never_expires: bool,
        key: Option<&str>,
    ) -> PyResult<Changed<(Details, Option<String>)>> {
        let name = read_name(name)?;
        let expires_at = expires_at.map(Timestamp::from_seconds);
        let new = NewKey { name, expires_at, never_expires };
        self.change(py, |keys| {
            pollster::block_on(async {
                Ok(match key {
                    Some(key) => {
                        let imported = keys.without_waiting().import(key, new).await?;
                        imported.map(|record| (new_details(record), None))
                    }
                    None => keys.without_waiting().issue(new).await?.map(|issued| {
                        (new_details(issued.record), Some(issued.key.expose().to_owned()))
                    }),
                })
            })
        })
    }

    /// The key with this id.
    fn find(&self, py: Python<'_>, key_id: &str) -> PyResult<Details> {
        self.ask(py, |keys| pollster::block_on(keys.find(read_id(key_id)?)).map(details))
    }

    /// Some keys, the newest first, and the cursor of the next page, if there is one.
    #[pyo3(signature = (limit, *, cursor=None, state=None, name=None))]
    fn page(
        &self,
        py: Python<'_>,
        limit: u32,
        cursor: Option<&str>,
        state: Option<&str>,
        name: Option<String>,
    ) -> PyResult<(Vec<Details>, Option<String>)> {
        let after = cursor.map(str::parse::<Cursor>).transpose();
        let state = state.map(str::parse::<KeyState>).transpose();
        let request = PageRequest {
            after: after.map_err(|error| invalid("cursor", &error))?,
            filter: KeyFilter { state: state.map_err(|error| invalid("state", &error))?, name },
            limit,
        };
        self.ask(py, |keys| {
            let page = pollster::block_on(keys.page(request))?;
            let next = page.next.map(|next| next.to_string());
            Ok((page.keys.into_iter().map(details).collect(), next))
        })
    }

    /// Changes what is given of the key with this id. `expires_at` is in Unix seconds.
    #[pyo3(signature = (key_id, *, name=None, expires_at=None, never_expires=None))]
    fn edit(
        &self,
        py: Python<'_>,
        key_id: &str,
        name: Option<&str>,
        expires_at: Option<i64>,
        never_expires: Option<bool>,
    ) -> PyResult<Changed<Details>> {
        let name = name.map(read_name).transpose()?;
        let expires_at = expires_at.map(Timestamp::from_seconds);
        let edit = KeyEdit { name, expires_at, never_expires };
        self.change(py, |keys| {
            pollster::block_on(async {
                let id = read_id(key_id)?;
                let edited = keys.without_waiting().edit(id, edit).await?;
                Ok(shown(keys, edited).await)
            })
        })
    }

    /// Revokes the key with this id.
    fn revoke(&self, py: Python<'_>, key_id: &str) -> PyResult<Changed<Details>> {
        self.change(py, |keys| {
            pollster::block_on(async {
                let id = read_id(key_id)?;
                let revoked = keys.without_waiting().revoke(id).await?;
                Ok(shown(keys, revoked).await)
            })
        })
    }

    /// Renews the key with this id: until `expires_at`, in Unix seconds.
    #[pyo3(signature = (key_id, *, expires_at=None, never_expires=None))]
    fn renew(
        &self,
        py: Python<'_>,
        key_id: &str,
        expires_at: Option<i64>,
        never_expires: Option<bool>,
    ) -> PyResult<Changed<Details>> {
        let expires_at = expires_at.map(Timestamp::from_seconds);
        self.change(py, |keys| {
            pollster::block_on(async {
                let id = read_id(key_id)?;
                let renewed = keys.without_waiting().renew(id, expires_at, never_expires).await?;
                Ok(shown(keys, renewed.map(|renewed| renewed.record)).await)
            })
        })
    }

    /// Removes the key with this id.
    fn delete(&self, py: Python<'_>, key_id: &str) -> PyResult<Changed<()>> {
        self.change(py, |keys| {
            pollster::block_on(async { keys.without_waiting().delete(read_id(key_id)?).await })
        })
    }

    /// Revokes the key with this id, or this whole key. Returns its id.
    fn revoke_named(&self, py: Python<'_>, key: &str) -> PyResult<Changed<String>> {
        self.change(py, |keys| {
            pollster::block_on(async {
                let id = keys.identify(key).await?;
                Ok(keys.without_waiting().revoke(id).await?.map(|record| record.id.to_string()))
            })
        })
    }

    /// Renews the key with this id, or this whole key: until `expires_at`, in Unix seconds.
    /// Returns the new date, whether the key was revoked, and its id.
    fn renew_named(
        &self,
        py: Python<'_>,
        key: &str,
        expires_at: Option<i64>,
    ) -> PyResult<Changed<(i64, bool, String)>> {
        self.change(py, |keys| {
            pollster::block_on(async {
                let id = keys.identify(key).await?;
                let expires_at = expires_at.map(Timestamp::from_seconds);
                let renewed = keys.without_waiting().renew(id, expires_at, None).await?;
                Ok(renewed.map(|it| {
                    let record = it.record;
                    (record.expires_at.seconds(), it.was_revoked, record.id.to_string())
                }))
            })
        })
    }

    /// All keys with their usage, last used first.
    fn logs(&self, py: Python<'_>) -> PyResult<Vec<LogRow>> {
        self.ask(py, |keys| {
            let rows = pollster::block_on(keys.list())?;
            Ok(rows.into_iter().map(log_row).collect())
        })
    }
}

impl Keys {
    fn ask<T: Send>(
        &self,
        py: Python<'_>,
        ask: impl FnOnce(&ApiKeys) -> Result<T, KeyError> + Send,
    ) -> PyResult<T> {
        self.engine.get().with(py, ask)
    }

    fn change<T: Send>(
        &self,
        py: Python<'_>,
        change: impl FnOnce(&ApiKeys) -> Result<Committed<T>, KeyError> + Send,
    ) -> PyResult<Changed<T>> {
        self.ask(py, |keys| {
            let committed = change(keys)?;
            let effective_by = dates::show_moment(committed.effective_by);
            let left = keys.time_left(&committed).as_secs_f64();
            Ok((committed.outcome, effective_by, left))
        })
    }
}

/// The key as it is after a change.
async fn shown(keys: &ApiKeys, changed: Committed<KeyRecord>) -> Committed<Details> {
    let shown = details(keys.details_after(changed.outcome.clone()).await);
    changed.map(|_| shown)
}

/// A text that is no id is the id of no key.
fn read_id(text: &str) -> Result<KeyId, KeyError> {
    text.parse().map_err(|_| KeyError::NotFound)
}

fn read_name(name: &str) -> PyResult<KeyName> {
    KeyName::new(name).map_err(|error| invalid("name", &error))
}

fn details(key: KeyDetails) -> Details {
    let KeyDetails { record, state, usage } = key;
    (
        record.id.to_string(),
        record.name.as_str().to_owned(),
        state.as_str(),
        record.created_at.seconds(),
        record.expiry().map(Timestamp::seconds),
        record.revoked_at.map(Timestamp::seconds),
        usage.total,
        usage.last_used_at.map(Timestamp::seconds),
    )
}

/// A key that was just made. It is not looked up: if that failed, the plain key would be lost.
fn new_details(record: KeyRecord) -> Details {
    let state = record.state(record.created_at);
    details(KeyDetails { record, state, usage: Usage::default() })
}

fn log_row((record, usage): (KeyRecord, Usage)) -> LogRow {
    (
        record.id.to_string(),
        record.name.as_str().to_owned(),
        record.created_at.seconds(),
        record.expires_at.seconds(),
        record.never_expires,
        record.revoked_at.map(Timestamp::seconds),
        usage.total,
        usage.last_used_at.map(Timestamp::seconds),
    )
}
