//! Whatever a guest calls a path, a child gets none outside of the guest's directories.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use wasmtime_wasi::FsPerms::{ReadOnly, ReadWrite};

use super::*;
use crate::policy::Policy;
use crate::policy::tests::fuzz::rounds;
use crate::policy::tests::random::Random;
use crate::request::Request;

/// What paths are made of.
const PARTS: &[&str] = &[
    "", ".", "..", "...", "src", "src", "src", "ro", "deep", "sub", "sub", "a", "new", "in", "out",
    "absolute", "up", "around", "dangling", "loop", "outside", "secret", "etc",
];

const UNDER: &[Option<&str>] =
    &[None, None, Some("/src"), Some("/src/sub"), Some("/src/deep"), Some("/ro"), Some("/other")];

/// Directories with links of every kind, in and out.
fn tree(root: &Path) {
    for name in ["src/sub/deeper", "src/deep", "ro/sub", "deep/sub", "start", "outside/sub"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    for name in ["src/a", "src/sub/a", "ro/a", "deep/a", "start/a", "outside/secret"] {
        fs::write(root.join(name), name).unwrap();
    }
    for directory in ["src", "src/sub", "ro", "deep", "start"] {
        for (name, to) in [
            ("in", "sub"),
            ("out", "../outside"),
            ("up", ".."),
            ("around", "sub/../../src/sub"),
            ("dangling", "new"),
            ("loop", "loop"),
        ] {
            symlink(to, root.join(directory).join(name)).unwrap();
        }
        symlink(root.join("outside"), root.join(directory).join("absolute")).unwrap();
    }
}

fn path(random: &mut Random) -> String {
    let mut parts: Vec<&str> = (0..random.below(6)).map(|_| random.pick(PARTS)).collect();
    // Half of them start where something is.
    if random.below(2) == 0 {
        parts.splice(0..0, ["", random.pick(&["src", "ro"])]);
    }
    parts.join("/")
}

/// Where a path leads to; one that is not there, where it would be made.
fn led_to(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| path.parent().unwrap().canonicalize()).unwrap()
}

#[test]
fn no_path_leads_out() {
    let root = std::env::temp_dir().join(format!("offspring-paths-{}", std::process::id()));
    fs::create_dir(&root).unwrap();
    let root = root.canonicalize().unwrap();
    tree(&root);
    let open = |name: &str, guest, perms| Preopen::open(&root.join(name), guest, perms).unwrap();
    let preopens = [
        open("src", "/src", ReadWrite),
        open("deep", "/src/deep", ReadOnly),
        open("ro", "/ro", ReadOnly),
        open("start", ".", ReadWrite),
    ];
    let host_of = |guest: &str| {
        let parts = components(guest);
        let (preopen, own) = preopen_of(&preopens, &parts).unwrap();
        preopen.host.join(parts[own.len()..].join("/"))
    };
    let (mut allowed, mut refused) = (0, 0);
    rounds(6, 20_000, |random| {
        let (under, write) = (random.pick(UNDER), random.below(3) == 0);
        let under_key = under.map_or_else(String::new, |under| format!(", under = '{under}'"));
        let access = if write { "write" } else { "read" };
        let slot =
            format!("{{ path = 'preopens', prefix = 'f=', access = '{access}'{under_key} }}");
        let text = format!("[program.x]\npath = 'x'\ncwd = 'preopens'\nargs = [{slot}]");
        let policy = Policy::parse("p.toml", &text).unwrap();
        let given = path(random);
        let cwd = (random.below(3) == 0).then(|| {
            let (base, perms) = random.pick(&[("src", ReadWrite), ("ro", ReadOnly)]);
            let base = Arc::new(File::open(root.join(base)).unwrap());
            Directory { base, path: random.pick(&["", "sub"]).to_owned(), perms }
        });
        let args = vec![format!("f={given}")];
        let request = Request {
            program: "x".to_owned(),
            args: args.clone(),
            cwd: cwd.is_some(),
            ..Request::default()
        };
        // The empty one is none.
        let Ok(plan) = policy.check(&request) else { return assert_eq!(given, "") };
        let resolved = resolve(&plan, &preopens, cwd.as_ref(), false);
        let in_view = resolve(&plan, &preopens, cwd.as_ref(), true);
        assert_eq!(resolved.as_ref().err(), in_view.as_ref().err(), "{given}");
        let Ok(argv) = resolved else {
            refused += 1;
            return;
        };
        allowed += 1;
        let of = |resolved: &Resolved| {
            let word = resolved.argv(&plan).nth(1).unwrap().to_str().unwrap().to_owned();
            PathBuf::from(word.strip_prefix("f=").expect("the start stays"))
        };
        let (path, seen) = (of(&argv), of(&in_view.unwrap()));
        let own = cwd.as_ref().filter(|_| !given.starts_with('/'));
        let (place, perms, preopen) = match own {
            // It stays as it is, and leads out of the directory nowhere.
            Some(cwd) => {
                assert_eq!((&path, &seen), (&PathBuf::from(&given), &path));
                let base = if cwd.perms == ReadOnly { "ro" } else { "src" };
                let base = root.join(base).join(&cwd.path);
                let place = led_to(&base.join(&given));
                assert!(place.starts_with(base.canonicalize().unwrap()), "{given}: {place:?}");
                (place, cwd.perms, None)
            }
            None => {
                let place = led_to(&path);
                let holds = |preopen: &&Preopen| path.starts_with(&preopen.host);
                let preopen = preopens.iter().find(holds).expect("one of the guest's");
                assert!(place.starts_with(&preopen.host), "{given}: {place:?}");
                // The same in the view.
                let rest = path.strip_prefix(&preopen.host).unwrap();
                assert_eq!(seen, guest_view::place(&preopen.guest).join(rest), "{given}");
                (place, preopen.perms, Some(preopen))
            }
        };
        assert!(!write || perms == ReadWrite, "{given}");
        // All of a directory that the guest has beneath that path lies beneath it.
        let whole = |under: &str| {
            preopen.is_some_and(|it| components(&it.guest).starts_with(&components(under)))
        };
        if let Some(under) = under.filter(|under| !whole(under)) {
            let under = host_of(under).canonicalize().unwrap();
            assert!(place.starts_with(&under), "{given}: {place:?} is not in {under:?}");
        }
    });
    fs::remove_dir_all(&root).unwrap();
    assert!(allowed > 1000 && refused > 1000, "{allowed} {refused}");
}
