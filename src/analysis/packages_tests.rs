use super::*;

#[test]
fn modules_are_found_by_their_package() {
    for (module, package) in [
        ("cv2", "opencv-python"),
        ("sklearn.linear_model", "scikit-learn"),
        ("PIL", "Pillow"),
        ("google.cloud.storage.blob", "google-cloud-storage"),
        ("numpy", "numpy"),
        ("Cython", "Cython"),
        ("skbuild", "scikit-build"),
    ] {
        assert_eq!(package_for_import(module).as_deref(), Some(package), "{module}");
    }
    for unknown in ["google.acme", "google.cloud.acme.x", "acme_wheel_shim", "vision_ext", "", ".", "numpyy"]
    {
        assert_eq!(package_for_import(unknown), None, "{unknown}");
    }
}

#[test]
fn there_are_three_hundred_modules_with_another_name() {
    let differ = IMPORTS.iter().filter(|(module, package)| normalised(module) != normalised(package));
    assert!(differ.count() >= 300);
}

#[test]
fn modules_that_no_package_brings_are_known() {
    assert!(is_standard_library("asyncio") && is_standard_library("configparser"));
    assert!(!is_standard_library("numpy"));
    for (module, version) in [("distutils", Some((3, 12))), ("distutils.core", Some((3, 12))), ("os", None)] {
        assert_eq!(removed_in(module), version, "{module}");
    }
    assert!(is_local_module("utils") && is_local_module("Utils.files") && !is_local_module("numpy"));
}

#[test]
fn tables_are_sorted_for_the_search() {
    assert!(WELL_KNOWN.is_sorted_by(|a, b| a.0 < b.0));
    assert!(IMPORTS.is_sorted_by(|a, b| a.0 < b.0));
}

#[test]
fn misspelt_names_find_the_nearest() {
    for (wrong, right) in [
        ("djangorestframwork", "djangorestframework"),
        ("reqeusts", "requests"),
        ("numpyy", "numpy"),
        ("pandsa", "pandas"),
        ("pygmae", "pygame"),
        ("matplotlb", "matplotlib"),
        ("beautifullsoup4", "beautifulsoup4"),
        // As near are parse and pymssql, which are downloaded less.
        ("parsw", "parso"),
        ("pymzsql", "pymysql"),
    ] {
        assert_eq!(nearest(wrong).map(|near| near.name), Some(right), "{wrong}");
    }
    assert_eq!(nearest("scikitlearn").map(|near| near.name), Some("scikit-learn"));
    for name in [
        "numpy",
        "nmpy",
        "acme-billing",
        "q",
        "zzzzzzzzzzzz",
        "postgres",
        "scheduler",
        "django-common",
        "ops-tools",
        "pyutils",
        "cudatoolkit",
    ] {
        assert_eq!(nearest(name), None, "{name}");
    }
}

#[test]
fn the_likelier_a_slip_the_more_names_it_may_have_meant() {
    for (wrong, right, most) in [
        ("schedules", "schedule", ON_ALL_LIPS),
        ("schedule", "schedules", ON_ALL_LIPS),
        ("cuda-toolkit", "cudatoolkit", ON_ALL_LIPS),
        ("schedulee", "schedule", MEANT),
        ("schedulers", "schedule", MEANT),
        ("schedula", "schedule", MEANT),
        ("chedule", "schedule", MEANT),
        ("shcedule", "schedule", MEANT_BY_A_SWAP),
    ] {
        assert_eq!(reach(wrong, right), most, "{wrong}");
    }
}

#[test]
fn many_names_are_known() {
    assert!(IMPORTS.len() >= 300 && WELL_KNOWN.len() >= 3_000, "{} {}", IMPORTS.len(), WELL_KNOWN.len());
    for (module, package) in [
        ("cv2", "opencv-python"),
        ("sklearn", "scikit-learn"),
        ("PIL", "Pillow"),
        ("yaml", "PyYAML"),
        ("bs4", "beautifulsoup4"),
        ("Crypto", "pycryptodome"),
        ("dotenv", "python-dotenv"),
    ] {
        assert_eq!(provider_of(module), Some(package), "{module}");
    }
    // What a rule may advise has to be vouched for as well.
    for (_, package) in IMPORTS {
        assert!(is_well_known(package), "{package}");
    }
}

#[test]
fn edits_are_counted() {
    for (a, b, edits) in [
        ("abc", "abc", Some(0)),
        ("abc", "acb", Some(1)),
        ("abcd", "abxy", Some(2)),
        ("a", "b", Some(1)),
        ("ab", "x", Some(2)),
        ("", "ab", Some(2)),
        // Only one of the two letters is where a swap would put it.
        ("ab", "ca", Some(2)),
        ("ca", "ab", Some(2)),
        ("abc", "xyz", None),
    ] {
        assert_eq!(edits_within(a.as_bytes(), b.as_bytes(), 2), edits, "{a} {b}");
    }
}
