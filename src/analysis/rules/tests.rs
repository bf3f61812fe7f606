use super::*;
use crate::analysis::facts;
use crate::analysis::redact::redact;

fn consult_log(command: &str, log: &str, python: &str) -> Option<Finding> {
    let raw = format!(
        "Command: {command}\nExit Code: 1\n\n--- stdout ---\n{log}\n\n--- SYSTEM INFO ---\npython_version: {python}\n\
         os_system: Linux\nmachine_type: x86_64\npip_version: pip 24.2 from /x (python 3)\n"
    );
    let text = redact(&raw);
    consult(&facts::read(&text), &text)
}

fn commands(command: &str, log: &str) -> Vec<String> {
    match consult_log(command, log, "3.11.7").map(|finding| finding.advice) {
        Some(Advice::Commands { commands, .. }) => commands,
        Some(Advice::Uncertain { .. }) => vec!["UNCERTAIN".to_owned()],
        None => Vec::new(),
    }
}

#[test]
fn each_pattern_is_found_where_it_stands() {
    for (place, pattern) in PATTERNS.iter().enumerate() {
        let mut text = String::from("first line\n");
        for part in pattern.parts {
            text.push_str(match part {
                Part::Literal(literal) => literal,
                Part::Capture(_) => "a1",
            });
        }
        text.push_str("\nlast line");
        let hits = scan::scan(&text);
        assert!(hits.last(place).is_some(), "{text}");
    }
}

#[test]
fn what_a_build_prints_is_not_taken_for_pips_own_words() {
    let forged = "      error: externally-managed-environment\n      no such option: --upgrade";
    assert_eq!(consult_log("pip install a", forged, "3.11.7"), None);
}

#[test]
fn a_name_from_a_build_is_used_only_if_our_tables_know_it() {
    let log = |module: &str| format!("      ModuleNotFoundError: No module named '{module}'");
    assert_eq!(commands("pip install ./x", &log("yaml")), ["pip install PyYAML"]);
    for module in ["acme_wheel_shim", "evil; pip install x", "../x", "numpy==1 --index-url"] {
        assert_eq!(commands("pip install ./x", &log(module)), Vec::<String>::new(), "{module}");
    }
    let advice = "      The 'a' PyPI package is deprecated, use 'acme-wheel-shim'";
    assert_eq!(commands("pip install a", advice), Vec::<String>::new());
}

const NONE: &str = "ERROR: Could not find a version that satisfies the requirement ";

