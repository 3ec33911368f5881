//! How many batches are worked on side by side.
//!
//! What always holds: it stays between the floor and the ceiling; it doubles while every look at
//! the queue brings a full batch and more waits than the next looks will bring; it goes down one
//! at a time, and only after it was idle twice in a row. In between it stays as it is, so a
//! steady load does not make it swing.

use std::time::Duration;

use super::port::Backlog;

/// A message older than this waits for us and not for its turn.
const AGE_MAX: Duration = Duration::from_secs(5);
/// Idle so often in a row before it goes down.
const IDLE_MIN: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale {
    pub floor: usize,
    pub ceiling: usize,
    pub current: usize,
    /// Observations in a row that had too little to do.
    idle: u32,
}

/// What was seen since the last time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Looks at the queue that brought as many messages as were asked for.
    pub full: usize,
    /// Fewer, but some.
    pub short: usize,
    pub empty: usize,
    /// Looks that wait for messages at this moment.
    pub looking: usize,
    /// Nothing when it is not known.
    pub backlog: Option<Backlog>,
    pub batch_max: usize,
}

impl Scale {
    pub(super) fn new(floor: usize, ceiling: usize) -> Self {
        let floor = floor.max(1);
        Self {
            floor,
            ceiling: ceiling.max(floor),
            current: floor,
            idle: 0,
        }
    }
}

impl Seen {
    pub(super) fn is_busy(&self) -> bool {
        self.full > 0 && self.short == 0 && self.empty == 0
    }

    /// Most looks bring too little, or more than a quarter of the workers wait for messages.
    fn is_idle(&self, current: usize) -> bool {
        self.short + self.empty > self.full || self.looking * 4 > current
    }

    /// More waits than the workers there are will have taken soon.
    fn is_behind(&self, current: usize) -> bool {
        let Some(backlog) = self.backlog else {
            return false;
        };
        let next_looks = current.saturating_mul(self.batch_max) as u64;
        let is_old = backlog.oldest_age.is_some_and(|age| age > AGE_MAX);
        backlog.visible > next_looks || (is_old && backlog.visible > 0)
    }
}

