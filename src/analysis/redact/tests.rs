use super::*;

/// What must be gone, and what must be left of the line.
const LINES: &[(&str, &str)] = &[
    (
        "-----BEGIN A KEY-----FAKE-----END A KEY----- -----BEGIN B KEY-----FAKE-----END B KEY-----",
        "[redacted] [redacted]",
    ),
    ("{\"password\": \"ab\\\"cd FAKE\", \"n\": 1}", "{\"password\": \"[redacted]\", \"n\": 1}"),
    ("run --password \"a b FAKE\" x", "run --password \"[redacted]\" x"),
    (
        "Command: pip install -i https://ci:hunter2-FAKE@pypi.example/simple x",
        "Command: pip install -i https://[redacted]@pypi.example/simple x",
    ),
    ("https://ghp_FAKE@github.com/a/b", "https://[redacted]@github.com/a/b"),
    ("https://u:p/a@ss-FAKE@host/simple", "https://[redacted]@host/simple"),
    ("git+ssh://git@github.com/a/b.git@v1.0", "git+ssh://git@github.com/a/b.git@v1.0"),
    ("https://host:8080/a@1.2.3", "https://host:8080/a@1.2.3"),
    ("https://host/a@b.com:1", "https://host/[email]:1"),
    ("Authorization: Basic ZmFrZTpGQUtF", "Authorization: [redacted]"),
    (
        "curl -H 'Authorization: Bearer FAKE.tok-en' https://x",
        "curl -H 'Authorization: [redacted]' https://x",
    ),
    ("curl -H \"PRIVATE-TOKEN: FAKE 1\" x", "curl -H \"PRIVATE-TOKEN: [redacted]\" x"),
    ("{\"password\": \"a b FAKE\", \"n\": 1}", "{\"password\": \"[redacted]\", \"n\": 1}"),
    ("{\\\"token\\\": \\\"abFAKE\\\"}", "{\\\"token\\\": \\\"[redacted]\\\"}"),
    ("  DB_PASSWORD=correct horse, FAKE;", "  DB_PASSWORD=[redacted]"),
    ("export API_KEY='k FAKE'", "export API_KEY='[redacted]'"),
    (
        "run --password s3cr3t,FAKE --user --token=t&FAKE end",
        "run --password [redacted] --user --token=[redacted] end",
    ),
    ("curl -u alice:FAKE https://x", "curl -u [redacted] https://x"),
    ("https://x/y?token=FAKE&page=2", "https://x/y?token=[redacted]&page=2"),
    (
        "machine pypi.example login alice password FAKE-pw",
        "machine pypi.example login [redacted] password [redacted]",
    ),
    ("password FAKE-pw", "password [redacted]"),
    ("proxy = bob:FAKE@proxy:3128", "proxy = [redacted]@proxy:3128"),
    ("Password for 'https://alice@host': FAKE", "Password for 'https://[redacted]@host': [redacted]"),
    ("mail alice.b+x@mail.example.org now", "mail [email] now"),
    ("File \"/home/alice/venv/x.py\"", "File \"/home/[user]/venv/x.py\""),
    ("C:\\Users\\Anna Maria\\AppData c:\\users\\bob\\x", "C:\\Users\\[user]\\AppData c:\\users\\[user]\\x"),
    ("'C:\\\\Users\\\\alice\\\\x'", "'C:\\\\Users\\\\[user]\\\\x'"),
    ("/Users/alice", "/Users/[user]"),
    ("x ghp_FAKEfakeFAKEfake00 y", "x [redacted] y"),
    ("SETTING=Zx81kQpW03mTnV7rYbL5cDfG", "SETTING=[redacted]"),
    ("a -----BEGIN PRIVATE KEY-----\\nFAKE\\n-----END PRIVATE KEY----- b", "a [redacted] b"),
    ("USER=alice", "USER=[redacted]"),
    ("ACME_CONF=0123456789abcdef0123456789abcdef x", "ACME_CONF=[redacted] x"),
    ("a.whl#sha256=0123456789abcdef0123456789abcdef", "a.whl#sha256=0123456789abcdef0123456789abcdef"),
    (
        "commit_id=0123456789abcdef0123456789abcdef01234567",
        "commit_id=0123456789abcdef0123456789abcdef01234567",
    ),
    ("file:///home/alice/x and //Users/alice/x", "file:///home/[user]/x and //Users/[user]/x"),
    ("C:\\Users\\Mary O'Neil\\x /home/d'arc/x", "C:\\Users\\[user]\\x /home/[user]/x"),
    ("C:\\Users\\张 三\\x", "C:\\Users\\[user]\\x"),
    ("'/home/bob' it's", "'/home/[user]' it's"),
    (
        "?next=https%3A%2F%2Fci%3AFAKE%40pypi.example%2Fsimple&a=1",
        "?next=https%3A%2F%2F[redacted]%40pypi.example%2Fsimple&a=1",
    ),
    (
        "echo \"machine h login ci password FAKE\" > .netrc",
        "echo \"machine h login ci password [redacted]\" > .netrc",
    ),
    ("curl --user ci:FAKE https://x", "curl --user [redacted] https://x"),
    ("pip install --user C:\\x", "pip install --user C:\\x"),
    ("x password=ab,FAKE,cd y", "x password=[redacted] y"),
    ("f(password=ab, user=x) db;Password=a;b=c", "f(password=[redacted], user=x) db;Password=[redacted];b=c"),
    ("get(auth=('ci', 'FAKE'), x=1)", "get(auth=[redacted]), x=1)"),
    ("tokens ['--password', 'FAKE']", "tokens ['--password', '[redacted]']"),
    ("x BEARER abcdefgh1234FAKE", "x BEARER [redacted]"),
    (
        "-----BEGIN CERTIFICATE-----x-----END CERTIFICATE----- -----BEGIN RSA PRIVATE KEY-----FAKE-----END RSA PRIVATE KEY-----",
        "-----BEGIN CERTIFICATE-----x-----END CERTIFICATE----- [redacted]",
    ),
    ("a AKIAFAKEFAKEFAKE0000 b ASIAFAKEFAKEFAKE0000", "a [redacted] b [redacted]"),
    ("k=AIzaFAKEfakeFAKEfakeFAKEfakeFAKEfake000", "k=[redacted]"),
    ("xoxb-000000000-FAKE https://hooks.slack.com/services/T0/B0/FAKEfake", "[redacted] https://[redacted]"),
    (
        "sk-proj-FAKEfakeFAKEfake00, npm_FAKEfakeFAKEfakeFAKE00, glpat-FAKEfakeFAKE",
        "[redacted], [redacted], [redacted]",
    ),
    ("pypi-AgEIFAKEfakeFAKE00 'hf_FAKEfakeFAKEfakeFAKE00'", "[redacted] '[redacted]'"),
    ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJGQUtFIn0.c2ln.", "[redacted]"),
    ("index-url = https://ci:FAKE@h/simple", "index-url = https://[redacted]@h/simple"),
    (
        "global.extra-index-url='https://FAKE@h/simple'",
        "global.extra-index-url='https://[redacted]@h/simple'",
    ),
    (
        "[server-login]\nusername: ci\npassword: FAKE",
        "[server-login]\nusername: [redacted]\npassword: [redacted]",
    ),
    ("https://bob:p@ss/word1@host/ x", "https://[redacted]@host/ x"),
    ("https://u:FAKE@h.example/x.git@v1.0", "https://[redacted]@h.example/x.git@v1.0"),
    ("twine upload -u bob -p hunter2x d", "twine upload -u bob -p [redacted] d"),
    ("sshpass -p hunter2x ssh", "sshpass -p [redacted] ssh"),
    ("mkdir -p build/x", "mkdir -p build/x"),
    ("password \"hunter 2x\"", "password \"[redacted]\""),
    ("<password>a FAKE</password><x>y</x>", "<password>[redacted]</password><x>y</x>"),
    ("密码：FAKE x 口令=FAKE", "密码：[redacted] x 口令=[redacted]"),
    ("令牌：\"a FAKE\" 用户名: alice", "令牌：\"[redacted]\" 用户名: [redacted]"),
    ("密码错误", "密码错误"),
    ("{'USER': 'alice', 'A': 'b'}", "{'USER': '[redacted]', 'A': 'b'}"),
    ("environ({'A': 'b', 'USER': 'alice'})", "environ({'A': 'b', 'USER': '[redacted]'})"),
    ("?mail=alice%40corp.com&p=%2Falice%40corp.com", "?mail=[email]&p=%2F[email]"),
    ("n%40types%2Fnode a%401.2.3", "n%40types%2Fnode a%401.2.3"),
    ("file=%2Fhome%2Falice%2Fx", "file=%2Fhome%2F[user]%2Fx"),
    ("/home1/alice/x /home/corp.example/alice/x", "/home1/[user]/x /home/[user]/x"),
    ("AccessKeyId LTAI5tFAKEfake0000", "AccessKeyId [redacted]"),
    ("Authorization: Token token=\"FAKE\"", "Authorization: [redacted]"),
    ("Authorization: Bearer \"FAKE\"", "Authorization: [redacted]"),
    ("> Authorization: OAuth oauth_token=\"FAKE\", b=\"FAKE\" ", "> Authorization: [redacted] "),
    ("can't: Cookie: a=1; session=\"FAKE\"", "can't: Cookie: [redacted]"),
    (
        "curl -H 'Authorization: Token token=\"FAKE\"' https://x",
        "curl -H 'Authorization: [redacted]' https://x",
    ),
    (
        "curl -H 'X: \\'y; Cookie: a=\"FAKE\"' -H \"B: c\" x",
        "curl -H 'X: \\'y; Cookie: [redacted]' -H \"B: c\" x",
    ),
    ("curl -H 'B: c' x Cookie: a=\"FAKE\"", "curl -H 'B: c' x Cookie: [redacted]"),
    ("\"Cookie\": a=\"FAKE\"", "\"Cookie\": [redacted]"),
    ("os.environ[\"API_TOKEN\"] = \"FAKE\" # x", "os.environ[\"API_TOKEN\"] = \"[redacted]\" # x"),
    ("config['password']='a FAKE'", "config['password']='[redacted]'"),
    ("environ[\\\"TOKEN\\\"] = \\\"FAKE\\\"", "environ[\\\"TOKEN\\\"] = \\\"[redacted]\\\""),
    ("config[token] = FAKE; x", "config[token] = [redacted]; x"),
    ("os.environ['USER'] = 'alice'", "os.environ['USER'] = '[redacted]'"),
    ("api key: FAKE x", "api key: [redacted]"),
    ("the API key: FAKE x", "the API key: [redacted] x"),
    ("my secret key = \"a FAKE\"", "my secret key = \"[redacted]\""),
    ("curl -uci:FAKE https://x", "curl -u[redacted] https://x"),
    ("docker login -u ci -p FAKE h", "docker login -u ci -p [redacted] h"),
    ("docker login -pFAKE h", "docker login -p[redacted] h"),
    ("twine upload -u ci -phunter2-FAKE d", "twine upload -u ci -p[redacted] d"),
    ("ENV API_TOKEN a FAKE", "ENV API_TOKEN [redacted]"),
    ("Step 3/9 : ENV TOKEN FAKE", "Step 3/9 : ENV TOKEN [redacted]"),
    ("#7 [3/9] ENV TOKEN FAKE", "#7 [3/9] ENV TOKEN [redacted]"),
    ("C:\\x>SETX TOKEN \"FAKE\" /M", "C:\\x>SETX TOKEN [redacted]"),
    ("https://ci:FAKE@h $ setx TOKEN FAKE", "https://[redacted]@h $ setx TOKEN [redacted]"),
    (
        "machine https://ci:FAKE@h login a password FAKE",
        "machine https://[redacted]@h login [redacted] password [redacted]",
    ),
    // Left alone.
    ("curl -u https://x -unless a b", "curl -u https://x -unless a b"),
    ("mkdir -pbuild; cp -ua:b c", "mkdir -pbuild; cp -ua:b c"),
    ("ENV PATH /usr/bin and the ENV token x", "ENV PATH /usr/bin and the ENV token x"),
    ("the key: x, a primary key: y", "the key: x, a primary key: y"),
    ("keyring[auth]: x, 'a'] = b, [x] = c", "keyring[auth]: x, 'a'] = b, [x] = c"),
    (
        "a.c:1:9: fatal error: libsecret/secret.h: No such file",
        "a.c:1:9: fatal error: libsecret/secret.h: No such file",
    ),
    ("fatal error: pwd.h: No such file", "fatal error: pwd.h: No such file"),
    ("secret.c:1:2: error: x", "secret.c:1:2: error: x"),
    ("test_auth.py::test_password: FAILED", "test_auth.py::test_password: FAILED"),
    ("account settings were changed", "account settings were changed"),
    (
        "pip install python-keycloak==1.0 tokenizers==0.13 auth0-python==4.7 --user",
        "pip install python-keycloak==1.0 tokenizers==0.13 auth0-python==4.7 --user",
    ),
    (
        "      Expected sha256 f72cbae7f6b01591f90814250e636065850c5926751af02bb48da94dfced7baa",
        "      Expected sha256 f72cbae7f6b01591f90814250e636065850c5926751af02bb48da94dfced7baa",
    ),
    ("License :: OSI Approved", "License :: OSI Approved"),
    ("ModuleNotFoundError: No module named 'token'", "ModuleNotFoundError: No module named 'token'"),
    ("致命错误：snappy-c.h：没有那个文件或目录", "致命错误：snappy-c.h：没有那个文件或目录"),
];

