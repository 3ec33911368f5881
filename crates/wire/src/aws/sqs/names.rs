//! Which attributes a receive asks for.

/// The names of message attributes asked for: `All` or `.*`, `prefix.*`, or exact.
#[derive(Clone, Copy, Debug)]
pub struct AttributeFilter<'a>(pub &'a [String]);

impl AttributeFilter<'_> {
    pub fn wants(&self, name: &str) -> bool {
        self.0.iter().any(|wanted| match wanted.strip_suffix(".*") {
            _ if wanted == "All" => true,
            Some(prefix) => name.starts_with(prefix),
            None => wanted == name,
        })
    }
}

/// Whether one of two lists of system attribute names, the older and the newer parameter,
/// names this one or `All`.
pub fn system_attribute_wanted(older: &[String], newer: &[String], name: &str) -> bool {
    older
        .iter()
        .chain(newer)
        .any(|wanted| wanted == "All" || wanted == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact_or_begin_so_or_all() {
        for (wanted, name, expected) in [
            ("All", "anything", true),
            (".*", "anything", true),
            ("shop.*", "shop.item", true),
            ("shop.*", "shopper", true),
            ("shop.*", "a.shop", false),
            ("shop", "shop", true),
            ("shop", "shop.item", false),
            ("all", "anything", false),
        ] {
            let wanted = [wanted.to_owned()];
            assert_eq!(
                AttributeFilter(&wanted).wants(name),
                expected,
                "{wanted:?} {name}"
            );
        }
        assert!(!AttributeFilter(&[]).wants("a"));
    }

    #[test]
    fn either_parameter_asks_for_system_attributes() {
        let names = |name: &str| [name.to_owned()];
        assert!(system_attribute_wanted(&names("All"), &[], "SenderId"));
        assert!(system_attribute_wanted(&[], &names("SenderId"), "SenderId"));
        assert!(!system_attribute_wanted(
            &names("SentTimestamp"),
            &[],
            "SenderId"
        ));
    }
}
