//! Keys as the four routes of 1.x change and show them: every key has an expiry date, even one that never
//! expires.

use pyo3::prelude::*;
use simple_security::{
    ApiKeys, Committed, Expiry, KeyError, KeyName, KeyRecord, NewKey, Renewal, Timestamp, Usage,
};

use crate::engine::Engine;
use crate::errors::invalid_input;
use crate::verdict::Admin;

/// The keys of one engine, for a request with the admin secret. Each method may block: it releases the GIL.
///
/// A method that changes keys returns when the change is committed; the caller waits for `remaining`.
#[pyclass(frozen, module = "fastapi_simple_security._core")]
pub struct LegacyKeys {
    engine: Py<Engine>,
    admin: simple_security::Admin,
}

/// A change that is committed.
#[pyclass(frozen, get_all, module = "fastapi_simple_security._core")]
pub struct LegacyChange {
    /// The id of the key.
    id: String,
    /// The key in plain text, where it was issued.
    plain_key: Option<String>,
    /// The date of expiry, in Unix seconds.
    expiration_date: i64,
    /// Whether it was revoked before, where it was renewed.
    was_revoked: bool,
    /// How many seconds it takes until all processes honour the change.
    remaining: f64,
}

/// A row of `/logs`. Times are in Unix seconds.
#[pyclass(frozen, get_all, module = "fastapi_simple_security._core")]
pub struct LegacyKey {
    id: String,
    name: String,
    is_revoked: bool,
    never_expires: bool,
    expiration_date: i64,
    last_used_at: Option<i64>,
    total: u64,
}

/// The result of a change, before it becomes a Python object.
struct Changed {
    record: KeyRecord,
    plain_key: Option<String>,
    was_revoked: bool,
}

#[pymethods]
impl LegacyKeys {
    #[new]
    fn new(engine: Py<Engine>, admin: &Admin) -> Self {
        Self { engine, admin: admin.0.clone() }
    }

    /// Issues a key.
    fn issue(&self, py: Python<'_>, name: &str, never_expires: bool) -> PyResult<LegacyChange> {
        let name = KeyName::new(name).map_err(|error| invalid_input(py, "name", &error))?;
        let new = NewKey::named(name).with_expiry(never_expires.then_some(Expiry::Never));
        self.change(py, |keys| {
            pollster::block_on(async {
                let issued = keys.issue(new).by(&self.admin).committed().await?;
                Ok(issued.map(|issued| Changed {
                    plain_key: Some(issued.key.expose().to_owned()),
                    ..Changed::of(issued.record)
                }))
            })
        })
    }

    /// Revokes the key with this id, or this whole key.
    fn revoke(&self, py: Python<'_>, key: &str) -> PyResult<LegacyChange> {
        self.change(py, |keys| {
            pollster::block_on(async {
                let id = keys.identify(key).await?;
                Ok(keys.revoke(id).by(&self.admin).committed().await?.map(Changed::of))
            })
        })
    }

    /// Renews the key with this id, or this whole key: until `expires_at`, in Unix seconds. A key that
    /// never expires stays so, as in 1.x.
    fn renew(&self, py: Python<'_>, key: &str, expires_at: Option<i64>) -> PyResult<LegacyChange> {
        let date = expires_at.map(Timestamp::from_seconds);
        let renewal = date.map_or(Renewal::DefaultLifetime, Renewal::Date);
        self.change(py, |keys| {
            pollster::block_on(async {
                let id = keys.identify(key).await?;
                let renewed = keys.renew(id, renewal).by(&self.admin).committed().await?;
                Ok(renewed.map(|renewed| Changed {
                    was_revoked: renewed.was_revoked,
                    ..Changed::of(renewed.record)
                }))
            })
        })
    }

    /// All keys with their usage, last used first.
    fn logs(&self, py: Python<'_>) -> PyResult<Vec<LegacyKey>> {
        let rows = self.engine.get().with(py, |keys| pollster::block_on(keys.list()))?;
        Ok(rows.into_iter().map(LegacyKey::from).collect())
    }
}

impl LegacyKeys {
    fn change(
        &self,
        py: Python<'_>,
        change: impl FnOnce(&ApiKeys) -> Result<Committed<Changed>, KeyError> + Send,
    ) -> PyResult<LegacyChange> {
        let committed = self.engine.get().with(py, change)?;
        let remaining = committed.remaining().as_secs_f64();
        let Changed { record, plain_key, was_revoked } = committed.outcome;
        Ok(LegacyChange {
            id: record.id.to_string(),
            plain_key,
            expiration_date: record.expires_at.seconds(),
            was_revoked,
            remaining,
        })
    }
}

impl Changed {
    fn of(record: KeyRecord) -> Self {
        Self { record, plain_key: None, was_revoked: false }
    }
}

impl From<(KeyRecord, Usage)> for LegacyKey {
    fn from((record, usage): (KeyRecord, Usage)) -> Self {
        Self {
            id: record.id.to_string(),
            name: record.name.as_str().to_owned(),
            is_revoked: record.revoked_at.is_some(),
            never_expires: record.never_expires,
            expiration_date: record.expires_at.seconds(),
            last_used_at: usage.last_used_at.map(Timestamp::seconds),
            total: usage.total,
        }
    }
}
