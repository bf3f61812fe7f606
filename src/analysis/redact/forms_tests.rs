//! Secrets in the path of an index, in pairs, lists and settings, and under names of other languages.

use super::*;

/// What must be gone, and what must be left of the line.
const LINES: &[(&str, &str)] = &[
    // Tokens in the path of an index.
    (
        "Looking in indexes: https://dl.cloudsmith.io/qz7Kp2mWx9Lr4TvB/org/repo/python/simple/, https://pypi.org/simple",
        "Looking in indexes: https://dl.cloudsmith.io/[redacted]/org/repo/python/simple/, https://pypi.org/simple",
    ),
    (
        "https://packagecloud.io/priv/0a1bFAKE/org/pypi/simple",
        "https://packagecloud.io/priv/[redacted]/org/pypi/simple",
    ),
    ("https://u:p@pypi.fury.io/FAKEfake0000/org/", "https://[redacted]@pypi.fury.io/[redacted]/org/"),
    ("https://conda.anaconda.org/t/ac-FAKE/org/simple", "https://conda.anaconda.org/t/[redacted]/org/simple"),
    ("https://ci%3AFAKE%40pypi.example/simple", "https://[redacted]%40pypi.example/simple"),
    // Personal access tokens.
    ("AZURE_DEVOPS_EXT_PAT=fake0fake1fake", "AZURE_DEVOPS_EXT_PAT=[redacted]"),
    ("GH_PAT: \"fake0fake1fake\"", "GH_PAT: \"[redacted]\""),
    ("i=https://h/simple?pat=fake0fake1fake&a=b", "i=https://h/simple?pat=[redacted]&a=b"),
    ("environ({'AZDO_PAT': 'fake0fake1fake'})", "environ({'AZDO_PAT': '[redacted]'})"),
    ("ENV AZDO_PAT fake0fake1fake", "ENV AZDO_PAT [redacted]"),
    ("x --pat fake0fake1fake y", "x --pat [redacted] y"),
    // Pairs.
    ("[('PRIVATE-TOKEN', 'FAKE'), ('x', 'y')]", "[('PRIVATE-TOKEN', '[redacted]'), ('x', 'y')]"),
    ("('Authorization', 'token FAKE')", "('Authorization', '[redacted]')"),
    ("(b'Authorization', b'Digest FAKE')", "(b'Authorization', b'[redacted]')"),
    ("os.environ.setdefault(\"TOKEN\", \"FAKE\")", "os.environ.setdefault(\"TOKEN\", \"[redacted]\")"),
    ("\"[\\\"token\\\", \\\"FAKE-1\\\"]\"", "\"[\\\"token\\\", \\\"[redacted]\\\"]\""),
    // Options in lists, settings.
    ("['twine', 'upload', '-u', 'a', '-p', 'FAKE']", "['twine', 'upload', '-u', 'a', '-p', '[redacted]']"),
    ("docker login -p=FAKE h", "docker login -p=[redacted] h"),
    ("az login --service-principal -u x -p FAKE", "az login --service-principal -u x -p [redacted]"),
    ("hatch publish -u a -a FAKE", "hatch publish -u a -a [redacted]"),
    (
        "RUN aws configure set aws_secret_access_key FAKE && x",
        "RUN aws configure set aws_secret_access_key [redacted] && x",
    ),
    ("poetry config http-basic.acme ci FAKE && x", "poetry config http-basic.acme ci [redacted] && x"),
    ("+ poetry config pypi-token.acme 'a FAKE'", "+ poetry config pypi-token.acme '[redacted]'"),
    // Other forms.
    ("<password type=\"x\">FAKE</password>", "<password type=\"x\">[redacted]</password>"),
    ("?u=a%26token%3DFAKE%2Ba%26b", "?u=a%26token%3D[redacted]%26b"),
    ("password%3A%20FAKE", "password%3A%20[redacted]"),
    ("curl -H 'X-JFrog-Art-Api: FAKE' x", "curl -H 'X-JFrog-Art-Api: [redacted]' x"),
    ("PASSWORD+=FAKE", "PASSWORD+=[redacted]"),
    ("password ?= FAKE", "password ?= [redacted]"),
    ("PASSWORD\u{a0}=\u{3000}FAKE", "PASSWORD = [redacted]"),
    ("ｐａｓｓｗｏｒｄ=FAKE", "password=[redacted]"),
    ("Passwort=FAKE", "Passwort=[redacted]"),
    ("x Kennwort: FAKE", "x Kennwort: [redacted]"),
    ("x db_senha=FAKE y", "x db_senha=[redacted] y"),
    ("x contraseña: FAKE", "x contraseña: [redacted]"),
    ("x Mot de passe: FAKE", "x Mot de passe: [redacted]"),
    ("MOT_DE_PASSE=FAKE", "MOT_DE_PASSE=[redacted]"),
    ("Пароль: FAKE", "Пароль: [redacted]"),
    ("パスワード=FAKE 비밀번호: FAKE", "パスワード=[redacted] 비밀번호: [redacted]"),
    // Left alone.
    (
        "https://dl.cloudsmith.io/public/org/a/b.whl https://pypi.fury.io/org/",
        "https://dl.cloudsmith.io/public/org/a/b.whl https://pypi.fury.io/org/",
    ),
    (
        "PATH=/usr/bin0 PATCH=1234567890123 cpat=1234567890123",
        "PATH=/usr/bin0 PATCH=1234567890123 cpat=1234567890123",
    ),
    ("  URL_PAT = re.compile(r\"1234567890123\")", "  URL_PAT = re.compile(r\"1234567890123\")"),
    (
        "f(token: str = None, auth=None); token += next_one",
        "f(token: str = None, auth=None); token += next_one",
    ),
    ("['token', 'token_type'] ('a', 'token', 'b-1')", "['token', 'token_type'] ('a', 'token', 'b-1')"),
    ("['mkdir', '-p', 'build-1'] gcc -p x.c -a=1", "['mkdir', '-p', 'build-1'] gcc -p x.c -a=1"),
    ("config token x1 git config user.name x1", "config token x1 git config user.name x1"),
    ("a%3Db <a href=\"x\">b1</a> Passende: x1", "a%3Db <a href=\"x\">b1</a> Passende: x1"),
];

