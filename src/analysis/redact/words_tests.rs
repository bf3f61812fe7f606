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
fn a_personal_access_token_is_told_from_a_path() {
    for name in ["PAT", "pat", "GH_PAT", "azure-pat", "devopsPat", "a.pat"] {
        assert!(names_a_pat(name.as_bytes()), "{name}");
    }
    for name in ["", "at", "PATH", "PATCH", "cpat", "pattern", "EXPAT", "GH_PATH", "x2PAT"] {
        assert!(!names_a_pat(name.as_bytes()), "{name}");
    }
}

#[test]
fn random_strings_are_told_from_words_and_digests() {
    for random in
        ["dGhpcyBpcyBub3QgYSByZWFsIGtleQ0K8s", "Zx81kQpW03mTnV7rYbL5cDfG", "aB3+dE6/gH9jK2mN5pQ8sT1vW4yZ7="]
    {
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
