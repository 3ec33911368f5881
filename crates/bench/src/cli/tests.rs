use super::*;

/// The names of the rows, and the connections.
fn of(line: &str) -> (Vec<&'static str>, Vec<u16>) {
    let words = ["firstcome-bench", "suite"].into_iter();
    let cli = Cli::try_parse_from(words.chain(line.split_whitespace())).unwrap();
    let Some(Command::Suite(args)) = cli.command else {
        panic!("not a suite");
    };
    let (rows, connections) = chosen(&args);
    (rows.iter().map(|row| row.name).collect(), connections)
}

#[test]
fn a_word_stands_for_the_rows_of_its_kind() {
    let (rows, connections) = of("--rows queues");
    assert_eq!(rows[..3], ["echo", "sqs-send", "sqs-send-batch"]);
    for row in ["sqs-fifo", "moto-cycle-batch", "elasticmq-send-batch"] {
        assert!(rows.contains(&row), "{row}");
    }
    assert!(!rows.contains(&"orders"));
    assert_eq!(connections, [1, 16, 64]);
    let (rows, connections) = of("--rows auctions");
    let expected = ["echo", "bids", "bids-sealed", "bids-many", "bid-async"];
    assert_eq!(rows, expected);
    assert_eq!(connections, [1, 64, 256]);
}

#[test]
fn rows_and_connections_can_be_named_one_by_one() {
    let usual = of("");
    assert!(usual.0.contains(&"echo") && usual.0.contains(&"orders"));
    assert_eq!(usual.1, [1, 64, 256]);
    let (rows, connections) = of("--rows echo,bids --with bids,orders --connections 16,2");
    assert_eq!(rows, ["echo", "bids", "orders"]);
    assert_eq!(connections, [16, 2]);
    let (rows, connections) = of("--with queues");
    assert!(rows.contains(&"sold-out") && rows.contains(&"sqs-cycle"));
    assert_eq!(connections, [1, 16, 64, 256]);
}
