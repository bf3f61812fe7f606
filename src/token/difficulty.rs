//! How much work an enrolment costs, in leading zero bits of a SHA-256.

/// Enrolments lately that raise nothing: an office or a class that begins on the same day.
const FREE: u32 = 16;
/// Most bits beyond the base: 256 times the work.
const MAX_EXTRA: u8 = 8;

/// The difficulty for the next challenge: `base` while there were fewer than 16 enrolments lately,
/// then a bit more (twice the work) at 16, 32, 64, …, up to eight. So a flood pays in proportion to
/// itself, and an honest client that comes in the middle of one still gets through.
#[must_use]
pub fn rising(base: u8, recent_count: u32) -> u8 {
    let doublings = (recent_count / FREE).checked_ilog2().map_or(0, |log| log.saturating_add(1));
    base.saturating_add(u8::try_from(doublings).unwrap_or(MAX_EXTRA).min(MAX_EXTRA))
}

/// The number of leading zero bits.
#[must_use]
pub fn leading_zero_bits(bytes: &[u8]) -> u32 {
    let zero_bytes = bytes.iter().take_while(|byte| **byte == 0).count();
    let rest = bytes.get(zero_bytes).map_or(0, |byte| byte.leading_zeros());
    u32::try_from(zero_bytes).unwrap_or(u32::MAX).saturating_mul(8).saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_doubles_with_the_rate() {
        for (recent, extra) in [
            (0, 0),
            (15, 0),
            (16, 1),
            (31, 1),
            (32, 2),
            (63, 2),
            (64, 3),
            (2_047, 7),
            (2_048, 8),
            (u32::MAX, 8),
        ] {
            assert_eq!(rising(18, recent), 18 + extra, "{recent}");
        }
        assert_eq!(rising(u8::MAX, 64), u8::MAX);
        assert!((0..10_000).all(|recent| rising(18, recent) <= rising(18, recent + 1)));
    }

    #[test]
    fn zero_bits_are_counted_from_the_front() {
        for (bytes, bits) in
            [(&[][..], 0), (&[0x80], 0), (&[0x01], 7), (&[0, 0xff], 8), (&[0, 0x10, 0], 11), (&[0, 0, 0], 24)]
        {
            assert_eq!(leading_zero_bits(bytes), bits, "{bytes:?}");
        }
    }
}
