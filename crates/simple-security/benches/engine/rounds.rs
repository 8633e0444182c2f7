//! Measures that are taken in turn, in rounds.

use std::time::{Duration, Instant};

use serde_json::json;

/// How long one batch of a measure takes, about.
const BATCH: Duration = Duration::from_millis(10);
const FIRST: usize = 64;

/// Does something so many times, and says how long it took.
type Batch<'a> = Box<dyn FnMut(usize) -> Duration + 'a>;

/// What is measured, by its name.
pub struct Measure<'a> {
    name: String,
    batch: Batch<'a>,
}

impl<'a> Measure<'a> {
    pub fn new(name: &str, mut once: impl FnMut() + 'a) -> Self {
        Self::by_batches(name, move |times| {
            timed(|| {
                for _ in 0..times {
                    once();
                }
            })
        })
    }

    pub fn by_batches(name: &str, batch: impl FnMut(usize) -> Duration + 'a) -> Self {
        Self { name: name.to_owned(), batch: Box::new(batch) }
    }

    /// How many times fit in a batch. This also warms it up.
    fn size(&mut self) -> usize {
        let mut size = FIRST;
        loop {
            let took = (self.batch)(size);
            if took >= BATCH {
                return size;
            }
            let wanted = BATCH.as_secs_f64() / took.as_secs_f64().max(1e-9) * 1.1;
            size = (size as f64 * wanted.clamp(1.1, 100.0)) as usize;
        }
    }
}

/// Takes all measures in turn, another one first in each round, and prints the nanoseconds that
/// each took in each round.
pub fn print(mut measures: Vec<Measure<'_>>, rounds: usize) {
    let sizes: Vec<usize> = measures.iter_mut().map(Measure::size).collect();
    let mut taken = vec![Vec::with_capacity(rounds); measures.len()];
    for round in 0..rounds {
        for step in 0..measures.len() {
            let turn = (round + step) % measures.len();
            let took = (measures[turn].batch)(sizes[turn]);
            taken[turn].push(took.as_nanos() as f64 / sizes[turn] as f64);
        }
    }
    for (measure, nanoseconds) in measures.iter().zip(taken) {
        print_rounds(&measure.name, &nanoseconds);
    }
}

pub fn print_rounds(name: &str, nanoseconds: &[f64]) {
    println!("{}", json!({"name": name, "nanoseconds": nanoseconds}));
}

pub fn timed(work: impl FnOnce()) -> Duration {
    let began = now();
    work();
    now() - began
}

#[allow(clippy::disallowed_methods, reason = "what is measured here is time itself")]
pub fn now() -> Instant {
    Instant::now()
}
