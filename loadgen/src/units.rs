//! Quantities as people read and write them.

use std::time::Duration;

/// A time in nanoseconds, with three digits.
pub fn duration(ns: f64) -> String {
    if ns < 0.0 {
        return format!("-{}", duration(-ns));
    }
    let (value, unit) = match ns {
        ns if ns < 999.5e3 => (ns / 1e3, "µs"),
        ns if ns < 999.5e6 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    format!("{} {unit}", three_digits(value))
}

fn three_digits(value: f64) -> String {
    match value {
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// A whole number with its thousands set apart.
pub fn count(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) && digits.as_bytes()[i - 1].is_ascii_digit() {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number as it is, with its thousands set apart: what somebody asked for is not rounded.
pub fn exact(value: f64) -> String {
    let digits = format!("{value}");
    let (_, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let whole = count(value.trunc());
    if fraction.is_empty() { whole } else { format!("{whole}.{fraction}") }
}

/// A number of bytes, with three digits.
pub fn bytes(value: f64) -> String {
    match value.abs() {
        b if b < 1024.0 => format!("{value:.0} B"),
        b if b < 1024.0 * 1024.0 => format!("{:.1} KiB", value / 1024.0),
        b if b < 1024.0 * 1024.0 * 1024.0 => format!("{:.1} MiB", value / 1024.0 / 1024.0),
        _ => format!("{:.2} GiB", value / 1024.0 / 1024.0 / 1024.0),
    }
}

/// Reads `500us`, `250ms`, `10s`, `2m`, `1h`; a bare number is seconds.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = match unit.trim() {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        other => return Err(format!("unit {other:?}: use us, ms, s, m or h")),
    };
    let number: f64 = number.parse().map_err(|_| format!("{text:?} is no time: write 250ms, 10s or 2m"))?;
    Duration::try_from_secs_f64(number * scale).map_err(|e| e.to_string())
}

/// Reads `100`, `4k`, `1m` as bytes (k = 1024).
///
/// # Errors
/// What is wrong with the text.
pub fn parse_size(text: &str) -> Result<usize, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        other => return Err(format!("unit {other:?}: use k or m")),
    };
    let number: usize = number.parse().map_err(|_| format!("{text:?} is no size: write 100, 4k or 1m"))?;
    number.checked_mul(scale).ok_or_else(|| "too large".into())
}

/// Reads `1000000`, `1_000_000`, `100k`, `1m` as a number (k = 1000).
///
/// # Errors
/// What is wrong with the text.
pub fn parse_count(text: &str) -> Result<u64, String> {
    let plain = text.replace(['_', ','], "").to_ascii_lowercase();
    let (number, scale) = match plain.strip_suffix(['k', 'm']) {
        Some(number) if plain.ends_with('k') => (number, 1_000),
        Some(number) => (number, 1_000_000),
        None => (plain.as_str(), 1),
    };
    let number: u64 = number.parse().map_err(|_| format!("{text:?} is no number: write 5000, 100k or 1m"))?;
    number.checked_mul(scale).ok_or_else(|| "too large".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_written_with_three_digits() {
        let written = [850.0, 12_345.0, 999_600.0, 1.5e9, 61_000e6].map(duration);
        assert_eq!(written, ["0.85 µs", "12.3 µs", "1.00 ms", "1.50 s", "61.0 s"]);
        assert_eq!([0.4, 999.0, 61_234.0, 1e6].map(count), ["0", "999", "61,234", "1,000,000"]);
        assert_eq!(count(-1234.0), "-1,234");
        assert_eq!([0.0, 2048.0, 3.5 * 1024.0 * 1024.0].map(bytes), ["0 B", "2.0 KiB", "3.5 MiB"]);
    }

    #[test]
    fn numbers_are_told_as_they_are() {
        assert_eq!(
            [62.5, 3.90625, 1_000.0, 1_234.5, 0.25, 0.0].map(exact),
            ["62.5", "3.90625", "1,000", "1,234.5", "0.25", "0"]
        );
        assert_eq!(exact(1e7), "10,000,000");
    }

    #[test]
    fn quantities_are_read() {
        assert_eq!(parse_duration("250ms").unwrap(), Duration::from_millis(250));
        assert_eq!(parse_duration("500us").unwrap(), parse_duration("0.5 ms").unwrap());
        assert_eq!(parse_duration("1.5").unwrap(), Duration::from_millis(1500));
        assert_eq!(parse_duration("2m").unwrap(), Duration::from_secs(120));
        assert!(parse_duration("ten").is_err() && parse_duration("5d").is_err() && parse_duration("").is_err());
        assert_eq!(parse_size("4k").unwrap(), 4096);
        assert!(parse_size("4x").is_err() && parse_size("k").is_err());
        assert_eq!(["1_000", "100k", "1m"].map(|t| parse_count(t).unwrap()), [1_000, 100_000, 1_000_000]);
        assert!(parse_count("1.5m").is_err() && parse_count("-1").is_err());
    }
}
