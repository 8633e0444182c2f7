//! The verbs that change and show keys, as a Python object: for the routes of the administrator.

use pyo3::prelude::*;
use simple_security::{
    Actor, ApiKeys, Committed, Cursor, Expiry, KeyEdit, KeyError, KeyFilter, KeyId, KeyName,
    KeyRecord, KeyState, NewKey, Owner, PageRequest, Renewal, Timestamp, Usage,
};

use crate::engine::Engine;
use crate::errors::invalid_input;

/// The keys of one engine. All that is asked here may take long: the GIL is released meanwhile.
///
/// What changes keys returns when the change is committed. Where others may not know of it yet, the
/// caller waits: a thread of its pool is too dear for that.
#[pyclass(frozen, module = "fastapi_simple_security._core")]
pub struct Keys {
    engine: Py<Engine>,
}

/// What is known of a key. Times are in Unix seconds.
#[pyclass(frozen, get_all, module = "fastapi_simple_security._core")]
pub struct KeyDetails {
    id: String,
    name: String,
    owner: String,
    state: &'static str,
    created_at: i64,
    /// `None`: it never expires.
    expires_at: Option<i64>,
    /// The date that the routes of 1.x show, for a key that never expires too.
    expiration_date: i64,
    revoked_at: Option<i64>,
    total: u64,
    last_used_at: Option<i64>,
}

/// A change that is committed.
#[pyclass(frozen, get_all, module = "fastapi_simple_security._core")]
pub struct Change {
    /// The id of the key.
    id: String,
    /// The key as it is now; `None` where it was deleted, or is not asked for.
    key: Option<Py<KeyDetails>>,
    /// The key in plain text, where it was issued.
    plain_key: Option<String>,
    /// The date that the routes of 1.x show, where the key was renewed.
    expiration_date: Option<i64>,
    /// Whether it was revoked before, where it was renewed.
    was_revoked: bool,
    /// The instant from which the change holds everywhere, in RFC 3339.
    effective_by: String,
    /// How many seconds that is from now.
    remaining: f64,
}

/// What a verb returns of a key, before it becomes objects of Python.
struct Changed {
    id: KeyId,
    key: Option<simple_security::KeyDetails>,
    plain_key: Option<String>,
    renewed: Option<(Timestamp, bool)>,
}

#[pymethods]
impl Keys {
    #[new]
    fn new(engine: Py<Engine>) -> Self {
        Self { engine }
    }

    /// Issues a key, or imports the caller's own. `expires_at` is in Unix seconds.
    #[pyo3(signature = (name, *, owner="", expires_at=None, never_expires=false, key=None))]
    fn issue(
        &self,
        py: Python<'_>,
        name: &str,
        owner: &str,
        expires_at: Option<i64>,
        never_expires: bool,
        key: Option<&str>,
    ) -> PyResult<Change> {
        let expiry = read_expiry(expires_at, never_expires);
        let new = NewKey::named(read_name(py, name)?)
            .with_owner(read_owner(py, owner)?)
            .with_expiry(expiry);
        let of_new = |record: KeyRecord, plain_key: Option<String>| Changed {
            id: record.id,
            key: Some(simple_security::KeyDetails::of_new(record)),
            plain_key,
            renewed: None,
        };
        self.change(py, |keys| {
            pollster::block_on(async {
                Ok(match key {
                    Some(key) => {
                        let imported = keys.import(key, new).by(Actor::Secret).committed().await?;
                        imported.map(|record| of_new(record, None))
                    }
                    None => {
                        keys.issue(new).by(Actor::Secret).committed().await?.map(|issued| {
                            of_new(issued.record, Some(issued.key.expose().to_owned()))
                        })
                    }
                })
            })
        })
    }

    /// The key with this id.
    fn find(&self, py: Python<'_>, key_id: &str) -> PyResult<KeyDetails> {
        self.ask(py, |keys| pollster::block_on(keys.find(read_id(key_id)?)).map(Into::into))
    }

