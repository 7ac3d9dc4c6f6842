//! Children run nothing that the guest or they themselves have written, unless their
//! grant says so.

use std::fs;
use std::path::{Path, PathBuf};

use offspring::policy::Policy;
use offspring::{BuildError, ProcessCtx, WrittenError};
use offspring_tests::*;
use wasmtime_wasi::FsPerms::{self, ReadOnly, ReadWrite};

use crate::isolation::skip;
use crate::place::Place;
use crate::run::Run;

/// Directories of a guest: what they are for the host and for the guest.
type Dirs<'a> = &'a [(&'a Path, &'a str, FsPerms)];

/// Why this grant cannot be had by a guest with these directories.
fn error(words: &str, dirs: Dirs<'_>) -> Option<BuildError> {
    let text = format!("[program.x]\npath = 'sh'\n{words}");
    let mut builder = ProcessCtx::builder().policy(Policy::parse("p.toml", &text).unwrap());
    for (host, guest, perms) in dirs {
        builder = builder.preopened_dir(*host, *guest, *perms);
    }
    builder.build().err()
}

fn refused(words: &str, dirs: Dirs<'_>) -> (String, WrittenError) {
    match error(words, dirs) {
        Some(error @ BuildError::Written { .. }) => {
            let said = error.to_string();
            let BuildError::Written { error, .. } = error else { unreachable!("it is one") };
            (said, *error)
        }
        other => panic!("{words}: {other:?}"),
    }
}

#[test]
fn what_the_guest_may_write_is_not_executed() {
    let (place, other) = (Place::new(), Place::new());
    fs::create_dir_all(place.path("tools/bin")).unwrap();
    let tool = place.program("tools/bin/tool", "#!/bin/sh\n");
    let link = other.path("link");
    std::os::unix::fs::symlink(place.path("tools"), &link).unwrap();
    let at = |name: &str| place.path(name);
    let dir = |path: &Path, perms| -> [(PathBuf, FsPerms); 1] { [(path.to_owned(), perms)] };
    for (executed, held) in [
        // The same, above, and beneath; a file; and by another way.
        (at("tools"), at("tools")),
        (at("tools/bin"), at("tools")),
        (at("tools"), at("tools/bin")),
        (tool.clone(), at("tools")),
        (link.clone(), at("tools/bin")),
        (at("tools"), link.clone()),
    ] {
        for more in ["", ", files = 'none'", ", network = 'allow'"] {
            let words = format!("sandbox = {{ read = ['/etc'], execute = [{executed:?}]{more} }}");
            let [(path, perms)] = dir(&held, ReadWrite);
            let (said, why) = refused(&words, &[(&path, "/dir", perms)]);
            let start = "p.toml:3:41: cannot grant `x`: its children may execute ";
            assert!(said.starts_with(start), "{said}");
            assert!(said.contains("through its directory `/dir`; give it"), "{said}");
            assert!(said.ends_with("say `sandbox.execute-written = \"allow\"`"), "{said}");
            let WrittenError::ByGuest { path, place: written, guest } = why else {
                panic!("{why:?}")
            };
            assert_eq!((path, &*guest), (executed.clone(), "/dir"));
            assert!(written.starts_with(at("tools")), "{}", written.display());

            let [(path, perms)] = dir(&held, ReadOnly);
            assert!(error_of(&words, &path, perms).is_none(), "only to read");
            assert!(error(&words, &[(other.root(), "/dir", ReadWrite)]).is_none(), "another one");
            assert!(error(&words, &[]).is_none(), "none");
            let allowed = words.replace(" }", ", execute-written = 'allow' }");
            assert!(error_of(&allowed, &held, ReadWrite).is_none(), "{allowed}");
        }
        // Nothing is kept from being executed, so nothing is said of it.
        let words = format!("sandbox = {{ execute = [{executed:?}], files = 'host' }}");
        assert!(error_of(&words, &held, ReadWrite).is_none());
    }
}

fn error_of(words: &str, held: &Path, perms: FsPerms) -> Option<BuildError> {
    error(words, &[(held, "/dir", perms)])
}

#[test]
fn what_children_may_write_is_not_executed() {
    let place = Place::new();
    fs::create_dir_all(place.path("tools/cache")).unwrap();
    let [tools, cache] = ["tools", "tools/cache"].map(|name| place.path(name));
    for (executed, written) in [(&tools, &tools), (&tools, &cache), (&cache, &tools)] {
        let words = format!("sandbox = {{ execute = [{executed:?}], write = [{written:?}] }}");
        let (said, error) = refused(&words, &[]);
        let expected = format!("execute {}, and those of `x` may write to ", executed.display());
        assert!(said.starts_with("p.toml:3:24: ") && said.contains(&expected), "{said}");
        assert!(matches!(error, WrittenError::ByChildren { .. }), "{error:?}");
        let allowed = words.replace(" }", ", execute-written = 'allow' }");
        assert!(error_of(&allowed, place.root(), ReadOnly).is_none());
        // By another grant of the guest's.
        let words = format!(
            "sandbox.execute = [{executed:?}]\n[program.y]\npath = 'sh'\nsandbox.write = \
             [{written:?}]"
        );
        let (said, _) = refused(&words, &[]);
        assert!(said.starts_with("p.toml:3:20: ") && said.contains("those of `y`"), "{said}");
    }
    let words = format!("sandbox = {{ execute = ['/usr'], write = ['/dev/null', {cache:?}] }}");
    assert!(error(&words, &[]).is_none());
}

