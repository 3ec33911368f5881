use std::fs;

use super::*;
use crate::{Message, Party};

fn mail(id: &str) -> Composed {
    Message {
        id: id.to_owned(),
        from: Party::named("먼저", "shop@example.com"),
        to: Party::new("kim@example.com"),
        reply_to: None,
        subject: format!("안녕 {id}"),
        text: "one\n.\n두 줄".to_owned(),
        html: Some("<p>두 줄</p>".to_owned()),
        headers: Vec::new(),
        at: 1_764_000_000_000,
    }
    .compose()
    .unwrap()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Times of files are too coarse to tell which of two is older.
fn set_age(directory: &Path, id: &str, seconds_after: u64) {
    let file = fs::File::options()
        .write(true)
        .open(directory.join(format!("{id}.eml")))
        .unwrap();
    let an_hour_ago = file.metadata().unwrap().modified().unwrap() - Duration::from_secs(3_600);
    file.set_modified(an_hour_ago + Duration::from_secs(seconds_after))
        .unwrap();
}

#[tokio::test]
async fn an_e_mail_is_one_file_and_reads_back() {
    let data = tempfile::tempdir().unwrap();
    let directory = data.path().join("mail");
    let mailbox = Mailbox::new(&directory, 10, WhenFull::Fail);
    assert_eq!(mailbox.list(10).await.unwrap().total, 0);
    let mail = mail("m-1.a");
    for _ in 0..2 {
        assert!(mailbox.send(&mail).await.is_delivered());
    }
    assert_eq!(names(&directory), ["m-1.a.eml"]);
    assert_eq!(fs::read(directory.join("m-1.a.eml")).unwrap(), mail.bytes());
    let stored = mailbox.read("m-1.a").await.unwrap().unwrap();
    assert_eq!(
        (
            stored.from.as_str(),
            stored.to.as_str(),
            stored.subject.as_str(),
            stored.at,
            stored.text.trim_end(),
            stored.html.as_deref().map(str::trim_end),
        ),
        (
            "먼저 <shop@example.com>",
            "kim@example.com",
            "안녕 m-1.a",
            Some(1_764_000_000_000),
            "one\n.\n두 줄",
            Some("<p>두 줄</p>"),
        )
    );
    assert_eq!(stored.bytes, mail.bytes());
    assert!(!format!("{stored:?}").contains("kim@"));
    fs::write(data.path().join("outside.eml"), "Subject: not here").unwrap();
    let outside = data.path().join("outside");
    for id in ["none", "../outside", outside.to_str().unwrap(), ""] {
        assert_eq!(mailbox.read(id).await.unwrap(), None, "{id}");
    }
}

#[tokio::test]
async fn a_full_mailbox_fails_until_somebody_fetches() {
    let data = tempfile::tempdir().unwrap();
    let mailbox = Mailbox::new(data.path(), 2, WhenFull::Fail);
    for id in ["a", "b"] {
        assert!(mailbox.send(&mail(id)).await.is_delivered());
    }
    let outcome = mailbox.send(&mail("c")).await;
    assert_eq!(outcome.to_string(), "full: the mailbox holds 2 e-mails");
    // One that is there already needs no room.
    assert!(mailbox.send(&mail("a")).await.is_delivered());
    assert_eq!(names(data.path()), ["a.eml", "b.eml"]);
    fs::remove_file(data.path().join("a.eml")).unwrap();
    assert!(mailbox.send(&mail("c")).await.is_delivered());
    assert_eq!(names(data.path()), ["b.eml", "c.eml"]);
}

#[tokio::test]
async fn the_oldest_goes_where_that_is_wanted_and_the_newest_are_listed_first() {
    let data = tempfile::tempdir().unwrap();
    let mailbox = Mailbox::new(data.path(), 3, WhenFull::RemoveOldest);
    for (index, id) in ["c", "a", "d", "b"].into_iter().enumerate() {
        assert!(mailbox.send(&mail(id)).await.is_delivered());
        set_age(data.path(), id, index as u64);
    }
    assert_eq!(names(data.path()), ["a.eml", "b.eml", "d.eml"]);
    // What is not ours is neither counted nor touched.
    fs::write(data.path().join("notes.txt"), "x").unwrap();
    fs::write(data.path().join("half.tmp"), "x").unwrap();
    fs::write(data.path().join("..eml"), "x").unwrap();
    let listed = mailbox.list(2).await.unwrap();
    let ids: Vec<&str> = listed.mails.iter().map(|mail| mail.id.as_str()).collect();
    assert_eq!((ids, listed.total), (vec!["b", "d"], 3));
    // A bound that was lowered holds from the next e-mail on.
    let smaller = Mailbox::new(data.path(), 1, WhenFull::RemoveOldest);
    assert!(smaller.send(&mail("e")).await.is_delivered());
    assert_eq!(
        names(data.path()),
        ["..eml", "e.eml", "half.tmp", "notes.txt"]
    );
}

#[tokio::test]
async fn what_is_too_old_goes_with_each_new_one_and_makes_room() {
    const DAY: Duration = Duration::from_secs(24 * 3_600);
    for when_full in [WhenFull::Fail, WhenFull::RemoveOldest] {
        let data = tempfile::tempdir().unwrap();
        let mailbox = Mailbox::new(data.path(), 2, when_full);
        for (id, days) in [("a", 91), ("b", 89)] {
            assert!(mailbox.send(&mail(id)).await.is_delivered());
            let path = data.path().join(format!("{id}.eml"));
            let file = fs::File::options().write(true).open(path).unwrap();
            let now = file.metadata().unwrap().modified().unwrap();
            file.set_modified(now - DAY * days).unwrap();
        }
        assert!(mailbox.send(&mail("c")).await.is_delivered());
        assert_eq!(names(data.path()), ["b.eml", "c.eml"]);
    }
}

#[tokio::test]
async fn who_writes_one_does_not_look_at_all_the_others() {
    for when_full in [WhenFull::Fail, WhenFull::RemoveOldest] {
        let data = tempfile::tempdir().unwrap();
        let mailbox = Mailbox::new(data.path(), 4, when_full);
        assert!(mailbox.send(&mail("a")).await.is_delivered());
        // Others do not write here: whoever looked would count these.
        for id in ["x", "y", "z"] {
            fs::write(data.path().join(format!("{id}.eml")), "x").unwrap();
            set_age(data.path(), id, 0);
        }
        assert!(mailbox.send(&mail("b")).await.is_delivered());
        assert_eq!(names(data.path()).len(), 5, "nothing went for it");
        // What somebody has fetched needs not be removed.
        fs::remove_file(data.path().join("a.eml")).unwrap();
        for id in ["c", "d"] {
            assert!(mailbox.send(&mail(id)).await.is_delivered());
        }
        assert_eq!(names(data.path()).len(), 6);
    }
}

#[tokio::test]
async fn a_disk_that_fails_is_a_failure() {
    let data = tempfile::tempdir().unwrap();
    let in_the_way = data.path().join("file");
    fs::write(&in_the_way, "x").unwrap();
    let mailbox = Mailbox::new(&in_the_way, 3, WhenFull::Fail);
    let outcome = mailbox.send(&mail("a")).await;
    assert_eq!(outcome.code(), "storage");
    assert!(mailbox.list(1).await.is_err());
}

#[tokio::test]
async fn what_cannot_be_parsed_is_shown_as_it_is() {
    let data = tempfile::tempdir().unwrap();
    let mailbox = Mailbox::new(data.path(), 3, WhenFull::Fail);
    fs::write(data.path().join("odd.eml"), [0, 159, 146, 150]).unwrap();
    fs::write(data.path().join("empty.eml"), []).unwrap();
    for id in ["odd", "empty"] {
        let stored = mailbox.read(id).await.unwrap().unwrap();
        assert_eq!((stored.subject.as_str(), stored.html), ("", None), "{id}");
    }
}

#[tokio::test]
async fn many_at_once_stay_within_the_bound() {
    let data = tempfile::tempdir().unwrap();
    let mailbox = Mailbox::new(data.path(), 5, WhenFull::Fail);
    let mails: Vec<Composed> = (0..20).map(|n| mail(&format!("m-{n}"))).collect();
    let outcomes = futures_util::future::join_all(mails.iter().map(|mail| mailbox.send(mail)));
    let delivered = outcomes.await.iter().filter(|o| o.is_delivered()).count();
    assert_eq!((delivered, names(data.path()).len()), (5, 5));
}