pub(super) fn next_concurrency(scale: Scale, seen: &Seen) -> Scale {
    let is_behind = seen.is_behind(scale.current);
    if seen.is_busy() && is_behind {
        return Scale {
            current: (scale.current * 2).min(scale.ceiling),
            idle: 0,
            ..scale
        };
    }
    if is_behind || !seen.is_idle(scale.current) {
        return Scale { idle: 0, ..scale };
    }
    let idle = (scale.idle + 1).min(IDLE_MIN);
    let fewer = usize::from(idle >= IDLE_MIN);
    Scale {
        current: (scale.current - fewer).max(scale.floor),
        idle,
        ..scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(current: usize) -> Scale {
        Scale {
            current,
            ..Scale::new(1, 64)
        }
    }

    fn seen(full: usize, short: usize, empty: usize, visible: u64) -> Seen {
        Seen {
            full,
            short,
            empty,
            looking: 0,
            backlog: Some(Backlog {
                visible,
                ..Backlog::default()
            }),
            batch_max: 10,
        }
    }

    #[test]
    fn it_follows_what_was_seen() {
        for (current, seen, expected, why) in [
            (1, seen(3, 0, 0, 1_000), 2, "full looks and a backlog"),
            (4, seen(3, 0, 0, 1_000), 8, "it doubles"),
            (40, seen(3, 0, 0, 1_000), 64, "up to the ceiling"),
            (64, seen(3, 0, 0, 10_000), 64, "and not beyond"),
            (
                4,
                seen(3, 0, 0, 40),
                4,
                "the next looks will take all of it",
            ),
            (4, seen(9, 1, 0, 1_000), 4, "one look was short"),
            (
                4,
                seen(0, 0, 0, 1_000),
                4,
                "nothing is known: long work goes on",
            ),
            (4, seen(1, 2, 0, 0), 4, "idle for the first time"),
        ] {
            assert_eq!(
                next_concurrency(scale(current), &seen).current,
                expected,
                "{why}"
            );
        }
    }

    #[test]
    fn a_queue_that_does_not_say_how_deep_it_is_is_not_guessed_at() {
        let unknown = Seen {
            backlog: None,
            ..seen(3, 0, 0, 0)
        };
        assert_eq!(next_concurrency(scale(2), &unknown).current, 2);
    }

    #[test]
    fn an_old_message_is_reason_enough() {
        let old = |visible, age_s| Seen {
            backlog: Some(Backlog {
                visible,
                in_flight: 0,
                oldest_age: Some(Duration::from_secs(age_s)),
            }),
            ..seen(3, 0, 0, 0)
        };
        assert_eq!(next_concurrency(scale(2), &old(5, 6)).current, 4);
        assert_eq!(next_concurrency(scale(2), &old(5, 4)).current, 2);
        assert_eq!(
            next_concurrency(scale(2), &old(0, 600)).current,
            2,
            "the old one is in work or waits for its time"
        );
    }

    #[test]
    fn it_goes_down_by_one_and_not_below_the_floor() {
        let mut now = Scale {
            current: 5,
            ..Scale::new(2, 64)
        };
        let mut steps = Vec::new();
        for _ in 0..6 {
            now = next_concurrency(now, &seen(0, 0, 3, 0));
            steps.push(now.current);
        }
        assert_eq!(steps, [5, 4, 3, 2, 2, 2]);
    }

    #[test]
    fn looks_that_wait_are_idle() {
        let waiting = Seen {
            looking: 8,
            ..seen(0, 0, 0, 0)
        };
        let once = next_concurrency(scale(8), &waiting);
        assert_eq!(next_concurrency(once, &waiting).current, 7);
        let busy = Seen {
            looking: 2,
            ..seen(600, 0, 0, 0)
        };
        assert_eq!(next_concurrency(once, &busy).current, 8);
        // Whoever looks often looks at any moment; what counts is what is left behind.
        let behind = Seen {
            looking: 6,
            ..seen(600, 0, 0, 10_000)
        };
        assert_eq!(next_concurrency(once, &behind).current, 16);
    }

    #[test]
    fn a_busy_moment_forgets_that_it_was_idle() {
        let idle = seen(0, 0, 3, 0);
        let busy = seen(3, 0, 0, 0);
        let mut now = scale(8);
        for what in [idle, busy, idle, busy, idle, busy] {
            now = next_concurrency(now, &what);
        }
        assert_eq!(now.current, 8);
    }

    /// A queue in small: so many messages arrive in each step, each worker takes so many.
    fn run(arriving: &[u64], per_worker: u64) -> Vec<usize> {
        let mut now = Scale::new(1, 64);
        let mut waiting = 0;
        let mut path = Vec::new();
        for arrived in arriving {
            waiting += arrived;
            let looks = now.current as u64 * per_worker;
            let full = looks.min(waiting);
            waiting -= full;
            let working = usize::try_from(full.div_ceil(per_worker)).unwrap();
            let batch = Seen {
                full: usize::try_from(full).unwrap(),
                looking: now.current - working,
                backlog: Some(Backlog {
                    visible: waiting,
                    ..Backlog::default()
                }),
                batch_max: 1,
                ..Seen::default()
            };
            now = next_concurrency(now, &batch);
            path.push(now.current);
        }
        path
    }

    #[test]
    fn a_burst_is_cleared_at_the_ceiling_and_left_behind_step_by_step() {
        let mut arriving = vec![20_000];
        arriving.extend([0; 150]);
        let path = run(&arriving, 10);
        assert_eq!(path[..7], [2, 4, 8, 16, 32, 64, 64]);
        assert_eq!(path.last(), Some(&1));
        let falls = path.windows(2).filter(|two| two[1] < two[0]);
        assert!(falls.clone().all(|two| two[0] - two[1] == 1));
        assert_eq!(falls.count(), 63);
    }

    #[test]
    fn a_steady_load_does_not_make_it_swing() {
        // It needs 5; once it is there, it stays.
        let path = run(&[50; 400], 10);
        let settled = &path[50..];
        let changes = settled.windows(2).filter(|two| two[0] != two[1]).count();
        assert!(changes <= 2, "{changes} changes: {path:?}");
        assert!(settled.iter().all(|now| (5..=8).contains(now)), "{path:?}");
    }
}
