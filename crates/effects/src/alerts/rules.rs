//! From what was observed to causes, and from causes and open alerts to what changes. Pure: the
//! same observations give the same alerts.

use std::collections::BTreeMap;

use commerce::Millis;

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Messages lie in a dead-letter queue. The subject is the queue.
    DeadLetters,
    /// A consumer has work and does none, or waits for a neighbour. The subject is its queue.
    ConsumerStandsStill,
    /// The last request to a factory failed. The subject is the factory.
    FactoryFails,
    /// The head of a product's line waits too long. The subject is the sku.
    LineWaits,
    /// A webhook endpoint was disabled, and not by an operator. The subject is its id.
    WebhookDisabled,
    /// The log ends before what a database that follows it knows. The subject is the database.
    StoreIsOlder,
    /// A file that the store writes was removed or replaced. The subject is the file.
    StoreFileGone,
}

impl Rule {
    pub const ALL: [Self; 7] = [
        Self::DeadLetters,
        Self::ConsumerStandsStill,
        Self::FactoryFails,
        Self::LineWaits,
        Self::WebhookDisabled,
        Self::StoreIsOlder,
        Self::StoreFileGone,
    ];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeadLetters => "dead_letters",
            Self::ConsumerStandsStill => "consumer_stands_still",
            Self::FactoryFails => "factory_fails",
            Self::LineWaits => "line_waits",
            Self::WebhookDisabled => "webhook_disabled",
            Self::StoreIsOlder => "store_is_older",
            Self::StoreFileGone => "store_file_gone",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }
}

/// When something is worth an alert; 0 switches a rule off that has a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A consumer with work does none for so long.
    pub stands_still_ms: Millis,
    /// The head of a line waits for so long.
    pub line_waits_ms: Millis,
    /// A cause must not be seen for so long before its alert is resolved, so that what comes and
    /// goes is one alert.
    pub resolve_after_ms: Millis,
}

impl Limits {
    fn quiet_ms(&self, rule: Rule) -> Millis {
        match rule {
            // Whoever has just begun to look sees it only after so long.
            Rule::ConsumerStandsStill => self.resolve_after_ms + self.stands_still_ms,
            Rule::DeadLetters
            | Rule::FactoryFails
            | Rule::LineWaits
            | Rule::WebhookDisabled
            | Rule::StoreIsOlder
            | Rule::StoreFileGone => self.resolve_after_ms,
        }
    }
}

/// A consumer's queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    pub queue: String,
    /// Messages that could be received.
    pub visible: i64,
    /// Messages received and deleted since the process started: it grows while work is done.
    pub handled: u64,
}

/// A product's line with somebody in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub sku: String,
    pub head_since: Millis,
    pub waiting: i64,
}

/// The shop at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    pub at: Millis,
    /// Dead-letter queues that hold something, with how much.
    pub dead_letters: Vec<(String, i64)>,
    pub consumers: Vec<Backlog>,
    /// Queues whose consumer waits for a neighbour, what is known to be in them, and since when.
    pub waiting: Vec<(String, i64, Millis)>,
    /// Factories whose newest requests failed, with how many in a row.
    pub factories: Vec<(String, i64)>,
    pub lines: Vec<Line>,
    /// Webhook endpoints that were disabled, and not by an operator.
    pub endpoints: Vec<String>,
    /// Databases that knew entries which the log did not have at the start, with how many.
    pub newer: Vec<(String, i64)>,
    /// Files that the store writes and that are not in its directory any more.
    pub gone: Vec<String>,
}

/// What is remembered from one look to the next: since when a queue has stood still.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    still: BTreeMap<String, (u64, Millis)>,
}

/// A cause, seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    pub rule: Rule,
    pub subject: String,
    pub count: i64,
}

