//! Making connections: nothing is sent twice by them, and none is made anew by itself.

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion,
    RedisConnectionInfo, RedisError,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;

use super::{errors, tls};
use crate::store::location::Server;
use crate::store::{OpenError, StoreError};

/// Knows the way to a server.
pub(super) struct Connector {
    /// The server in messages: without user and password.
    pub(super) place: String,
    address: ConnectionAddr,
    /// With the password: it has no `Debug`.
    login: RedisConnectionInfo,
    tls: Option<tls::Tls>,
}

/// A connection that many may use at once.
pub(super) struct Connection {
    pub(super) commands: MultiplexedConnection,
    /// What reads and writes; it ends when the connection does.
    pub(super) driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // It may be waiting for a server that never answers.
        self.driver.abort();
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Connector {
    pub(super) fn new(server: &Server) -> Result<Self, OpenError> {
        let place = server.to_string();
        let unsuitable = |reason: &str| OpenError::Unsuitable {
            place: place.clone(),
            reason: reason.to_owned(),
            source: None,
        };
        let url = server.url.expose_secret();
        // Encryption is ours: by the library, each connection would read all certificates anew.
        let (plain, tls) = match url.strip_prefix("rediss://") {
            Some(rest) => {
                let tls = tls::Tls::new(&place, server.root_certificates.as_deref())?;
                (SecretString::from(format!("redis://{rest}")), Some(tls))
            }
            None => (server.url.clone(), None),
        };
        // What the library says of it is left away: it may hold the password.
        let info: ConnectionInfo = plain
            .expose_secret()
            .into_connection_info()
            .map_err(|_| unsuitable("its URL cannot be read; write redis://user:password@host:6379/0, with % and two digits for each character of the password that is no letter or digit"))?;
        let login = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
        Ok(Self { address: info.addr().clone(), login: login.set_skip_set_lib_name(), tls, place })
    }

    /// A new connection, that knows who it is and which database it has.
    pub(super) async fn connect(&self) -> Result<Connection, StoreError> {
        let stream = self.stream().await?;
        // Not by the library, which does not say what the server has said.
        let nobody = RedisConnectionInfo::default().set_skip_set_lib_name();
        let forever = AsyncConnectionConfig::new().set_response_timeout(None);
        let connecting = MultiplexedConnection::new_with_config(&nobody, stream, forever);
        let (commands, driver) = connecting.await.map_err(|error| self.failed(error))?;
        let driver = tokio::spawn(driver);
        let mut connection = Connection { commands, driver };
        let logged_in = self.log_in(&mut connection.commands).await;
        logged_in.map_err(|error| self.failed(error))?;
        Ok(connection)
    }

    async fn log_in(&self, commands: &mut MultiplexedConnection) -> Result<(), RedisError> {
        if let Some(password) = self.login.password() {
            let mut login = redis::cmd("AUTH");
            if let Some(user) = self.login.username() {
                login.arg(user);
            }
            login.arg(password).exec_async(commands).await?;
        }
        if self.login.db() != 0 {
            redis::cmd("SELECT").arg(self.login.db()).exec_async(commands).await?;
        }
        Ok(())
    }

    /// A new connection that hears what is announced.
    pub(super) async fn subscribe(&self, channel: &str) -> Result<PubSub, StoreError> {
        let stream = self.stream().await?;
        let mut messages =
            PubSub::new(&self.login, stream).await.map_err(|error| self.failed(error))?;
        messages.subscribe(channel).await.map_err(|error| self.failed(error))?;
        Ok(messages)
    }

    async fn stream(&self) -> Result<Box<dyn Stream>, StoreError> {
        let unreachable = |error: std::io::Error| StoreError::Unreachable {
            place: self.place.clone(),
            reason: error.to_string(),
            source: Some(error.into()),
        };
        match &self.address {
            ConnectionAddr::Tcp(host, port) => {
                let stream = TcpStream::connect((&**host, *port)).await.map_err(unreachable)?;
                stream.set_nodelay(true).map_err(unreachable)?;
                match &self.tls {
                    None => Ok(Box::new(stream)),
                    Some(tls) => Ok(Box::new(tls.encrypt(&self.place, host, stream).await?)),
                }
            }
            ConnectionAddr::Unix(path) => {
                Ok(Box::new(UnixStream::connect(path).await.map_err(unreachable)?))
            }
            _ => Err(OpenError::Unsuitable {
                place: self.place.clone(),
                reason: "its URL is of a kind that is not known here".to_owned(),
                source: None,
            }
            .into()),
        }
    }

    pub(super) fn failed(&self, error: RedisError) -> StoreError {
        errors::of(&self.place, error)
    }
}
