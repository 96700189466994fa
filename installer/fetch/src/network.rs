//! Networks in CIDR notation, as curl reads them in `NO_PROXY`.
//!
//! Guarantees: pure. The rules are those of curl 7.86 and later (`lib/noproxy.c`): an address alone is
//! that address; `/0` is no network but that address, too; the bits beyond the prefix do not count; an
//! IPv4 address is in no IPv6 network, nor the other way round; what has no number behind its slash, or
//! too large a one, matches nothing. Unlike there, brackets may stand around an IPv6 address.

use std::net::IpAddr;

/// A network, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    /// How many of the leading bits count.
    prefix: u32,
}

impl Network {
    /// Reads `ADDRESS` or `ADDRESS/BITS`; an IPv6 address may stand in brackets. None, when it is
    /// neither.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (host, bits) = match text.split_once('/') {
            Some((host, bits)) => (host, Some(parse_bits(bits)?)),
            None => (text, None),
        };
        let address = parse_address(host)?;
        let width = width(address);
        // curl compares the whole address where no bit counts
        let prefix = bits.filter(|bits| *bits != 0).unwrap_or(width);
        (prefix <= width).then_some(Self { address, prefix })
    }

    /// Whether an address lies in it.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let beyond = width(address) - self.prefix.min(width(address));
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()) >> beyond == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()) >> beyond == 0
            }
            _ => false,
        }
    }
}

/// The address that a host in a URL is by its very text; an IPv6 address may stand in brackets.
pub(super) fn parse_address(host: &str) -> Option<IpAddr> {
    let bare = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?,
        None => host,
    };
    bare.parse().ok()
}

/// A number of digits alone: `u32` takes a sign, too.
fn parse_bits(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

const fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        let address = parse_address(address).unwrap();
        Network::parse(network).is_some_and(|network| network.contains(address))
    }

    /// Of IPv4, curl 7.88.1's own answers to `--noproxy NETWORK https://ADDRESS`, but for a sign and
    /// for letters around the bits, which its atoi(3) passes over. Of IPv6, the rules of its
    /// `Curl_cidr6_match`: the program 7.88.1 never gets there, since it takes a bare `::1` for a name.
    #[test]
    fn networks_are_read_as_curl_reads_them() {
        for (network, address) in [
            ("127.0.0.0/8", "127.8.8.8"),
            ("127.1.2.3/8", "127.8.8.8"),
            ("127.0.0.1/32", "127.0.0.1"),
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1/0", "127.0.0.1"),
            ("127.0.0.0/31", "127.0.0.1"),
            ("192.168.0.0/16", "192.168.0.1"),
            ("192.160.0.0/13", "192.160.0.1"),
            ("::1", "[::1]"),
            ("::1/128", "[::1]"),
            ("::/64", "[::1]"),
            ("::1/0", "[::1]"),
            ("::/127", "[::1]"),
            ("2001:db8::/32", "[2001:db8:ffff::1]"),
            ("[2001:db8::]/32", "2001:db8::7"),
            ("2001:DB8:0:0::1", "[2001:db8::1]"),
        ] {
            assert!(contains(network, address), "{network} {address}");
        }
        for (network, address) in [
            ("128.0.0.0/8", "127.8.8.8"),
            ("127.0.0.0/24", "127.8.8.8"),
            ("127.0.0.0/32", "127.0.0.1"),
            ("127.0.0.0/0", "127.0.0.1"),
            ("127.0.0.0/33", "127.0.0.1"),
            ("127.0.0.0/", "127.8.8.8"),
            ("127.0.0.0/+8", "127.8.8.8"),
            ("127.0.0.0/8x", "127.8.8.8"),
            ("127.0.0/8", "127.8.8.8"),
            ("192.168.0.0/24", "192.168.1.1"),
            ("::/127", "[::2]"),
            ("::1/129", "[::1]"),
            ("::2/128", "[::1]"),
            ("2001:db8::/32", "[2001:db9::1]"),
            ("::/1", "127.0.0.1"),
            ("0.0.0.0/1", "[::1]"),
            ("h.example/8", "127.0.0.1"),
        ] {
            assert!(!contains(network, address), "{network} {address}");
        }
    }

    proptest! {
        /// By its bits, one by one.
        #[test]
        fn an_address_is_in_a_network_when_its_leading_bits_are_the_networks(
            network in any::<u128>(),
            flipped in 0_u32..128,
            bits in 1_u32..=128,
        ) {
            let text = |bits: u128| std::net::Ipv6Addr::from_bits(bits).to_string();
            let other = network ^ (1 << (127 - flipped));
            let written = format!("{}/{bits}", text(network));
            prop_assert!(contains(&written, &text(network)));
            prop_assert_eq!(contains(&written, &text(other)), flipped >= bits);
        }

        #[test]
        fn the_same_holds_of_the_shorter_addresses(
            network in any::<u32>(),
            flipped in 0_u32..32,
            bits in 1_u32..=32,
        ) {
            let text = |bits: u32| std::net::Ipv4Addr::from_bits(bits).to_string();
            let other = network ^ (1 << (31 - flipped));
            let written = format!("{}/{bits}", text(network));
            prop_assert!(contains(&written, &text(network)));
            prop_assert_eq!(contains(&written, &text(other)), flipped >= bits);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = Network::parse(&text);
        }
    }
}
