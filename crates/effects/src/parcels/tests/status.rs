use super::super::{ParcelStatus, Progress, Step};
use ParcelStatus::{Created, Delivered, InTransit, Packed, Returned};

/// Every parcel that there can be.
fn all() -> Vec<Progress> {
    let on_the_way = [Created, Packed, InTransit];
    let straight = [Created, Packed, InTransit, Delivered].map(|status| Progress {
        status,
        reached: status,
    });
    let returned = on_the_way.map(|reached| Progress {
        status: Returned,
        reached,
    });
    straight.into_iter().chain(returned).collect()
}

/// `+` moves, `=` changes nothing, `!` is refused; by created, packed, in transit, delivered,
/// returned.
#[test]
fn every_notice_in_every_state() {
    let expected = [
        "=++++", // created
        "==+++", // packed
        "===++", // in transit
        "====!", // delivered
        "=!!!=", // returned before it was packed
        "==!!=", // returned before it was handed over
        "===!=", // returned on its way
    ];
    for (progress, expected) in all().into_iter().zip(expected) {
        for (notice, expected) in ParcelStatus::ALL.into_iter().zip(expected.chars()) {
            let told = match progress.take(notice) {
                Step::Moved(to) => {
                    assert_eq!(to.status, notice);
                    let reached = if notice == Returned {
                        progress.reached
                    } else {
                        notice
                    };
                    assert_eq!(to.reached, reached);
                    '+'
                }
                Step::Known => '=',
                Step::Refused => '!',
            };
            assert_eq!(told, expected, "{progress:?} {notice:?}");
        }
    }
}

#[test]
fn whatever_is_reached_is_a_state_of_the_table() {
    let known = all();
    let mut seen = vec![Progress::START];
    let mut at = 0;
    while let Some(progress) = seen.get(at).copied() {
        at += 1;
        let notices = ParcelStatus::ALL.map(|notice| progress.take(notice));
        for step in notices.into_iter().chain([progress.cancel()]) {
            if let Step::Moved(to) = step
                && !seen.contains(&to)
            {
                seen.push(to);
            }
        }
    }
    assert_eq!(seen.len(), known.len());
    assert!(seen.iter().all(|progress| known.contains(progress)));
}

#[test]
fn a_notice_repeated_changes_nothing() {
    for progress in all() {
        for notice in ParcelStatus::ALL {
            if let Step::Moved(to) = progress.take(notice) {
                assert_eq!(to.take(notice), Step::Known, "{progress:?} {notice:?}");
            }
        }
    }
}

#[test]
fn a_cancelled_order_takes_back_what_was_not_handed_over() {
    for progress in all() {
        let moves = matches!(progress.cancel(), Step::Moved(to) if to.status == Returned);
        let here = [Created, Packed].contains(&progress.status);
        assert_eq!(moves, here, "{progress:?}");
    }
}

#[test]
fn names_and_numbers_are_read_back() {
    for status in ParcelStatus::ALL {
        assert_eq!(ParcelStatus::parse(status.as_str()), Some(status));
        assert_eq!(ParcelStatus::from_number(status.number()), Some(status));
    }
    assert_eq!(ParcelStatus::parse("lost"), None);
    assert_eq!(ParcelStatus::from_number(5), None);
}
