//! What is known about one setting: the row type of the table in [`super::table`].

pub use super::group::Group;

/// One setting. Everything that the parser, the flags, the help, the documentation and `conf` say about it comes from here.
#[derive(Debug)]
pub struct Key {
    /// The name in `zoo.cfg`, without the `zookeeper.` prefix. For a family, the part before the variable rest.
    pub name: &'static str,
    /// The section of the documentation and of `--help`.
    pub group: Group,
    /// Which values are valid.
    pub kind: Kind,
    /// The value that holds when nothing is given.
    pub default: Fallback,
    /// The unit of the value, or empty.
    pub unit: &'static str,
    /// Whether the setting does anything.
    pub effect: Effect,
    /// What it means, in one or two sentences.
    pub meaning: &'static str,
    /// The name is a prefix, and each key that starts with it is one setting (`server.1`, `ssl.keyStore.location`).
    pub family: bool,
    /// The value is never printed.
    pub secret: bool,
    /// A running server takes a new value over when it reads its configuration again.
    pub live: bool,
    /// The flag, if it is not the one that follows from the name.
    pub short: Option<&'static str>,
}

/// Which values are valid.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A whole number, decimal or with `0x`, both bounds included.
    Int {
        /// The smallest valid value.
        min: i64,
        /// The largest valid value.
        max: i64,
    },
    /// `true` or `false`, in any case.
    Bool,
    /// `yes` or `no`, in any case.
    YesNo,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A path; relative ones start at the working directory.
    Path,
    /// Any text.
    Text,
    /// Text with a shape of its own.
    Shaped {
        /// The shape, as shown to people: `always | interval:<ms> | os`.
        shape: &'static str,
        /// A valid value, for messages.
        example: &'static str,
        /// Whether a value has the shape; if not, what is wrong with it.
        check: fn(&str) -> Result<(), String>,
    },
}