#[test]
fn each_kind_of_secret_goes_and_the_rest_stays() {
    for (raw, left) in LINES {
        assert_eq!(redact(raw).as_str(), *left, "{raw}");
    }
}

#[test]
fn redacting_twice_is_redacting_once() {
    for (raw, _) in LINES {
        let once = redact(raw);
        assert_eq!(redact(once.as_str()), once, "{raw}");
    }
}

/// A mark is shorter than what it replaces, and ends in a bracket: neither lets the next pass find more, however
/// many are in a row.
#[test]
fn a_mark_brings_no_other_secret_into_reach() {
    let long = "a".repeat(200);
    let urls = redact(&format!("{}@h", format!("://{long}").repeat(9)));
    assert_eq!(urls.as_str(), "://[redacted]@h");
    let encoded = redact(&format!("{}%40h", format!("%3A%2F%2F{long}").repeat(9)));
    assert_eq!(encoded.as_str(), "%3A%2F%2F[redacted]%40h");
    let apart = redact(&format!("a://b:c@d.e/ ://{long}:/ f://g@h.i"));
    assert_eq!(apart.as_str(), format!("a://[redacted]@d.e/ ://{long}:/ f://[redacted]@h.i"));
    // Each line has the secret of the line before and one more.
    for (before, between) in
        [(format!("login {}", "a".repeat(244)), " password "), (String::new(), " ENV PASSWORD ")]
    {
        let line = |n: usize| format!("pip {before}{n}-secret-FAKE{between}{}-secret-FAKE\n", n + 1);
        let once = redact(&format!("{}password=0-secret-FAKE\n", (0..9).map(line).collect::<String>()));
        assert_eq!(redact(once.as_str()), once);
    }
}

