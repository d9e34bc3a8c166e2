//! Limits of processes: those of this one, and those that a systemd unit gives to the server.

use super::files::Files;
use rustix::process::{Resource, getrlimit};
use serde::Serialize;
use std::collections::BTreeMap;

/// Hard limits, to which the server raises its own.
#[derive(Clone, Debug, Default, Serialize)]
pub(in crate::doctor) struct Limits {
    /// Locked memory in bytes; `None` is no limit.
    pub locked_memory: Option<u64>,
    /// Open files; `None` is no limit.
    pub open_files: Option<u64>,
    /// What a process may hold open at all, `fs.nr_open`.
    pub most_open_files: Option<u64>,
    /// The unit that starts the server, if there is one.
    pub unit: Option<Unit>,
}

/// A systemd unit.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub(in crate::doctor) struct Unit {
    /// Its files, in the order in which they are read.
    pub files: Vec<String>,
    /// The settings of its section `[Service]`; of those that are given several times the last one.
    pub settings: BTreeMap<String, String>,
}

impl Limits {
    /// What the files say about the unit.
    pub(super) fn read(files: &dyn Files, unit: &str) -> Limits {
        Limits {
            unit: Unit::read(files, unit),
            most_open_files: files.number("/proc/sys/fs/nr_open"),
            ..Limits::default()
        }
    }

    /// Asks for those of this process.
    pub(super) fn try_out(&mut self) {
        self.locked_memory = getrlimit(Resource::Memlock).maximum;
        self.open_files = getrlimit(Resource::Nofile).maximum;
    }
}

impl Unit {
    /// The first file of that name in the places where systemd looks, and the drop-ins of all places in the order of their names.
    fn read(files: &dyn Files, name: &str) -> Option<Unit> {
        const PLACES: [&str; 5] = [
            "/etc/systemd/system",
            "/run/systemd/system",
            "/usr/local/lib/systemd/system",
            "/usr/lib/systemd/system",
            "/lib/systemd/system",
        ];
        let main = PLACES.iter().map(|place| format!("{place}/{name}")).find(|path| files.text(path).is_some())?;
        let mut drop_ins = BTreeMap::new();
        for place in PLACES.iter().rev() {
            let dir = format!("{place}/{name}.d");
            let names = files.names(&dir).into_iter().filter(|name| name.ends_with(".conf"));
            drop_ins.extend(names.map(|name| (name.clone(), format!("{dir}/{name}"))));
        }
        let mut unit = Unit::default();
        for path in std::iter::once(main).chain(drop_ins.into_values()) {
            unit.take(&files.text(&path).unwrap_or_default());
            unit.files.push(path);
        }
        Some(unit)
    }

    fn take(&mut self, text: &str) {
        let mut in_service = false;
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
            if line.starts_with('[') {
                in_service = line == "[Service]";
            } else if let Some((key, value)) = line.split_once('=').filter(|_| in_service) {
                self.settings.insert(key.trim().to_owned(), value.trim().to_owned());
            }
        }
    }

    /// A limit: `Ok(None)` is none, `Err` that the unit does not say. Of `soft:hard` the hard one counts.
    pub(in crate::doctor) fn limit(&self, key: &str) -> Result<Option<u64>, ()> {
        let value = self.settings.get(key).ok_or(())?;
        let hard = value.rsplit(':').next().unwrap_or(value);
        if hard == "infinity" {
            return Ok(None);
        }
        let digits = hard.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let shift = match &hard[digits.len()..] {
            "" => 0,
            "K" => 10,
            "M" => 20,
            "G" => 30,
            _ => return Err(()),
        };
        let number: u64 = digits.parse().map_err(|_| ())?;
        Ok(Some(number.saturating_mul(1 << shift)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::files::Recorded;
    use super::*;

    #[test]
    fn a_unit_with_drop_ins() {
        let files = Recorded::parse(
            "@ /lib/systemd/system/r.service\n[Unit]\nLimitNOFILE=1\n[Service]\n# LimitMEMLOCK=1\nLimitMEMLOCK = 64M\nLimitNOFILE=1024:65536\n\
             @ /etc/systemd/system/r.service.d/20.conf\n[Service]\nLimitNOFILE=infinity\n\
             @ /lib/systemd/system/r.service.d/10.conf\n[Service]\nLimitNOFILE=7\nNice=-5\n\
             @ /lib/systemd/system/r.service.d/20.conf\n[Service]\nLimitNOFILE=8\n",
        );
        let unit = Unit::read(&files, "r.service").unwrap();
        assert_eq!(unit.files.len(), 3);
        assert_eq!((unit.limit("LimitMEMLOCK"), unit.limit("LimitNOFILE")), (Ok(Some(64 << 20)), Ok(None)));
        assert_eq!((unit.limit("LimitCPU"), unit.limit("Nice")), (Err(()), Err(())));
        assert_eq!(Unit::read(&files, "other.service"), None);
    }

    #[test]
    fn limits_as_systemd_writes_them() {
        let unit = |limits: &str| {
            let text = format!("@ /etc/systemd/system/r.service\n[Service]\n{limits}\n[Install]\nLimitNOFILE=3\n");
            Unit::read(&Recorded::parse(&text), "r.service").unwrap()
        };
        let limit = |value: &str| unit(&format!("LimitNOFILE={value}")).limit("LimitNOFILE");
        assert_eq!(["1024:65536", "1024:infinity", "64K", "2G"].map(limit), {
            [Ok(Some(65_536)), Ok(None), Ok(Some(64 << 10)), Ok(Some(2 << 30))]
        });
        assert_eq!(limit("7 files"), Err(()));
    }
}
