use super::*;

fn names(command: &UserCommand) -> Vec<String> {
    command.requirements.iter().map(ToString::to_string).collect()
}

#[test]
fn a_command_by_name_is_read() {
    let command = UserCommand::parse(
        "pip install -U requests[socks]==2.24.0 numpy>=2 --no-cache-dir --only-binary :all:",
    );
    assert_eq!(names(&command), ["requests[socks]==2.24.0", "numpy>=2"]);
    assert_eq!(
        command.options,
        [("--upgrade", None), ("--no-cache-dir", None), ("--only-binary", Some(":all:".to_owned()))]
    );
    assert!(command.is_by_name() && !command.other_source && command.essential_options.is_empty());
}

#[test]
fn other_sources_are_seen() {
    for line in [
        "pip install -i https://x/simple a",
        "pip install --index-url=https://x a",
        "pip install --extra-index-url https://x a",
        "pip install -ihttps://x a",
        "pip install --extra-index https://x a",
        "pip install -f dir a",
        "pip install --no-index a",
    ] {
        let command = UserCommand::parse(line);
        assert!(command.other_source, "{line}");
        assert_eq!(names(&command), ["a"], "{line}");
    }
}

#[test]
fn files_and_projects_are_seen() {
    let command =
        UserCommand::parse("pip install -r requirements.txt -e . ./lxml-4.9.3-cp310-cp310-win_amd64.whl");
    assert_eq!(command.requirement_files, ["requirements.txt"]);
    assert!(command.projects && !command.is_by_name() && command.requirements.is_empty());
    let wheel = command.wheels.first().unwrap();
    assert_eq!(
        (wheel.name.as_str(), wheel.version.as_str(), wheel.python_tag.as_str()),
        ("lxml", "4.9.3", "cp310")
    );
}

#[test]
fn what_comes_from_no_index_is_told_by_its_kind() {
    for (argument, projects, version_control) in [
        ("numpy", false, false),
        ("git+https://h/x/y.git", false, true),
        ("name @ git+https://h/x/y.git", false, true),
        ("-e git+https://h/x/y.git", true, true),
        ("-e .", true, false),
        ("name @ https://h/x.tar.gz", true, false),
        ("https://h/x", true, false),
        ("src/x", true, false),
        ("C:\\x\\y", true, false),
        (".", true, false),
        ("..", true, false),
        (".[dev]", true, false),
        ("~x", true, false),
        ("x.tar.gz", true, false),
        ("x.whl", true, false),
    ] {
        let command = UserCommand::parse(&format!("pip install {argument}"));
        assert_eq!((command.projects, command.version_control), (projects, version_control), "{argument}");
        assert_eq!((command.wheels.len(), command.unread.len()), (0, 0), "{argument}");
    }
}

#[test]
fn one_thing_that_comes_from_no_index_keeps_a_command_from_being_written_anew() {
    for rest in ["-r r.txt", "x-1-py3-none-any.whl", ".", "git+https://h/x/y.git"] {
        assert!(!UserCommand::parse(&format!("pip install numpy {rest}")).is_by_name(), "{rest}");
    }
    assert!(!UserCommand::parse("pip install").is_by_name());
}

#[test]
fn a_name_may_be_the_value_of_an_unread_option_alone() {
    for (before, surely) in [
        ("", true),
        ("--upgrade", true),
        ("--timeout 5", true),
        ("-", true),
        ("--upgade=x", true),
        ("--upgade x", true),
        ("--upgade", false),
        ("-5", false),
    ] {
        let command = UserCommand::parse(&format!("pip install {before} numpy"));
        assert_eq!((command.names("NumPy"), command.surely_names("NumPy")), (true, surely), "{before}");
    }
}

#[test]
fn what_cannot_be_read_is_kept_apart() {
    let command = UserCommand::parse("pip install numpy=1.26.4 --upgade flask");
    assert_eq!(command.unread, ["numpy=1.26.4", "--upgade"]);
    assert_eq!(names(&command), ["flask"]);
    assert_eq!(UserCommand::parse(""), UserCommand::default());
}
