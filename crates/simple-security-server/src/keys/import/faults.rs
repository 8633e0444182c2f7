//! What is wrong with the lines of a file.

use std::fmt;

/// How many are told.
const TOLD: usize = 20;

/// The first faults, and how many there are.
pub(super) struct Faults {
    /// What a line is called.
    unit: &'static str,
    told: Vec<(u64, String)>,
    all: u64,
}

impl Faults {
    pub(super) fn new(unit: &'static str) -> Self {
        Self { unit, told: Vec::new(), all: 0 }
    }

    /// What a line is called.
    pub(super) fn unit(&self) -> &'static str {
        self.unit
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all == 0
    }

    pub(super) fn add(&mut self, line: u64, fault: String) {
        self.all += 1;
        if self.told.len() < TOLD {
            self.told.push((line, fault));
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unit, told, all } = self;
        let (are, s) = if *all == 1 { ("is", "") } else { ("are", "s") };
        write!(formatter, "{all} {unit}{s} {are} wrong; nothing was imported")?;
        for (line, fault) in told {
            write!(formatter, "\n  {unit} {line}: {fault}")?;
        }
        match all - told.len() as u64 {
            0 => Ok(()),
            more => write!(formatter, "\n  and {more} more"),
        }
    }
}