/// An alert as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    pub n: i64,
    pub rule: Rule,
    pub subject: String,
    /// The most that was seen: messages, failures, orders that wait, entries.
    pub count: i64,
    pub opened_at: Millis,
    pub last_at: Millis,
    pub resolved_at: Option<Millis>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    Open(Sighting),
    /// It is still there.
    Seen {
        n: i64,
        count: i64,
    },
    Resolve {
        n: i64,
    },
}

/// What is wrong now.
pub fn sightings(limits: &Limits, seen: &Observation, memory: &mut Memory) -> Vec<Sighting> {
    let mut found = Vec::new();
    let mut add = |rule, subject: &str, count| {
        found.push(Sighting {
            rule,
            subject: subject.to_owned(),
            count,
        });
    };
    for (queue, count) in seen.dead_letters.iter().filter(|(_, count)| *count > 0) {
        add(Rule::DeadLetters, queue, *count);
    }
    for backlog in stand_still(limits, seen, memory) {
        add(Rule::ConsumerStandsStill, &backlog.queue, backlog.visible);
    }
    if limits.stands_still_ms > 0 {
        for (queue, count, since) in &seen.waiting {
            if seen.at - since >= limits.stands_still_ms {
                // What it holds to try it again and again cannot be seen in the queue.
                add(Rule::ConsumerStandsStill, queue, (*count).max(1));
            }
        }
    }
    for (factory, count) in seen.factories.iter().filter(|(_, count)| *count > 0) {
        add(Rule::FactoryFails, factory, *count);
    }
    if limits.line_waits_ms > 0 {
        for line in &seen.lines {
            if seen.at - line.head_since >= limits.line_waits_ms {
                add(Rule::LineWaits, &line.sku, line.waiting);
            }
        }
    }
    for endpoint in &seen.endpoints {
        add(Rule::WebhookDisabled, endpoint, 1);
    }
    for (database, count) in &seen.newer {
        add(Rule::StoreIsOlder, database, *count);
    }
    for file in &seen.gone {
        add(Rule::StoreFileGone, file, 1);
    }
    found
}

fn stand_still<'a>(
    limits: &Limits,
    seen: &'a Observation,
    memory: &mut Memory,
) -> Vec<&'a Backlog> {
    if limits.stands_still_ms == 0 {
        return Vec::new();
    }
    let mut still = BTreeMap::new();
    let mut found = Vec::new();
    for backlog in seen.consumers.iter().filter(|backlog| backlog.visible > 0) {
        let before = memory.still.get(&backlog.queue);
        let since = match before {
            Some((handled, since)) if *handled == backlog.handled => *since,
            Some(_) | None => seen.at,
        };
        still.insert(backlog.queue.clone(), (backlog.handled, since));
        if seen.at - since >= limits.stands_still_ms {
            found.push(backlog);
        }
    }
    memory.still = still;
    found
}

/// What changes of the open alerts. `looking_since` is when this process began to look: what
/// nobody looked for is not over.
pub fn transitions(
    limits: &Limits,
    at: Millis,
    looking_since: Millis,
    open: &[Alert],
    seen: &[Sighting],
) -> Vec<Transition> {
    let mut changes = Vec::new();
    let mut causes: BTreeMap<(Rule, &str), i64> = BTreeMap::new();
    for sighting in seen {
        let count = causes
            .entry((sighting.rule, &sighting.subject))
            .or_default();
        *count = (*count).max(sighting.count);
    }
    for alert in open {
        match causes.remove(&(alert.rule, alert.subject.as_str())) {
            Some(count) => changes.push(Transition::Seen { n: alert.n, count }),
            None => {
                let quiet_since = alert.last_at.max(looking_since);
                if at - quiet_since >= limits.quiet_ms(alert.rule) {
                    changes.push(Transition::Resolve { n: alert.n });
                }
            }
        }
    }
    for ((rule, subject), count) in causes {
        changes.push(Transition::Open(Sighting {
            rule,
            subject: subject.to_owned(),
            count,
        }));
    }
    changes
}
