//! Which directories a view shows, and where.

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use offspring_spawn::{Directory, Errno, Mode, OFlags, Stage, View, ViewAccess};
use support::isolation::isolated;
use support::place::directory;
use support::traces::Traces;
use support::view::{Show, can_make, place, seeing, usual};
use support::{actions, error_of, sh, text};

#[test]
fn a_place_in_a_directory_is_never_made() {
    isolated(|| {
        if !can_make("a_place_in_a_directory_is_never_made") {
            return;
        }
        let place = place(&["outer", "inner"]);
        let mut view = usual();
        view.show(&place, "outer", "/src", ViewAccess::Write);
        view.show(&place, "inner", "/src/missing", ViewAccess::Write);
        text(&mut sh("exit 0"));
        let (stage, errno) = Traces::unchanged(|| error_of(&seeing(&view, "exit 0")));
        assert!(matches!(stage, Stage::View(_)), "{stage:?}");
        assert_eq!(errno, Errno::NOENT);
        assert_eq!(fs::read_dir(place.path("outer")).unwrap().count(), 0);
    });
}

#[test]
fn overlapping_directories() {
    if !can_make("overlapping_directories") {
        return;
    }
    let place = place(&["a/b", "c"]);
    place.file("a/name", 0o644, "a\n");
    place.file("a/b/name", 0o644, "b\n");
    place.file("c/name", 0o644, "c\n");
    let mut view = usual();
    view.show(&place, "c", "/x", ViewAccess::Read)
        .show(&place, "c", "/a/b", ViewAccess::Read)
        .show(&place, "a", "/a", ViewAccess::Read)
        .show(&place, "a/b", "/x", ViewAccess::Read)
        .show(&place, "a", "/deep/er/and/deeper", ViewAccess::Read);
    let script = "cat /x/name /a/name /a/b/name /deep/er/and/deeper/b/name";
    assert_eq!(text(&mut seeing(&view, script)), "b\na\nc\nb\n");
    let find = |name: &str| view.find(place.path(name).canonicalize().unwrap());
    assert_eq!(find("a/name").unwrap(), Path::new("/a/name"));
    // Not below /a, where something else is.
    assert_eq!(find("a/b/name").unwrap(), Path::new("/x/name"));
    assert_eq!(find("c").unwrap(), Path::new("/a/b"));
    assert_eq!(view.find("/nowhere"), None);
}

#[test]
fn another_directory_at_the_same_path() {
    if !can_make("another_directory_at_the_same_path") {
        return;
    }
    let place = place(&["source"]);
    let mut view = usual();
    view.show(&place, "source", "/src", ViewAccess::Read);
    fs::rename(place.path("source"), place.path("renamed")).unwrap();
    let (stage, errno) = error_of(&seeing(&view, "exit 0"));
    assert!(matches!(stage, Stage::View(_)) && errno == Errno::NOENT, "{stage:?} {errno}");
    fs::create_dir(place.path("source")).unwrap();
    let (stage, errno) = error_of(&seeing(&view, "exit 0"));
    assert!(matches!(stage, Stage::View(_)) && errno == Errno::STALE, "{stage:?} {errno}");
}

#[test]
fn our_directories_lead_out_and_are_refused() {
    let place = place(&["source"]);
    let mut view = usual();
    view.show(&place, "source", "/src", ViewAccess::Read);
    let held = || directory(&place.path("source"));
    let mut command = seeing(&view, "exit 0");
    command.current_dir(held());
    assert_eq!(error_of(&command), (Stage::WorkingDirectory, Errno::XDEV));
    let mut command = seeing(&view, "exit 0");
    command.pass(held(), 5).unwrap();
    assert_eq!(error_of(&command), (Stage::Passed(5), Errno::XDEV));
    let mut command = seeing(&view, "exit 0");
    command.stdin(held());
    assert_eq!(error_of(&command), (Stage::StandardStream(0), Errno::XDEV));
    let mut command = seeing(&view, "exit 0");
    command.file_actions(actions(|add| add.close(7)?.chdir_beneath(held(), ".")));
    assert_eq!(error_of(&command), (Stage::FileAction(1), Errno::XDEV));
}

#[test]
fn directories_of_the_view_can_be_passed() {
    if !can_make("directories_of_the_view_can_be_passed") {
        return;
    }
    let place = place(&["source/below"]);
    let mut view = usual();
    view.show(&place, "source", "/src", ViewAccess::Read);
    // The lowest number there is, and one that is far away.
    let mut command = seeing(
        &view,
        "for fd in 3 40; do ls /proc/self/fd/$fd/; done; cd -P /proc/self/fd/40/..; pwd -P",
    );
    command.pass_directory("/src", 3).unwrap().pass_directory("/src/below", 40).unwrap();
    assert_eq!(text(&mut command), "below\n/src\n");
    for (path, errno) in [("/missing", Errno::NOENT), ("/etc/passwd", Errno::NOTDIR)] {
        let mut command = seeing(&view, "exit 0");
        command.pass_directory(path, 5).unwrap();
        assert_eq!(error_of(&command), (Stage::Passed(5), errno), "{path}");
    }
    let mut command = seeing(&view, "exit 0");
    assert_eq!(command.pass_directory("/", -1).unwrap_err(), Errno::BADF);
    assert_eq!(command.pass_directory("\0", 5).unwrap_err(), Errno::INVAL);
}

#[test]
fn file_actions_open_what_is_in_the_view() {
    if !can_make("file_actions_open_what_is_in_the_view") {
        return;
    }
    let place = place(&["source/below"]);
    place.file("source/below/file", 0o644, "text\n");
    symlink("/etc/passwd", place.path("source/out")).unwrap();
    let mut view = usual();
    view.show(&place, "source", "/src", ViewAccess::Read);
    let source = || Directory::at("/src").unwrap();
    let (read, none) = (OFlags::RDONLY, Mode::empty());
    let script = "cat <&3; cat <&7; pwd; for fd in 4 5 6 8 9; do test -e /proc/$$/fd/$fd && echo $fd; done; exit 0";
    let mut command = seeing(&view, script);
    command.file_actions(actions(|add| {
        // The lowest number there is, and one that is far away.
        add.open_beneath(3, source(), "below/file", read, none)?
            .open_beneath(7, source(), "below/file", read, none)?
            .chdir_beneath(source(), "below")
    }));
    let printed = text(&mut command);
    assert_eq!(printed, "text\ntext\n/src/below\n");
    for (path, errno) in [("..", Errno::XDEV), ("out", Errno::XDEV), ("missing", Errno::NOENT)] {
        let mut command = seeing(&view, "exit 0");
        command.file_actions(actions(|add| add.open_beneath(3, source(), path, read, none)));
        assert_eq!(error_of(&command), (Stage::FileAction(0), errno), "{path}");
    }
}

#[test]
fn places_that_cannot_be() {
    let root = directory(Path::new("/"));
    let mut view = View::new();
    for at in ["/a/../b", "..", "/a\0"] {
        assert_eq!(
            view.directory(&root, "/", at, ViewAccess::Read).unwrap_err(),
            Errno::INVAL,
            "{at}"
        );
    }
    let nul = view.directory(&root, "/\0", "/a", ViewAccess::Read);
    assert_eq!(nul.unwrap_err(), Errno::INVAL);
    assert_eq!(Directory::at("\0").unwrap_err(), Errno::INVAL);
}