    /// Some keys, the newest first, and the cursor of the next page, if there is one.
    #[pyo3(signature = (limit, *, cursor=None, state=None, name=None, owner=None))]
    fn page(
        &self,
        py: Python<'_>,
        limit: u32,
        cursor: Option<&str>,
        state: Option<&str>,
        name: Option<String>,
        owner: Option<&str>,
    ) -> PyResult<(Vec<KeyDetails>, Option<String>)> {
        let after = cursor.map(str::parse::<Cursor>).transpose();
        let after = after.map_err(|error| invalid_input(py, "cursor", &error))?;
        let state = state.map(str::parse::<KeyState>).transpose();
        let state = state.map_err(|error| invalid_input(py, "state", &error))?;
        let owner = owner.map(|owner| read_owner(py, owner)).transpose()?;
        let filter = KeyFilter::new(state, name).with_owner(owner);
        let request = PageRequest::default().with_filter(filter).after(after).with_limit(limit);
        self.ask(py, |keys| {
            let page = pollster::block_on(keys.page(request))?;
            let next = page.next.map(|next| next.to_string());
            Ok((page.keys.into_iter().map(Into::into).collect(), next))
        })
    }

    /// Changes what is given of the key with this id. `expires_at` is in Unix seconds.
    #[pyo3(signature = (key_id, *, name=None, owner=None, expires_at=None, never_expires=false))]
    fn edit(
        &self,
        py: Python<'_>,
        key_id: &str,
        name: Option<&str>,
        owner: Option<&str>,
        expires_at: Option<i64>,
        never_expires: bool,
    ) -> PyResult<Change> {
        let edit = KeyEdit::default()
            .with_name(name.map(|name| read_name(py, name)).transpose()?)
            .with_owner(owner.map(|owner| read_owner(py, owner)).transpose()?)
            .with_expiry(read_expiry(expires_at, never_expires));
        self.change(py, |keys| {
            pollster::block_on(async {
                let id = read_id(key_id)?;
                let edited = keys.edit(id, edit).by(Actor::Secret).committed().await?;
                Ok(shown(keys, edited).await)
            })
        })
    }

    /// Revokes the key with this id.
    fn revoke(&self, py: Python<'_>, key_id: &str) -> PyResult<Change> {
        self.change(py, |keys| {
            pollster::block_on(async {
                let id = read_id(key_id)?;
                let revoked = keys.revoke(id).by(Actor::Secret).committed().await?;
                Ok(shown(keys, revoked).await)
            })
        })
    }

    /// Renews the key with this id: until `expires_at`, in Unix seconds.
    #[pyo3(signature = (key_id, *, expires_at=None, never_expires=false))]
    fn renew(
        &self,
        py: Python<'_>,
        key_id: &str,
        expires_at: Option<i64>,
        never_expires: bool,
    ) -> PyResult<Change> {
        let renewal = read_expiry(expires_at, never_expires).into();
        self.change(py, |keys| {
            pollster::block_on(async {
                let id = read_id(key_id)?;
                let renewed = keys.renew(id, renewal).by(Actor::Secret).committed().await?;
                Ok(shown(keys, renewed.map(|renewed| renewed.record)).await)
            })
        })
    }

    /// Removes the key with this id.
    fn delete(&self, py: Python<'_>, key_id: &str) -> PyResult<Change> {
        self.change(py, |keys| {
            pollster::block_on(async {
                let id = read_id(key_id)?;
                Ok(keys.delete(id).by(Actor::Secret).committed().await?.map(|()| Changed::of(id)))
            })
        })
    }

    /// Revokes the key with this id, or this whole key.
    fn revoke_named(&self, py: Python<'_>, key: &str) -> PyResult<Change> {
        self.change(py, |keys| {
            pollster::block_on(async {
                let id = keys.identify(key).await?;
                Ok(keys
                    .revoke(id)
                    .by(Actor::Secret)
                    .committed()
                    .await?
                    .map(|record| Changed::of(record.id)))
            })
        })
    }

