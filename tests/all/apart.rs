//! Children that are other users, in namespaces of their own, with the guest's view.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use offspring::policy::{
    Apart, Arguments, Grant, PathRule, Policy, SandboxFiles, Slot, Slots, User, View,
};
use offspring_spawn::{Errno, Kernel, Namespace, Namespaces};
use offspring_tests::*;
use rustix::process::{Uid, geteuid};
use wasmtime_wasi::FsPerms::{ReadOnly, ReadWrite};

use crate::assert_test_exists;
use crate::isolation::{isolated, skip};
use crate::place::Place;
use crate::refusal::refuse_processes;
use crate::run::{Run, grant, sandbox};
use crate::runtime::everywhere;

for_each_apart_program!(assert_test_exists);

/// Whether these can be made here; if not, the test of this name is skipped.
fn can_make(name: &str, namespaces: &[Namespace]) -> bool {
    let mut namespaces: Namespaces = namespaces.iter().copied().collect();
    if !geteuid().is_root() {
        namespaces.insert(Namespace::User);
    }
    match namespaces.check() {
        Ok(()) => true,
        Err(error) => {
            skip(&format!("apart::{name}"), error);
            false
        }
    }
}

fn apart(name: &str, apart: Apart) -> Grant {
    grant(name).apart(apart)
}

#[test]
fn apart_view() {
    if !can_make("apart_view", &[Namespace::Mount]) {
        return;
    }
    let place = Place::new();
    for name in ["source/deep", "source/inner", "read", "start/sub", "other"] {
        fs::create_dir_all(place.path(name)).unwrap();
    }
    fs::write(place.path("read/in"), "from the host\n").unwrap();
    fs::write(place.path("other/secret"), "").unwrap();
    symlink(place.path("other/secret"), place.path("source/out")).unwrap();
    symlink("/src/a.c", place.path("source/link")).unwrap();
    let paths = [place.path("other/secret"), place.path("source")];
    let paths = paths.map(|path| path.to_str().unwrap().to_owned());
    let path = Slot::path(PathRule::default());
    let paths_only = Slots::new([path]).unwrap();
    for namespaces in [&[][..], &[Namespace::Pid, Namespace::Ipc]] {
        let view = || Apart::default().view(View::Guest).namespaces(namespaces.iter().copied());
        everywhere(|| {
            Run::new(APART_VIEW)
                .grant(apart("sh", view()))
                .grant(apart("cat", view()).arguments(Arguments::Slots(paths_only.clone())))
                .dir(&place.path("source"), "/src", ReadWrite)
                .dir(&place.path("read"), "/read", ReadOnly)
                .dir(&place.path("read"), "/src/inner", ReadOnly)
                .dir(&place.path("start"), ".", ReadWrite)
                .args(&paths.each_ref().map(|path| &**path))
        });
        assert_eq!(fs::read_dir(place.path("other")).unwrap().count(), 1);
        assert_eq!(fs::read_dir(place.path("source/inner")).unwrap().count(), 0);
    }
}

/// Programs have what they need in a view, in a sandbox of which nothing is said.
#[test]
fn a_view_and_the_usual_sandbox() {
    let name = "a_view_and_the_usual_sandbox";
    if !can_make(name, &[Namespace::Mount, Namespace::Pid]) {
        return;
    }
    let place = Place::new();
    let runs = |words: &str, script: &str| {
        fs::write(place.path("a.c"), "int main(void) { return 0; }\n").unwrap();
        let text = format!(
            "program.sh = {{ path = '/bin/sh', args = 'any', cwd = 'preopens', stdio = ['piped'], \
             env = {{ PATH = '/bin:/usr/bin', TMPDIR = '/rw', HOME = '/rw' }}, view = 'guest', \
             {words} }}"
        );
        let run = Run::new(SANDBOX_REACH).policy_file(&text).dir(place.root(), "/rw", ReadWrite);
        let ended = run.args(&["sh", "-ec", script]).sync();
        assert_eq!(ended.code(), Some(0), "{words}: {script}: {ended:?}");
        ended.stdout
    };
    let alone = "read -r line < /rw/a.c; echo \"$line\" > /rw/b.c; read -r line < b.c; \
        for at in cpuinfo meminfo stat version; do read -r line < /proc/$at; done; \
        read -r line < /etc/passwd; echo out > /dev/null; echo \"$line\"";
    let tools = "test \"$(nproc)\" -gt 0; cat b.c; df . > /dev/null; mkdir d; touch d/f; rm -r d; \
        echo in | cat /dev/stdin; ls /usr/bin > list; wc -l < list; ! ls /root 2> /dev/null";
    let compiles = "! command -v cc > /dev/null || { cc -o made a.c; test -x made; }; \
        ! command -v git > /dev/null || { git init -q .; git status --short; }";
    for namespaces in ["[]", "['pid', 'net', 'ipc']"] {
        let words = format!("namespaces = {namespaces}");
        assert!(runs(&words, alone).starts_with("root:"), "{words}");
        let words = format!("{words}, sandbox.execute = ['/bin', '/usr']");
        assert!(runs(&words, tools).contains("\nin\n"), "{words}");
        runs(&words, compiles);
        // What a view makes anew no rule names beforehand.
        let script = "! read -r line < /proc/self/status; ! echo /* | grep -q usr";
        runs(&format!("{words}, sandbox.read = ['/proc']"), script);
        runs(&format!("{words}, sandbox.files = 'host'"), "read -r line < /proc/self/status");
    }
}

