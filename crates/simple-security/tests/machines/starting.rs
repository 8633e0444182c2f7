//! Many processes that open an empty place at once make one store of it.

use std::io::Write as _;

use simple_security::NewKey;
use tempfile::NamedTempFile;

use super::kinds::Kind;
use super::machine::Machine;
use super::worker::Orders;
use super::{of, team, until, wait};

pub fn ten_at_once(kind: &dyn Kind) {
    for _ in 0..of(1, 5) {
        let location = kind.make_store();
        let mut file = NamedTempFile::new().expect("a file");
        let own = "a key of the caller's own, which is known to nobody".replace(' ', "-");
        writeln!(file, "{own}").expect("written");
        let orders = Orders {
            location: location.clone(),
            keys: file.path().to_str().expect("UTF-8").to_owned(),
            threads: 1,
            requests: None,
            deaf: false,
        };
        let mut machines: Vec<Machine> = (0..10).map(|_| Machine::start(&orders)).collect();
        machines.iter_mut().for_each(Machine::wait_until_ready);
        for machine in &mut machines {
            until("it is unknown at first", || machine.report().unknown > 0);
        }
        let keys = team::open(&location);
        wait(keys.import(&own, NewKey::default())).expect("a key");
        for machine in &mut machines {
            until("it is accepted", || machine.report().accepted > 0);
        }
        for machine in machines {
            let end = machine.stop();
            assert_eq!((end.report.other, end.report.unavailable), (0, 0));
        }
    }
}