    /// Renews the key with this id, or this whole key: until `expires_at`, in Unix seconds. A key that
    /// never expires stays so, as in 1.x.
    fn renew_named(&self, py: Python<'_>, key: &str, expires_at: Option<i64>) -> PyResult<Change> {
        let date = expires_at.map(Timestamp::from_seconds);
        let renewal = date.map_or(Renewal::DefaultLifetime, Renewal::Date);
        self.change(py, |keys| {
            pollster::block_on(async {
                let id = keys.identify(key).await?;
                let renewed = keys.renew(id, renewal).by(Actor::Secret).committed().await?;
                Ok(renewed.map(|it| Changed {
                    renewed: Some((it.record.expires_at, it.was_revoked)),
                    ..Changed::of(it.record.id)
                }))
            })
        })
    }

    /// All keys with their usage, last used first.
    fn logs(&self, py: Python<'_>) -> PyResult<Vec<KeyDetails>> {
        self.ask(py, |keys| {
            let rows = pollster::block_on(keys.list())?;
            let details = |(record, usage): (KeyRecord, Usage)| {
                // The routes of 1.x show no state.
                let state = record.state(Timestamp::MIN);
                simple_security::KeyDetails::new(record, state, usage).into()
            };
            Ok(rows.into_iter().map(details).collect())
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

    fn change(
        &self,
        py: Python<'_>,
        change: impl FnOnce(&ApiKeys) -> Result<Committed<Changed>, KeyError> + Send,
    ) -> PyResult<Change> {
        let (changed, effective_by, remaining) = self.ask(py, |keys| {
            let committed = change(keys)?;
            let effective_by = committed.effective_by.to_string();
            let remaining = committed.remaining().as_secs_f64();
            Ok((committed.outcome, effective_by, remaining))
        })?;
        let Changed { id, key, plain_key, renewed } = changed;
        Ok(Change {
            id: id.to_string(),
            key: key.map(|key| Py::new(py, KeyDetails::from(key))).transpose()?,
            plain_key,
            expiration_date: renewed.map(|(date, _)| date.seconds()),
            was_revoked: renewed.is_some_and(|(_, was_revoked)| was_revoked),
            effective_by,
            remaining,
        })
    }
}

impl Changed {
    fn of(id: KeyId) -> Self {
        Self { id, key: None, plain_key: None, renewed: None }
    }
}

impl From<simple_security::KeyDetails> for KeyDetails {
    fn from(key: simple_security::KeyDetails) -> Self {
        let simple_security::KeyDetails { record, state, usage, .. } = key;
        Self {
            id: record.id.to_string(),
            name: record.name.as_str().to_owned(),
            owner: record.owner.as_str().to_owned(),
            state: state.as_str(),
            created_at: record.created_at.seconds(),
            expires_at: record.expiry().date().map(Timestamp::seconds),
            expiration_date: record.expires_at.seconds(),
            revoked_at: record.revoked_at.map(Timestamp::seconds),
            total: usage.total,
            last_used_at: usage.last_used_at.map(Timestamp::seconds),
        }
    }
}

/// The key as it is after a change.
async fn shown(keys: &ApiKeys, changed: Committed<KeyRecord>) -> Committed<Changed> {
    let details = keys.details_after(changed.outcome.clone()).await;
    changed.map(|record| Changed { key: Some(details), ..Changed::of(record.id) })
}

/// A text that has not the form of an id is the id of no key.
fn read_id(text: &str) -> Result<KeyId, KeyError> {
    text.parse().map_err(|_| KeyError::NotFound)
}

fn read_name(py: Python<'_>, name: &str) -> PyResult<KeyName> {
    KeyName::new(name).map_err(|error| invalid_input(py, "name", &error))
}

fn read_owner(py: Python<'_>, owner: &str) -> PyResult<Owner> {
    Owner::new(owner).map_err(|error| invalid_input(py, "owner", &error))
}

/// `None`: neither was given.
fn read_expiry(expires_at: Option<i64>, never_expires: bool) -> Option<Expiry> {
    let date = || expires_at.map(|date| Expiry::At(Timestamp::from_seconds(date)));
    if never_expires { Some(Expiry::Never) } else { date() }
}
