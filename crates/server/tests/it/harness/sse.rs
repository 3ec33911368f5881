//! A reader of server-sent events (HTML Living Standard, 9.2).

use std::collections::VecDeque;

use serde_json::Value;

use crate::harness::client::{ANSWER_LIMIT, Answer, Connection, Headers};

#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) data: Value,
}

pub(crate) struct Events {
    connection: Connection,
    pub(crate) head: Answer,
    text: String,
    ready: VecDeque<Event>,
    heartbeats: usize,
}

impl Events {
    pub(crate) async fn open(mut connection: Connection, path: &str, headers: Headers<'_>) -> Self {
        connection.ask("GET", path, headers, None).await.unwrap();
        let head = connection.head().await.unwrap();
        assert_eq!(head.status, 200, "{path}");
        assert_eq!(head.header("content-type"), Some("text/event-stream"));
        let mut events = Self {
            connection,
            head,
            text: String::new(),
            ready: VecDeque::new(),
            heartbeats: 0,
        };
        // The first block is a comment: from then on nothing is missed.
        while !events.text.contains("listening") {
            assert!(events.fill().await, "the stream ended at once");
        }
        events
    }

    /// False at the end of the stream, orderly or not.
    async fn fill(&mut self) -> bool {
        match self.connection.chunk().await {
            Ok(Some(chunk)) => {
                self.text.push_str(&String::from_utf8(chunk).unwrap());
                true
            }
            Ok(None) | Err(_) => false,
        }
    }

    fn parse(&mut self) {
        while let Some(end) = self.text.find("\n\n") {
            let block: String = self.text.drain(..end + 2).collect();
            let field = |name: &str| {
                block
                    .lines()
                    .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            };
            let Some(data) = field("data") else {
                self.heartbeats += usize::from(block.contains(": alive"));
                continue;
            };
            self.ready.push_back(Event {
                id: field("id").expect("every event has an id").parse().unwrap(),
                name: field("event").expect("every event has a name").to_owned(),
                data: serde_json::from_str(data).unwrap(),
            });
        }
    }

    /// The next event; none when the stream has ended.
    #[track_caller]
    pub(crate) fn next(&mut self) -> impl Future<Output = Option<Event>> {
        let caller = std::panic::Location::caller();
        async move {
            // A stream that only says that it is alive brings none.
            let event = tokio::time::timeout(ANSWER_LIMIT, self.next_event()).await;
            event.unwrap_or_else(|_| panic!("{caller}: no event in time"))
        }
    }

    async fn next_event(&mut self) -> Option<Event> {
        loop {
            self.parse();
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// The next event of this name; others pass by.
    #[track_caller]
    pub(crate) fn next_named(&mut self, name: &str) -> impl Future<Output = Event> {
        let caller = std::panic::Location::caller();
        async move {
            loop {
                match self.next().await {
                    Some(event) if event.name == name => return event,
                    Some(_) => {}
                    None => panic!("{caller}: the stream ended before {name}"),
                }
            }
        }
    }

    /// Waits for the comment that says only that the stream is alive; nothing else comes first.
    pub(crate) async fn heartbeat(&mut self) {
        while self.heartbeats == 0 {
            let filled = tokio::time::timeout(ANSWER_LIMIT, self.fill()).await;
            assert!(filled.expect("the stream is silent"), "the stream ended");
            self.parse();
            assert!(self.ready.is_empty(), "{:?}", self.ready);
        }
    }

    /// Reads to the end and says how many events there still were.
    pub(crate) async fn drain(&mut self) -> usize {
        let mut events = 0;
        while self.next().await.is_some() {
            events += 1;
        }
        events
    }
}
