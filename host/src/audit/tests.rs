//! Lines that a hostile guest had a hand in.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use offspring_spawn::{ExitStatus, PeakMemory, ResourceUsage, Signal};
use serde_json::{Value, json};

use super::*;
use crate::plan::PlanCwd;
use crate::request::StdioKind;

/// A line, as a reader of the log sees it.
fn read(event: Event<'_>) -> Value {
    let time = SystemTime::UNIX_EPOCH + Duration::from_micros(1_000_001);
    let line = to_json(&Record { time, guest: "ci", fork: "", event });
    assert!(!line.contains(char::is_control), "{line:?}");
    assert!(line.len() < 65_536, "{} bytes", line.len());
    let value: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&value["v"], &value["guest"]), (&json!(1), &json!("ci")));
    assert_eq!(value["time"], "1970-01-01T00:00:01.000001Z");
    value
}

fn child() -> ChildName<'static> {
    ChildName { number: 7, grant: "git", pid: Some(42) }
}

fn plan(argv: &[&str], env: &[(&str, &str)]) -> Plan {
    Plan {
        argv: argv.iter().map(|&text| text.into()).collect(),
        env: env.iter().map(|&(name, value)| (name.into(), value.into())).collect(),
        ..plan_of_nothing()
    }
}

fn plan_of_nothing() -> Plan {
    let policy = crate::policy::Policy::new().grant(crate::policy::Grant::new("git", "/bin/git"));
    let request = Request { program: "git".into(), ..Request::default() };
    Plan { stdout: StdioKind::Piped, ..policy.unwrap().check(&request).unwrap() }
}

#[test]
fn a_spawn() {
    let plan = plan(&["git", "log"], &[("TOKEN", "secret")]);
    let line = read(Event::Spawned { child: child(), plan: &plan });
    let expected = json!({
        "v": 1, "time": "1970-01-01T00:00:01.000001Z", "guest": "ci", "event": "spawn",
        "decision": "allowed", "child": 7, "grant": "git", "pid": 42,
        "argv": ["git", "log"], "env": ["TOKEN"], "cwd": "initial",
        "stdio": ["null", "piped", "null"],
    });
    assert_eq!(line, expected);
    let fixed = Plan { cwd: PlanCwd::Fixed("/srv".into()), ..plan };
    assert_eq!(read(Event::Spawned { child: child(), plan: &fixed })["cwd"], "/srv");
}

#[test]
fn forks() {
    let name = ChildName { grant: "", ..child() };
    let time = SystemTime::UNIX_EPOCH;
    let line =
        to_json(&Record { time, guest: "ci", fork: "2.1", event: Event::Forked { child: name } });
    let line: Value = serde_json::from_str(&line).unwrap();
    let expected = json!({
        "v": 1, "time": "1970-01-01T00:00:00.000000Z", "guest": "ci", "fork": "2.1",
        "event": "fork", "decision": "allowed", "child": 7, "pid": 42,
    });
    assert_eq!(line, expected);
}

#[test]
fn refusals() {
    let request = Request { program: "gti".into(), args: vec!["x".into()], ..Request::default() };
    let refusal = Refusal::denied("program", "no program is granted as `gti`");
    let line = read(Event::NotSpawned { request: &request, refusal });
    let part = ["event", "decision", "rule", "stage", "grant"].map(|key| &line[key]);
    assert_eq!(part, ["spawn", "denied", "program", "policy", "gti"]);
    assert_eq!((&line["argv"], &line["errno"]), (&json!(["x"]), &Value::Null));

    let refusal = Refusal { stage: "exec", detail: None, errno: Some("ENOEXEC"), message: "no" };
    let line = read(Event::NotSpawned { request: &request, refusal });
    let part = ["decision", "stage", "errno", "message"].map(|key| &line[key]);
    assert_eq!(part, ["failed", "exec", "ENOEXEC", "no"]);

    let refusal = Some(Refusal::denied("signals", "no"));
    let (signal, group) = (Signal::HUP, true);
    let line = read(Event::Signaled { child: child(), signal, group, refusal });
    let part = ["event", "decision", "rule", "signal", "scope"].map(|key| &line[key]);
    assert_eq!(part, ["signal", "denied", "signals", "SIGHUP", "group"]);

    let refusal = Refusal::denied("limits.max-pipes", "no");
    let line = read(Event::Limited { function: "pipe.create", refusal });
    let part = ["event", "function", "rule"].map(|key| &line[key]);
    assert_eq!(part, ["call", "pipe.create", "limits.max-pipes"]);
}

#[test]
fn ends() {
    let usage = ResourceUsage {
        user_time: Duration::from_nanos(5),
        system_time: Duration::ZERO,
        peak_memory: PeakMemory::AtMost(9),
        minor_faults: 1,
        major_faults: 2,
        input_blocks: 3,
        output_blocks: 4,
        voluntary_switches: 5,
        involuntary_switches: 6,
    };
    let exit = |status, cause, usage| {
        let exit = Exit { status, cause, usage };
        read(Event::Exited { child: child(), exit, lived: Duration::from_secs(1) })
    };
    let line = exit(ExitStatus::Exited(3), None, Some(usage));
    assert_eq!((&line["exit_code"], &line["lived_ns"]), (&json!(3), &json!(1_000_000_000)));
    assert_eq!(line["usage"]["peak_memory_at_most_bytes"], 9);
    assert_eq!(line["usage"]["user_time_ns"], 5);
    let killed = ExitStatus::Signaled { signal: Signal::KILL, core_dumped: false };
    let line = exit(killed, Some(Cause::Dropped), None);
    let part = ["signal", "cause"].map(|key| &line[key]);
    assert_eq!(part, ["SIGKILL", "dropped"]);
    assert_eq!((&line["core_dumped"], &line["usage"]), (&json!(false), &Value::Null));
}

