//! What somebody who mistyped a name may have meant.

/// The name that is nearest to what was written, if one is near: a slip or two, or another case.
pub(crate) fn nearest<'n>(written: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let written = written.to_lowercase();
    let allowed = if written.chars().count() > 4 { 2 } else { 1 };
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&written, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised() {
        let names = ["get", "getAcl", "getAllChildrenNumber", "ls", "delete", "deleteall"];
        let nearest = |written| nearest(written, names);
        assert_eq!(nearest("getacl"), Some("getAcl"));
        assert_eq!(nearest("gte"), Some("get"));
        assert_eq!(nearest("lss"), Some("ls"));
        assert_eq!(nearest("delet"), Some("delete"));
        assert_eq!(nearest("deletall"), Some("deleteall"));
        assert_eq!(nearest("frobnicate"), None);
        assert_eq!(nearest("xy"), None);
    }
}
