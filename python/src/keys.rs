//! Changes and reads keys, for `security.keys`.

use pyo3::prelude::*;
use simple_security::{
    ApiKeys, Committed, Cursor, Expiry, KeyEdit, KeyError, KeyFilter, KeyId, KeyRecord, NewKey,
    PageRequest, PlainKey,
};

use crate::arguments;
use crate::details::{IssuedKey, KeyDetails};
use crate::engine::Engine;

/// The keys of one engine. Each method may block: it releases the GIL.
///
/// A method that changes keys returns when the change is committed. The caller then waits for `remaining`,
/// without holding a thread of a pool.
#[pyclass(frozen, module = "fastapi_simple_security._core")]
pub struct Keys {
    engine: Py<Engine>,
}

/// A change that is committed.
#[pyclass(frozen, generic, get_all, module = "fastapi_simple_security._core")]
pub struct Change {
    /// The id of the key.
    id: String,
    /// The key as it is now, an `IssuedKey` where it was issued; `None` where it was deleted.
    key: Option<Py<KeyDetails>>,
    /// How many seconds it takes until all processes honour the change.
    remaining: f64,
}

/// Which keys to list.
#[pyclass(frozen, module = "fastapi_simple_security._core")]
pub struct KeyQuery {
    engine: Py<Engine>,
    filter: KeyFilter,
}

/// Some keys, the newest first.
#[pyclass(frozen, module = "fastapi_simple_security._core")]
pub struct KeyPage {
    #[pyo3(get)]
    keys: Vec<Py<KeyDetails>>,
    next: Option<Cursor>,
}

#[pymethods]
impl Keys {
    #[new]
    fn new(engine: Py<Engine>) -> Self {
        Self { engine }
    }

    /// Issues a key, or imports the caller's own.
    fn issue(
        &self,
        py: Python<'_>,
        name: &Bound<'_, PyAny>,
        owner: &Bound<'_, PyAny>,
        expires_at: &Bound<'_, PyAny>,
        key: &Bound<'_, PyAny>,
    ) -> PyResult<Change> {
        let new = NewKey::named(arguments::name(name)?)
            .with_owner(arguments::owner(owner)?)
            .with_expiry(read_expiry(expires_at)?);
        let import = arguments::optional_text("key", key)?;
        let committed = self.change(py, |keys| {
            pollster::block_on(async {
                Ok(match import {
                    Some(key) => {
                        let imported = keys.import(key, new).committed().await?;
                        imported.map(|record| (record, None))
                    }
                    None => {
                        let issued = keys.issue(new).committed().await?;
                        issued.map(|issued| (issued.record, Some(issued.key)))
                    }
                })
            })
        })?;
        let remaining = committed.remaining().as_secs_f64();
        let (record, key): (KeyRecord, Option<PlainKey>) = committed.outcome;
        let id = record.id.to_string();
        let key = IssuedKey::new(py, record, key)?.into_super().unbind();
        Ok(Change { id, key: Some(key), remaining })
    }

    /// The key with this id.
    fn get(&self, py: Python<'_>, id: &Bound<'_, PyAny>) -> PyResult<KeyDetails> {
        let id = arguments::text("id", id)?;
        let ask = |keys: &ApiKeys| pollster::block_on(keys.find(read_id(id)?));
        self.engine.get().with(py, ask).map(Into::into)
    }

    /// The keys of this state, with this text in their name, of this owner. `None`: any.
    fn query(
        &self,
        py: Python<'_>,
        state: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        owner: &Bound<'_, PyAny>,
    ) -> PyResult<KeyQuery> {
        let state = arguments::state(state)?;
        let name = arguments::optional_text("name", name)?.map(str::to_owned);
        let owner = if owner.is_none() { None } else { Some(arguments::owner(owner)?) };
        let filter = KeyFilter::new(state, name).with_owner(owner);
        Ok(KeyQuery { engine: self.engine.clone_ref(py), filter })
    }

