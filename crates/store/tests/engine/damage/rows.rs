//! Rows that somebody changed beside the log: what the log carries of them tells.

use super::*;

#[test]
fn rows_that_are_not_what_the_log_gives_are_told() {
    const A: Option<&str> = Some("A");
    const R: Option<&str> = Some("R");
    const REQUEST: &str = "is a replenishment that is stored differently";
    let cases: &[(&str, &str, Told)] = &[
        (
            "the price",
            "UPDATE products SET state = json_set(state, '$.price', 1) WHERE sku = 'A'",
            (11, A, None, None, "another price"),
        ),
        (
            "the state of a replenishment",
            "UPDATE replenishments SET state = json_set(state, '$.status', 'failed')",
            (8, R, Some(11), None, REQUEST),
        ),
        (
            "what was asked for",
            "UPDATE replenishments SET state = json_set(state, '$.quantity', 99)",
            (8, R, Some(11), None, REQUEST),
        ),
        (
            "what arrived",
            "UPDATE replenishments SET state = json_set(state, '$.received', 99)",
            (8, R, Some(11), None, REQUEST),
        ),
        (
            "who was asked",
            "UPDATE replenishments SET state = json_set(state, '$.factory', 'F-2')",
            (8, R, Some(11), None, REQUEST),
        ),
        (
            "the id of a replenishment",
            "UPDATE replenishments SET state = json_set(state, '$.secret[0]', 1 - min(1, state ->> '$.secret[0]'))",
            (8, R, Some(11), None, REQUEST),
        ),
        (
            "a replenishment that is gone",
            "DELETE FROM replenishments",
            (
                8,
                R,
                Some(11),
                None,
                "is a replenishment that is not stored",
            ),
        ),
        (
            "a replenishment that nobody asked for",
            "INSERT INTO replenishments SELECT 9, product, open, json_set(state, '$.seq', 9) FROM replenishments",
            (
                8,
                None,
                Some(9),
                None,
                "is a replenishment that has no history",
            ),
        ),
        (
            "whose the verdict is",
            "UPDATE log SET customer = 'mallory@example.com' WHERE seq = 9",
            (11, A, Some(9), Some(4), "another buyer than its order"),
        ),
        (
            "who waits",
            "UPDATE waiting SET customer = 'mallory@example.com' WHERE place = 5",
            (3, A, None, None, "another customer than ordered"),
        ),
        (
            "how many wait",
            "UPDATE line_sums SET units = units + 1",
            (3, A, None, Some(6), "are counted before it"),
        ),
    ];
    runtime().block_on(async {
        for (what, sql, told) in cases {
            let rig = sale(Place::disk()).await;
            rig.engine().stop().await;
            let Place::Disk(directory) = &rig.place else {
                unreachable!("it was made on disk");
            };
            let shell = Connection::open(directory.path().join("firstcome.db")).unwrap();
            shell.execute_batch(sql).unwrap();
            assert!(shell.changes() > 0, "{what}: nothing was damaged");
            let reader = sqlite::open_reader(directory.path()).unwrap();
            assert_told(&audit(&*reader).unwrap(), what, &[*told]);
        }
    });
}
