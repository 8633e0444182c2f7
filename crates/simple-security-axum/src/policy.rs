//! What all services of one layer share: how a request is checked, let in and refused.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::Request;
use secrecy::{ExposeSecret, SecretSlice};
use simple_security::{ApiKeys, VerifiedKey, VerifyError};

use crate::credential::{self, Sent};
use crate::extract;
use crate::refusal::{Challenges, Refusal};

/// See [`RequireApiKeyLayer`](crate::RequireApiKeyLayer), whose settings these are.
#[derive(Clone)]
pub(crate) struct Policy {
    pub(crate) keys: Arc<ApiKeys>,
    /// The query parameter is read too.
    pub(crate) reads_query: bool,
    /// The application does not see the credential.
    pub(crate) strips: bool,
    pub(crate) challenges: Challenges,
}

/// What is known of a request at once.
pub(crate) enum Check {
    /// A layer outside of this one, with the same engine, has let it in and counted it.
    PassedBefore,
    /// It may pass, and is counted.
    Verified(VerifiedKey),
    /// It may not pass.
    Refused(Refusal),
    /// The store has to be asked.
    Asked(Answer),
}

/// The answer of the store, when it comes.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<VerifiedKey, VerifyError>> + Send>>;

impl Policy {
    /// Checks a request without waiting. Of a key that is not cached, the store is asked only when
    /// the answer is polled.
    #[inline]
    pub(crate) fn check<R>(&self, request: &Request<R>) -> Check {
        if extract::is_authenticated_by(&self.keys, request.extensions()) {
            return Check::PassedBefore;
        }
        let query = if self.reads_query { request.uri().query() } else { None };
        match credential::read(request.headers(), query) {
            Sent::Nothing => Check::Refused(Refusal::NotPresented),
            Sent::Repeated => Check::Refused(Refusal::Repeated),
            Sent::Once(presented) => match self.keys.try_verify(&*presented) {
                Some(Ok(verified)) => Check::Verified(verified),
                Some(Err(denied)) => Check::Refused(Refusal::Denied(denied)),
                None => Check::Asked(self.ask(&presented)),
            },
        }
    }

    /// Hands the key to the application.
    #[inline]
    pub(crate) fn admit<R>(&self, request: &mut Request<R>, verified: VerifiedKey) {
        extract::insert_key(&self.keys, verified, request.extensions_mut());
        self.strip(request);
    }

    /// Takes the credential out, where the application is not to see it.
    #[inline]
    pub(crate) fn strip<R>(&self, request: &mut Request<R>) {
        if self.strips {
            credential::strip_headers(request.headers_mut());
            if self.reads_query {
                credential::strip_query(request.uri_mut());
            }
        }
    }

    fn ask(&self, presented: &[u8]) -> Answer {
        let keys = Arc::clone(&self.keys);
        // The request moves on with the answer, so the credential in it cannot be borrowed. Too
        // long ones do not come here: they are refused at once.
        let presented = SecretSlice::from(presented.to_vec());
        Box::pin(async move { keys.verify(presented.expose_secret()).await })
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Policy")
            .field("reads_query", &self.reads_query)
            .field("strips", &self.strips)
            .field("challenges", &self.challenges)
            .finish_non_exhaustive()
    }
}
