//! `keys show`, `keys revoke`, `keys renew` and `keys delete`

use std::io::{self, IsTerminal as _, Write as _};

use clap::Args;
use simple_security::{Actor, ApiKeys, Expiry as KeyExpiry, KeyDetails, Renewal, Timestamp};
use simple_security_admin::keys::KeyDetails as JsonDetails;

use super::issue::Expiry;
use super::json::line;
use super::named::Named;
use super::{Absent, wait};
use crate::failure::Failure;
use crate::output::{say, standard_output, visible};

/// Show what is known of a key.
#[derive(Args)]
#[command(after_help = "\
Examples:
  PROGRAM keys show Gh29RPWKBo4
  PROGRAM keys show - < file-with-a-key")]
pub(super) struct Show {
    /// The id of the key, or `-`: the id or the whole key on the standard input.
    #[arg(value_name = "ID")]
    id: String,
    /// Print an object in JSON.
    #[arg(long)]
    json: bool,
}

/// Revoke keys. When the command ends, no request that begins is let in by them.
#[derive(Args)]
#[command(after_help = "\
Examples:
  PROGRAM keys revoke Gh29RPWKBo4
  PROGRAM keys revoke - < file-with-a-key-on-each-line")]
pub(super) struct Revoke {
    /// The ids of the keys, or `-`: an id or a whole key on each line of the standard input.
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
}

/// Give a key a new date of expiry, and take back its revocation.
#[derive(Args)]
#[command(after_help = "\
Examples:
  PROGRAM keys renew Gh29RPWKBo4
  PROGRAM keys renew Gh29RPWKBo4 --expires-at 2030-01-31T12:00:00Z")]
pub(super) struct Renew {
    /// The id of the key, or `-`: the id or the whole key on the standard input.
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    expiry: Expiry,
}

/// Remove a key and its usage, for ever. To keep them, revoke it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  PROGRAM keys delete Gh29RPWKBo4
  PROGRAM keys delete Gh29RPWKBo4 --yes")]
pub(super) struct Delete {
    /// The id of the key, or `-`: the id or the whole key on the standard input.
    #[arg(value_name = "ID")]
    id: String,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

impl Show {
    pub(super) fn run(
        self,
        open: impl Fn(Absent) -> Result<ApiKeys, Failure>,
    ) -> Result<(), Failure> {
        let named = Named::one(&self.id)?;
        let keys = open(Absent::Refuse)?;
        let key = wait(keys.find(named.id(&keys)?)).map_err(|error| named.failure(error))?;
        say(&match self.json {
            true => line(&JsonDetails::from(key)),
            false => for_people(&key),
        })
    }
}

impl Revoke {
    pub(super) fn run(
        self,
        open: impl Fn(Absent) -> Result<ApiKeys, Failure>,
    ) -> Result<(), Failure> {
        let named = Named::each(&self.ids)?;
        let keys = open(Absent::Refuse)?;
        // One that fails keeps none of the others from being revoked. All of them are revoked before
        // the first is waited for: on a store that many machines share each wait is long.
        let (mut revoked, mut failures) = (Vec::new(), Vec::new());
        for named in &named {
            let done = named.id(&keys).and_then(|id| {
                wait(keys.revoke(id).by(Actor::CommandLine).committed())
                    .map_err(|error| named.failure(error))
            });
            match done {
                Ok(committed) => revoked.push(committed),
                Err(failure) => failures.push(failure),
            }
        }
        let mut output = standard_output();
        for committed in revoked {
            let record = wait(committed.effective());
            // That it cannot be printed keeps none either.
            drop(writeln!(output, "revoked {}", record.id));
        }
        let _ = output.flush();
        let last = failures.pop();
        for failure in failures {
            failure.report();
        }
        last.map_or(Ok(()), Err)
    }
}

impl Renew {
    pub(super) fn run(
        self,
        open: impl Fn(Absent) -> Result<ApiKeys, Failure>,
    ) -> Result<(), Failure> {
        let renewal = Renewal::from(self.expiry.read()?);
        let named = Named::one(&self.id)?;
        let keys = open(Absent::Refuse)?;
        let renewed = wait(keys.renew(named.id(&keys)?, renewal).by(Actor::CommandLine))
            .map_err(|error| named.failure(error))?;
        let until = match renewed.record.expiry() {
            KeyExpiry::Never => "for ever".to_owned(),
            KeyExpiry::At(date) => format!("until {date}"),
        };
        let before = if renewed.was_revoked { ", it was revoked before" } else { "" };
        say(&format!("renewed {} {until}{before}\n", renewed.record.id))
    }
}

impl Delete {
    pub(super) fn run(
        self,
        open: impl Fn(Absent) -> Result<ApiKeys, Failure>,
    ) -> Result<(), Failure> {
        if !self.yes && (self.id == "-" || !io::stdin().is_terminal()) {
            let text = "there is nobody to ask whether to delete it for ever; say --yes";
            return Err(Failure::Usage(text.to_owned()));
        }
        let named = Named::one(&self.id)?;
        let keys = open(Absent::Refuse)?;
        let key = wait(keys.find(named.id(&keys)?)).map_err(|error| named.failure(error))?;
        if !self.yes && !confirmed(&key)? {
            return Err(Failure::Refused("nothing was deleted".to_owned()));
        }
        wait(keys.delete(key.record.id).by(Actor::CommandLine))
            .map_err(|error| named.failure(error))?;
        say(&format!("deleted {}\n", key.record.id))
    }
}

fn confirmed(key: &KeyDetails) -> Result<bool, Failure> {
    let question = format!("{}Delete it and its usage for ever? [y/N] ", for_people(key));
    let mut answer = String::new();
    io::stderr()
        .lock()
        .write_all(question.as_bytes())
        .and_then(|()| io::stdin().read_line(&mut answer))
        .map_err(|error| Failure::Refused(format!("nobody could be asked: {error}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn for_people(KeyDetails { record, state, usage, .. }: &KeyDetails) -> String {
    let date = |date: Option<Timestamp>| date.map_or("never".to_owned(), |date| date.to_string());
    format!(
        "id         {}\nname       {}\nowner      {}\nstate      {}\ncreated    {}\nexpires    {}\nrevoked    {}\nlast used  {}\ntotal      {}\n",
        record.id,
        visible(record.name.as_str()),
        visible(record.owner.as_str()),
        state.as_str(),
        record.created_at,
        date(record.expiry().date()),
        date(record.revoked_at),
        date(usage.last_used_at),
        usage.total,
    )
}
