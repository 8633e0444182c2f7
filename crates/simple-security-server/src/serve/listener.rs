//! The listening socket: the one that systemd passes (socket activation), or one that the server binds.

use std::io;
use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

use crate::failure::Failure;

/// The variables of systemd's protocol (sd_listen_fds(3)).
const SOCKETS: &str = "LISTEN_FDS";
const PROCESS: &str = "LISTEN_PID";

/// Returns the socket that systemd passes to this process, if any. Removes the variables, so that no child
/// process uses the socket; call it before other threads start.
///
/// # Errors
/// If systemd passes anything but one listening TCP socket. Listening elsewhere instead would leave the
/// clients of that socket without answers.
pub(super) fn inherited() -> Result<Option<TcpListener>, Failure> {
    let is_meant = variable(PROCESS).is_some_and(|id| id == std::process::id().to_string());
    let number = variable(SOCKETS).filter(|_| is_meant);
    let Some(number) = number else {
        // The variables are for another process, such as the parent.
        return Ok(None);
    };
    let refused = |problem: String| {
        Failure::Refused(format!(
            "{SOCKETS}: {problem}; give the socket unit one ListenStream= with an address and a port, and no \
             Accept=yes"
        ))
    };
    if number != "1" {
        return Err(refused(format!(
            "{number:?} sockets are handed over, and only 1 can be served"
        )));
    }
    let listener = ListenFd::from_env()
        .take_tcp_listener(0)
        .map_err(|error| refused(error.to_string()))?
        .filter(|listener| socket_acceptconn(listener).unwrap_or(false))
        .ok_or_else(|| refused("the socket does not listen".to_owned()))?;
    listener.set_nonblocking(true).map_err(|error| refused(error.to_string()))?;
    Ok(Some(listener))
}

/// Reads a variable of systemd's protocol.
#[allow(
    clippy::disallowed_methods,
    reason = "adapters read settings in environment.rs; this is not one"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Binds the address. Connections queue there until they are accepted.
pub(super) fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let refused = |error: io::Error| {
        let problem = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "another program listens there; stop it, or choose another port".to_owned()
            }
            io::ErrorKind::PermissionDenied => {
                "this user may not listen there; choose a port from 1024 on".to_owned()
            }
            io::ErrorKind::AddrNotAvailable => {
                "this machine has no such address; 127.0.0.1 is always there".to_owned()
            }
            _ => error.to_string(),
        };
        Failure::Refused(format!("--listen: {address}: {problem}"))
    };
    let listener = TcpListener::bind(address).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    Ok(listener)
}