    /// Changes the name, the owner and the expiry of the key with this id. `...`: as before.
    fn edit(
        &self,
        py: Python<'_>,
        id: &Bound<'_, PyAny>,
        name: &Bound<'_, PyAny>,
        owner: &Bound<'_, PyAny>,
        expires_at: &Bound<'_, PyAny>,
    ) -> PyResult<Change> {
        let id = arguments::text("id", id)?;
        let edit = KeyEdit::default()
            .with_name(arguments::given(name).map(arguments::name).transpose()?)
            .with_owner(arguments::given(owner).map(arguments::owner).transpose()?)
            .with_expiry(read_expiry(expires_at)?);
        self.change_details(py, |keys| {
            pollster::block_on(async {
                let edited = keys.edit(read_id(id)?, edit).committed().await?;
                Ok(edited.with_details(keys).await)
            })
        })
    }

    /// Revokes the key with this id.
    fn revoke(&self, py: Python<'_>, id: &Bound<'_, PyAny>) -> PyResult<Change> {
        let id = arguments::text("id", id)?;
        self.change_details(py, |keys| {
            pollster::block_on(async {
                let revoked = keys.revoke(read_id(id)?).committed().await?;
                Ok(revoked.with_details(keys).await)
            })
        })
    }

    /// Renews the key with this id.
    fn renew(
        &self,
        py: Python<'_>,
        id: &Bound<'_, PyAny>,
        expires_at: &Bound<'_, PyAny>,
    ) -> PyResult<Change> {
        let id = arguments::text("id", id)?;
        let renewal = read_expiry(expires_at)?.into();
        self.change_details(py, |keys| {
            pollster::block_on(async {
                let renewed = keys.renew(read_id(id)?, renewal).committed().await?;
                Ok(renewed.map(|renewed| renewed.record).with_details(keys).await)
            })
        })
    }

    /// Permanently removes the key with this id.
    fn delete(&self, py: Python<'_>, id: &Bound<'_, PyAny>) -> PyResult<Change> {
        let id = arguments::text("id", id)?;
        let committed = self.change(py, |keys| {
            pollster::block_on(async {
                let id = read_id(id)?;
                Ok(keys.delete(id).committed().await?.map(|()| id))
            })
        })?;
        let remaining = committed.remaining().as_secs_f64();
        Ok(Change { id: committed.outcome.to_string(), key: None, remaining })
    }
}

#[pymethods]
impl KeyQuery {
    /// The first page, or the one after this.
    fn page(&self, py: Python<'_>, after: Option<&Bound<'_, KeyPage>>) -> PyResult<KeyPage> {
        let request = PageRequest::default()
            .with_filter(self.filter.clone())
            .after(after.and_then(|page| page.get().next));
        let ask = |keys: &ApiKeys| pollster::block_on(keys.page(request));
        let page = self.engine.get().with(py, ask)?;
        let keys = page.keys.into_iter().map(|key| Py::new(py, KeyDetails::from(key)));
        Ok(KeyPage { keys: keys.collect::<PyResult<_>>()?, next: page.next })
    }
}

#[pymethods]
impl KeyPage {
    /// Whether there is no page after it.
    #[getter]
    fn is_last(&self) -> bool {
        self.next.is_none()
    }
}

impl Keys {
    fn change<T: Send>(
        &self,
        py: Python<'_>,
        change: impl FnOnce(&ApiKeys) -> Result<Committed<T>, KeyError> + Send,
    ) -> PyResult<Committed<T>> {
        self.engine.get().with(py, change)
    }

    fn change_details(
        &self,
        py: Python<'_>,
        change: impl FnOnce(&ApiKeys) -> Result<Committed<simple_security::KeyDetails>, KeyError> + Send,
    ) -> PyResult<Change> {
        let committed = self.change(py, change)?;
        let remaining = committed.remaining().as_secs_f64();
        let id = committed.outcome.record.id.to_string();
        let key = Py::new(py, KeyDetails::from(committed.outcome))?;
        Ok(Change { id, key: Some(key), remaining })
    }
}

/// A malformed id is the id of no key.
fn read_id(text: &str) -> Result<KeyId, KeyError> {
    text.parse().map_err(|_| KeyError::NotFound)
}

/// `None`: as the settings say, or as before.
fn read_expiry(value: &Bound<'_, PyAny>) -> PyResult<Option<Expiry>> {
    arguments::given(value).map(arguments::expiry).transpose()
}