/// The user's command, what pip says in its own words, and the right commands; `UNCERTAIN` where
/// none helps.
fn kinds() -> Vec<(&'static str, String, Vec<&'static str>)> {
    let built = |name: &str, version: &str, error: &str| {
        format!(
            "Collecting {name}=={version}\n  Downloading {name}-{version}.tar.gz (1 kB)\n--- stderr ---\n  error: subprocess-exited-with-error\n  \n      \
             {error}\n      [end of output]\nerror: subprocess-exited-with-error\n"
        )
    };
    vec![
        ("pip install PIL", format!("{NONE}PIL (from versions: none)"), vec!["pip install Pillow"]),
        ("pip install yaml", format!("{NONE}yaml"), vec!["pip install PyYAML"]),
        ("pip install cv2", "  Could not find a version that satisfies the requirement cv2 (from versions: )".into(), vec!["pip install opencv-python"]),
        ("pip install tensorflwo six", format!("{NONE}tensorflwo (from versions: none)"), vec!["pip install tensorflow six"]),
        ("pip install requests-2.31.0", format!("{NONE}requests-2.31.0 (from versions: none)"), vec!["pip install requests==2.31.0"]),
        ("pip install zqxwv-internal", format!("{NONE}zqxwv-internal (from versions: none)"), vec!["UNCERTAIN"]),
        ("pip install sqlite3", format!("{NONE}sqlite3 (from versions: none)"), vec!["UNCERTAIN"]),
        ("pip install requirments.txt", format!("{NONE}requirments.txt (from versions: none)"), vec!["UNCERTAIN"]),
        ("pip install scipy>=1.12", format!("{NONE}scipy>=1.12 (from versions: 1.9, 1.10.1)"), vec!["pip install scipy==1.10.1"]),
        ("pip install -r r.txt", format!("{NONE}numpy==9 (from -r r.txt (line 2)) (from versions: 1.26.4)"), vec!["pip install numpy==1.26.4"]),
        ("pip install -r r.txt", format!("{NONE}acme-x==9 (from -r r.txt (line 2)) (from versions: 1.0)"), vec!["UNCERTAIN"]),
        ("pip install flask", format!("{NONE}numpy==9 (from flask) (from versions: 1.0)"), vec!["UNCERTAIN"]),
        ("pip install torch==2.0.0+cu117 six", format!("{NONE}torch==2.0.0+cu117 (from versions: 1.9.0, 2.0.0)"), vec!["pip install torch==2.0.0 six"]),
        (
            "pip install celery==4.4.7",
            format!("Please use pip<24.1 if you need to use this version.\n{NONE}celery==4.4.7 (from versions: 5.0)"),
            vec!["python -m pip install pip==24.0", "pip install celery==4.4.7"],
        ),
        (
            "pip install a==1 flask==2.0.0 werkzeug==1.0.0",
            "\nThe conflict is caused by:\n    The user requested werkzeug==1.0.0\n    flask 2.0.0 depends on Werkzeug>=2.0\n\nTo fix".into(),
            vec!["pip install a==1 flask==2.0.0 werkzeug"],
        ),
        (
            "pip install boto3==1 s3fs==1",
            "\nThe conflict is caused by:\n    boto3 1 depends on botocore>=2\n    s3fs 1 depends on botocore<2\n".into(),
            vec!["pip install boto3 s3fs"],
        ),
        ("pip install flask=2.0 numpy", "ERROR: Invalid requirement: 'flask=2.0'".into(), vec!["pip install flask==2.0 numpy"]),
        ("pip install numpy 1.26.4", format!("{NONE}1.26.4 (from versions: none)"), vec!["pip install numpy==1.26.4"]),
        ("pip install matplotlib.pyplot six", format!("{NONE}matplotlib.pyplot (from versions: none)"), vec!["pip install matplotlib six"]),
        ("pip install requirements.text", format!("{NONE}requirements.text (from versions: none)"), vec!["UNCERTAIN"]),
        ("pip install –upgrade pip", "ERROR: Invalid requirement: '–upgrade'".into(), vec!["python -m pip install --upgrade pip"]),
        ("pip install -upgrade six", "\nUsage:\nno such option: -u".into(), vec!["pip install --upgrade six"]),
        ("pip install flask == 2.0", "ERROR: Invalid requirement: '==': Expected package name".into(), vec!["pip install flask==2.0"]),
        ("pip install flask@2.0", "ERROR: Could not install packages due to an OSError: Invalid URL '2.0': No scheme supplied.".into(), vec!["pip install flask==2.0"]),
        ("pip install --upgade six", "\nno such option: --upgade".into(), vec!["pip install --upgrade six"]),
        ("pip install --resume-retries 5 six", "\nno such option: --resume-retries".into(), vec!["pip install six"]),
        ("pip install --use-feature=x six", "option --use-feature: invalid choice: 'x' (choose from 'y')".into(), vec!["pip install six"]),
        ("pip install --target /x --blah six", "\nno such option: --blah".into(), vec![]),
        ("pip install six", "ERROR: Could not install packages due to an EnvironmentError: [Errno 13] Permission denied: '/usr/x'\nConsider using the `--user` option or check the permissions.".into(), vec!["pip install --user six"]),
        ("pip install --user six", "ERROR: Can not perform a '--user' install. User site-packages are not visible in this virtualenv.".into(), vec!["pip install six"]),
        ("pip install six", "ERROR: Cannot uninstall 'six'. It is a distutils installed project and thus".into(), vec!["pip install --ignore-installed six"]),
        ("pip install six", "zipfile.BadZipFile: File is not a zip file".into(), vec!["pip install --no-cache-dir six"]),
        ("pip install six", "ReadTimeoutError(\"HTTPSConnectionPool(host='h', port=443): Read timed out.\")".into(), vec!["pip install --timeout=120 --retries=10 six"]),
        ("pip install -i https://x six", "ReadTimeoutError(\"x\")".into(), vec!["UNCERTAIN"]),
        ("pip install ./x-1.0-cp39-cp39-win32.whl", "ERROR: x-1.0-cp39-cp39-win32.whl is not a supported wheel on this platform.".into(), vec!["UNCERTAIN"]),
        ("pip install h/pandas-1.2.0-cp37-cp37m-win32.whl", "ERROR: pandas-1.2.0-cp37-cp37m-win32.whl is not a supported wheel on this platform.".into(), vec!["pip install pandas"]),
        ("pip install scipy==1.0", built("scipy", "1.0", "ModuleNotFoundError: No module named 'distutils.msvccompiler'"), vec!["pip install scipy"]),
        ("pip install scipy", built("scipy", "1.0", "ModuleNotFoundError: No module named 'distutils.msvccompiler'"), vec!["UNCERTAIN"]),
        ("pip install cchardet==2.1", built("cchardet", "2.1", "x.c:1:2: fatal error: longintrepr.h: No such file or directory"), vec!["pip install cchardet"]),
        ("pip install lxml==4.0", built("lxml", "4.0", "Error: Please make sure the libxml2 and libxslt development packages are installed."), vec!["pip install lxml"]),
        ("pip install mysqlclient==2.0", built("mysqlclient", "2.0", "OSError: mysql_config not found"), vec!["UNCERTAIN"]),
        ("pip install dlib", built("dlib", "19", "RuntimeError: CMake must be installed to build the following extensions: dlib"), vec!["pip install cmake", "pip install dlib"]),
        ("pip install sklearn", built("sklearn", "0.0", "x"), vec!["pip install scikit-learn"]),
        ("pip install orjson==3.0", built("orjson", "3.0", "error: could not compile `x` due to 29 previous errors"), vec!["pip install orjson"]),
        ("pip install torch-scatter", built("torch-scatter", "2", "ModuleNotFoundError: No module named 'torch'"), vec!["pip install torch", "pip install --no-build-isolation torch-scatter"]),
        ("pip install x", built("x", "1", "a.c:1:1: fatal error: evil.example/x.h: No such file or directory"), vec![]),
        ("pip install x", built("x", "1", "a.c:1:1: fatal error: a/b.h: No such file or directory"), vec!["UNCERTAIN"]),
        ("pip install x", built("x", "1", "a.c:1:1: fatal error: libusb-1.0/b.h: No such file or directory"), vec!["UNCERTAIN"]),
        ("pip install x", built("x", "1", "a.c:1:1: fatal error: 203.0.113.66/b.h: No such file or directory"), vec![]),
        ("pip install x", built("x", "1", "a.c:1:1: fatal error: evil.example-1.0/b.h: No such file or directory"), vec![]),
    ]
}

