//! Children that see a part of the file system only.

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use offspring_spawn::{Command, Directory, Errno, Namespace, Stage, ViewAccess};
use rustix::process::geteuid;
use support::isolation::{isolated, skip};
use support::place::{Place, directory};
use support::state::State;
use support::traces::Traces;
use support::view::{Show, can_make, needed, place, seeing, usual};
use support::{error_of, output, text};

#[test]
fn a_file_has_the_same_path_on_both_sides() {
    isolated(|| {
        if !can_make("a_file_has_the_same_path_on_both_sides") {
            return;
        }
        let place = place(&["source"]);
        place.file("source/a.c", 0o644, "text");
        let mut view = usual();
        view.show(&place, "source", "/src", ViewAccess::Write);
        let mut command = seeing(&view, "pwd; cat /src/a.c; echo more > b.c");
        command.current_dir(Directory::at("/src").unwrap());
        let state = State::now();
        assert_eq!(Traces::unchanged(|| text(&mut command)), "/src\ntext");
        assert_eq!(fs::read_to_string(place.path("source/b.c")).unwrap(), "more\n");
        assert_eq!(State::now(), state);
    });
}

#[test]
fn there_is_nothing_else() {
    if !can_make("there_is_nothing_else") {
        return;
    }
    let place = place(&["source", "other"]);
    place.file("other/secret", 0o644, "");
    let mut view = usual();
    view.show(&place, "source", "/src", ViewAccess::Write);
    let mut command =
        seeing(&view, "cd /; echo *; ls -A /src; cd /src/../../..; pwd; echo /*/other");
    assert_eq!(
        text(&mut command).lines().map(str::to_owned).collect::<Vec<_>>()[1..],
        ["/", "/*/other"]
    );
    let listed = text(&mut seeing(&view, "echo /*"));
    let known = ["/bin", "/dev", "/etc", "/gnu", "/nix", "/proc", "/sbin", "/src", "/sys", "/usr"];
    for name in listed.split_whitespace() {
        assert!(known.contains(&name) || name.starts_with("/lib"), "{name}");
    }
    // Not where it is outside either.
    let mut command = seeing(
        &view,
        "test -e \"$0\"; echo $?; test -e /root; echo $?; test -e /etc/shadow; echo $?",
    );
    command.arg(place.path("other/secret"));
    assert_eq!(text(&mut command), "1\n1\n1\n");
}

#[test]
fn a_root_of_nothing_cannot_be_written_to() {
    if !can_make("a_root_of_nothing_cannot_be_written_to") {
        return;
    }
    let script = "for at in / /usr /etc /dev /proc; do
        touch $at/new 2>/dev/null && echo $at; done; exit 0";
    assert_eq!(text(&mut seeing(&usual(), script)), "");
    assert_eq!(
        text(&mut seeing(&usual(), "echo text > /dev/null; head -c 3 /dev/zero | wc -c")),
        "3\n"
    );
}

#[test]
fn what_is_to_be_read_only_is() {
    if !can_make("what_is_to_be_read_only_is") {
        return;
    }
    let place = place(&["read", "write/below"]);
    for file in ["read/file", "write/file", "write/below/file"] {
        place.file(file, 0o666, "");
    }
    let mut view = usual();
    view.show(&place, "read", "/read", ViewAccess::Read)
        .show(&place, "write", "/read/below", ViewAccess::Write)
        .show(&place, "write", "/write", ViewAccess::Write)
        .show(&place, "read", "/write/below", ViewAccess::Read);
    // A place in another directory must be there.
    fs::create_dir(place.path("read/below")).unwrap();
    let script = "for at in /read /write /read/below /write/below; do
        (echo text > $at/file) 2>/dev/null && echo $at; done; chmod 777 /read/file 2>/dev/null || echo no";
    assert_eq!(text(&mut seeing(&view, script)), "/write\n/read/below\nno\n");
}

#[test]
fn a_directory_as_the_root() {
    if !can_make("a_directory_as_the_root") {
        return;
    }
    let place = place(&["inner"]);
    place.file("inner/file", 0o644, "");
    let mut view = usual();
    view.directory(directory(Path::new("/")), "/", "/", ViewAccess::Read).unwrap();
    // What is in it has precedence over what programs need.
    let mut command =
        seeing(&view, "test -e \"$0\" && test -e /etc/passwd && echo /dev/*; ls /src");
    command.arg(place.path("inner/file"));
    let (printed, status) = output(&mut command);
    assert!(!status.success(), "{printed}");
    assert!(printed.starts_with("/dev/fd /dev/full /dev/null "), "{printed}");
    let read_only = text(&mut seeing(&view, "touch /tmp/new 2>/dev/null || echo no"));
    assert_eq!(read_only, "no\n");
    // One that has no place for the others, nor for what programs need.
    let mut view = usual();
    view.show(&place, "inner", "/", ViewAccess::Write);
    assert_eq!(error_of(&seeing(&view, "exit 0")), (Stage::Exec, Errno::NOENT));
}

#[test]
fn links_are_followed_in_the_view() {
    if !can_make("links_are_followed_in_the_view") {
        return;
    }
    let place = place(&["source", "other"]);
    let secret = place.file("other/secret", 0o644, "secret");
    symlink(&secret, place.path("source/absolute")).unwrap();
    symlink("../other/secret", place.path("source/relative")).unwrap();
    symlink("../../../../../../etc/shadow", place.path("source/far")).unwrap();
    symlink("/src/file", place.path("source/inside")).unwrap();
    place.file("source/file", 0o644, "inside\n");
    let mut view = usual();
    view.show(&place, "source", "/src", ViewAccess::Read);
    let script = "cd /src; for link in absolute relative far inside; do
        cat $link 2>/dev/null || echo none; done";
    assert_eq!(text(&mut seeing(&view, script)), "none\nnone\nnone\ninside\n");
}

#[test]
fn with_all_namespaces() {
    isolated(|| {
        if !can_make("with_all_namespaces") {
            return;
        }
        let place = place(&["source"]);
        let mut view = usual();
        view.show(&place, "source", "/src", ViewAccess::Write);
        let state = State::now();
        let mut command = seeing(&view, "echo $$ /proc/[0-9]*; touch /src/file");
        command.namespaces(needed(Namespace::ALL));
        assert_eq!(Traces::unchanged(|| text(&mut command)), "1 /proc/1\n");
        assert!(place.path("source/file").exists());
        assert_eq!(State::now(), state);
    });
}

#[test]
fn a_script_in_a_view() {
    if !can_make("a_script_in_a_view") {
        return;
    }
    let place = Place::new();
    let script = place.script("script", "#!/bin/sh\necho \"$0\"\n");
    let mut command = Command::new(&script);
    command.view(&usual()).namespaces(needed([]));
    assert_eq!(text(&mut command), "/dev/fd/3\n");
}

#[test]
fn as_another_user() {
    let name = "as_another_user";
    if !geteuid().is_root() {
        return skip(name, "only root may change ids");
    }
    let place = place(&["source"]);
    fs::set_permissions(place.path("source"), fs::Permissions::from_mode(0o777)).unwrap();
    let mut view = usual();
    view.show(&place, "source", "/src", ViewAccess::Write);
    let mut command = seeing(&view, "id -u; touch /src/file; kill -0 $0 2>/dev/null || echo no");
    command.arg(std::process::id().to_string());
    command.identity(offspring_spawn::Identity { uid: 65_534, gid: 65_534, groups: Vec::new() });
    assert_eq!(text(&mut command), "65534\nno\n");
    assert_eq!(fs::metadata(place.path("source/file")).unwrap().uid(), 65_534);
}
