//! How the servers of a variant are started: ports, configuration files, commands.

use super::variant::{Settings, System, Variant};
use anyhow::{Context, Result, bail};
use std::fs::{self, File, OpenOptions};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Settings that every system gets, unless the user says otherwise: loopback clients are many, and are to be seen.
const COMMON: [(&str, &str); 5] = [
    ("tickTime", "2000"),
    ("initLimit", "10"),
    ("syncLimit", "5"),
    ("maxClientCnxns", "0"),
    ("4lw.commands.whitelist", "*"),
];
/// ZooKeeper's own HTTP server has a fixed port, which several on one machine cannot share.
const OF_ZOOKEEPER: [(&str, &str); 1] = [("admin.enableServer", "false")];
const MAIN_CLASS: &str = "org.apache.zookeeper.server.quorum.QuorumPeerMain";

/// What is to be started.
#[derive(Debug)]
pub struct Plan {
    /// Directory of all data.
    pub dir: PathBuf,
    /// Where clients will connect.
    pub addresses: Vec<String>,
    /// The commands: a program and its arguments.
    pub commands: Vec<Vec<String>>,
    /// Where each command's output goes.
    pub logs: Vec<PathBuf>,
}

impl Plan {
    /// Writes the configuration of a variant's servers into `dir`. Their logs will be `log-N.log`.
    ///
    /// # Errors
    /// Those of the file system; no ports.
    pub fn new(variant: &Variant, servers: usize, dir: &Path, log: &Path) -> Result<Plan> {
        let log_of = |name: String| {
            log.with_file_name(format!("{}-{name}.log", log.file_name().unwrap_or_default().to_string_lossy()))
        };
        if let System::Command { addresses, .. } = &variant.system {
            let mut plan = Plan {
                dir: dir.into(),
                addresses: addresses.clone(),
                commands: Vec::new(),
                logs: vec![log_of("command".into())],
            };
            plan.commands.push(command(&variant.system, dir).iter().map(|word| plan.fill_in(word)).collect());
            return Ok(plan);
        }
        let ports = free_ports(3 * servers)?;
        let (clients, peers) = ports.split_at(servers);
        let mut lines = String::new();
        for (at, pair) in peers.chunks(2).enumerate().filter(|_| servers > 1) {
            lines += &format!("server.{}=127.0.0.1:{}:{}\n", at + 1, pair[0], pair[1]);
        }
        let mut commands = Vec::new();
        for (at, port) in clients.iter().enumerate() {
            let data = dir.join(format!("data{}", at + 1));
            fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
            let config = dir.join(format!("{}.cfg", at + 1));
            let own = format!("dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\n", data.display());
            fs::write(data.join("myid"), format!("{}\n", at + 1))?;
            fs::write(&config, own + &configuration(variant) + &lines)?;
            commands.push(command(&variant.system, &config));
        }
        Ok(Plan {
            dir: dir.into(),
            addresses: clients.iter().map(|port| format!("127.0.0.1:{port}")).collect(),
            commands,
            logs: (1..=servers).map(|id| log_of(id.to_string())).collect(),
        })
    }

    /// A command of the user's with the directory put in.
    pub fn fill_in(&self, command: &str) -> String {
        command.replace("{dir}", &self.dir.display().to_string())
    }
}

fn configuration(variant: &Variant) -> String {
    let mut settings = Settings::default();
    let zookeeper = matches!(variant.system, System::ZooKeeper { .. });
    for (key, value) in COMMON.iter().chain(OF_ZOOKEEPER.iter().filter(|_| zookeeper)) {
        settings.0.insert((*key).into(), (*value).into());
    }
    settings.0.extend(variant.settings.0.clone());
    settings.0.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
}

fn command(system: &System, config: &Path) -> Vec<String> {
    let config = config.display().to_string();
    match system {
        System::Ringkeeper { binary } => vec![binary.display().to_string(), "serve".into(), config],
        System::ZooKeeper { java, class_path, jvm } => {
            let mut line = vec![java.display().to_string()];
            line.extend(jvm.iter().cloned());
            line.extend(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn".into(), "-cp".into(), class_path.clone()]);
            line.extend([MAIN_CLASS.into(), config]);
            line
        }
        System::Command { start, .. } => vec!["sh".into(), "-c".into(), start.clone()],
    }
}

/// Starts one of the commands.
///
/// # Errors
/// Those of the operating system.
pub fn spawn(plan: &Plan, at: usize) -> Result<Child> {
    let (line, log) = (&plan.commands[at], &plan.logs[at]);
    let open = || -> std::io::Result<(File, File)> {
        let file = OpenOptions::new().create(true).append(true).open(log)?;
        Ok((file.try_clone()?, file))
    };
    let (out, err) = open().with_context(|| format!("cannot write {}", log.display()))?;
    let mut command = Command::new(&line[0]);
    command.args(&line[1..]).stdin(Stdio::null()).stdout(out).stderr(err);
    // A group of its own: Ctrl-C is for us, and we end the servers when there is nothing more to be measured.
    command.process_group(0);
    // SAFETY: between fork and exec only a system call is made, which touches no memory.
    unsafe {
        command.pre_exec(|| {
            // Servers must not outlive us, whatever becomes of us.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            Ok(())
        });
    }
    command.spawn().with_context(|| line.join(" "))
}

/// Ports where nobody listens, below those that the kernel gives to clients: one of these could be taken before a server is
/// there to listen.
fn free_ports(count: usize) -> Result<Vec<u16>> {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 10_000;
    const RANGE: u32 = 22_000;
    let mut held = Vec::new();
    for _ in 0..RANGE {
        let n = std::process::id().wrapping_mul(7919).wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed));
        // They are held until all are found, so that all differ.
        if let Ok(port) = u16::try_from(FIRST + n % RANGE)
            && let Ok(listener) = TcpListener::bind(("127.0.0.1", port))
        {
            held.push((port, listener));
        }
        if held.len() == count {
            return Ok(held.into_iter().map(|(port, _)| port).collect());
        }
    }
    bail!("there are no {count} free ports on loopback")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_are_free() {
        let mut ports = free_ports(9).unwrap();
        assert!(ports.iter().all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()));
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 9);
    }
}