#[test]
fn texts_come_back_as_they_were() {
    let texts = [
        "",
        "\n",
        "\r\n{\"v\":1}\n",
        "\"quoted\\\"",
        "\0\u{1}\u{1f}\u{7f}\u{85}\u{9f}",
        "\u{2028}\u{2029}",
        "\u{feff}\u{fffd}\u{fffe}\u{ffff}\u{10ffff}",
        "\u{d7ff}\u{e000}",
        "😀é",
        "\u{202e}gpj.exe",
        "</script>",
        "a\u{300}",
    ];
    let plan = plan(&texts, &[]);
    let line = to_json(&Record {
        time: SystemTime::UNIX_EPOCH,
        fork: "",
        guest: "\n\"",
        event: Event::Spawned { child: child(), plan: &plan },
    });
    assert!(!line.contains('\n'), "{line}");
    let value: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["argv"], json!(texts));
    assert_eq!(value["guest"], "\n\"");
}

#[test]
fn what_is_long_is_clipped_and_counted() {
    let long = "é".repeat(1 << 19);
    let many = vec!["x"; 300];
    let argv: Vec<&str> = ["git", &long].into_iter().chain(many).collect();
    let long = plan(&argv, &[]);
    let line = read(Event::Spawned { child: child(), plan: &long });
    let kept = line["argv"].as_array().unwrap();
    assert_eq!((kept.len(), kept[1].as_str().unwrap().len()), (256, 1024));
    let missing = json!({ "elements": 302 - 256, "bytes": (1 << 20) - 1024 + 302 - 256 });
    assert_eq!(line["argv_clipped"], missing);

    // Nothing behind what had no room, so that the list has no holes.
    let wide = "\u{1}".repeat(1000);
    let plan = plan(&[&wide, &wide, &wide, &wide, &wide, "end"], &[("A", "")]);
    let line = read(Event::Spawned { child: child(), plan: &plan });
    assert_eq!(line["argv"].as_array().unwrap().len(), 4);
    assert_eq!(line["argv_clipped"], json!({ "elements": 2, "bytes": 1003 }));
    assert_eq!(line["env_clipped"], Value::Null);
}

/// A file's lines.
fn lines(path: &std::path::Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_file_is_appended_to() {
    let path = std::env::temp_dir().join(format!("offspring-audit-{}", std::process::id()));
    let record = |event| Record { time: SystemTime::UNIX_EPOCH, guest: "ci", fork: "", event };
    for count in 1..=2 {
        let file = AuditFile::open(&path).unwrap();
        file.record(&record(Event::Omitted { count }));
        assert_eq!(file.lost(), 0);
    }
    let counts: Vec<_> = lines(&path).iter().map(|line| line["count"].clone()).collect();
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).unwrap()) & 0o777;
    fs::remove_file(&path).unwrap();
    assert_eq!(counts, [1, 2]);
    assert_eq!(mode, 0o600, "what a child was told may be a secret");
}

#[test]
fn what_cannot_be_written_is_counted_and_told_once() {
    let told = std::sync::Arc::new(AtomicU32::new(0));
    let counter = std::sync::Arc::clone(&told);
    let file = AuditFile::open("/dev/full").unwrap().on_failure(move |error| {
        assert_eq!(error.raw_os_error(), Some(28), "{error}");
        counter.fetch_add(1, Ordering::Relaxed);
    });
    for count in 0..5 {
        let event = Event::Omitted { count };
        file.record(&Record { time: SystemTime::UNIX_EPOCH, guest: "ci", fork: "", event });
    }
    assert_eq!((file.lost(), told.load(Ordering::Relaxed)), (5, 1));
}

/// A pipe that nobody reads has room for so much and no more; when it has again,
/// the file says what it has not.
#[test]
fn a_file_says_what_it_lost() {
    use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, openat};
    let path = std::env::temp_dir().join(format!("offspring-audit-pipe-{}", std::process::id()));
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let without_reader = AuditFile::open(&path).unwrap_err();
    assert_eq!(without_reader.raw_os_error(), Some(6), "{without_reader}");

    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    let reader = openat(CWD, &path, flags, Mode::empty()).unwrap();
    let file = AuditFile::open(&path).unwrap().on_failure(|_| {});
    fs::remove_file(&path).unwrap();
    let wide = "\u{1}".repeat(1000);
    let long = plan(&[&wide, &wide, &wide, &wide], &[]);
    let record = || {
        let event = Event::Spawned { child: child(), plan: &long };
        file.record(&Record { time: SystemTime::UNIX_EPOCH, guest: "ci", fork: "", event });
    };
    let mut written = 0_u64;
    while file.lost() == 0 {
        record();
        written += 1;
    }
    record();
    let drain = || {
        let mut text = Vec::new();
        let mut buffer = [0; 65_536];
        while let Ok(count @ 1..) = rustix::io::read(&reader, &mut buffer[..]) {
            text.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8(text).unwrap()
    };
    let before = drain();
    record();
    let text = before + &drain();
    let (mut spawns, mut lost, mut torn) = (0, 0, 0);
    for line in text.lines() {
        match serde_json::from_str::<Value>(line) {
            Ok(line) if line["event"] == "lost" => lost = line["count"].as_u64().unwrap(),
            Ok(line) => spawns += u64::from(line["event"] == "spawn"),
            Err(_) => torn += 1,
        }
    }
    // All but the last of the first, and the one behind the drain.
    assert_eq!((spawns, lost, file.lost()), (written, 2, 2), "{torn} torn");
    assert_eq!(torn, 1, "what is torn ends its line");
}
