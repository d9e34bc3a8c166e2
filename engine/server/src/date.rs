//! Moments as text, always in UTC.

use ringkeeper_core::ids::WallMs;

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_MS: i64 = 86_400_000;

/// A moment as Java's `Date` shows it: `Sat Nov 21 10:41:26 UTC 2026`.
pub fn java(at: WallMs) -> String {
    let Parts { year, month, day, hour, minute, second, weekday } = Parts::of(at);
    format!("{} {} {day:02} {hour:02}:{minute:02}:{second:02} UTC {year}", DAYS[weekday], MONTHS[month])
}

/// Date, hour and minute: `2026-11-21 10:41`.
pub fn minute(at: WallMs) -> String {
    let Parts { year, month, day, hour, minute, .. } = Parts::of(at);
    format!("{year:04}-{:02}-{day:02} {hour:02}:{minute:02}", month + 1)
}

struct Parts {
    year: i64,
    /// From 0.
    month: usize,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    /// From Sunday.
    weekday: usize,
}

impl Parts {
    fn of(at: WallMs) -> Parts {
        let days = at.0.div_euclid(DAY_MS);
        let second = at.0.rem_euclid(DAY_MS) / 1000;
        let (year, month, day) = civil(days);
        // 1 January 1970 was a Thursday.
        let weekday = usize::try_from((days + 4).rem_euclid(7)).expect("a remainder of 7");
        Parts { year, month, day, hour: second / 3600, minute: second / 60 % 60, second: second % 60, weekday }
    }
}

/// Year, month from 0 and day from 1 of a number of days since 1970, in the Gregorian calendar. Years are counted from
/// March, so that the leap day is the last of a year, in eras of 400 years, which all have 146,097 days.
fn civil(days: i64) -> (i64, usize, i64) {
    let since_march_0000 = days + 719_468;
    let era = since_march_0000.div_euclid(146_097);
    let day_of_era = since_march_0000.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = era * 400 + year_of_era + i64::from(month < 2);
    (year, usize::try_from(month).expect("a remainder of 12"), day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values are those of `date -u -d @seconds`.
    #[test]
    fn known_moments() {
        let check = |seconds: i64, text: &str| assert_eq!(java(WallMs(seconds * 1000 + 999)), text);
        check(0, "Thu Jan 01 00:00:00 UTC 1970");
        check(-1, "Wed Dec 31 23:59:59 UTC 1969");
        check(951_782_399, "Mon Feb 28 23:59:59 UTC 2000");
        check(951_782_400, "Tue Feb 29 00:00:00 UTC 2000");
        check(1_795_257_686, "Sat Nov 21 10:41:26 UTC 2026");
        check(4_107_542_400, "Mon Mar 01 00:00:00 UTC 2100");
    }

    #[test]
    fn minutes() {
        assert_eq!(minute(WallMs(1_795_257_686_000)), "2026-11-21 10:41");
        assert_eq!(minute(WallMs(0)), "1970-01-01 00:00");
    }
}
