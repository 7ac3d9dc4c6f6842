//! A child runs in a directory beneath those that the guest holds, or where
//! the host says.

use std::io::{self, ErrorKind};

use offspring_guest::__internal::spawn::Command as Raw;
use offspring_guest::__internal::types::ErrorCode as RawCode;
use offspring_guest::__internal::wasip2::filesystem::preopens::get_directories;
use offspring_guest::__internal::wasip2::filesystem::types as files;
use offspring_guest::{ErrorCode, Stage};
use test_programs::{refused, sh, text};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [initial, root] = &args[..] else { panic!("two paths of the host") };
    let pwd = |directory: &str| text(sh("pwd -P").current_dir(directory));

    assert_eq!(text(&mut sh("pwd -P")), format!("{initial}\n"));
    assert_eq!(pwd("/dir"), format!("{root}\n"));
    assert_eq!(pwd("dir/./"), format!("{root}\n"));
    for inside in ["/dir/sub", "/dir/inside", "/dir/sub/../sub"] {
        assert_eq!(pwd(inside), format!("{root}/sub\n"), "{inside}");
    }

    let fails = |directory: &str| refused(sh("exit").current_dir(directory).output());
    for outside in ["/dir/..", "/dir/sub/../..", "/dir/out", "/dir/absolute", "/dir/out/tmp"] {
        let (kind, error) = fails(outside);
        assert_eq!((kind, error.stage), (ErrorKind::PermissionDenied, Stage::Resolve), "{outside}");
    }
    let cases = [
        ("/dir/missing", ErrorKind::NotFound, Stage::Resolve),
        ("/dir/file", ErrorKind::NotADirectory, Stage::Resolve),
        ("/elsewhere", ErrorKind::NotFound, Stage::Request),
    ];
    for (directory, kind, stage) in cases {
        let (found, error) = fails(directory);
        assert_eq!((found, error.stage), (kind, stage), "{directory}");
    }
    let (kind, error) = fails(&format!("/dir/{}", "x".repeat(4096)));
    assert_eq!((kind, error.code), (ErrorKind::InvalidFilename, ErrorCode::NameTooLong));
    by_a_file().expect("it can be opened");
}

/// A file is no directory to start from.
fn by_a_file() -> Result<(), io::Error> {
    let (directory, _) = get_directories().pop().expect("one directory");
    let flags = files::DescriptorFlags::READ;
    let file = directory
        .open_at(files::PathFlags::empty(), "file", files::OpenFlags::empty(), flags)
        .map_err(io::Error::other)?;
    let answer = Raw::new("sh").cwd(&file, ".");
    assert!(matches!(answer, Err(RawCode::NotDirectory)), "{answer:?}");
    Ok(())
}
