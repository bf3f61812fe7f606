//! The network that a client calls from: what anonymous limits and enrolment are keyed by.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// One IPv4 address or one IPv6 /64, the smallest network that one customer is given: counting
/// single IPv6 addresses would give everybody 2⁶⁴ identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpAddr);

/// The text is no IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAddress;

impl Network {
    /// The network of an address, as `CF-Connecting-IP` gives it. An IPv4 address mapped into IPv6
    /// (`::ffff:203.0.113.7`) is the IPv4 address: else all of IPv4 would be one /64.
    ///
    /// # Errors
    /// The text is not exactly one address.
    pub fn parse(address: &str) -> Result<Self, BadAddress> {
        let address: IpAddr = address.parse().map_err(|_| BadAddress)?;
        Ok(Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        }))
    }
}

/// `203.0.113.7` or `2001:db8:1:2::/64`.
impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(formatter, "{address}"),
            IpAddr::V6(prefix) => write!(formatter, "{prefix}/64"),
        }
    }
}

impl fmt::Display for BadAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not an IP address")
    }
}

impl std::error::Error for BadAddress {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_folded_into_networks() {
        for (address, network) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("::FFFF:cb00:7107", "203.0.113.7"),
            ("0:0:0:0:0:ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::", "2001:db8:1:3::/64"),
            ("::1", "::/64"),
        ] {
            assert_eq!(Network::parse(address).map(|network| network.to_string()).as_deref(), Ok(network));
        }
    }

    #[test]
    fn what_is_not_one_address_is_refused() {
        for text in [
            "",
            "localhost",
            "203.0.113",
            "203.0.113.256",
            "0203.0.113.7",
            "1.2.3.4, 5.6.7.8",
            "1.2.3.4:80",
            "[::1]",
            "::1%eth0",
            " ::1",
            "1.2.3.4/32",
            "0x7f.1",
            "16909060",
        ] {
            assert_eq!(Network::parse(text), Err(BadAddress), "{text:?}");
        }
        assert_eq!(BadAddress.to_string(), "not an IP address");
    }
}