#[test]
fn apart_namespaces() {
    let all = Namespace::ALL.into_iter().filter(|namespace| *namespace != Namespace::User);
    let all: Vec<_> = all.collect();
    if !can_make("apart_namespaces", &all) {
        return;
    }
    let names = ["pid", "mnt", "net", "ipc", "uts", "cgroup"];
    let links = names.map(|name| fs::read_link(format!("/proc/self/ns/{name}")).unwrap());
    let links = links.map(|link| link.to_str().unwrap().to_owned());
    everywhere(|| {
        Run::new(APART_NAMESPACES)
            // The `/proc` of its own is none that its sandbox could know.
            .grant(
                apart("sh", Apart::default().namespaces(all.iter().copied()))
                    .sandbox(sandbox().files(SandboxFiles::Host)),
            )
            .args(&links.each_ref().map(|link| &**link))
    });
}

#[test]
fn apart_user() {
    if !geteuid().is_root() {
        return skip("apart::apart_user", "only root may change ids");
    }
    let place = Place::new();
    fs::write(place.path("secret"), "secret\n").unwrap();
    fs::set_permissions(place.path("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let secret = place.path("secret").to_str().unwrap().to_owned();
    everywhere(|| {
        let user = User::new(65_534).group(65_533).groups([7, 8]);
        let with = |name| apart(name, Apart::default().user(user.clone()));
        Run::new(APART_USER)
            .grant(with("sh"))
            .grant(with("cat"))
            .dir(place.root(), "/dir", ReadOnly)
            .args(&[&secret])
    });
}

#[test]
fn what_the_kernel_refuses_is_told_with_its_place() {
    isolated(|| {
        Kernel::get().unwrap();
        refuse_processes(Errno::PERM);
        for (words, what) in [
            ("namespaces = ['net']", "p.toml:3:14: `true` cannot have namespaces of its own: "),
            ("view = 'guest'", "p.toml:3:8: `true` cannot see what its guest does: "),
        ] {
            // The parts of a sandbox are something else.
            for more in ["", "\nsandbox.best-effort = ['system-calls', 'capabilities']"] {
                let text = format!("[program.true]\npath = 'true'\n{words}{more}");
                let policy = Policy::parse("p.toml", &text).unwrap();
                let error = offspring::ProcessCtx::builder().policy(policy).build().unwrap_err();
                let said = error.to_string();
                // An ordinary user has a view in a user namespace.
                let other = what.replace("see what its guest does", "have namespaces of its own");
                assert!(said.starts_with(what) || said.starts_with(&other), "{said}");
            }
        }
    });
}

#[test]
fn what_a_host_cannot_give_is_told_with_its_place() {
    isolated(|| {
        if geteuid().is_root() {
            let nobody = Uid::from_raw(65_534);
            rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        }
        let build = |text: &str| {
            let text = format!("[program.true]\npath = 'true'\n{text}");
            let policy = Policy::parse("p.toml", &text).unwrap();
            let built = offspring::ProcessCtx::builder().policy(policy).build();
            built.map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(
            build("user = 'nobody\u{e9}'"),
            Err("p.toml:3:8: `true` cannot run as another user: there is no user `nobody\u{e9}` in \
                /etc/passwd, did you mean `nobody`?"
                .to_owned())
        );
        let right = "the host may not change ids: it has to be root, or to have CAP_SETUID and \
            CAP_SETGID";
        let expected = format!("p.toml:3:8: `true` cannot run as another user: {right}");
        assert_eq!(build("user = 'root'"), Err(expected));
        let group = "there is no group `rooot` in /etc/group, did you mean `root`?";
        let expected = format!("p.toml:3:8: `true` cannot run as another user: {group}");
        assert_eq!(build("user = 'root'\nuser-group = 'rooot'"), Err(expected));
    });
}
