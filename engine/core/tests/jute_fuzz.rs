//! The fuzz target of the client protocol over its corpus and over seeded mutations of it.
//!
//! `cargo test -p ringkeeper-core --test jute_fuzz -- --ignored` writes the generated part of the corpus anew; files
//! that a fuzzer has added stay.

use ringkeeper_core::jute::arbitrary::{Parts, Source};
use ringkeeper_core::jute::fuzz::{CONNECT, EVENT, RECORD, REQUEST, STREAM, fuzz_one};
use ringkeeper_core::jute::*;
use std::borrow::Cow;
use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;

const MUTATIONS_PER_FILE: u64 = 300;

fn corpus_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/jute")
}

fn corpus() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(corpus_folder())
        .expect("the corpus is committed")
        .map(|entry| entry.expect("a readable folder").path())
        .map(|path| (path.display().to_string(), fs::read(&path).expect("a readable file")))
        .collect();
    files.sort();
    assert!(files.len() > 100, "{} files are not the corpus", files.len());
    files
}

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

#[test]
fn the_corpus_holds() {
    for (name, bytes) in corpus() {
        assert!(catch_unwind(|| fuzz_one(&bytes)).is_ok(), "{name}");
    }
}

#[test]
fn mutations_of_the_corpus_hold() {
    for (name, bytes) in corpus() {
        for seed in 0..MUTATIONS_PER_FILE {
            let mutated = mutate(&bytes, &mut Rng(seed));
            assert!(catch_unwind(|| fuzz_one(&mutated)).is_ok(), "seed {seed} of {name}: {mutated:02x?}");
        }
    }
}

/// The bytes with one to four changes behind the first, which says how they are read.
fn mutate(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=rng.below(4) {
        if out.len() < 2 {
            out.extend(rng.bytes(8));
        }
        let at = 1 + rng.below(out.len() - 1);
        match rng.below(6) {
            0 => out[at] ^= 1 << rng.below(8),
            1 => out[at] = rng.next() as u8,
            2 => out.truncate(at),
            3 => {
                let int = [-1, -2, 0, 1, i32::MAX, i32::MIN, out.len() as i32, rng.next() as i32][rng.below(8)];
                for (byte, new) in out[at..].iter_mut().zip(int.to_be_bytes()) {
                    *byte = new;
                }
            }
            4 => {
                let len = rng.below(out.len() - at) + 1;
                let piece = out[at..at + len].to_vec();
                let to = 1 + rng.below(out.len() - 1);
                out.splice(to..to, piece);
            }
            _ => {
                let len = rng.below(9);
                let new = rng.bytes(len);
                out.splice(at..at, new);
            }
        }
    }
    out
}

#[test]
#[ignore = "writes into the source tree"]
fn write_corpus() {
    for (name, bytes) in seeds() {
        fs::write(corpus_folder().join(name), bytes).expect("a writable source tree");
    }
}

fn encoded(first: u8, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = vec![first];
    write(&mut Writer::new(&mut out));
    out
}

/// Bytes that make records with a few entries in every list.
fn parts(op: OpCode, salt: u64) -> Vec<u8> {
    let mut bytes = Rng(salt << 32 | op.wire() as u32 as u64).bytes(400);
    bytes[0] = OpCode::ALL.iter().position(|&o| o == op).expect("ALL has every opcode") as u8;
    bytes
}

fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = connection_seeds();
    for (index, op) in OpCode::ALL.into_iter().enumerate() {
        let index = index as u8;
        let choices = parts(op, 1);
        seeds.push((format!("record-{op:?}"), [&[RECORD], &choices[..]].concat()));
        let parts = Parts::take(&mut Source::new(&choices));
        if let Some(body) = parts.with_request(op, |request| encoded(index, |w| request.encode(w))) {
            seeds.extend(hostile(&format!("request-{op:?}"), &body));
            seeds.push((format!("request-{op:?}"), body));
        }
        if let Some(body) = parts.with_response(op, |response| encoded(index, |w| response.encode(w)))
            && body.len() > 1
        {
            seeds.push((format!("response-{op:?}"), body));
        }
    }
    seeds
}

/// A body cut short, and one whose first length is impossible, where it has one.
fn hostile(name: &str, body: &[u8]) -> Vec<(String, Vec<u8>)> {
    if body.len() < 6 {
        return Vec::new();
    }
    let mut huge = body.to_vec();
    huge[1..5].copy_from_slice(&i32::MAX.to_be_bytes());
    let mut null = body.to_vec();
    null[1..5].copy_from_slice(&(-1_i32).to_be_bytes());
    vec![
        (format!("{name}-cut"), body[..body.len() * 2 / 3].to_vec()),
        (format!("{name}-huge"), huge),
        (format!("{name}-null"), null),
    ]
}

fn connection_seeds() -> Vec<(String, Vec<u8>)> {
    let passwd = [9; 16];
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 5,
        timeout_ms: 30_000,
        session_id: 7,
        passwd: Some(&passwd),
        read_only: Some(false),
    };
    let response =
        ConnectResponse { protocol_version: 0, timeout_ms: 30_000, session_id: 7, passwd: &passwd, read_only: None };
    let event = WatcherEvent { kind: WatcherEvent::CREATED, state: 3, path: Cow::Borrowed("/a") };
    let get = Request::GetData { path: Cow::Borrowed("/a"), watch: true };
    let mut stream = vec![STREAM];
    append_request(&mut stream, 1, &get);
    append_request(&mut stream, ReplyHeader::PING, &Request::Ping);
    append_request(&mut stream, 2, &Request::CloseSession);
    stream.extend_from_slice(&[0, 0x20]);
    vec![
        ("connect-request".into(), encoded(CONNECT, |w| request.encode(w))),
        ("connect-response".into(), encoded(CONNECT, |w| response.encode(w))),
        ("event".into(), encoded(EVENT, |w| event.encode(w))),
        ("payload".into(), [&[REQUEST], &stream[5..20]].concat()),
        ("payload-short".into(), vec![REQUEST, 0, 0, 0, 1, 0, 0, 0]),
        ("payload-unknown".into(), vec![REQUEST, 0, 0, 0, 1, 0, 0, 0, 10, 0, 0, 0, 0]),
        ("stream".into(), stream),
    ]
}
