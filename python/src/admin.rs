//! The resource API for an ASGI application: one request is one call of the Rust router, in process.
//!
//! A thread that may block polls the router, in steps. A step ends with the response, or when the router
//! needs more of the body: no thread is held while the event loop receives it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};
use std::{io, mem};

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use simple_security_admin::{ClientAddress, EffectiveIn, Problem};
use tower::ServiceExt as _;

use crate::engine::Engine;
use crate::fork::Owned;
use crate::opened::forked_meanwhile;

/// All but what stands for itself in a path (RFC 3986, section 2.3), and `/`.
const NOT_IN_PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
/// A query keeps its separators and what is encoded already.
const NOT_IN_QUERY: &AsciiSet = &NOT_IN_PATH.remove(b'%').remove(b'&').remove(b'=').remove(b'+');

/// What the router reads of the headers.
static READ: [HeaderName; 4] =
    [HeaderName::from_static("secret-key"), CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING];

/// A request to the resource API.
#[pyclass(frozen, module = "fastapi_simple_security._core")]
pub struct AdminRequest {
    engine: Py<Engine>,
    body: Arc<Received>,
    /// The path and the query do not fit into a URI.
    too_long: bool,
    progress: Mutex<Progress>,
}

enum Progress {
    Head(Box<Parts>),
    /// A forked child leaves it to the parent.
    Running(Owned<Running>),
    Done,
}

type Running = Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>;

/// The response to it.
#[pyclass(frozen, get_all, module = "fastapi_simple_security._core")]
pub struct AdminResponse {
    status: u16,
    /// Names, in small letters, and values.
    headers: Vec<(Py<PyBytes>, Py<PyBytes>)>,
    body: Py<PyBytes>,
    /// How many seconds to wait before the response is sent, because the client asked for it.
    wait: f64,
}

#[pymethods]
impl AdminRequest {
    /// `path` is decoded and relative to the router; `query` is as it was sent.
    #[new]
    fn new(
        engine: Py<Engine>,
        method: &str,
        path: &[u8],
        query: &[u8],
        headers: &Bound<'_, PyList>,
        client: String,
    ) -> PyResult<Self> {
        let path = percent_encode(path, NOT_IN_PATH);
        let query = percent_encode(query, NOT_IN_QUERY);
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = Method::from_bytes(method.as_bytes()).map_err(invalid)?;
        let uri = format!("{path}?{query}").parse();
        let too_long = uri.is_err();
        parts.uri = uri.unwrap_or_default();
        for (name, value) in read_headers(headers)? {
            parts.headers.append(name, value);
        }
        parts.extensions.insert(ClientAddress(client));
        let progress = Mutex::new(Progress::Head(Box::new(parts)));
        Ok(Self { engine, body: Arc::default(), too_long, progress })
    }

    /// Runs until there is a response; `None`: more of the body is needed first. Blocks as long as the
    /// store takes. Opens the store, if it is not open.
    fn run(&self, py: Python<'_>) -> PyResult<Option<AdminResponse>> {
        // Do not wait for the lock with the GIL: the thread that holds the lock will need it.
        let mut progress = match self.progress.try_lock() {
            Ok(progress) => progress,
            Err(TryLockError::Poisoned(_)) => return Err(already_done()),
            Err(TryLockError::WouldBlock) => {
                return Err(PyRuntimeError::new_err("another thread runs the request"));
            }
        };
        let mut running = match mem::replace(&mut *progress, Progress::Done) {
            Progress::Head(parts) => self.start(py, *parts)?,
            Progress::Running(running) => running,
            Progress::Done => return Err(already_done()),
        };
        let future = running.get_mut().ok_or_else(forked_meanwhile)?;
        // Outside tokio the router waits for nothing but its body.
        let polled = py.detach(|| future.as_mut().poll(&mut Context::from_waker(Waker::noop())));
        match polled {
            Poll::Ready(response) => {
                drop(running.take());
                Ok(Some(AdminResponse::new(py, response)))
            }
            Poll::Pending if self.body.lock().is_left_over() => Err(PyRuntimeError::new_err(
                "a route of the resource API waits for something other than its body",
            )),
            Poll::Pending => {
                *progress = Progress::Running(running);
                Ok(None)
            }
        }
    }

    /// Hands over a part of the body.
    fn feed(&self, part: &[u8]) {
        if !part.is_empty() {
            self.body.lock().parts.push_back(Bytes::copy_from_slice(part));
        }
    }

