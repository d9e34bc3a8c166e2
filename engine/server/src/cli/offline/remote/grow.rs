//! A backup's directory that grows over the network: the snapshot that it begins with, and the transactions after it, as
//! `ringkeeper backup` takes them from a server's own directory.

use super::address::Address;
use super::http;
use crate::cli::offline::facts::Facts;
use crate::cli::offline::progress::Progress;
use crate::offline::backup::{BackupDir, Piece};
use anyhow::Context as _;
use ringkeeper_core::ids::Zxid;
use ringkeeper_txnlog::snapshot::snapshot_name;
use std::path::Path;

const MIB: u64 = 1 << 20;
/// The log does not reach back so far.
const GONE: u16 = 410;

/// What was added.
struct Grown {
    snapshot: Option<Zxid>,
    /// Where the backup ended before.
    before: Option<Zxid>,
    piece: Piece,
}

/// Begins a backup, or goes on with it.
pub(super) fn run(server: &Address, to: &Path, json: bool) -> anyhow::Result<()> {
    let mut progress = Progress::new("received:");
    let grown = grow(server, to, &mut |done| progress.say(&format!("received {} MiB", done / MIB)))?;
    drop(progress);
    if let (Some(before), Some(_)) = (grown.before, grown.snapshot) {
        super::super::backup::warn_of_gap(before);
    }
    let mut facts = Facts::default();
    facts.add("backup", to.display().to_string());
    facts.add("snapshot_received", grown.snapshot.map(|zxid| zxid.to_string()));
    facts.add("new_transactions", grown.piece.frames);
    facts.add("bytes", grown.piece.bytes);
    facts.add("reaches_zxid", grown.piece.last.to_string());
    facts.print(json)
}

fn grow(server: &Address, to: &Path, progress: &mut dyn FnMut(u64)) -> anyhow::Result<Grown> {
    let there = BackupDir::is_one(to).then(|| BackupDir::open(to)).transpose()?;
    let before = there.map(|dir| dir.chains()).transpose()?.and_then(|chains| chains.last().map(|chain| chain.last()));
    let mut answer = ask(server, before.unwrap_or(Zxid::ZERO))?;
    let dir = BackupDir::open_or_begin(to, ensemble(&answer)?)?;
    let mut snapshot = None;
    if answer.status() == GONE {
        let zxid = receive_snapshot(server, &dir, progress)?;
        anyhow::ensure!(
            before.is_none_or(|before| zxid > before),
            "the server is at {zxid}, behind the backup ({}): ask another one, or wait until it has caught up",
            dir.path.display()
        );
        snapshot = Some(zxid);
        answer = ask(server, zxid)?;
    }
    anyhow::ensure!(
        answer.status() != GONE,
        "the log does not reach back to the snapshot that was just sent: try again"
    );
    let after = snapshot.or(before).unwrap_or(Zxid::ZERO);
    let piece = receive_piece(answer, &dir, after, progress)?;
    dir.reaches(piece.last)?;
    Ok(Grown { snapshot, before, piece })
}

/// Asks for what is after a transaction; that the log does not reach back so far is an answer.
fn ask(server: &Address, after: Zxid) -> anyhow::Result<http::Answer> {
    let answer = http::ask(server, "GET", &format!("transactions?after={after}"), None, &mut |_| {})?;
    if answer.status() == GONE { Ok(answer) } else { answer.or_refusal() }
}

fn ensemble(answer: &http::Answer) -> anyhow::Result<u64> {
    let told = answer.header("ensemble").and_then(|text| u64::from_str_radix(text, 16).ok());
    told.context("the answer does not say of which ensemble it is")
}

fn receive_snapshot(server: &Address, dir: &BackupDir, progress: &mut dyn FnMut(u64)) -> anyhow::Result<Zxid> {
    let mut answer = http::ask(server, "GET", "snapshot", None, &mut |_| {})?.or_refusal()?;
    let zxid = answer.last_zxid()?;
    dir.add_snapshot(&snapshot_name(zxid), |file| answer.save(file, progress).map(drop))?;
    Ok(zxid)
}

fn receive_piece(
    mut answer: http::Answer,
    dir: &BackupDir,
    after: Zxid,
    progress: &mut dyn FnMut(u64),
) -> anyhow::Result<Piece> {
    if answer.last_zxid()? == after {
        return Ok(Piece::nothing(after, dir.ensemble));
    }
    dir.add_piece(after, |file| answer.save(file, progress).map(drop))
}
