//! What is read as a structured field, and what is not.

use super::*;

fn item(value: Bare) -> Value {
    Value::Item(Item { value, parameters: Vec::new() })
}

#[test]
fn every_kind_is_read() {
    let field =
        " a=1, b=-999999999999999,\tc=\"x \\\" \\\\\" ,d=to/k:n, e=:aGk=:, f=?0, g, *h=:aGk:, i=(), j=*";
    let members = dictionary(field).unwrap();
    let list = Value::InnerList { items: Vec::new(), parameters: Vec::new() };
    let expected = [
        ("a", item(Bare::Integer(1)), "1"),
        ("b", item(Bare::Integer(-999_999_999_999_999)), "-999999999999999"),
        ("c", item(Bare::Text("x \" \\".to_owned())), "\"x \\\" \\\\\""),
        ("d", item(Bare::Token("to/k:n".to_owned())), "to/k:n"),
        ("e", item(Bare::Bytes(b"hi".to_vec())), ":aGk=:"),
        ("f", item(Bare::Boolean(false)), "?0"),
        ("g", item(Bare::Boolean(true)), ""),
        ("*h", item(Bare::Bytes(b"hi".to_vec())), ":aGk:"),
        ("i", list, "()"),
        ("j", item(Bare::Token("*".to_owned())), "*"),
    ];
    let expected = expected.map(|(key, value, text)| Member { key, value, text });
    assert_eq!(members, expected);
}

#[test]
fn parameters_belong_to_what_they_follow() {
    let members = dictionary("s=( \"a\";x;y=2  b );z=\"t\";  w=:aGk=:").unwrap();
    assert_eq!(members[0].text, "( \"a\";x;y=2  b );z=\"t\";  w=:aGk=:");
    let Value::InnerList { items, parameters } = &members[0].value else { panic!("not a list") };
    assert_eq!(items[0].value, Bare::Text("a".to_owned()));
    assert_eq!(
        items[0].parameters,
        [("x".to_owned(), Bare::Boolean(true)), ("y".to_owned(), Bare::Integer(2))]
    );
    assert_eq!(items[1].value, Bare::Token("b".to_owned()));
    assert_eq!(parameters.len(), 2);
}

#[test]
fn what_is_not_one_clean_dictionary_is_refused() {
    let long = format!("a=\"{}\"", "x".repeat(MAX_FIELD_BYTES));
    for field in [
        "a=",
        "A=1",
        "1=1",
        "a=1,",
        "a=1 b=2",
        "a=1,,b=2",
        ",a=1",
        "a=1;",
        "a=1;=2",
        "a=1;b=",
        "a=1;b;b",
        "a=1, a=2",
        "a=(",
        "a=(1",
        "a=(1 2",
        "a=(1,2)",
        "a=(1\t2)",
        "a=(\"x\"\"y\")",
        "a=((1))",
        "a=\"",
        "a=\"x",
        "a=\"\\x\"",
        "a=\"\u{e9}\"",
        "a=\"\t\"",
        "a=\"\n\"",
        "a=:aGk=",
        "a=:aG k=:",
        "a=:aGl=:",
        "a=:_-8=:",
        "a=?",
        "a=?2",
        "a=?true",
        "a=1.5",
        "a=1000000000000000",
        "a=-",
        "a=--1",
        "a=@1",
        "a=%\"x\"",
        "a = 1",
        "a=1\u{0}",
        "\ta=1",
        "a=1;\tb",
        &long,
    ] {
        assert_eq!(dictionary(field), Err(Malformed), "{field:?}");
    }
    assert_eq!(dictionary(""), Ok(Vec::new()));
    let longest = format!("a=\"{}\"", "x".repeat(MAX_FIELD_BYTES - 4));
    assert_eq!(longest.len(), MAX_FIELD_BYTES);
    assert!(dictionary(&longest).is_ok());
}
