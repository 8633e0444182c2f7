//! Who the client is, for the log alone. No decision asks for it.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client: that of the peer, unless the peer is trusted and tells another one in
/// `X-Forwarded-For`. Each proxy adds to its end who has asked it, so the last one that is not trusted
/// is the client; what stands before that, anyone may have written.
///
/// The header twice, or something in it that is no address: the peer. `Forwarded` is not read.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if trusted.is_empty() || !is_trusted(&peer) {
        return peer;
    }
    told(headers, is_trusted).unwrap_or(peer)
}

fn told(headers: &HeaderMap, is_trusted: impl Fn(&IpAddr) -> bool) -> Option<IpAddr> {
    let mut values = headers.get_all(&X_FORWARDED_FOR).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let mut first = None;
    for hop in value.to_str().ok()?.rsplit(',') {
        let address = hop.trim().parse::<IpAddr>().ok()?.to_canonical();
        if !is_trusted(&address) {
            return Some(address);
        }
        first = Some(address);
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_of_a_trusted_peer_counts() {
        let trusted: Vec<IpNet> =
            ["127.0.0.0/8", "10.0.0.0/8", "::1/128"].map(|text| text.parse().unwrap()).into();
        let cases: [(&str, &[&str], &str); 15] = [
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["192.0.2.1"], "192.0.2.1"),
            ("::1", &["192.0.2.1"], "192.0.2.1"),
            ("::ffff:127.0.0.1", &["::ffff:192.0.2.1"], "192.0.2.1"),
            ("127.0.0.1", &["203.0.113.9, 192.0.2.1"], "192.0.2.1"),
            ("127.0.0.1", &["203.0.113.9,192.0.2.1 ,10.1.2.3"], "192.0.2.1"),
            ("127.0.0.1", &["not an address, 192.0.2.1"], "192.0.2.1"),
            ("127.0.0.1", &["10.1.2.3, 10.3.2.1"], "10.1.2.3"),
            ("127.0.0.1", &["192.0.2.1", "192.0.2.2"], "127.0.0.1"),
            ("127.0.0.1", &["192.0.2.1:80"], "127.0.0.1"),
            ("127.0.0.1", &["192.0.2.1,"], "127.0.0.1"),
            ("127.0.0.1", &[""], "127.0.0.1"),
            ("127.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("192.0.2.7", &["192.0.2.1"], "192.0.2.7"),
            ("::2", &["192.0.2.1"], "::2"),
        ];
        for (peer, values, expected) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(X_FORWARDED_FOR.clone(), value.parse().unwrap());
            }
            let address = client(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(address.to_string(), expected, "{peer} {values:?}");
            let nobody = client(peer.parse().unwrap(), &headers, &[]);
            assert_eq!(nobody, peer.parse::<IpAddr>().unwrap().to_canonical());
        }
    }
}