#[test]
fn a_long_password_goes_to_its_end() {
    let password = "aB3/".repeat(200);
    let left = redact(&format!("i=https://ci:{password}@host.example/simple\n"));
    assert_eq!(left.as_str(), "i=https://[redacted]@host.example/simple\n");
    let password = "aB3x".repeat(200);
    for told in ["-u ci:", "-uci:", "-u \"ci:", "--user ci:"] {
        let left = redact(&format!("curl {told}{password}\" https://host.example\n"));
        assert!(!left.as_str().contains("aB3x"), "{told}: {left:?}");
    }
}

#[test]
fn the_lines_of_a_block_below_a_secrets_name_go() {
    for sign in ["|", ">", "|-", ">-", "|+", ">+", "|2-", ">  # why"] {
        for name in ["password: ", "- token: ", "\"api_key\": ", "'secret' : "] {
            let (before, after) = ("  user:\n    x\n", "  next: a\n    b\n");
            let raw = format!("{before}  {name}{sign}\n     first FAKE\n\n      second FAKE \n{after}");
            let left = redact(&raw);
            let left = left.as_str();
            assert!(left.starts_with(before) && left.ends_with(after) && !left.contains("FAKE"), "{left}");
            assert!(left.contains("\n     [redacted]\n\n      [redacted] \n"), "{left}");
            assert_eq!(redact(left).as_str(), left);
        }
    }
    let key =
        "deploy_key: |\n  FAKE\n  -----BEGIN A KEY-----\n  RkFLRQ==\n  -----END A KEY-----\n  FAKE\nx\n";
    let left = redact(key);
    assert!(!left.as_str().contains("FAKE") && left.as_str().ends_with("\nx\n"), "{}", left.as_str());
    for plain in [
        "name: |\n  a\n",
        "token:\n  a\n",
        "error: unexpected token: >\n  a\n",
        "token:|\n  a\n",
        "- token: [redacted]\n  a: |\n    b\n",
    ] {
        assert!(redact(plain).as_str().contains("  a"), "{plain}");
    }
}

