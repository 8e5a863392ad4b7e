//! A private Postgres server for tests: its files are in a temporary folder, it listens on a socket in there
//! alone, and it ends with the test process, however that ends.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Ends the server and removes its folder when the test process is gone: then its standard input ends.
const WATCH: &str = r#"
cat > /dev/null
if pid=$(head -n 1 "$1/data/postmaster.pid" 2> /dev/null); then
    for child in $(cat "/proc/$pid/task/$pid/children" 2> /dev/null) "$pid"; do kill -CONT "$child" 2> /dev/null; done
    kill -QUIT "$pid" 2> /dev/null
    while kill -0 "$pid" 2> /dev/null; do sleep 0.05; done
fi
rm -rf "$1"
"#;

/// A server of its own.
pub(crate) struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    databases: AtomicU32,
    /// Its input ends with this process, also when nobody drops it.
    watch: Child,
}

/// The server that the tests of one process share.
pub(crate) fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::start)
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("bulkhead-pg").tempdir().expect("a folder").keep();
        let watch = Command::new("sh")
            .args(["-c", WATCH, "sh"])
            .arg(&folder)
            // What ends the tests' group of processes must leave it to its duty.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let cluster = Self { folder, programs, databases: AtomicU32::new(0), watch };
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&cluster.folder));
        }
        std::fs::set_permissions(&cluster.folder, PermissionsExt::from_mode(0o755)).expect("permissions");
        let initdb =
            ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"];
        run(cluster.program("initdb").args(initdb).arg(cluster.data()));
        // One user needs a password, for the tests that look for it in messages.
        let access = "local all ann scram-sha-256\nlocal all all trust\n";
        std::fs::write(cluster.data().join("pg_hba.conf"), access).expect("written");
        cluster.start_again("");
        cluster
    }

    /// Starts the server after [`Self::stop`] with further options, and waits until it answers.
    pub(crate) fn start_again(&self, further: &str) {
        let options = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c fsync=on -c max_connections=60 \
             -c shared_buffers=32MB {further}",
            self.folder.display()
        );
        let log = self.folder.join("log");
        run(self
            .program("pg_ctl")
            .args(["start", "-w", "-o", &options, "-l"])
            .arg(log)
            .arg("-D")
            .arg(self.data()));
    }

    /// Stops the server and starts it again so that it also listens for encrypted connections, with this certificate
    /// and key; the address. Each process has an address of its own, so that no two tests get in each other's way.
    pub(crate) fn listen_encrypted(&self, certificate: &str, key: &str) -> (String, u16) {
        const PORT: u16 = 54_329;

        self.stop("fast");
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.data().join(name);
            std::fs::write(&path, text).expect("written");
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("permissions");
            if is_root() {
                run(Command::new("chown").arg("postgres").arg(&path));
            }
        }
        let access = self.data().join("pg_hba.conf");
        let local = std::fs::read_to_string(&access).expect("reads");
        std::fs::write(&access, format!("{local}host all all 127.0.0.0/8 trust\n")).expect("written");
        let address = Self::address_of_this_process();
        self.start_again(&format!("-c ssl=on -c listen_addresses={address} -c port={PORT}"));
        (address, PORT)
    }

    /// One of the addresses that lead back to this machine.
    pub(crate) fn address_of_this_process() -> String {
        let [_, high, middle, low] = std::process::id().to_be_bytes();
        format!("127.{}.{middle}.{low}", high | 64)
    }

    /// Stops the server: `fast`, or `immediate` as in a crash.
    pub(crate) fn stop(&self, how: &str) {
        run(self.program("pg_ctl").args(["stop", "-w", "-m", how, "-D"]).arg(self.data()));
    }

    /// Makes every process of the server stand still, or go on.
    pub(crate) fn pause(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).expect("it runs");
        let postmaster = file.lines().next().expect("a number").to_owned();
        let children = format!("/proc/{postmaster}/task/{postmaster}/children");
        let children = std::fs::read_to_string(children).expect("its processes");
        run(Command::new("kill").arg(signal).arg(&postmaster).args(children.split_whitespace()));
    }

    /// Makes one of the server's processes stand still (`-STOP`) or go on (`-CONT`).
    pub(crate) fn signal_process(process: i32, signal: &str) {
        run(Command::new("kill").arg(signal).arg(process.to_string()));
    }

    /// The name of a new, empty database.
    pub(crate) fn new_database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// The URL of a database of this server.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder.display())
    }

    /// Carries out a statement and gives what it prints.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let mut psql = self.program("psql");
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1"]);
        psql.args(["-U", "postgres", "-d", database, "-c", sql, "-h"]).arg(&self.folder);
        run(&mut psql).trim().to_owned()
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// One of the server's programs, which refuse to be run by root.
    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        // The folder that cargo runs tests in may be closed to that user.
        command.current_dir("/").env_remove("PGHOST").env_remove("PGPORT").stdin(Stdio::null());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.watch.stdin.take());
        let _ = self.watch.wait();
    }
}

/// Where the server's programs are: on the path, or where Debian keeps them, the newest version.
fn programs() -> PathBuf {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(folder) = std::env::split_paths(&on_path).find(|folder| has_server(folder)) {
        return folder;
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        versions.map(|version| version.path().join("bin")).filter(|bin| has_server(bin)).collect();
    let number = |folder: &PathBuf| {
        let name = folder.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        name.parse::<u32>().unwrap_or(0)
    };
    folders.sort_by_key(number);
    folders.pop().unwrap_or_else(|| {
        panic!(
            "these tests start a Postgres server of their own, and there is none to start: install it with \
             `sudo apt-get install postgresql`, or run `cargo xtask test`, which does"
        )
    })
}

fn has_server(bin: &Path) -> bool {
    ["initdb", "pg_ctl", "postgres", "psql"].iter().all(|program| bin.join(program).is_file())
}

fn is_root() -> bool {
    run(Command::new("id").arg("-u")).trim() == "0"
}

/// Runs a command that must succeed, and gives what it prints.
fn run(command: &mut Command) -> String {
    // `pg_ctl start` leaves its output open to the server, so it goes to a file, not to a pipe.
    let output = tempfile::tempfile().expect("a file");
    let copy = |file: &std::fs::File| Stdio::from(file.try_clone().expect("a file"));
    let status = command.stdout(copy(&output)).stderr(copy(&output)).status();
    let status = status.unwrap_or_else(|error| panic!("{command:?} can't be run: {error}"));
    let printed = read_all(output);
    assert!(status.success(), "{command:?}: {status}: {printed}");
    printed
}

fn read_all(mut file: std::fs::File) -> String {
    use std::io::{Read as _, Seek as _};

    let mut text = String::new();
    file.rewind().expect("rewinds");
    file.read_to_string(&mut text).expect("reads");
    text
}
