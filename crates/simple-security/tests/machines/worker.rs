//! One process of several: it presents keys to an engine of its own, on some threads, until it is told
//! to stop, and says what the engine has answered.

use std::io::{BufRead, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use simple_security::clock::{Clock, SystemClock};
use simple_security::store::{self, KeyStore};
use simple_security::{ApiKeys, VerifyError};

use super::deaf::Deaf;
use super::{engine_builder, location};

/// What a process is to do, as its arguments say it.
pub struct Orders {
    /// Where the keys are.
    pub location: String,
    /// A file with a key in each line.
    pub keys: String,
    /// How many threads present them.
    pub threads: usize,
    /// How many of each of them are accepted; `None`: it goes on until it is told to stop.
    pub requests: Option<u64>,
    /// It hears no hints of the store.
    pub deaf: bool,
}

impl Orders {
    pub fn arguments(&self) -> [String; 5] {
        let Self { location, keys, threads, requests, deaf } = self;
        let requests = requests.unwrap_or(0);
        [
            location.clone(),
            keys.clone(),
            threads.to_string(),
            requests.to_string(),
            deaf.to_string(),
        ]
    }

    pub fn read(arguments: &[String]) -> Self {
        let [location, keys, threads, requests, deaf] = arguments else {
            panic!("five arguments: {arguments:?}");
        };
        let requests = requests.parse().expect("a number");
        Self {
            location: location.clone(),
            keys: keys.clone(),
            threads: threads.parse().expect("a number"),
            requests: (requests > 0).then_some(requests),
            deaf: deaf.parse().expect("true or false"),
        }
    }
}

/// What was answered, in all.
#[derive(Default)]
struct Answers {
    accepted: AtomicU64,
    revoked: AtomicU64,
    unknown: AtomicU64,
    unavailable: AtomicU64,
    other: AtomicU64,
    /// When the last request began that could not be answered, in nanoseconds of uptime.
    last_unavailable: AtomicU64,
}

/// What was answered for one key.
#[derive(Default)]
struct OfKey {
    accepted: AtomicU64,
    /// When the last accepted request began, in nanoseconds of uptime.
    last_began: AtomicU64,
}

struct Load {
    engine: ApiKeys,
    keys: Vec<String>,
    answers: Answers,
    of_keys: Vec<OfKey>,
    stop: AtomicBool,
}

/// Does what the orders say.
pub fn work(orders: &Orders) {
    let keys = std::fs::read_to_string(&orders.keys).expect("the keys");
    let keys: Vec<String> = keys.lines().map(str::to_owned).collect();
    let load = Load {
        engine: open(orders),
        of_keys: keys.iter().map(|_| OfKey::default()).collect(),
        keys,
        answers: Answers::default(),
        stop: AtomicBool::new(false),
    };
    say("ready");
    std::thread::scope(|scope| {
        for thread in 0..orders.threads {
            let load = &load;
            scope.spawn(move || load.present(thread, orders.threads, orders.requests));
        }
        for line in std::io::stdin().lock().lines() {
            match line.expect("an order").as_str() {
                "report" => load.report(),
                _ => break,
            }
        }
        load.stop.store(true, Ordering::SeqCst);
    });
    load.engine.close();
    for (number, of_key) in load.of_keys.iter().enumerate() {
        let accepted = of_key.accepted.load(Ordering::SeqCst);
        say(&format!("key {number} {accepted} {}", of_key.last_began.load(Ordering::SeqCst)));
    }
    load.report();
}

fn open(orders: &Orders) -> ApiKeys {
    let mut store = open_store(&orders.location);
    if orders.deaf {
        store = Arc::new(Deaf(store));
    }
    engine_builder(store).build().expect("an engine")
}

/// Opens the store at a location.
pub fn open_store(place: &str) -> Arc<dyn KeyStore> {
    store::open(&location(place)).unwrap_or_else(|error| panic!("{error}"))
}

impl Load {
    /// Presents one key after the other, each thread from another place on.
    fn present(&self, thread: usize, threads: usize, requests: Option<u64>) {
        let first = self.keys.len() * thread / threads;
        let (mut presented, mut accepted) = (0, 0);
        for number in (0..self.keys.len()).cycle().skip(first) {
            if self.stop.load(Ordering::Relaxed) || requests.is_some_and(|all| accepted >= all) {
                return;
            }
            accepted += u64::from(self.verify(number));
            presented += 1;
            // The others and the store need the processor too.
            if presented % 32 == 0 {
                #[allow(clippy::disallowed_methods, reason = "the pace of the load")]
                std::thread::sleep(Duration::from_micros(500));
            }
        }
    }

    /// Whether it was accepted.
    fn verify(&self, number: usize) -> bool {
        let began = SystemClock.uptime().nanoseconds();
        let verified = pollster::block_on(self.engine.verify(self.keys[number].as_bytes()));
        let answers = &self.answers;
        let accepted = verified.is_ok();
        let counted = match verified {
            Ok(_) => {
                let of_key = &self.of_keys[number];
                of_key.accepted.fetch_add(1, Ordering::SeqCst);
                of_key.last_began.fetch_max(began, Ordering::SeqCst);
                &answers.accepted
            }
            Err(VerifyError::Revoked(_)) => &answers.revoked,
            Err(VerifyError::Unknown) => &answers.unknown,
            Err(error) if error.is_transient() => {
                answers.last_unavailable.fetch_max(began, Ordering::SeqCst);
                &answers.unavailable
            }
            Err(_) => &answers.other,
        };
        counted.fetch_add(1, Ordering::SeqCst);
        accepted
    }

    fn report(&self) {
        let number = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        let answers = &self.answers;
        let least = self.of_keys.iter().map(|of_key| number(&of_key.accepted)).min();
        say(&format!(
            "report {} {} {} {} {} {} {}",
            number(&answers.accepted),
            number(&answers.revoked),
            number(&answers.unknown),
            number(&answers.unavailable),
            number(&answers.other),
            number(&answers.last_unavailable),
            least.unwrap_or(0),
        ));
    }
}

/// Says something to the process that has started this one: at once and whole.
fn say(text: &str) {
    let mut output = std::io::stdout().lock();
    output.write_all(format!("{text}\n").as_bytes()).expect("it is heard");
    output.flush().expect("it is heard");
}
