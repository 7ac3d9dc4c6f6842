//! Who takes more memory than the group has is killed, and nobody else.

use offspring_guest::cgroup::{Cgroup, Limit};
use offspring_guest::{Cause, Child, Command, Stdio};
use test_programs::cat;

const MIB: u64 = 1 << 20;

/// Takes so much memory at once, and ends.
fn hog(group: &Cgroup, mib: u32) -> Child {
    let mut hog = Command::new("dd");
    hog.args(["if=/dev/zero", "of=/dev/null", &format!("bs={mib}M"), "count=1"]);
    let hog = hog.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    hog.group(group).spawn().expect("it starts")
}

fn main() {
    let build = Cgroup::open("build").expect("it is granted");
    let group = build.create_child("small").expect("it can be made");
    group.set_memory_max(Limit::At(32 * MIB)).expect("there is a controller");
    group.set_swap_max(Limit::At(0)).expect("likewise");
    let mut bystander = cat();
    let warned = group.out_of_memory().expect("it can be waited for");
    assert!(!warned.ready());

    let mut victim = hog(&group, 128);
    let status = victim.wait().expect("it ends");
    assert_eq!((status.signal(), status.cause()), (Some(9), Some(Cause::OutOfMemory)));
    warned.block();

    let memory = group.stat().expect("it is there").memory.expect("it is counted");
    assert_eq!((memory.max, memory.events.oom_kill), (Limit::At(32 * MIB), 1), "{memory:?}");
    assert!(memory.peak.is_none_or(|peak| peak <= 32 * MIB), "{memory:?}");
    assert!(memory.events.max > 0 && memory.current <= 32 * MIB, "{memory:?}");
    // The group above has no such limit, and counts all the same.
    let above = build.stat().expect("it is there").memory.expect("it is counted");
    assert!(above.events.oom_kill >= 1 && above.max == Limit::At(256 * MIB), "{above:?}");

    // Who takes less lives, and so do all others, the host included.
    assert!(hog(&group, 8).wait().expect("it ends").success());
    assert!(bystander.try_wait().expect("it lives").is_none());
    drop(bystander.stdin.take());
    assert!(bystander.wait().expect("it ends").success());

    // A death of another kind has another cause, or none.
    let mut killed = hog(&group, 8);
    killed.kill().expect("it is ours");
    assert_ne!(killed.wait().expect("it ends").cause(), Some(Cause::OutOfMemory));
}
