//! Names that were almost right.

/// Names offered.
const OFFERED_MAX: usize = 3;

/// Those that are nearest to a name, best first: a few letters off, or containing it.
pub(super) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let lower = wanted.to_lowercase();
    let letters = wanted.chars().count();
    // A third of the name may be wrong, two letters in any case.
    let off_max = (letters / 3).max(2);
    let mut found: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let other = name.to_lowercase();
            let off = distance(&lower, &other);
            let contains = letters >= 3 && (other.contains(&lower) || lower.contains(&other));
            (off <= off_max || contains).then_some((off, name))
        })
        .collect();
    found.sort_unstable();
    found.truncate(OFFERED_MAX);
    found.into_iter().map(|(_, name)| name).collect()
}

/// How many letters to add, take away, change or swap with their neighbour.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    let mut last = None;
    for (row, letter) in one.chars().enumerate() {
        let mut line = vec![row + 1];
        for (column, &against) in other.iter().enumerate() {
            let changed = above[column] + usize::from(letter != against);
            let mut best = changed.min(above[column + 1] + 1).min(line[column] + 1);
            let is_swapped = column > 0 && last == Some(against) && other[column - 1] == letter;
            if is_swapped {
                best = best.min(before[column - 1] + 1);
            }
            line.push(best);
        }
        before = std::mem::replace(&mut above, line);
        last = Some(letter);
    }
    above[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_off_are_counted() {
        for (one, other, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("orders", "orders", 0),
            ("ordres", "orders", 1),
            ("orers", "orders", 1),
            ("orderss", "orders", 1),
            ("border", "orders", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
    }

    #[test]
    fn the_nearest_come_first_and_the_rest_not_at_all() {
        let names = ["orders", "orders-dlq", "border", "mileage", "x"];
        for (wanted, expected) in [
            ("ordres", &["orders"][..]),
            ("Orders", &["orders", "border", "orders-dlq"]),
            ("dlq", &["orders-dlq"]),
            ("milage", &["mileage"]),
            ("parcels", &[]),
        ] {
            assert_eq!(nearest(wanted, names.into_iter()), expected, "{wanted}");
        }
    }
}
