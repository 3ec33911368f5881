//! Any word of any entry, under hashes and seals that fit.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::forged::NOBODY;
use super::generate::auction;
use super::lines::Line;
use super::*;

/// What a field may be instead; none where another value is as good a story: what somebody was
/// free to choose, whose lot it is, or which of two own bids was taken back.
fn instead(line: &Line, field: &str, value: &Value) -> Option<Value> {
    match (field, value) {
        ("product" | "terms" | "until" | "seal" | "prevBid", _) => None,
        ("seller" | "placed", _) => None,
        ("no", _) if line.kind == "bid.retracted" => None,
        ("reason", _) if line.kind == "bid.refused" => Some("not_open_yet".into()),
        (_, Value::Number(number)) => Some(json!(number.as_i64().unwrap() + 1)),
        (_, Value::Bool(is)) => Some(json!(!is)),
        ("status", Value::String(status)) if status == "closed" => Some("settled".into()),
        ("status", _) => Some("closed".into()),
        (_, Value::String(_)) => Some(NOBODY.into()),
        (_, Value::Array(_)) => Some(json!([])),
        (_, Value::Null | Value::Object(_)) => None,
    }
}

fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec![i64::MIN, -1, 0, 1, crate::money::PRICE_MAX, i64::MAX])
            .prop_map(Value::from),
        Just(json!(u64::MAX)),
        Just(json!(1.5)),
        Just(json!(null)),
        Just(json!([])),
        Just(json!({})),
        any::<bool>().prop_map(Value::from),
        Just(json!(NOBODY)),
    ]
}

/// Changes one field, of the terms too.
fn set(object: &mut Value, field: prop::sample::Index, value: Value) {
    let fields = object.as_object_mut().unwrap();
    if fields.is_empty() {
        return;
    }
    let at = field.index(fields.len());
    let (_, chosen) = fields.iter_mut().nth(at).unwrap();
    match chosen {
        Value::Object(inner) if !inner.is_empty() => set(chosen, field, value),
        _ => *chosen = value,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_word_of_an_entry_can_be_another(
        recorder in auction(),
        words in prop::collection::vec(any::<(prop::sample::Index, prop::sample::Index, bool)>(), 24),
    ) {
        // Before the close it could be checked only as far as it was public.
        prop_assume!(recorder.lines.is_closed());
        for (at, field, removed) in words {
            let mut lines = recorder.lines.clone();
            let line = &mut lines.all[at.index(recorder.lines.all.len())];
            let fields: Vec<_> = line.data.as_object().unwrap().iter().collect();
            let (name, value) = fields[field.index(fields.len())];
            let name = name.clone();
            let Some(other) = instead(line, &name, value).filter(|other| other != value) else {
                continue;
            };
            let fields = line.data.as_object_mut().unwrap();
            if removed {
                fields.remove(&name);
            } else {
                fields.insert(name.clone(), other);
            }
            let seq = line.seq;
            prop_assert!(lines.verify().is_err(), "{name} of entry {seq} in {recorder:?}");
        }
    }

    #[test]
    fn no_word_makes_the_verifier_panic(
        recorder in auction(),
        words in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), anything()), 1..6),
    ) {
        let mut lines = recorder.lines;
        for (at, field, value) in words {
            let at = at.index(lines.all.len());
            let line = &mut lines.all[at];
            match (field.index(20), value.as_i64()) {
                (0, Some(time)) => line.at = time,
                (1, Some(seq)) => line.seq = seq.unsigned_abs(),
                (2, _) => {
                    line.data = json!({});
                }
                (3..9, _) if line.sealed.is_some() => {
                    set(line.sealed.as_mut().unwrap(), field, value);
                }
                _ => set(&mut line.data, field, value),
            }
        }
        let _ = lines.verify();
        let mut checker = Checker::new(&lines.auction);
        for entry in lines.entries(true) {
            checker.check(&entry);
        }
        let _ = checker.finish();
    }
}
