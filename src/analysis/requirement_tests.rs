use super::*;

#[test]
fn requirements_are_read_and_written() {
    for (text, written) in [
        ("numpy", "numpy"),
        ("numpy==1.26.4", "numpy==1.26.4"),
        ("uvicorn[standard]>=0.20", "uvicorn[standard]>=0.20"),
        ("a [b, c] >= 1.0, < 2", "a[b,c]>=1.0,<2"),
        ("PyYAML (>=5.1)", "PyYAML>=5.1"),
        ("numpy==1.26.*", "numpy==1.26.*"),
        ("torch==2.1.0+cu118", "torch==2.1.0+cu118"),
    ] {
        assert_eq!(Requirement::parse(text).map(|r| r.to_string()).as_deref(), Some(written), "{text}");
    }
}

#[test]
fn a_requirement_has_eight_extras_and_eight_clauses_at_most() {
    for (count, is_read) in [(8, true), (9, false)] {
        let parts = |part: &str| vec![part; count].join(",");
        assert_eq!(Requirement::parse(&format!("a[{}]", parts("b"))).is_some(), is_read, "{count}");
        assert_eq!(Requirement::parse(&format!("a{}", parts(">1"))).is_some(), is_read, "{count}");
    }
}

#[test]
fn the_normal_form_changes_versions_alone() {
    for (text, normal) in [
        ("NumPy[Test]>=v1.0-RC.1,!=1.5.*", "NumPy[Test]>=1.0rc1,!=1.5.*"),
        ("torch==1!2.1+CU_118", "torch==1!2.1+cu.118"),
    ] {
        let written = Requirement::parse(text).and_then(|r| r.in_normal_form()).map(|r| r.to_string());
        assert_eq!(written.as_deref(), Some(normal), "{text}");
    }
}

#[test]
fn what_is_no_requirement_is_refused() {
    for text in [
        "",
        "-r",
        "--upgrade",
        ".",
        "./x",
        "a/b",
        "a@https://x",
        "a @ https://x",
        "a=1",
        "a==",
        "a==1;x",
        "a==1.x",
        "a>=1.*",
        "a~=1",
        "a~=1.0+x",
        "a==1.0a1.*",
        "a==1.0+x.*",
        "[a]",
        "a[",
        "a[b",
        "a[-]",
        "a b",
        "$HOME",
        "a==$(id)",
        "nümpy",
        "a==1,",
        "a,b",
        "\u{ff41}bc",
    ] {
        assert_eq!(Requirement::parse(text), None, "{text:?}");
    }
}

#[test]
fn bounds_become_operators_that_the_client_runs() {
    for (text, speakable) in [
        ("numpy", Some("numpy")),
        ("numpy==1.26.4", Some("numpy==1.26.4")),
        ("numpy>=2.0.0", Some("numpy~=2.0")),
        ("numpy<2", Some("numpy~=1.0")),
        ("numpy<2.0.0", Some("numpy~=1.0")),
        ("numpy>=1.20,<2", Some("numpy~=1.20")),
        ("numpy<2,>=1.20", Some("numpy~=1.20")),
        ("numpy==1.26.*", Some("numpy~=1.26.0")),
        ("numpy<1.27", None),
        ("numpy>1", None),
        ("numpy!=1.5", None),
        ("numpy<=1.5", None),
        ("numpy>=1,<3", None),
        ("numpy<0", None),
        ("numpy===1.0", None),
    ] {
        let got = Requirement::parse(text).and_then(|r| r.speakable()).map(|r| r.to_string());
        assert_eq!(got.as_deref(), speakable, "{text}");
    }
}
