//! Which names announce a secret, and which strings look like one.

include!(concat!(env!("OUT_DIR"), "/redaction.rs"));

/// How much of a long value is looked at to tell what it is.
const LOOKED_AT: usize = 128;

/// A token known by how it begins.
pub(super) struct Token {
    prefix: &'static str,
    /// At least so many bytes follow.
    tail: usize,
    /// Bytes that may follow besides letters, digits, `_` and `-`.
    extra: &'static str,
    /// Whether the rest must hold a digit or a capital, since words begin in the same way.
    mixed: bool,
    /// Whether it is looked for inside words as well.
    anywhere: bool,
}

/// The length of the token that `rest` begins with. `inside`: the byte before is a letter or digit.
pub(super) fn token_at(rest: &[u8], inside: bool) -> Option<usize> {
    let first = *rest.first()?;
    if !TOKEN_STARTS.get(usize::from(first)).copied().unwrap_or(false) {
        return None;
    }
    TOKENS.iter().find_map(|token| {
        if inside && !token.anywhere {
            return None;
        }
        let tail = rest.strip_prefix(token.prefix.as_bytes())?;
        let belongs = |byte: &u8| {
            byte.is_ascii_alphanumeric() || b"_-".contains(byte) || token.extra.as_bytes().contains(byte)
        };
        // Decided by the beginning, so that words in a row that begin like tokens stay cheap.
        let head = tail.get(..LOOKED_AT).unwrap_or(tail);
        let length = head.iter().take_while(|byte| belongs(byte)).count();
        let mixed = head.iter().take(length).any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        if length < token.tail || (token.mixed && !mixed) {
            return None;
        }
        let length = tail.iter().take_while(|byte| belongs(byte)).count();
        Some(token.prefix.len().saturating_add(length))
    })
}

/// Whether a value named `name` is a secret: by its words, split at `_`, `-`, `.` and capitals.
pub(super) fn names_a_secret(name: &[u8]) -> bool {
    // Longer than any name that people give; bounds the work on a run of letters.
    if name.is_empty() || name.len() > 100 {
        return false;
    }
    let lower = name.to_ascii_lowercase();
    let lower = String::from_utf8_lossy(&lower);
    if HARMLESS.contains(&lower.as_ref()) {
        return false;
    }
    if PARTS.iter().any(|part| lower.contains(part)) {
        return true;
    }
    let mut count = 0_usize;
    let mut last = String::new();
    for word in split_words(name) {
        if WORDS.contains(&word.as_str()) {
            return true;
        }
        // `KEY_ID` is one idea: `AWS_ACCESS_KEY_ID`.
        last = if word == "id" && last == "key" { "keyid".to_owned() } else { word };
        count = count.saturating_add(1);
    }
    // Two words without a mark between them: `mytoken`, `dbpass`, `authkey`.
    let ends = |end: &str| lower.ends_with(end) && lower.len() > end.len();
    (count > 1 && LAST_WORDS.contains(&last.as_str())) || ends("token") || ends("apikey")
}

/// Whether `name` announces a person's name where it stands first on a line.
pub(super) fn names_a_person(name: &[u8]) -> bool {
    let lower = name.to_ascii_lowercase();
    PEOPLE.iter().any(|other| other.as_bytes() == lower)
}

fn split_words(name: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before = b'_';
    for byte in name {
        let mark = b"_-.".contains(byte);
        let capital = byte.is_ascii_uppercase() && before.is_ascii_lowercase();
        if (mark || capital) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if !mark {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
        before = *byte;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Whether `value` looks drawn at random: long, of the letters of base64, with capitals, small
/// letters and digits, and near the entropy of random text. Hexadecimal digests have no capitals
/// and are left alone: pip prints them.
pub(super) fn looks_random(value: &[u8]) -> bool {
    const SHORTEST: usize = 24;
    if value.len() < SHORTEST {
        return false;
    }
    let value = value.get(..LOOKED_AT).unwrap_or(value);
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/_-=".contains(byte);
    let kinds = [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit];
    if !value.iter().all(base64) || !kinds.iter().all(|kind| value.iter().any(kind)) {
        return false;
    }
    // A path has several words between its slashes; a random string has few slashes.
    if value.iter().filter(|byte| **byte == b'/').count() > value.len() / 12 {
        return false;
    }
    let mut counts = [0_u16; 256];
    for byte in value {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    // Shannon's entropy in bits a byte. English words in a row stay under 4 at this length.
    let total = f64::from(u16::try_from(value.len()).unwrap_or(u16::MAX));
    let entropy: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum();
    entropy >= 4.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known() {
        for name in [
            "password",
            "DB_PASSWORD",
            "dbPassword",
            "PGPASSWORD",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ACCESS_KEY_ID",
            "api-key",
            "apiKey",
            "LICENSE_KEY",
            "AUDIO_LICENSE_KEY",
            "token",
            "GITHUB_TOKEN",
            "mytoken",
            "_authToken",
            "Authorization",
            "Proxy-Authorization",
            "X-Auth-Token",
            "PRIVATE-TOKEN",
            "client.secret",
            "sessionid",
            "Set-Cookie",
            "X-Amz-Signature",
            "sig",
            "MYSQL_PWD",
            "signing_key",
        ] {
            assert!(names_a_secret(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn other_names_are_not() {
        for name in [
            "",
            "PWD",
            "OLDPWD",
            "tokenizers",
            "tokens",
            "author",
            "authors",
            "keyring",
            "KeyError",
            "python-keycloak",
            "HOME",
            "PATH",
            "key",
            "monkey",
            "compass",
            "passed",
            "python_version",
            "sha256",
            "secr",
        ] {
            assert!(!names_a_secret(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn random_strings_are_told_from_words_and_digests() {
        for random in [
            "dGhpcyBpcyBub3QgYSByZWFsIGtleQ0K8s",
            "Zx81kQpW03mTnV7rYbL5cDfG",
            "aB3+dE6/gH9jK2mN5pQ8sT1vW4yZ7=",
        ] {
            assert!(looks_random(random.as_bytes()), "{random}");
        }
        for plain in [
            "f72cbae7f6b01591f90814250e636065850c5926751af02bb48da94dfced7baa",
            "/home/Alice/projects/Python3/lib/site-packages",
            "build/lib.linux-x86_64-cpython-311",
            "AAAAAAAAAAAAAAAAAAAAAAAAaaaaaaaaaaaaaaaa1111",
            "manylinux_2_17_x86_64",
            "short1A",
        ] {
            assert!(!looks_random(plain.as_bytes()), "{plain}");
        }
    }

    #[test]
    fn tokens_are_known_by_how_they_begin() {
        for token in [
            "ghp_FAKEfakeFAKEfake1234",
            "pypi-AgEIcHlwaS5vcmcFAKE00",
            "glpat-FAKEfake12345",
            "AKIAFAKEFAKEFAKE0000",
            "xoxb-1234567890-FAKE",
            "sk-proj-FAKEfakeFAKE1234",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJGQUtFIn0.c2ln",
        ] {
            assert_eq!(token_at(token.as_bytes(), false), Some(token.len()), "{token}");
        }
        for plain in [
            "pypi-mirror-of-the-company",
            "sk-learn-something-else",
            "ghp_short",
            "hf_transfer",
            "npm_config_registry",
        ] {
            assert_eq!(token_at(plain.as_bytes(), false), None, "{plain}");
        }
        assert_eq!(token_at(b"sk-FAKEfakeFAKEfake1234", true), None);
        assert!(token_at(b"ghp_FAKEfakeFAKEfake1234", true).is_some());
    }
}