#[test]
fn a_key_block_goes_and_the_log_after_it_stays() {
    let raw = "x\n-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nTUlJRkFLRQ==\n-----END RSA PRIVATE KEY-----\nERROR: y\n";
    let left = redact(raw);
    assert!(!left.as_str().contains("TUlJ") && left.as_str().ends_with("ERROR: y\n"), "{}", left.as_str());
    for (begin, end) in [("  | ", ""), ("b'", "\\n'"), ("  \"", "\\n\",")] {
        let line = |text: &str| format!("{begin}{text}{end}\n");
        let raw = [
            line("-----BEGIN RSA PRIVATE KEY-----"),
            line("TUlJRkFLRQ=="),
            line("-----END RSA PRIVATE KEY-----"),
        ];
        let left = redact(&format!("{}ERROR: y\n", raw.concat()));
        assert!(
            !left.as_str().contains("TUlJ") && left.as_str().ends_with("ERROR: y\n"),
            "{}",
            left.as_str()
        );
    }
    let open = redact("-----BEGIN OPENSSH PRIVATE KEY-----\nRkFLRQ\nERROR: not a key line\nsecond");
    assert_eq!(open.as_str(), "[redacted]\n[redacted]\nERROR: not a key line\nsecond");
}

#[test]
fn a_secret_found_once_is_gone_everywhere() {
    let left = redact("i=https://ci:hunter2-FAKE@h/s\nprinted again: hunter2-FAKE!\n");
    assert!(!left.as_str().contains("hunter2"), "{}", left.as_str());
    let left = redact("i=https://ci:pw%21-FAKE-1@h/s\ndecoded pw!-FAKE-1\n");
    assert!(!left.as_str().contains("FAKE"), "{}", left.as_str());
}
