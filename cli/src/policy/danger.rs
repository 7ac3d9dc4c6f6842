//! What is dangerous in a grant: what makes it wider than it looks.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use offspring::Program;
use offspring::policy::{Grant, Sandbox, SandboxFiles};

const SHELLS: &str = "ash bash busybox csh dash elvish fish ksh ksh93 lksh mksh nu oksh pwsh rbash sh \
                      tcsh toybox xonsh yash zsh";

/// Interpreters, the digits and points of their versions left out.
const INTERPRETERS: &str = "awk bb bun clj clojure crystal csi deno elixir emacs erl escript expect \
    gawk gdb gforth ghci gjs gnuplot groovy guile irb iex java jjs jshell js julia jython kotlin lua \
    luajit m4 maxima mawk mono node nodejs ocaml octave perl php pike pry pypy python qjs r racket \
    raku rscript ruby sbcl scala scheme sqlite sqlite3 swift swipl tclsh ts-node vim wish";

/// Programs that run other programs, with what makes them.
const RUNNERS: &[(&str, &str)] = &[
    ("7z", "it writes where an archive says"),
    ("ansible ansible-playbook", "it runs what a playbook says"),
    ("at batch crontab", "it runs commands later"),
    (
        "bwrap chroot firejail nsenter runuser setpriv su sudo doas pkexec unshare",
        "it runs its arguments, as another user or elsewhere",
    ),
    (
        "cargo rustc rustup",
        "options and files of the project name wrappers, linkers and build scripts",
    ),
    (
        "cc gcc g++ c++ clang clang++ cpp ld tcc",
        "`-B`, `-wrapper`, `-fplugin` and `@FILE` run and read other files",
    ),
    (
        "chrt chpst cpulimit env ionice nice nohup parallel script setarch setsid stdbuf strace ltrace taskset time timeout unbuffer watch xargs",
        "it runs its arguments",
    ),
    (
        "cmake gmake just make meson ninja rake task",
        "it runs what a file says, and `-f`, `-C` and `--eval` choose another",
    ),
    ("cp dd install mv rsync shred tee truncate", "it writes to the files that it is told"),
    (
        "ctr docker kubectl nerdctl podman lxc machinectl systemctl systemd-run",
        "it starts what it is told, outside of this sandbox",
    ),
    ("curl wget", "`-o`, `-K` and `file:` write and read any file"),
    ("ffmpeg ffprobe", "`-i` takes any file and any address, and `-y` writes over"),
    ("find fd", "`-exec`, `-delete` and `-fprintf` run commands, remove and write"),
    (
        "git",
        "`-c`, `--exec-path`, `--upload-pack`, `--output`, aliases and hooks run commands and write",
    ),
    ("go", "`-toolexec`, `-exec` and `generate` run commands"),
    ("hg svn", "`--config` and hooks run commands"),
    ("less more most man", "`!` and `LESSOPEN` run commands"),
    (
        "magick convert identify mogrify",
        "delegates run commands, and `@FILE` and `msl:` read files",
    ),
    ("nano ed ex vi nvim emacsclient", "an editor runs commands"),
    ("npm npx pnpm yarn pip pipx uv uvx gem bundle composer", "it downloads and runs code"),
    ("openssl", "`-engine` and `-provider` load code"),
    ("scp sftp ssh", "`-o ProxyCommand` runs commands"),
    ("sed", "the commands `e` and `w` run commands and write"),
    ("sort", "`--compress-program` runs a command, `-o` writes"),
    ("tar bsdtar cpio", "`--to-command`, `--checkpoint-action` and `-I` run commands"),
    ("tcpdump", "`-z` runs a command"),
    ("zip", "`-TT` runs a command"),
];

/// What is dangerous about this grant of this program, each in one sentence.
pub fn dangers(grant: &Grant, program: &Program) -> Vec<String> {
    let real = fs::canonicalize(program.path()).unwrap_or_else(|_| program.path().to_owned());
    let mut found: Vec<String> = by_name(grant, program.path(), &real).into_iter().collect();
    found.extend(of_sandbox(grant.get_sandbox()).map(str::to_owned));
    let pinned = grant.get_sha256().is_some();
    for path in [&*real].into_iter().chain(program.interpreters()) {
        let Ok(file) = fs::metadata(path) else { continue };
        let special = file.permissions().mode() & 0o6000;
        if special != 0 {
            let what = if special & 0o4000 == 0 { "setgid" } else { "setuid" };
            found.push(format!(
                "{} is {what}, which has no effect: children gain no privileges",
                path.display()
            ));
        }
        let directory = path.parent().filter(|_| !pinned);
        let places = [(!pinned).then_some(path), directory];
        for place in places.into_iter().flatten() {
            if let Some(who) = fs::metadata(place).ok().and_then(|place| writers(&place)) {
                found.push(format!("{} may be written by {who}", place.display()));
            }
        }
    }
    found
}

/// What its sandbox lets through that others stop.
fn of_sandbox(sandbox: &Sandbox) -> Option<&'static str> {
    if sandbox.is_none() {
        return Some("it has no sandbox: children can do all that the host's user may");
    }
    if sandbox.get_files() == SandboxFiles::Host {
        return Some(
            "children can use all files of the host's user, and execute what the guest has \
             written (`files`)",
        );
    }
    let written = sandbox.get_execute_written();
    written.then_some(
        "children can execute what the guest or they themselves have written \
         (`execute-written`): whoever may start it may run everything that its sandbox lets \
         through",
    )
}

/// Who else than its owner may write to it.
fn writers(place: &Metadata) -> Option<&'static str> {
    let mode = place.permissions().mode();
    // In a directory like /tmp nobody replaces what is another's.
    let sticky = place.is_dir() && mode & 0o1000 != 0;
    match (mode & 0o002 != 0, mode & 0o020 != 0 && place.gid() != 0) {
        _ if sticky => None,
        (true, _) => Some("everybody"),
        (false, true) => Some("its group"),
        (false, false) => None,
    }
}

/// What a program of this name can do, if it is known for that.
fn by_name(grant: &Grant, path: &Path, real: &Path) -> Option<String> {
    let names = [path, real]
        .map(|path| path.file_name().unwrap_or_default().to_string_lossy().to_lowercase());
    let arguments = grant.get_arguments();
    let is = |list: &str| {
        let mut list = list.split(' ');
        list.any(|known| names.iter().any(|name| name == known))
    };
    let is_unversioned = |list: &str| {
        let mut list = list.split(' ');
        list.any(|known| names.iter().any(|name| without_version(name) == known))
    };
    let kind = match (is(SHELLS), is_unversioned(INTERPRETERS)) {
        (true, _) => Some("a shell"),
        (false, true) => Some("an interpreter"),
        (false, false) => None,
    };
    if let Some(kind) = kind {
        let reads = grant.get_stdio().inherit
            || grant.get_stdio().piped
            || grant.get_stdio().file
            || grant.get_stdio().terminal;
        return match arguments.are_fixed() {
            false => Some(format!(
                "{kind} with arguments of the guest's: whoever may start it may run everything \
                 that its sandbox lets through"
            )),
            true if reads => Some(format!(
                "{kind} that can read commands from its standard input, if its arguments let it"
            )),
            true => None,
        };
    }
    let (_, how) = RUNNERS.iter().find(|(names, _)| is(names))?;
    arguments.take_options().then(|| {
        format!("the guest chooses its options, and {how}: list the arguments that it needs")
    })
}

fn without_version(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'))
}
