//! `health`: asks the server of this machine whether it can verify keys.
//!
//! For where there is no curl: an image with nothing in it but this program.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use clap::Args;

use crate::failure::Failure;
use crate::program::Program;
use crate::serve::listening_address;

/// To connect, and for each piece of the answer.
const PATIENCE: Duration = Duration::from_secs(2);
const QUESTION: &[u8] = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
const GOOD: &[u8] = b"HTTP/1.1 200 ";

/// Ask the server on this machine whether it can verify keys.
///
/// It finds the server by the same settings as the server itself. It says nothing and ends with 0 when the
/// server can, and with 1 when it cannot or does not answer.
#[derive(Args)]
#[command(after_help = "Examples:
  PROGRAM health
  PROGRAM health --listen 127.0.0.1:8081")]
pub(crate) struct Health {
    /// The address and port that the server listens on, 127.0.0.1:8080 unless set.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
}

impl Health {
    pub(crate) fn run(self, program: Program) -> Result<(), Failure> {
        let address = reachable(listening_address(program.adapter(), self.listen.as_deref())?);
        match ask(address) {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(Failure::Refused(format!("{address} cannot verify keys now; its log says why")))
            }
            Err(error) => Err(Failure::Refused(format!("{address} does not answer: {error}"))),
        }
    }
}

/// Who listens on all addresses is here too.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

fn ask(address: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(QUESTION)?;
    let mut begin = [0; GOOD.len()];
    stream.read_exact(&mut begin)?;
    Ok(begin == *GOOD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_asked_at_the_nearest() {
        for (listened, asked) in [
            ("0.0.0.0:8081", "127.0.0.1:8081"),
            ("[::]:1", "[::1]:1"),
            ("127.0.0.2:2", "127.0.0.2:2"),
        ] {
            assert_eq!(reachable(listened.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