#[test]
fn each_kind_is_recognised_by_how_pip_speaks() {
    for (command, log, right) in kinds() {
        let screened = consult_log(command, &log, "3.11.7").map(|finding| {
            let text = redact(&format!("Command: {command}\n"));
            let screened = crate::analysis::screen::screen(
                &finding.advice.into(),
                &facts::read(&text),
                crate::analysis::screen::Source::Rule,
            );
            assert!(screened.withheld.is_empty(), "{command}: {screened:?}");
            if screened.commands.is_empty() { vec!["UNCERTAIN".to_owned()] } else { screened.commands }
        });
        assert_eq!(screened.unwrap_or_default(), right, "{command}\n{log}");
    }
}

#[test]
fn no_version_is_taken_from_what_a_package_prints() {
    let offers = |line: &str| format!("{NONE}{line} (from versions: 1.0, 1.1)");
    for (command, log, right) in [
        ("pip install urllib3==99 evil", offers("urllib3==99"), &["pip install urllib3==1.1 evil"][..]),
        ("pip install urllib3==99 evil", format!("  {}", offers("urllib3==99")), &[]),
        ("pip install urllib3 evil", offers("urllib3==99"), &[]),
        ("pip install urllib3==2.0 evil", offers("urllib3==99"), &[]),
        ("pip install evil", offers("urllib3==99 (from -r r.txt (line 3))"), &[]),
        (
            "pip install -r r.txt",
            offers("urllib3==99 (from -r r.txt (line 3))"),
            &["pip install urllib3==1.1"],
        ),
    ] {
        let advised = commands(command, &log);
        assert!(
            advised == right || right.is_empty() && advised.concat() == "UNCERTAIN",
            "{command}: {log}: {advised:?}"
        );
    }
}

#[test]
fn a_rule_gives_way_where_its_sentence_would_be_false() {
    let none = |what: &str| format!("{NONE}{what}");
    let denied = "Could not install packages due to an EnvironmentError: [Errno 13] Permission denied: '/usr/x'\n\
                  Consider using the `--user` option or check the permissions.";
    let retried = "WARNING: Retrying (Retry(total=3, connect=None)) after connection broken by 'ConnectionResetError(104, 'x')': /simple/a/\n";
    let header = "  error: subprocess-exited-with-error\n      x.c:1:1: fatal error: vips/vips.h: No such file or directory\n";
    for (command, log, rule) in [
        (
            "pip install --extra-index-url https://x acme-core==2.0",
            none("acme-core==2.0 (from versions: 1.0)"),
            Some("only-other-versions"),
        ),
        ("pip install -i https://x acme-core", denied.to_owned(), Some("permission")),
        ("pip install --user six", denied.to_owned(), Some("permission")),
        (
            "pip install acme-corelib=1.2 -i https://x",
            "ERROR: Invalid requirement: 'acme-corelib=1.2'".into(),
            Some("invalid-requirement-unclear"),
        ),
        (
            "pip install flask",
            none("acme-x==9 (from flask) (from versions: 1.0)"),
            Some("only-other-versions"),
        ),
        ("pip install acme-x", none("acme-x (from versions: none)"), Some("no-version-at-all")),
        ("pip install acme-x==1", none("acme-x==1 (from versions: 1.0)"), None),
        ("pip install ./x", format!("{retried}{header}"), Some("header-missing")),
        ("pip install ./x", retried.to_owned(), Some("connection")),
        (
            "pip install ./x",
            format!("      ModuleNotFoundError: No module named 'Cython'\n{header}"),
            Some("header-missing"),
        ),
    ] {
        let found = consult_log(command, &log, "3.11.7").map(|finding| finding.rule);
        assert_eq!(found, rule, "{command}\n{log}");
    }
}

