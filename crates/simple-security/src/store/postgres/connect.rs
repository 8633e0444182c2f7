//! Connecting: to the primary alone, encrypted unless the server is this machine.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Connect;
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::{Host, LoadBalanceHosts, SslMode, TargetSessionAttrs};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Error, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::errors::Translator;
use crate::store::OpenError;
use crate::store::location::Server;
use crate::store::network::tls;

/// How long all servers of a URL may take, each a part of it: less than a lookup may.
const CONNECTING: Duration = Duration::from_millis(800);

/// How long what was sent may stay unconfirmed, and a silent connection unasked.
const SILENCE: Duration = Duration::from_secs(5);

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    /// One for each server of the URL.
    servers: Arc<[Config]>,
    tls: MakeRustlsConnect,
}

/// What drives a connection, and hears what the server says unasked.
pub(super) type Driver = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

impl Connector {
    pub(super) fn new(server: &Server, errors: &Translator) -> Result<Self, OpenError> {
        // What the library says of it is kept back: it may repeat a piece of a password.
        let config: Config = server.url.expose_secret().parse().map_err(|_| {
            errors.unsuitable("its URL cannot be read. In user and password, write what is not a letter or a digit as %XX; leave out parameters that are not of libpq")
        })?;
        let servers = each_server(&config, server.encrypted);
        let encrypted = servers.iter().any(|server| server.get_ssl_mode() == SslMode::Require);
        let tls = match encrypted {
            true => tls::client_config(errors.place(), server.root_certificates.as_deref())?,
            false => tls::unused(errors.place())?,
        };
        Ok(Self { servers: servers.into(), tls: MakeRustlsConnect::new(tls) })
    }

    /// Connects to the first server that takes writes. One that does not answer is passed over.
    pub(super) async fn connect(&self) -> Result<(Client, Driver), Error> {
        let share = CONNECTING / self.servers.len().max(1) as u32;
        let Some((last, others)) = self.servers.split_last() else {
            return Config::new().connect(self.tls.clone()).await;
        };
        for server in others {
            if let Ok(Ok(connected)) = timeout(share, server.connect(self.tls.clone())).await {
                return Ok(connected);
            }
        }
        last.connect(self.tls.clone()).await
    }
}

impl Connect for Connector {
    fn connect(
        &self,
        _: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        Box::pin(async move {
            let (client, driver) = Self::connect(self).await?;
            // Whoever waits for an answer learns that the connection has ended.
            let driven = tokio::spawn(async move { drop(driver.await) });
            Ok((client, driven))
        })
    }
}

/// A configuration for each server, whatever the URL says of these settings.
fn each_server(config: &Config, encrypted: Option<bool>) -> Vec<Config> {
    let (hosts, addresses, ports) =
        (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = hosts.len().max(addresses.len());
    let share = CONNECTING / count.max(1) as u32;
    let server = |index: usize| {
        let (host, address) = (hosts.get(index), addresses.get(index));
        let mut one = Config::new();
        if let Some(user) = config.get_user() {
            one.user(user);
        }
        if let Some(password) = config.get_password() {
            one.password(password);
        }
        if let Some(database) = config.get_dbname() {
            one.dbname(database);
        }
        if let Some(options) = config.get_options() {
            one.options(options);
        }
        match host {
            Some(Host::Tcp(name)) => drop(one.host(name)),
            #[cfg(unix)]
            Some(Host::Unix(path)) => drop(one.host_path(path)),
            None => {}
        }
        if let Some(address) = address {
            one.hostaddr(*address);
        }
        if let Some(port) = ports.get(index).or_else(|| ports.first()) {
            one.port(*port);
        }
        one.application_name(config.get_application_name().unwrap_or("simple-security"))
            .channel_binding(config.get_channel_binding())
            .ssl_negotiation(config.get_ssl_negotiation())
            .ssl_mode(ssl_mode(host, address, encrypted))
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .load_balance_hosts(LoadBalanceHosts::Disable)
            .connect_timeout(share)
            .tcp_user_timeout(SILENCE)
            .keepalives(true)
            .keepalives_idle(SILENCE)
            .keepalives_interval(Duration::from_secs(2))
            .keepalives_retries(3);
        one
    };
    (0..count).map(server).collect()
}

/// Never `prefer`, which an attacker in between turns into plain text. Where there is a `hostaddr`,
/// the library connects to it, whatever the host is, so it alone says whether that is this machine.
fn ssl_mode(host: Option<&Host>, address: Option<&IpAddr>, encrypted: Option<bool>) -> SslMode {
    let here = match (address, host) {
        (Some(address), _) => address.is_loopback(),
        #[cfg(unix)]
        (None, Some(Host::Unix(_))) => return SslMode::Disable,
        (None, Some(Host::Tcp(name))) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
        (None, None) => false,
    };
    if encrypted.unwrap_or(!here) { SslMode::Require } else { SslMode::Disable }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_in_plain_text() {
        let mode = |host: &str, encrypted| {
            let config: Config = format!("postgres://u@{host}/db").parse().expect("a URL");
            each_server(&config, encrypted)
                .iter()
                .map(|server| server.get_ssl_mode() == SslMode::Require)
                .collect::<Vec<_>>()
        };
        assert_eq!(mode("localhost,127.0.0.1,[::1],%2Frun", None), [false; 4]);
        assert_eq!(mode("db.example.org,10.0.0.1,localhost.example", None), [true; 3]);
        assert_eq!(mode("db.example.org", Some(false)), [false]);
        assert_eq!(mode("localhost,%2Frun", Some(true)), [true, false]);
    }

    #[test]
    fn the_address_that_is_connected_to_decides() {
        let mode = |hosts: &str, addresses: &str| {
            let url = format!("postgres://u@{hosts}/db?hostaddr={addresses}");
            let config: Config = url.parse().expect("a URL");
            each_server(&config, None)
                .iter()
                .map(|server| server.get_ssl_mode() == SslMode::Require)
                .collect::<Vec<_>>()
        };
        assert_eq!(mode("localhost,127.0.0.1,%2Frun", "10.0.0.5,10.0.0.6,10.0.0.7"), [true; 3]);
        assert_eq!(mode("", "10.0.0.5"), [true]);
        assert_eq!(mode("db.example.org,%2Frun", "127.0.0.1,::1"), [false; 2]);
    }

    #[test]
    fn every_server_must_be_the_primary() {
        let url = "postgres://u:p@a:1,b:2/db?target_session_attrs=any&load_balance_hosts=random";
        let servers = each_server(&url.parse().expect("a URL"), None);
        for (server, port) in servers.iter().zip([1, 2]) {
            assert_eq!(server.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
            assert_eq!((server.get_ports(), server.get_dbname()), (&[port][..], Some("db")));
            assert_eq!(server.get_hosts().len(), 1);
        }
        assert_eq!(servers.len(), 2);
    }
}