#[test]
fn each_form_of_a_secret_goes_and_the_rest_stays() {
    for (raw, left) in LINES {
        let once = redact(raw);
        assert_eq!(once.as_str(), *left, "{raw}");
        assert_eq!(redact(once.as_str()), once, "{raw}");
    }
}

#[test]
fn a_value_on_the_line_below_its_name_goes() {
    for (raw, left) in [
        ("\"password\":\n  \"a FAKE\",\nx", "\"password\":\n  \"[redacted]\",\nx"),
        ("password = (\n    'FAKE-1'\n)", "password = [redacted]\n    '[redacted]'\n)"),
        ("password:\n  qz7Kp2mWx9Lr4TvB\nx", "password:\n  [redacted]\nx"),
        ("Password: \nqz7Kp2mWx9Lr4TvB\nx", "Password: \n[redacted]\nx"),
        ("token:\n- qz7Kp2mWx9Lr4TvB\n- x", "token:\n- [redacted]\n- x"),
        // Left alone.
        ("auth:\n  auth0-python==4.7.1\n", "auth:\n  auth0-python==4.7.1\n"),
        ("session:\n  /usr/lib/Python3/x\n", "session:\n  /usr/lib/Python3/x\n"),
        ("if not token:\n    raise TokenError12(x)\n", "if not token:\n    raise TokenError12(x)\n"),
        ("token:\n\nqz7Kp2mWx9Lr4TvB", "token:\n\nqz7Kp2mWx9Lr4TvB"),
    ] {
        let once = redact(raw);
        assert_eq!(once.as_str(), left, "{raw:?}");
        assert_eq!(redact(left), once, "{raw:?}");
    }
}

/// The words of a pair are taken out where they stand, and nowhere else.
#[test]
fn a_word_beside_a_name_stays_in_the_rest_of_the_log() {
    let left =
        redact("choices: ('token', 'token_type')\nKeyError: token_type\n('token', 'fake-123')\nfake-123\n");
    assert_eq!(
        left.as_str(),
        "choices: ('token', '[redacted]')\nKeyError: token_type\n('token', '[redacted]')\n[redacted]\n"
    );
}
