//! HTTP/1.1 by hand: what is sent is what is written here, byte for byte.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than all limits of the server. Who waits so long has found a fault.
const LONGEST: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// A connection.
pub struct Connection(pub BufReader<TcpStream>);

impl Answer {
    /// The one value of a header.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(header, _)| header == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} twice: {self:?}");
        value
    }

    /// The same without what differs from one answer to the next.
    pub fn undated(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "date");
        self
    }
}

impl Connection {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(LONGEST)).expect("a limit");
        Self(BufReader::new(stream))
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// The next answer; `None` when the server has closed the connection.
    pub fn read(&mut self) -> Option<Answer> {
        self.read_answer(true)
    }

    /// The same to HEAD, which has no body whatever its length says (RFC 9112, section 6.3).
    pub fn read_head(&mut self) -> Option<Answer> {
        self.read_answer(false)
    }

    fn read_answer(&mut self, has_body: bool) -> Option<Answer> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            match self.0.read_line(&mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) if is_end(&error) => return None,
                Err(error) => panic!("after {lines:?}: {error}"),
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let mut lines = lines.into_iter();
        let first = lines.next().expect("a status line");
        let status = first.split(' ').nth(1).expect("a status").parse().expect("a number");
        let headers: Vec<(String, String)> = lines
            .map(|line| {
                line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()))
            })
            .map(|header| header.unwrap_or_else(|| panic!("no header in {first}")))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.filter(|_| has_body);
        let length = length.map_or(0, |(_, length)| length.parse().expect("a number"));
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("the body");
        Some(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Whether the server closes the connection, and sends nothing before.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(error) => is_end(&error),
        }
    }
}

/// The answer to these bytes, on a connection of its own.
#[track_caller]
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut connection = Connection::open(address);
    // The server may answer and close before it has read all.
    let _ = connection.send(bytes);
    let answer = match bytes.starts_with(b"HEAD ") {
        true => connection.read_head(),
        false => connection.read(),
    };
    answer.unwrap_or_else(|| panic!("no answer to {}", String::from_utf8_lossy(bytes)))
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