    /// The body is complete.
    fn end(&self) {
        self.body.lock().end.get_or_insert(Ok(()));
    }

    /// The client has disconnected before the end of the body.
    fn disconnect(&self) {
        self.body.lock().end = Some(Err(()));
    }
}

impl AdminRequest {
    fn start(&self, py: Python<'_>, parts: Parts) -> PyResult<Owned<Running>> {
        let opened = self.engine.get().opened(py)?;
        let router = opened.get().ok_or_else(forked_meanwhile)?.admin();
        let request = Request::from_parts(parts, Body::new(RequestBody(self.body.clone())));
        let too_long = self.too_long;
        Ok(Owned::new(Box::pin(async move {
            let Ok(response) = router.oneshot(request).await;
            // In place of "no such path", which is for a request that has the secret.
            if too_long && response.status() == StatusCode::NOT_FOUND {
                let detail = "The path and the query are too long";
                return Problem::new(StatusCode::URI_TOO_LONG, "uri_too_long", detail).respond();
            }
            let (parts, body) = response.into_parts();
            // Every body of the router is complete, so that this neither waits nor fails.
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            Response::from_parts(parts, body)
        })))
    }
}

impl AdminResponse {
    fn new(py: Python<'_>, response: Response<Bytes>) -> Self {
        let bytes = |bytes: &[u8]| PyBytes::new(py, bytes).unbind();
        let effective_in = response.extensions().get::<EffectiveIn>();
        let wait = effective_in.filter(|effective_in| effective_in.wait);
        Self {
            status: response.status().as_u16(),
            headers: response
                .headers()
                .iter()
                .map(|(name, value)| (bytes(name.as_ref()), bytes(value.as_bytes())))
                .collect(),
            body: bytes(response.body()),
            wait: wait.map_or(0.0, |effective_in| effective_in.remaining.as_secs_f64()),
        }
    }
}

#[pymethods]
impl AdminResponse {
    /// The response if the store cannot be opened. `detail` is for the client.
    #[staticmethod]
    fn unavailable(py: Python<'_>, detail: String) -> Self {
        Self::new(py, simple_security_admin::unavailable(detail))
    }
}

/// The OpenAPI document of the resource API, as JSON.
#[pyfunction]
pub(crate) fn openapi() -> PyResult<String> {
    simple_security_admin::openapi().to_json().map_err(invalid)
}

/// What was received of a body.
#[derive(Default)]
struct Received(Mutex<Parted>);

#[derive(Default)]
struct Parted {
    parts: VecDeque<Bytes>,
    /// Whether it came to its end, or the client disconnected before.
    end: Option<Result<(), ()>>,
}

impl Parted {
    /// Whether there is something that the router has not read.
    fn is_left_over(&self) -> bool {
        !self.parts.is_empty() || self.end.is_some()
    }
}

impl Received {
    fn lock(&self) -> MutexGuard<'_, Parted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same, as the router reads it. It is pending while nothing is there: the next step polls it again.
struct RequestBody(Arc<Received>);

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let mut body = self.0.lock();
        match (body.parts.pop_front(), body.end) {
            (Some(part), _) => Poll::Ready(Some(Ok(Frame::data(part)))),
            (None, Some(Ok(()))) => Poll::Ready(None),
            (None, Some(Err(()))) => Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into()))),
            (None, None) => Poll::Pending,
        }
    }
}

/// The headers that the router reads, and no others: a client may send thousands.
fn read_headers(headers: &Bound<'_, PyList>) -> PyResult<Vec<(HeaderName, HeaderValue)>> {
    let mut read = Vec::new();
    for pair in headers.iter() {
        // The specification of ASGI allows any pair, and some servers send lists.
        let name = pair.get_item(0)?.cast_into::<PyBytes>()?;
        let Some(name) =
            READ.iter().find(|read| name.as_bytes().eq_ignore_ascii_case(read.as_str().as_bytes()))
        else {
            continue;
        };
        let value = pair.get_item(1)?.cast_into::<PyBytes>()?;
        // Some clients send a value that HTTP does not allow, and some servers pass it on. It must count
        // as sent, so it is replaced and not left out.
        let value = HeaderValue::from_bytes(value.as_bytes())
            .unwrap_or(HeaderValue::from_static("not a value in HTTP"));
        read.push((name.clone(), value));
    }
    Ok(read)
}

fn invalid(error: impl std::error::Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn already_done() -> PyErr {
    PyRuntimeError::new_err("the request has its response already")
}
