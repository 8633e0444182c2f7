//! A process that works for a test, as a machine of several would.

use std::io::{BufRead, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::worker::Orders;

/// A process that is at work.
pub struct Machine {
    process: Child,
    orders: Option<ChildStdin>,
    said: Lines<BufReader<ChildStdout>>,
}

/// What a process was answered, in all.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    pub accepted: u64,
    pub revoked: u64,
    pub unknown: u64,
    pub unavailable: u64,
    pub other: u64,
    /// When the last request began that could not be answered, in nanoseconds of uptime.
    pub last_unavailable: u64,
    /// How often the key was accepted that was accepted least.
    pub least: u64,
}

/// What a process was answered until its end.
pub struct End {
    pub report: Report,
    /// How often each key was accepted, and when the last of these requests began.
    pub of_keys: Vec<(u64, u64)>,
}

impl Machine {
    /// Starts one. It opens its engine meanwhile.
    pub fn start(orders: &Orders) -> Self {
        let program = std::env::current_exe().expect("the path of this program");
        let mut process = Command::new(program)
            .arg("worker")
            .args(orders.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let said = BufReader::new(process.stdout.take().expect("its output")).lines();
        Self { orders: process.stdin.take(), process, said }
    }

    /// Waits until its engine is open.
    #[track_caller]
    pub fn wait_until_ready(&mut self) {
        assert_eq!(self.next(), "ready");
    }

    #[track_caller]
    pub fn report(&mut self) -> Report {
        let orders = self.orders.as_mut().expect("it is at work");
        orders.write_all(b"report\n").expect("it hears");
        Report::read(&self.next())
    }

    /// Lets it write its counts and end.
    #[track_caller]
    pub fn stop(mut self) -> End {
        drop(self.orders.take());
        let mut of_keys = Vec::new();
        loop {
            let line = self.next();
            let Some(key) = line.strip_prefix("key ") else {
                assert!(self.process.wait().expect("it has ended").success());
                return End { report: Report::read(&line), of_keys };
            };
            let numbers: Vec<u64> =
                key.split(' ').map(|number| number.parse().expect("a number")).collect();
            assert_eq!(numbers[0], of_keys.len() as u64);
            of_keys.push((numbers[1], numbers[2]));
        }
    }

    #[track_caller]
    fn next(&mut self) -> String {
        self.said.next().expect("a process has died").expect("a line")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Fails where it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Report {
    #[track_caller]
    fn read(line: &str) -> Self {
        let numbers = line.strip_prefix("report ").unwrap_or_else(|| panic!("a report: {line:?}"));
        let numbers: Vec<u64> =
            numbers.split(' ').map(|number| number.parse().expect("a number")).collect();
        let [accepted, revoked, unknown, unavailable, other, last_unavailable, least] = numbers[..]
        else {
            panic!("seven numbers: {line:?}");
        };
        Self { accepted, revoked, unknown, unavailable, other, last_unavailable, least }
    }
}
