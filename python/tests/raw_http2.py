"""Requests over HTTP/2 in clear text with any pseudo-headers, names and trailers."""

import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

Headers = Sequence[tuple[bytes, bytes]]
# Seconds to wait for each piece of an answer.
DEADLINE = 5.0


@dataclass
class Reply:
    """What came back. `status` is `None` if the stream or the connection ended without any."""

    status: int | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    data: bytes = b""
    offers_web_sockets: bool = False
    ended: bool = False


def exchange(
    port: int,
    headers: Headers,
    content: bytes = b"",
    trailers: Headers = (),
    *,
    waits: bool = False,
) -> Reply:
    """One request on a connection of its own. With `waits` its content is sent after the head of
    the answer, as in a tunnel."""
    reply = Reply()
    client = h2.connection.H2Connection(
        h2.config.H2Configuration(
            header_encoding=None,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
            validate_inbound_headers=False,
        )
    )
    with (
        socket.create_connection(("127.0.0.1", port), DEADLINE) as connection,
        # A server that rejects a request may close the connection in the midst of it.
        suppress(ConnectionError, h2.exceptions.ProtocolError),
    ):
        client.initiate_connection()
        client.send_headers(1, headers, end_stream=not (content or trailers))
        if waits:
            connection.sendall(client.data_to_send())
            read(connection, client, reply, until_head=True)
        if content:
            client.send_data(1, content, end_stream=not trailers)
        if trailers:
            client.send_headers(1, trailers, end_stream=True)
        connection.sendall(client.data_to_send())
        read(connection, client, reply, until_head=False)
    return reply


def read(
    connection: socket.socket,
    client: h2.connection.H2Connection,
    reply: Reply,
    *,
    until_head: bool,
) -> None:
    while not (reply.ended or (until_head and reply.status)):
        piece = connection.recv(65536)
        reply.ended = not piece
        for event in client.receive_data(piece):
            take(event, reply)
        connection.sendall(client.data_to_send())


def take(event: h2.events.Event, reply: Reply) -> None:
    if isinstance(event, h2.events.RemoteSettingsChanged):
        changed = event.changed_settings.get(h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL)
        reply.offers_web_sockets |= changed is not None and changed.new_value == 1
    elif isinstance(event, h2.events.ResponseReceived):
        reply.headers = list(event.headers)
        reply.status = int(dict(event.headers)[b":status"])
    elif isinstance(event, h2.events.DataReceived):
        reply.data += event.data
    elif isinstance(
        event, h2.events.StreamEnded | h2.events.StreamReset | h2.events.ConnectionTerminated
    ):
        reply.ended = True
