//! Adding counts: some hundred at a time, each time once.

use super::rows;
use super::scripts::{COUNT, STORE};
use super::server::{CHANGE, Server};
use crate::store::{StoreError, UsageBatch};

/// How many counts are added by one script.
const COUNTS: usize = 200;

/// Adds a batch. What had arrived of it before is not added again, so it may be sent as often as
/// it takes.
pub(super) async fn add(server: &Server, mut batch: UsageBatch) -> Result<(), StoreError> {
    // The same chunks, however often it comes.
    batch.counts.sort_by_key(|(id, ..)| *id);
    let mut commands = redis::pipe();
    // With the commands that need it: the server may have been started anew since the last batch.
    commands.load_script(&COUNT).ignore();
    let number = format!("{:020}", batch.number);
    let writer = rows::hexadecimal(&batch.writer);
    // A batch of nothing counts as one too.
    let nothing = batch.counts.is_empty().then_some(&[][..]);
    for (chunk, counts) in batch.counts.chunks(COUNTS).chain(nothing).enumerate() {
        let mut script = COUNT.key(STORE);
        script.arg(&server.id).arg(&writer).arg(&number).arg(format!("{chunk:010}"));
        for (id, count, last) in counts {
            script.arg(id.as_str()).arg(rows::count(*count)).arg(last.seconds());
        }
        commands.invoke_script(&script).ignore();
    }
    let commands = &commands;
    let send = |mut connection| async move { commands.exec_async(&mut connection).await };
    server.others.ask(CHANGE, send).await
}
