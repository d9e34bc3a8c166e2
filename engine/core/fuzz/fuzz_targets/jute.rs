//! Whatever bytes a client sends: see `ringkeeper_core::jute::fuzz`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| ringkeeper_core::jute::fuzz::fuzz_one(bytes));