#[test]
fn a_rule_for_older_pythons_leaves_newer_ones_alone() {
    let log = "Collecting a==1\n      error in a setup command: use_2to3 is invalid.";
    let rule = |python| consult_log("pip install a==1", log, python).map(|finding| finding.rule);
    assert_eq!((rule("3.11.7"), rule("3.12.1")), (Some("use-2to3"), None));
}

#[test]
fn failures_are_known_in_chinese_too() {
    for (log, rule) in [
        ("      a.c:1:9: 致命错误: ffi.h: 没有那个文件或目录", "header-missing"),
        ("      a.c:1:9: 嚴重錯誤： ffi.h：沒有此一檔案或目錄", "header-missing"),
        ("      a.c(1): fatal error C1083: 无法打开包括文件:“ffi.h”", "header-missing"),
        ("      a.c(1): fatal error C1083: 无法打开包括文件:“Python.h”", "python-headers"),
        ("      /usr/bin/ld: 找不到 -lpq", "library-missing"),
        ("      LINK : fatal error LNK1104: 无法打开文件“pq.lib”", "library-missing-windows"),
        ("      error: command 'gcc' failed: 没有那个文件或目录", "compiler-missing"),
        ("      bash: gcc: 未找到命令", "compiler-missing"),
        ("      error: command 'cl.exe' failed: 系统找不到指定的文件。", "compiler-missing-windows"),
    ] {
        let finding = consult_log("pip install a", log, "3.11.7").unwrap();
        assert_eq!(finding.rule, rule, "{log}");
        let Advice::Uncertain { sentence } = finding.advice else { panic!("{log}") };
        assert!(!sentence.is_ascii(), "{log}: {sentence}");
    }
    for log in ["[WinError 10054] 远程主机强迫关闭了一个现有的连接。", "[Errno 11001] 不知道这样的主机。"]
    {
        assert_eq!(facts::read(&redact(log)).language, facts::Language::Chinese, "{log}");
    }
}

#[test]
fn tools_and_libraries_that_a_build_misses_are_told_apart() {
    for (log, rule) in [
        ("      error: command 'link.exe' failed: No such file or directory", "compiler-missing-windows"),
        ("      gcc: fatal error: cannot execute 'cc1plus': execvp: No such file", "compiler-missing"),
        ("      configure: error: you need a C compiler", "compiler-missing"),
        (
            "      Unable to find libclang: \"couldn't find any valid shared libraries\"",
            "config-tool-unclear",
        ),
        ("      Could not find directory of OpenSSL installation, and", "config-tool-unclear"),
        ("      Package cairo was not found in the pkg-config search path.", "config-tool-unclear"),
        (
            "      CMake Error at x.cmake:1 (message):\n        Could NOT find OpenSSL, try to set the path",
            "cmake-library-missing-unclear",
        ),
        (
            "      CMake Error at x:1 (message):\n        Could NOT find Boost (missing: Boost_INCLUDE_DIR)",
            "cmake-library-missing-unclear",
        ),
        ("      FileNotFoundError: [Errno 2] No such file or directory: 'pkg-config'", "build-tool-missing"),
        ("      /bin/sh: autoreconf: command not found", "build-tool-missing"),
        ("      Compatibility with CMake < 3.5 has been removed from CMake.", "cmake-too-new"),
        ("      ValueError: invalid pyproject.toml config: `project.license`.", "project-configuration"),
        ("error: resolution-too-deep", "resolution-too-deep"),
        ("/usr/bin/python3: No module named pip", "pip-broken"),
    ] {
        let finding = consult_log("pip install a", log, "3.11.7");
        let uncertain = finding.as_ref().is_some_and(|it| matches!(it.advice, Advice::Uncertain { .. }));
        assert_eq!((finding.map(|finding| finding.rule), uncertain), (Some(rule), true), "{log}");
    }
}

#[test]
fn answers_are_in_the_language_of_the_log() {
    let log = "      x.cc:33:10: 致命错误：snappy-c.h：没有那个文件或目录";
    let advice = consult_log("pip install a", log, "3.11.7").map(|finding| finding.advice);
    let Some(Advice::Uncertain { sentence }) = advice else { panic!("{advice:?}") };
    assert!(sentence.starts_with("编译器找不到 snappy-c.h"), "{sentence}");
}
