//! Native programs that attack their host, its user and the kernel, when a guest
//! starts them: what the sandbox refuses, and that nothing else would.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::{Child, Command};
use std::sync::Arc;

use offspring_tests::*;
use rustix::io::{FdFlags, fcntl_setfd};
use wasmtime_wasi::FsPerms::ReadWrite;

use super::{has_sandbox, unharmed};
use crate::attacker::{self, ABSTRACT, ATTACKS, DESCRIPTORS, PORT, SECRET, SOCKET, STRANGER};
use crate::isolation::{helper, is_helper, isolated, skip};
use crate::kept::{Kept, text};
use crate::place::Place;
use crate::run::Run;

/// What is there to be attacked.
struct Targets {
    place: Place,
    outside: Place,
    tcp: TcpListener,
    stranger: Child,
    _sockets: [UnixListener; 2],
    name: String,
}

impl Targets {
    fn new() -> Targets {
        let (place, outside) = (Place::new(), Place::new());
        fs::write(outside.path("secret"), "secret").unwrap();
        let name = format!("offspring-tests-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let by_path = UnixListener::bind(outside.path("socket")).unwrap();
        let sockets = [UnixListener::bind_addr(&address).unwrap(), by_path];
        let tcp = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let stranger = Command::new("sleep").arg("1000").spawn().unwrap();
        Targets { place, outside, tcp, stranger, _sockets: sockets, name }
    }

    /// A policy with the attacker in it, which is this program.
    fn policy(&self, helper: &Command, sandbox: &str) -> String {
        let path = helper.get_program();
        let own =
            helper.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)));
        let mut env: BTreeMap<&str, String> =
            own.map(|(name, value)| (name, value.to_owned())).collect();
        let outside = |name| self.outside.path(name).to_str().unwrap().to_owned();
        env.insert(SECRET, outside("secret"));
        env.insert(SOCKET, outside("socket"));
        env.insert(ABSTRACT, self.name.clone());
        env.insert(PORT, self.tcp.local_addr().unwrap().port().to_string());
        env.insert(STRANGER, self.stranger.id().to_string());
        let env: Vec<String> =
            env.iter().map(|(name, value)| format!("{name} = {value:?}")).collect();
        format!(
            "[program.attacker]\npath = {path:?}\nargs = \"any\"\nenv = {{ {} }}\n\
             env-allow = [\"ATTACK\"]\nstdio = [\"null\", \"piped\"]\n{sandbox}\n",
            env.join(", ")
        )
    }

    /// Lets a guest make attacks; their answers by their names.
    fn attacked(
        &self,
        helper: &Command,
        sandbox: &str,
        attacks: &[&str],
    ) -> BTreeMap<String, String> {
        let own = helper.get_args().map(|arg| arg.to_str().unwrap());
        let args: Vec<&str> = attacks.iter().copied().chain(["--"]).chain(own).collect();
        let kept = Arc::new(Kept::default());
        let sink = Arc::clone(&kept);
        let run = Run::new(ATTACK_NATIVE).policy_file(&self.policy(helper, sandbox)).args(&args);
        let run = run.dir(self.place.root(), "/dir", ReadWrite);
        let ended = run.process(|process| process.audit(sink)).sync().success();
        // Who did it, when, and how it ended is known.
        let lines = kept.lines();
        for event in ["spawn", "exit"] {
            let count = lines.iter().filter(|line| text(line, "event") == event).count();
            assert_eq!(count, attacks.len(), "{event}");
        }
        let answers = ended.stdout.lines().filter_map(|line| line.split_once(": "));
        answers.map(|(attack, answer)| (attack.to_owned(), answer.to_owned())).collect()
    }
}

impl Drop for Targets {
    fn drop(&mut self) {
        let _ = self.stranger.kill();
        let _ = self.stranger.wait();
    }
}

#[test]
pub fn attack_native() {
    let body = || {};
    if is_helper(&body) {
        return attacker::attack(&std::env::var("ATTACK").unwrap());
    }
    if !has_sandbox("attack::native::attack_native") {
        return;
    }
    let helper = helper(&body);
    let names: Vec<&str> = ATTACKS.iter().map(|(name, ..)| *name).collect();
    isolated(|| {
        unharmed(|| {
            let mut targets = Targets::new();
            let answers = targets.attacked(&helper, "", &names);
            for (name, _, errno) in ATTACKS {
                assert_eq!(answers[*name], errno.raw_os_error().to_string(), "{name}");
            }
            assert_eq!(fs::read_to_string(targets.outside.path("secret")).unwrap(), "secret");
            assert_eq!(targets.stranger.try_wait().unwrap(), None, "the stranger lives");
        });
        // The same without: what fails then as well is not the sandbox's merit, and
        // shows nothing.
        let targets = Targets::new();
        let answers = targets.attacked(&helper, "sandbox = 'none'", &names);
        let idle: Vec<_> = answers.iter().filter(|(_, answer)| *answer != "0").collect();
        for (name, errno) in &idle {
            let why = format!("`{name}` fails here without a sandbox, too: errno {errno}");
            skip("attack::native::attack_native", why);
        }
        assert!(answers.len() - idle.len() > ATTACKS.len() / 3, "{idle:?}");
    });
}

/// However many descriptors the host has left open for all to inherit, a child has
/// its streams.
#[test]
fn a_child_lists_its_descriptors() {
    let body = || {};
    if is_helper(&body) {
        return attacker::attack(&std::env::var("ATTACK").unwrap());
    }
    let mut helper = helper(&body);
    isolated(|| {
        let open: Vec<fs::File> = (0..300).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        for file in &open {
            fcntl_setfd(file, FdFlags::empty()).unwrap();
        }
        unharmed(|| {
            let targets = Targets::new();
            let answers = targets.attacked(&helper, "", &[DESCRIPTORS]);
            assert_eq!(answers[DESCRIPTORS], "[0, 1, 2]");
        });
        // So the child would have seen more.
        let output = helper.env("ATTACK", DESCRIPTORS).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let listed = said.lines().find_map(|line| line.strip_prefix("ATTACK ")).unwrap();
        assert!(listed.split(',').count() > 300, "{listed}");
    });
}