/// The value that holds when nothing is given.
#[derive(Debug, Clone, Copy)]
pub enum Fallback {
    /// There is none: the server does not start without the setting.
    Required,
    /// Nothing is set.
    Unset,
    /// This value.
    Value(&'static str),
    /// Follows from other settings or from the machine; how, in words.
    Derived(&'static str),
}

/// Whether a setting does anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is honoured.
    Honoured,
    /// It is read and left alone, for this reason.
    NoEffect(&'static str),
    /// It will be honoured by a later version; until then it is warned about.
    Planned(&'static str),
    /// To ignore it would mislead or would weaken security: the server does not start, for this reason.
    Refused(&'static str),
}

impl Key {
    const fn new(name: &'static str, group: Group, kind: Kind, default: Fallback) -> Key {
        Key {
            name,
            group,
            kind,
            default,
            unit: "",
            effect: Effect::Honoured,
            meaning: "",
            family: false,
            secret: false,
            live: false,
            short: None,
        }
    }

    /// A whole number within bounds.
    pub const fn int(name: &'static str, group: Group, min: i64, max: i64, default: &'static str) -> Key {
        Key::new(name, group, Kind::Int { min, max }, Fallback::Value(default))
    }

    /// `true` or `false`.
    pub const fn bool(name: &'static str, group: Group, default: &'static str) -> Key {
        Key::new(name, group, Kind::Bool, Fallback::Value(default))
    }

    /// `yes` or `no`.
    pub const fn yes_no(name: &'static str, group: Group, default: &'static str) -> Key {
        Key::new(name, group, Kind::YesNo, Fallback::Value(default))
    }

    /// One of the given words.
    pub const fn one_of(name: &'static str, group: Group, words: &'static [&'static str]) -> Key {
        Key::new(name, group, Kind::OneOf(words), Fallback::Unset)
    }

    /// A path.
    pub const fn path(name: &'static str, group: Group) -> Key {
        Key::new(name, group, Kind::Path, Fallback::Unset)
    }

    /// Free text.
    pub const fn text(name: &'static str, group: Group) -> Key {
        Key::new(name, group, Kind::Text, Fallback::Unset)
    }

    /// Text with a shape.
    pub const fn shaped(
        name: &'static str,
        group: Group,
        shape: &'static str,
        example: &'static str,
        check: fn(&str) -> Result<(), String>,
    ) -> Key {
        Key::new(name, group, Kind::Shaped { shape, example, check }, Fallback::Unset)
    }

    /// All keys that start with `name`.
    pub const fn family(name: &'static str, group: Group) -> Key {
        Key::text(name, group).as_family()
    }

    /// Every key that starts with the name.
    pub const fn as_family(mut self) -> Key {
        self.family = true;
        self
    }

    /// The value when nothing is given.
    pub const fn or(mut self, default: &'static str) -> Key {
        self.default = Fallback::Value(default);
        self
    }

    /// Nothing holds when nothing is given.
    pub const fn unset(mut self) -> Key {
        self.default = Fallback::Unset;
        self
    }

    /// The value when nothing is given follows from something else.
    pub const fn or_derived(mut self, how: &'static str) -> Key {
        self.default = Fallback::Derived(how);
        self
    }

    /// There is no default.
    pub const fn required(mut self) -> Key {
        self.default = Fallback::Required;
        self
    }

    /// The unit.
    pub const fn unit(mut self, unit: &'static str) -> Key {
        self.unit = unit;
        self
    }

    /// The meaning.
    pub const fn means(mut self, meaning: &'static str) -> Key {
        self.meaning = meaning;
        self
    }

    /// Never printed.
    pub const fn secret(mut self) -> Key {
        self.secret = true;
        self
    }

    /// Taken over by a running server.
    pub const fn live(mut self) -> Key {
        self.live = true;
        self
    }

    /// With another flag than the name would make.
    pub const fn flagged(mut self, flag: &'static str) -> Key {
        self.short = Some(flag);
        self
    }

    /// Accepted, without effect.
    pub const fn no_effect(mut self, why: &'static str) -> Key {
        self.effect = Effect::NoEffect(why);
        self
    }

    /// Planned, warned about.
    pub const fn planned(mut self, why: &'static str) -> Key {
        self.effect = Effect::Planned(why);
        self
    }

    /// Refused unless it is at its default.
    pub const fn refused(mut self, why: &'static str) -> Key {
        self.effect = Effect::Refused(why);
        self
    }

    /// The name as shown to people: families end in `*`.
    pub fn display_name(&self) -> String {
        if self.family { format!("{}*", self.name) } else { self.name.to_owned() }
    }

    /// The command-line flag without its dashes: `dataDir` becomes `data-dir`. Families have none.
    pub fn flag(&self) -> Option<String> {
        if self.family { None } else { Some(self.short.map_or_else(|| kebab(self.name), str::to_owned)) }
    }

    /// The environment variable: `dataDir` becomes `RINGKEEPER_DATA_DIR`. Families have none.
    pub fn env(&self) -> Option<String> {
        let variable = || format!("{ENV_PREFIX}{}", kebab(self.name).to_ascii_uppercase().replace('-', "_"));
        (!self.family).then(variable)
    }

    /// The valid values in words.
    pub fn validity(&self) -> String {
        match self.kind {
            Kind::Int { min, max } if max >= i64::from(i32::MAX) => format!("a whole number, {min} or more"),
            Kind::Int { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Bool => "true or false".to_owned(),
            Kind::YesNo => "yes or no".to_owned(),
            Kind::OneOf(words) => words.join(" | "),
            Kind::Path => "a path".to_owned(),
            Kind::Text => "text".to_owned(),
            Kind::Shaped { shape, .. } => shape.to_owned(),
        }
    }

    /// A valid value for messages.
    pub fn example(&self) -> &'static str {
        match (self.kind, self.default) {
            (Kind::Shaped { example, .. }, _) => example,
            (_, Fallback::Value(value)) => value,
            (Kind::OneOf(words), _) => words[0],
            (Kind::Bool, _) => "true",
            (Kind::YesNo, _) => "yes",
            (Kind::Path, _) => "/var/lib/ringkeeper",
            (Kind::Int { .. } | Kind::Text, _) => "",
        }
    }

    /// What is wrong with a value, if anything.
    pub fn check(&self, value: &str) -> Result<(), String> {
        match self.kind {
            Kind::Int { min, max } => check_int(value, min, max),
            Kind::Bool if !one_of(value, &["true", "false"]) => Err("is neither true nor false".to_owned()),
            Kind::YesNo if !one_of(value, &["yes", "no"]) => Err("is neither yes nor no".to_owned()),
            Kind::OneOf(words) if !one_of(value, words) => Err("is not one of the known words".to_owned()),
            Kind::Path if value.is_empty() => Err("is empty".to_owned()),
            Kind::Shaped { check, .. } => check(value),
            _ => Ok(()),
        }
    }
}

/// What every environment variable of the server starts with.
pub const ENV_PREFIX: &str = "RINGKEEPER_";

fn one_of(value: &str, words: &[&str]) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(value))
}

fn check_int(value: &str, min: i64, max: i64) -> Result<(), String> {
    let number = parse_int(value).ok_or("is not a whole number")?;
    if number < min {
        return Err(format!("is less than {min}"));
    }
    if number > max {
        return Err(format!("is more than {max}"));
    }
    Ok(())
}

/// A whole number in decimal or, as Java's system properties allow, with `0x`.
pub fn parse_int(value: &str) -> Option<i64> {
    let (negative, digits) = match value.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, value.strip_prefix('+').unwrap_or(value)),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => (16, hex),
        None => (10, digits),
    };
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    let magnitude = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

/// `autopurge.snapRetainCount` → `autopurge-snap-retain-count`; a run of capitals is one word (`skipACL` → `skip-acl`).
fn kebab(name: &str) -> String {
    let mut flag = String::with_capacity(name.len() + 8);
    let mut previous = '.';
    for c in name.chars() {
        if matches!(c, '.' | '_') {
            flag.push('-');
        } else {
            if c.is_ascii_uppercase() && (previous.is_ascii_lowercase() || previous.is_ascii_digit()) {
                flag.push('-');
            }
            flag.push(c.to_ascii_lowercase());
        }
        previous = c;
    }
    flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_variables_follow_the_name() {
        let check = |name, flag: &str, env: &str| {
            let key = Key::text(name, Group::Other);
            assert_eq!((key.flag().unwrap().as_str(), key.env().unwrap().as_str()), (flag, env));
        };
        check("dataDir", "data-dir", "RINGKEEPER_DATA_DIR");
        check("skipACL", "skip-acl", "RINGKEEPER_SKIP_ACL");
        check("4lw.commands.whitelist", "4lw-commands-whitelist", "RINGKEEPER_4LW_COMMANDS_WHITELIST");
        check("znode.container.checkIntervalMs", "znode-container-check-interval-ms", {
            "RINGKEEPER_ZNODE_CONTAINER_CHECK_INTERVAL_MS"
        });
        assert_eq!(Key::family("server.", Group::Ensemble).flag(), None);
    }

    #[test]
    fn whole_numbers() {
        for (text, number) in [("0", 0), ("-1", -1), ("+7", 7), ("0xfffff", 1_048_575), ("-0x10", -16)] {
            assert_eq!(parse_int(text), Some(number), "{text}");
        }
        for text in ["", "-", "0x", "1s", "1.5", " 1", "--1", "0x-1", "99999999999999999999"] {
            assert_eq!(parse_int(text), None, "{text}");
        }
    }

    #[test]
    fn values_are_judged_by_kind() {
        let port = Key::int("clientPort", Group::Clients, 0, 65535, "2181");
        assert_eq!(["2181", "0", "65535"].map(|text| port.check(text)), [Ok(()), Ok(()), Ok(())]);
        assert_eq!(port.check("65536"), Err("is more than 65535".to_owned()));
        assert_eq!(port.check("-1"), Err("is less than 0".to_owned()));
        assert_eq!(port.check("x"), Err("is not a whole number".to_owned()));
        assert!(Key::bool("a", Group::Other, "false").check("TRUE").is_ok());
        assert!(Key::bool("a", Group::Other, "false").check("yes").is_err());
        assert!(Key::yes_no("a", Group::Other, "no").check("on").is_err());
        assert!(Key::path("a", Group::Other).check("").is_err());
    }
}
