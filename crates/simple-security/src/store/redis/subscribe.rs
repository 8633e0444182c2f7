//! Hearing of changes. It is only a hint: whatever is lost, the next poll finds.

use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::PubSub;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::connect::Connector;
use super::scripts::CHANNEL;
use super::server::{CHANGE, LOOKUP};
use crate::store::network;

/// How long after a connection was lost the next one is made.
const RECONNECT: Duration = Duration::from_millis(250);
/// How long nothing is heard before the server is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(5);

/// Gives a hint for each change of the store `id` that is heard of, for ever.
pub(super) async fn subscribe(connector: &Connector, id: &str, hint: &Notify) {
    let mut is_told = false;
    loop {
        let connecting = connector.subscribe(CHANNEL);
        match network::within(CHANGE, &connector.place, connecting).await {
            Ok(messages) => {
                is_told = false;
                // There may have been changes while nobody listened.
                hint.notify_one();
                hear(messages, id, hint).await;
            }
            Err(error) if !is_told => {
                is_told = true;
                let place = &connector.place;
                tracing::warn!(%place, %error, "changes are known later: nothing is heard of them");
            }
            Err(_) => {}
        }
        sleep(RECONNECT).await;
    }
}

/// Until the connection is lost.
async fn hear(messages: PubSub, id: &str, hint: &Notify) {
    let (mut commands, mut messages) = messages.split();
    loop {
        match timeout(SILENCE, messages.next()).await {
            // All databases of a server share the channel.
            Ok(Some(message)) if message.get_payload_bytes() == id.as_bytes() => hint.notify_one(),
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(_) => match timeout(LOOKUP, commands.ping::<redis::Value>()).await {
                Ok(Ok(_)) => {}
                _ => return,
            },
        }
    }
}