/// The shell is dynamic where there is a loader for it; where it is not, nothing is to
/// be found.
#[test]
fn libraries_that_the_guest_may_write_are_not_loaded() {
    let shell = offspring_spawn::Program::open("/bin/sh").unwrap();
    if shell.loader().unwrap().is_none() {
        return skip("libraries_that_the_guest_may_write", "the shell is static here");
    }
    let place = Place::new();
    let library = |words: &str, dirs: Dirs<'_>| {
        let (said, error) = refused(words, dirs);
        let WrittenError::Libraries { guest, sayable, .. } = error else { panic!("{error:?}") };
        assert!(said.starts_with("p.toml:2:8: cannot grant `x`: the guest may write"), "{said}");
        assert_eq!(said.contains("execute-written"), sayable, "{said}");
        (guest, sayable)
    };

    // Those of the system, which only root could change.
    let dirs = ["/usr/lib", "/lib"].map(|path| (Path::new(path), path, ReadWrite));
    for dir in dirs {
        if !rustix::process::geteuid().is_root() {
            assert!(error("", &[dir]).is_none(), "nobody but root writes there");
            continue;
        }
        assert_eq!(library("", &[dir]), (dir.1.to_owned(), true));
        assert_eq!(library("sandbox = 'none'", &[dir]), (dir.1.to_owned(), false));
        assert!(error("sandbox.execute-written = 'allow'", &[dir]).is_none());
        assert!(error("", &[(dir.0, dir.1, ReadOnly)]).is_none());
    }

    // Those that the host has the loader look for.
    let held = [(place.root(), "/dir", ReadWrite)];
    for (name, found) in [("LD_LIBRARY_PATH", true), ("LD_PRELOAD", true), ("OTHER", false)] {
        let words = format!("env = {{ {name} = '/usr/lib:{}' }}", place.root().display());
        match found {
            true => assert_eq!(library(&words, &held), ("/dir".to_owned(), true)),
            false => assert!(error(&words, &held).is_none()),
        }
        assert!(error(&words, &[(place.root(), "/dir", ReadOnly)]).is_none());
    }

    // Those that are the guest's own in its view.
    for guest in ["/", "/etc", "/usr/lib", "/lib/more", "/src"] {
        let view = "view = 'guest'\nsandbox.best-effort = ['files']";
        let dirs = |perms| [(place.root(), guest, perms)];
        let says = |perms| match error(view, &dirs(perms)) {
            Some(BuildError::Written { error, .. }) => {
                assert!(matches!(*error, WrittenError::Libraries { .. }), "{error:?}");
                true
            }
            // Where no views can be made.
            None | Some(BuildError::Apart { .. }) => false,
            other => panic!("{other:?}"),
        };
        assert_eq!(says(ReadWrite), guest != "/src", "{guest}");
        assert!(!says(ReadOnly), "{guest}");
    }

    // What has no loader loads nothing.
    let program = place.program("static", b"\x7fELF\x02\x01");
    let policy = format!("[program.x]\npath = {program:?}");
    let builder = ProcessCtx::builder().policy(Policy::parse("p.toml", &policy).unwrap());
    assert!(builder.preopened_dir("/usr/lib", "/lib", ReadWrite).build().is_ok());
}

/// A guest that writes a program and has it run, by a shell that may or may not.
#[test]
fn what_a_guest_has_written_runs_where_its_grant_says_so() {
    let runs = |words: &str| {
        let place = Place::new();
        let words = words.replace("HERE", &format!("{:?}", place.root()));
        let policy = format!(
            "program.sh = {{ path = '/bin/sh', args = 'any', cwd = 'preopens', stdio = ['piped'], \
             env = {{ PATH = '/bin:/usr/bin' }}, {words} }}"
        );
        let script = "printf '#!/bin/sh\\necho ran\\n' > it; chmod +x it; ./it";
        let run = Run::new(SANDBOX_REACH).policy_file(&policy).dir(place.root(), "/rw", ReadWrite);
        let ended = run.args(&["sh", "-c", script]).sync();
        (ended.code(), ended.stdout)
    };
    let (code, printed) = runs("sandbox.execute = ['/bin', '/usr']");
    assert_eq!((code == Some(0), &*printed), (false, ""));
    let words = "sandbox = { execute = ['/bin', '/usr', HERE], execute-written = 'allow' }";
    assert_eq!(runs(words), (Some(0), "ran\n".to_owned()));
}
