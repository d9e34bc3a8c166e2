//! Puts the commit and its date into the version line, when the source is a git checkout. Without git the line is the
//! same for everybody: commit 0, 2026-01-01. `SOURCE_DATE_EPOCH` overrides the date.

use std::process::Command;

const FALLBACK_SECONDS: i64 = 1_767_225_600;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    // HEAD changes when another branch is checked out, its log with every commit.
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) =
            git(&["rev-parse", "--git-path", file]).filter(|path| std::fs::exists(path).unwrap_or(false))
        {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "0".to_owned());
    let committed = git(&["log", "-1", "--format=%ct"]).and_then(|text| text.parse().ok());
    let chosen = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
    println!("cargo:rustc-env=RINGKEEPER_COMMIT={commit}");
    println!("cargo:rustc-env=RINGKEEPER_BUILT={}", chosen.or(committed).unwrap_or(FALLBACK_SECONDS));
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
