//! Takes the dashboard's built files along, if it was built.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let built = Path::new("../dashboard/dist");
    println!("cargo::rerun-if-changed={}", built.display());
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo gives build scripts OUT_DIR"))?;
    let taken = Path::new(&out).join("dashboard");
    if taken.exists() {
        fs::remove_dir_all(&taken)?;
    }
    fs::create_dir_all(&taken)?;
    if built.is_dir() { copy(built, &taken) } else { Ok(()) }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
